"""Quantiles of numbers: the pinball loss, smoothed."""

import numpy as np

from .outputs import Pointwise

# Width of the rounded edge, in standard deviations of the target. Where the noise is as wide as
# this, quantiles come out too far apart. On generated series 0.02 shows that where the noise has a
# hundredth of the variance; 0.002 to 0.01 differ by noise.
SMOOTHING = 0.005


class Quantiles(Pointwise):
    r"""Several quantiles of each target, by the smoothed pinball loss.

    The pinball loss of a level q, max(q r, (q - 1) r) for r = y - z (Koenker & Bassett 1978), has
    an edge at r = 0, where line searches fail. Here it is rounded (Zheng 2011):

        l = s (log(1 + exp(u)) - q u),  u = (z - y) / s,

    which is convex and differs from the pinball loss by s log 2 at most. In the columns of Z, the
    levels of the first target come first; y has each target once for every level.

    Parameters
    ----------
    levels : tuple of float
        q, each between 0 and 1, rising.
    """

    standardises_targets = True

    def __init__(self, levels):
        self.levels = levels

    def loss_gradient(self, p, Z, shard):
        U, q = self._distances(Z, shard), self._level_of_column(Z)
        E = _exp_of_negative(U)
        losses = np.where(U.real > 0, 1 - q, -q) * U + np.log1p(E)
        losses = losses.sum(axis=1, dtype=np.result_type(Z, np.float64))
        dZ = (_logistic(U, E) - q) * _column(shard.weight, Z)
        return SMOOTHING * np.dot(losses, shard.weight), dZ, {}

    def hessp(self, p, Z, shard, dZ, v):
        U = self._distances(Z, shard)
        share = _logistic(U, _exp_of_negative(U))
        curvature = share * (1 - share) / Z.dtype.type(SMOOTHING)
        return curvature * dZ * _column(shard.weight, Z), {}

    def predict(self, p, Z, packing=None):
        """Return the quantiles in order, whatever crossed: this increases no loss.

        Chernozhukov, Fernandez-Val, Galichon 2010, Proposition 4.
        """
        of_target = Z.reshape(len(Z), -1, len(self.levels))
        return np.sort(of_target, axis=2).reshape(Z.shape)

    def _distances(self, Z, shard):
        """Return u."""
        return (Z - shard.y.astype(Z.real.dtype)) / Z.dtype.type(SMOOTHING)

    def _level_of_column(self, Z):
        return np.tile(self.levels, Z.shape[1] // len(self.levels)).astype(Z.real.dtype)


def _column(weight, Z):
    return weight.astype(Z.real.dtype)[:, None]


def _exp_of_negative(U):
    """exp(-|u|), which does not overflow."""
    return np.exp(np.where(U.real > 0, -U, U))


def _logistic(U, E):
    """1 / (1 + exp(-u)), by E = exp(-|u|)."""
    return np.where(U.real > 0, 1, E) / (1 + E)
