"""Inputs and targets to zero mean and unit variance while a network is trained.

The means and scales are folded into the weights afterwards, so that a fitted network takes and
gives data as they are. How well training goes then does not depend on their units.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Standardisation:
    """(data - mean) / scale, for the inputs X and the targets y.

    Attributes
    ----------
    x_mean, x_scale : ndarray of shape (D,)
    y_mean, y_scale : ndarray of shape (K,)
    """

    x_mean: np.ndarray
    x_scale: np.ndarray
    y_mean: np.ndarray
    y_scale: np.ndarray

    def apply(self, shard, with_targets):
        """Standardise a shard in place."""
        if not sparse.issparse(shard.X):
            _standardise(shard.X, self.x_mean, self.x_scale)
        if with_targets:
            _standardise(shard.y, self.y_mean, self.y_scale)

    def fold(self, p):
        """Parameters for the data as they are, from parameters for standardised data."""
        W_in = p["W_in0"] / self.x_scale[:, None]
        return p | {
            "W_in0": W_in,
            "b0": p["b0"] - self.x_mean @ W_in,
            "W_out": p["W_out"] * self.y_scale,
            "c": p["c"] * self.y_scale + self.y_mean,
        }

    def unfold(self, p):
        """The inverse of `fold`."""
        return p | {
            "W_in0": p["W_in0"] * self.x_scale[:, None],
            "b0": p["b0"] + self.x_mean @ p["W_in0"],
            "W_out": p["W_out"] / self.y_scale,
            "c": (p["c"] - self.y_mean) / self.y_scale,
        }


def standardisation(shards, n_outputs, per_step, with_targets):
    """The weighted mean and scale of the shards' data.

    Sparse X stays as it is (to centre it would make it dense, and of indicators the rarest would
    be blown up most), as do labels.
    """

    def features(shard):
        return shard.X, shard.weight if per_step else shard.weight[shard.packing.sequence]

    def targets(shard):
        return shard.y, shard.weight

    x = y = None
    first = shards[0].load()
    if not sparse.issparse(first.X):
        x = _moments((features(shard.load()) for shard in shards), "feature")
    if with_targets:
        y = _moments((targets(shard.load()) for shard in shards), "target")
    return Standardisation(*(x or _nothing(first.X.shape[1])), *(y or _nothing(n_outputs)))


def _nothing(n):
    """The mean and scale that leave n columns as they are."""
    return np.zeros(n), np.ones(n)


def _standardise(rows, mean, scale):
    rows -= mean.astype(rows.dtype)
    rows /= scale.astype(rows.dtype)


def _moments(parts, name):
    """Mean and standard deviation of rows with weights; the deviation is 1 where it vanishes.

    ``parts`` are pairs of rows and weights, merged as in Chan, Golub, LeVeque 1983, eq. 2.1.
    """
    total = n_rows = mean = variance = largest = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, weight in parts:
            n_rows += len(rows)
            counts = (weight > 0)[:, None]
            largest = np.maximum(largest, np.abs(rows).max(axis=0, where=counts, initial=0))
            of_part = weight.sum()
            if of_part == 0:  # too little beside the others
                continue
            total += of_part
            share = of_part / total
            weight = weight / of_part
            mean_of_part = weight @ rows.astype(np.float64)
            offset = mean_of_part - mean
            mean = mean + share * offset
            inside = weight @ np.square(rows - mean_of_part)
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
    return mean, np.where(scale <= eps * largest, 1.0, scale)
