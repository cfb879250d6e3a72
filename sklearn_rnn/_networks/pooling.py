"""Pools: from the states of all steps to one feature vector a sequence.

A pool does the same for whole packed sequences (`forward`, `vjp`, `jvp`) and step by step (`begin`,
`update`, `finish`); a network with several pools puts their features side by side.
"""

from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np

from .packing import Packing


class Pool(Protocol):
    """What `HiddenFeedback` asks of a pool; A (N, H) are packed states, Q (S, H) is pooled."""

    def forward(self, A, packing: Packing, n_directions: int) -> tuple[np.ndarray, Any]:
        """Return Q and a cache. Of two directions the second half of the units reads back."""

    def jvp(self, cache, dA) -> np.ndarray:
        """Return dQ in the direction dA."""

    def vjp(self, cache, dQ, dA) -> None:
        """Add the gradient in A, given dQ in Q, to dA."""

    def begin(self, shape: tuple[int, int], dtype) -> np.ndarray:
        """Return what is gathered before the first step."""

    def update(self, gathered, A) -> np.ndarray:
        """Return what is gathered after one more step with the states A."""

    def finish(self, gathered, n_steps: int) -> np.ndarray:
        """Return Q after n_steps."""


class _Picked:
    """The rows and units that a pool picked, found when first asked for: predictions do not ask."""

    def __init__(self, find):
        self._find = find

    @cached_property
    def indices(self):
        rows = self._find()
        return rows, np.arange(rows.shape[1])


class _Picking:
    """A pool that picks one row for each sequence and unit: its cache is a `_Picked`."""

    def jvp(self, cache, dA):
        return dA[cache.indices]

    def vjp(self, cache, dQ, dA):
        # two sequences share no row, so no index comes twice
        dA[cache.indices] += dQ

    def finish(self, gathered, n_steps):
        return gathered


class Last(_Picking):
    """The state when all is read: the last step, or the first of units that read back."""

    def forward(self, A, packing, n_directions):
        rows = np.repeat(packing.last[:, None], A.shape[1], axis=1)
        if n_directions == 2:
            rows[:, A.shape[1] // 2 :] = np.arange(packing.n_sequences)[:, None]
        cache = _Picked(lambda: rows)
        return A[cache.indices], cache

    def begin(self, shape, dtype):
        return np.zeros(shape, dtype)

    def update(self, gathered, A):
        return A


class Extreme(_Picking):
    """The largest or the smallest value that each unit took; of equal ones the earliest.

    Parameters
    ----------
    better : ufunc
        ``np.maximum`` or ``np.minimum``.
    worst : float
        What any value is better than.
    """

    def __init__(self, better, worst: float):
        self._better = better
        self._worst = worst

    def forward(self, A, packing, n_directions):
        best = A.real[packing.first].copy()
        for now, linked, _ in packing.steps[1:]:
            best_now = best[: now.stop - now.start]
            self._better(best_now, A.real[linked], out=best_now)
        cache = _Picked(partial(_rows_of, best, A, packing))
        # a complex step keeps the imaginary part of what was picked
        return A[cache.indices] if np.iscomplexobj(A) else best, cache

    def begin(self, shape, dtype):
        return np.full(shape, self._worst, dtype)

    def update(self, gathered, A):
        return self._better(gathered, A)


class Mean:
    """The mean over all steps: linear, so its cache is the packing alone."""

    def forward(self, A, packing, n_directions):
        return self.jvp(packing, A), packing

    def jvp(self, cache, dA):
        return _mean(dA, cache)

    def vjp(self, cache, dQ, dA):
        dA += (dQ / _lengths(cache, dQ))[cache.sequence]

    def begin(self, shape, dtype):
        return np.zeros(shape, dtype)

    def update(self, gathered, A):
        return gathered + A

    def finish(self, gathered, n_steps):
        return gathered / n_steps


class Deviation:
    """The standard deviation over all steps; its derivative is set to 0 where it is 0."""

    def forward(self, A, packing, n_directions):
        # from the first step, so that of a constant unit it is 0 and not what rounding leaves
        offset = A - A[packing.first][packing.sequence]
        offset -= _mean(offset, packing)[packing.sequence]
        Q = np.sqrt(_mean(offset * offset, packing))
        # dQ = mean of offset dA / Q
        slope = offset / np.where(Q.real > 0, Q, np.inf)[packing.sequence]
        return Q, (slope, packing)

    def jvp(self, cache, dA):
        slope, packing = cache
        return _mean(slope * dA, packing)

    def vjp(self, cache, dQ, dA):
        slope, packing = cache
        dA += slope * (dQ / _lengths(packing, dQ))[packing.sequence]

    def begin(self, shape, dtype):
        return np.zeros((3, *shape), dtype)  # number of steps, mean, sum of squared offsets

    def update(self, gathered, A):
        # Welford 1962, which loses no digits where the mean is large
        n, mean, squares = gathered
        n = n + 1
        offset = A - mean
        mean = mean + offset / n
        return np.stack([n, mean, squares + offset * (A - mean)])

    def finish(self, gathered, n_steps):
        return np.sqrt(gathered[2] / n_steps)


class Positive:
    """The share of steps at which a unit is above zero (Dempster et al. 2020): no gradient."""

    def forward(self, A, packing, n_directions):
        return _mean((A.real > 0).astype(A.dtype), packing), packing

    def jvp(self, cache, dA):
        return np.zeros_like(dA, shape=(cache.n_sequences, dA.shape[1]))

    def vjp(self, cache, dQ, dA):
        pass

    def begin(self, shape, dtype):
        return np.zeros(shape, dtype)

    def update(self, gathered, A):
        return gathered + (A > 0)

    def finish(self, gathered, n_steps):
        return gathered / n_steps


def _rows_of(best, A, packing):
    """The earliest row of each sequence and unit that has the value in best (S, H)."""
    # the first steps, where no value equals NaN
    rows = np.repeat(np.arange(packing.n_sequences)[:, None], best.shape[1], axis=1)
    for now, _, _ in reversed(packing.steps):
        n = now.stop - now.start
        is_best = A.real[now] == best[:n]
        np.copyto(rows[:n], np.arange(now.start, now.stop)[:, None], where=is_best)
    return rows


def _mean(A, packing):
    """Mean of the rows of each sequence, (S, H)."""
    Q = A[packing.first].copy()
    for now, linked, _ in packing.steps[1:]:
        Q[: now.stop - now.start] += A[linked]
    Q /= _lengths(packing, Q)
    return Q


def _lengths(packing, like):
    return packing.lengths.astype(like.real.dtype)[:, None]


POOLS = {
    "last": Last(),
    "mean": Mean(),
    "max": Extreme(np.maximum, -np.inf),
    "min": Extreme(np.minimum, np.inf),
    "std": Deviation(),
    "positive": Positive(),
}
