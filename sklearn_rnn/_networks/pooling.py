"""Pools: from the states of all steps to one feature vector a sequence.

A pool does the same for whole packed sequences (`forward`, `vjp`, `jvp`) and step by step (`begin`,
`update`, `finish`); a network with several pools puts their features side by side.
"""

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


class _Picking:
    """A pool that picks one row for each sequence and unit: its cache is (rows, units)."""

    def jvp(self, cache, dA):
        return dA[cache]

    def vjp(self, cache, dQ, dA):
        # two sequences share no row, so no index comes twice
        dA[cache] += dQ

    def finish(self, gathered, n_steps):
        return gathered


class Last(_Picking):
    """The state when all is read: the last step, or the first of units that read back."""

    def forward(self, A, packing, n_directions):
        rows = np.repeat(packing.last[:, None], A.shape[1], axis=1)
        if n_directions == 2:
            rows[:, A.shape[1] // 2 :] = np.arange(packing.n_sequences)[:, None]
        cache = rows, np.arange(A.shape[1])
        return A[cache], cache

    def begin(self, shape, dtype):
        return np.zeros(shape, dtype)

    def update(self, gathered, A):
        return A


class Max(_Picking):
    """The largest value that each unit took; of equal ones the earliest."""

    def forward(self, A, packing, n_directions):
        values = A.real
        winners = np.repeat(np.arange(packing.n_sequences)[:, None], A.shape[1], axis=1)
        best = values[packing.first].copy()
        for now, _, _ in packing.steps[1:]:
            rows = np.arange(now.start, now.stop)
            better = values[now] > best[: len(rows)]
            np.copyto(best[: len(rows)], values[now], where=better)
            np.copyto(winners[: len(rows)], rows[:, None], where=better)
        cache = winners, np.arange(A.shape[1])
        return A[cache], cache

    def begin(self, shape, dtype):
        return np.full(shape, -np.inf, dtype)

    def update(self, gathered, A):
        return np.maximum(gathered, A)


class Mean:
    """The mean over all steps: linear, so its cache is the packing alone."""

    def forward(self, A, packing, n_directions):
        return self.jvp(packing, A), packing

    def jvp(self, cache, dA):
        dQ = dA[cache.first].copy()
        for now, linked, _ in cache.steps[1:]:
            dQ[: now.stop - now.start] += dA[linked]
        dQ /= self._lengths(cache, dA)
        return dQ

    def vjp(self, cache, dQ, dA):
        dA += (dQ / self._lengths(cache, dQ))[cache.sequence]

    def _lengths(self, packing, like):
        return packing.lengths.astype(like.real.dtype)[:, None]

    def begin(self, shape, dtype):
        return np.zeros(shape, dtype)

    def update(self, gathered, A):
        return gathered + A

    def finish(self, gathered, n_steps):
        return gathered / n_steps


POOLS = {"last": Last(), "mean": Mean(), "max": Max()}
