"""Inputs and targets at zero mean and unit variance while a network is trained.

The means and scales are folded into the weights afterwards, so that a fitted network takes and
gives data as they are, and training does not depend on their units.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Standardisation:
    """(data - mean) / scale, for the inputs X and the targets y.

    Attributes
    ----------
    x_mean, x_scale : ndarray of shape (D,)
    y_mean, y_scale : ndarray of shape (K,) or (1,)
    x_is_constant : ndarray of bool, shape (D,)
        Features that do not vary where there is weight, or never occur in sparse X.
    """

    x_mean: np.ndarray
    x_scale: np.ndarray
    y_mean: np.ndarray
    y_scale: np.ndarray
    x_is_constant: np.ndarray

    def apply(self, shard, with_targets):
        """Standardise a shard in place."""
        if not sparse.issparse(shard.X):
            _standardise(shard.X, self.x_mean, self.x_scale)
            # exactly, where the mean is rounded
            shard.X[:, self.x_is_constant] = 0.0
        if with_targets:
            _standardise(shard.y, self.y_mean, self.y_scale)

    def without_constants(self, network, p):
        """Return initial parameters in which features that do not vary have no influence.

        Their weights would get no gradient, and keep their random start: at prediction, a feature
        that varies only there would then change the outputs at random.
        """
        p = dict(p)
        for W in network.input_biases:
            p[W] = np.where(self.x_is_constant[:, None], 0.0, p[W])
        return p

    def fold(self, network, p):
        """Return parameters for the data as they are, from parameters for standardised data."""
        p = dict(p)
        for W, b in network.input_biases.items():
            p[W] = p[W] / self.x_scale[:, None]
            p[b] = p[b] - self.x_mean @ p[W]
        for W, b in network.feedback_biases.items():
            mean, scale = self._fed_back(p[W])
            p[W] = p[W] / scale[:, None]
            p[b] = p[b] - mean @ p[W]
        for W in network.output_terms:
            p[W] = p[W] * self.y_scale
        for level in network.output_levels:
            p[level] = p[level] * self.y_scale + self.y_mean
        return p

    def unfold(self, network, p):
        """Return the inverse of `fold`."""
        p = dict(p)
        for level in network.output_levels:
            p[level] = (p[level] - self.y_mean) / self.y_scale
        for W in network.output_terms:
            p[W] = p[W] / self.y_scale
        for W, b in network.feedback_biases.items():
            mean, scale = self._fed_back(p[W])
            p[b] = p[b] + mean @ p[W]
            p[W] = p[W] * scale[:, None]
        for W, b in network.input_biases.items():
            p[b] = p[b] + self.x_mean @ p[W]
            p[W] = p[W] * self.x_scale[:, None]
        return p

    def _fed_back(self, W):
        """Mean and scale of the targets that the rows of W multiply: all targets at each lag."""
        n_lags = len(W) // len(self.y_mean)
        return np.tile(self.y_mean, n_lags), np.tile(self.y_scale, n_lags)


def standardisation(shards, per_step, with_targets):
    """Return the standardisation of the shards' data, by their weighted moments.

    Sparse X stays as it is: centring would make it dense, and scaling would enlarge the rarest
    indicators most. Labels stay as they are, too.
    """

    def features(shard):
        return shard.X, shard.weight if per_step else shard.weight[shard.packing.sequence]

    def targets(shard):
        return shard.y, shard.weight

    nothing = np.zeros(1), np.ones(1)
    first = shards[0].load()
    if sparse.issparse(first.X):
        is_constant = _never_occurs(shard.load().X for shard in shards)
        x = np.zeros(len(is_constant)), np.ones(len(is_constant))
    else:
        *x, is_constant = _moments((features(shard.load()) for shard in shards), "feature")
    y = nothing
    if with_targets:
        *y, _ = _moments((targets(shard.load()) for shard in shards), "target")
    return Standardisation(*x, *y, is_constant)


def _never_occurs(parts):
    is_absent = None
    for X in parts:
        is_absent = np.ones(X.shape[1], bool) if is_absent is None else is_absent
        is_absent[X.indices] = False
    return is_absent


def _standardise(rows, mean, scale):
    rows -= mean.astype(rows.dtype)
    rows /= scale.astype(rows.dtype)


def _moments(parts, name):
    """Return mean and standard deviation of weighted rows, and which columns are constant.

    The deviation of constant columns is set to 1. ``parts`` are pairs of rows and weights, merged
    by Chan, Golub, LeVeque 1983, eq. 2.1.
    """
    total = n_rows = mean = variance = spread = largest = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, weight in parts:
            n_rows += len(rows)
            counts = (weight > 0)[:, None]
            largest = np.maximum(largest, np.abs(rows).max(axis=0, where=counts, initial=0))
            part_weight = weight.sum()
            if part_weight == 0:  # it underflows beside the others
                continue
            total += part_weight
            share = part_weight / total
            weight = weight / part_weight
            part_mean = weight @ rows.astype(np.float64)
            offset = part_mean - mean
            mean = mean + share * offset
            deviations = rows - part_mean
            spread = np.maximum(spread, np.abs(deviations).max(axis=0, where=counts, initial=0))
            inside = weight @ np.square(deviations)
            between = (1 - share) * np.square(offset)
            variance = variance + share * (inside + between - variance)
    if not np.isfinite(variance).all():
        raise ValueError(
            f"The variance of {name} {np.argmin(np.isfinite(variance))} overflows. Scale it."
        )
    # what rounding, of the data and of the sum over all rows, leaves of a constant column; or one
    # that varies only where there is next to no weight
    eps = 10 * np.finfo(rows.dtype).eps + n_rows * np.finfo(np.float64).eps
    scale = np.sqrt(variance)
    is_constant = scale <= eps * largest
    _warn_of_underflow((variance == 0) & (spread > eps * largest) & (spread < 1e-150), name)
    return mean, np.where(is_constant, 1.0, scale), is_constant


def _warn_of_underflow(underflows, name):
    if underflows.any():
        warnings.warn(
            f"The variance of {name} {np.argmax(underflows)} underflows: its values are too small, "
            "and it is taken for constant. Scale it.",
            stacklevel=2,
        )
