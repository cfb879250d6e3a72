"""Pooling: from the states of all steps to one feature vector a sequence.

Once it is settled which rows it looks at, each pool is linear in the states A. So one operator,
made at A, serves the forward pass and the jvp (`push`) and the vjp (`pull`).
"""

import numpy as np


class _Pick:
    """Q[s, j] = A[winners[s, j], j]: one row for each sequence and unit."""

    def __init__(self, winners):
        self.winners = winners
        self.units = np.arange(winners.shape[1])

    def push(self, A):
        return A[self.winners, self.units]

    def pull(self, dQ, dA):
        # no two sequences share a row, so no index comes twice
        dA[self.winners, self.units] += dQ


class _Average:
    """Q[s] = mean of A over the rows of sequence s."""

    def __init__(self, packing):
        self.packing = packing

    def push(self, A):
        Q = A[self.packing.first].copy()
        for now, linked, _ in self.packing.steps[1:]:
            Q[: now.stop - now.start] += A[linked]
        Q /= self._lengths(A)
        return Q

    def pull(self, dQ, dA):
        dA += (dQ / self._lengths(dQ))[self.packing.sequence]

    def _lengths(self, A):
        return self.packing.lengths.astype(A.real.dtype)[:, None]


def _last(A, packing, bidirectional):
    """The state when everything is read: the last step, or the first of units that read back."""
    winners = np.repeat(packing.last[:, None], A.shape[1], axis=1)
    if bidirectional:
        winners[:, A.shape[1] // 2 :] = np.arange(packing.n_sequences)[:, None]
    return _Pick(winners)


def _max(A, packing, bidirectional):
    """The largest value that each unit took; of equal ones the earliest."""
    A = A.real
    winners = np.repeat(np.arange(packing.n_sequences)[:, None], A.shape[1], axis=1)
    best = A[packing.first].copy()
    for now, _, _ in packing.steps[1:]:
        rows = np.arange(now.start, now.stop)
        better = A[now] > best[: len(rows)]
        np.copyto(best[: len(rows)], A[now], where=better)
        np.copyto(winners[: len(rows)], rows[:, None], where=better)
    return _Pick(winners)


def _mean(A, packing, bidirectional):
    """The mean over all steps."""
    return _Average(packing)


POOLS = {"last": _last, "mean": _mean, "max": _max}


class Pooled:
    """The named pools of A, side by side.

    Parameters
    ----------
    names : sequence of str
        Keys of `POOLS`.
    A : ndarray of shape (N, H)
        Packed states.
    packing : Packing
    bidirectional : bool
        Whether the second half of the units reads the sequence from its end.
    """

    def __init__(self, names, A, packing, bidirectional):
        self.pools = [POOLS[name](A, packing, bidirectional) for name in names]
        self.n_rows = len(A)

    def push(self, A):
        """Pool A (N, H) into (S, H * number of pools)."""
        return np.hstack([pool.push(A) for pool in self.pools])

    def pull(self, dQ, empty=np.empty):
        """Spread dQ (S, H * number of pools) over the rows (N, H), which go where `empty` says."""
        parts = np.split(dQ, len(self.pools), axis=1)
        dA = empty((self.n_rows, parts[0].shape[1]), dQ.dtype)
        dA.fill(0)
        for pool, part in zip(self.pools, parts):
            pool.pull(part, dA)
        return dA
