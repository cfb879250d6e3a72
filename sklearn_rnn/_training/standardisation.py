"""Inputs and targets at zero mean and unit variance while a network is trained.

The means and scales are folded into the weights afterwards, so that a fitted network takes and
gives data as they are, and training does not depend on their units.
"""

import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

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

    def with_small(self, n, scale):
        """Return the same, the last n features having a standard deviation of ``scale``."""
        x_scale = self.x_scale.copy()
        x_scale[len(x_scale) - n :] /= scale
        return replace(self, x_scale=x_scale)

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


class Moments(NamedTuple):
    """Moments of weighted rows: numbers, or one for each column.

    Attributes
    ----------
    n_rows : int
    eps : float
        Of the precision of the rows.
    total : float
        Sum of the weights.
    largest, spread : ndarray of shape (D,)
        Largest magnitude, and distance from the mean, where there is weight.
    mean, variance : ndarray of shape (D,)
    """

    n_rows: int
    eps: float
    total: float
    largest: np.ndarray
    spread: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def standardisation(shards, per_step, with_targets):
    """Return the standardisation of the shards' data, by their weighted moments."""
    return merged([shard_moments(per_step, with_targets, shard) for shard in shards])


def shard_moments(per_step, with_targets, shard):
    """Return the `Moments` of a shard's features, and of its targets or None.

    Of sparse features, which of them occur. They stay as they are: centring would make them dense,
    and scaling would enlarge the rarest indicators most. Labels stay as they are, too.
    """
    shard = shard.load()
    if sparse.issparse(shard.X):
        features = np.zeros(shard.X.shape[1], bool)
        features[shard.X.indices] = True
    else:
        weight = shard.weight if per_step else shard.weight[shard.packing.sequence]
        features = _moments(shard.X, weight)
    return features, _moments(shard.y, shard.weight) if with_targets else None


def merged(moments):
    """Return the standardisation by what `shard_moments` returned for each shard, in this order."""
    of_features, of_targets = zip(*moments)
    if isinstance(of_features[0], Moments):
        *x, is_constant = _scaling(of_features, "feature")
    else:
        is_constant = ~np.logical_or.reduce(of_features)
        x = np.zeros(len(is_constant)), np.ones(len(is_constant))
    y = np.zeros(1), np.ones(1)
    if of_targets[0] is not None:
        *y, _ = _scaling(of_targets, "target")
    return Standardisation(*x, *y, is_constant)


def _standardise(rows, mean, scale):
    rows -= mean.astype(rows.dtype)
    rows /= scale.astype(rows.dtype)


def _moments(rows, weight):
    with np.errstate(over="ignore", invalid="ignore"):
        counts, total = (weight > 0)[:, None], weight.sum()
        eps = np.finfo(rows.dtype).eps
        largest = np.abs(rows).max(axis=0, where=counts, initial=0)
        if total == 0:  # it underflows beside the others
            return Moments(len(rows), eps, total, largest, *np.zeros((3, rows.shape[1])))
        weight = weight / total
        mean = weight @ rows.astype(np.float64)
        deviations = rows - mean
        spread = np.abs(deviations).max(axis=0, where=counts, initial=0)
        variance = weight @ np.square(deviations)
        return Moments(len(rows), eps, total, largest, spread, mean, variance)


def _scaling(parts, name):
    """Return mean and standard deviation of all parts, and which columns are constant.

    The deviation of constant columns is set to 1. Moments are merged by Chan, Golub, LeVeque 1983,
    eq. 2.1.
    """
    total = mean = variance = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for part in parts:
            if part.total == 0:
                continue
            total += part.total
            share = part.total / total
            offset = part.mean - mean
            mean = mean + share * offset
            between = (1 - share) * np.square(offset)
            variance = variance + share * (part.variance + between - variance)
    if not np.isfinite(variance).all():
        raise ValueError(
            f"The variance of {name} {np.argmin(np.isfinite(variance))} overflows. Scale it."
        )
    largest, spread = (
        np.max([getattr(p, of) for p in parts], axis=0) for of in ("largest", "spread")
    )
    # what rounding, of the data and of the sum over all rows, leaves of a constant column; or one
    # that varies only where there is next to no weight
    n_rows = sum(part.n_rows for part in parts)
    eps = 10 * parts[0].eps + n_rows * np.finfo(np.float64).eps
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
