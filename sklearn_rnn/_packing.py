"""Ragged sequences in a packed, time-major layout: index bookkeeping only.

Sequences are sorted by falling length and their rows laid out time-major: step 0 of every
sequence, then step 1 of every sequence still running, and so on. The sequences that run on to the
next step are always the first of a step, so a recurrence needs slices alone: no mask, no padding.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """The rows of one time step, those of them that have a predecessor, and the predecessors."""

    now: slice
    linked: slice
    before: slice


class Link(NamedTuple):
    """Rows, and the rows that come right before them in their sequences."""

    linked: slice
    before: slice


class Packing:
    """Where the rows of S sequences of falling lengths stand in the packed layout.

    Parameters
    ----------
    lengths : ndarray of int, shape (S,)
        Steps of each sequence, all at least 1, in falling order.

    Attributes
    ----------
    running : ndarray of int, shape (T,)
        Sequences still running at each step.
    offsets : ndarray of int, shape (T + 1,)
        Step t stands in rows ``offsets[t]:offsets[t + 1]``.
    n_sequences, n_rows : int
        S and N.
    """

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths)
        self.n_sequences = len(self.lengths)
        steps = np.arange(self.lengths[0])
        self.running = np.searchsorted(-self.lengths, -steps, side="left")
        self.offsets = np.concatenate([[0], np.cumsum(self.running)])
        self.n_rows = int(self.offsets[-1])

    def rows(self, starts):
        """Index of every packed row in rows that hold one sequence after the other.

        ``starts`` (S,) is where each sequence starts there.
        """
        rows = starts[self.sequence]
        rows += np.repeat(np.arange(len(self.running)), self.running)
        return rows

    @property
    def first(self):
        """Rows of the first steps, in the order of the sequences."""
        return slice(0, self.n_sequences)

    @cached_property
    def last(self):
        """Row of each sequence's last step, shape (S,)."""
        return self.offsets[self.lengths - 1] + np.arange(self.n_sequences)

    @cached_property
    def sequence(self):
        """Sequence that each row belongs to, shape (N,)."""
        return np.arange(self.n_rows) - np.repeat(self.offsets[:-1], self.running)

    @cached_property
    def links(self):
        """Every row that is not a first step, and the row before it: few slices, as `Link`.

        A new slice begins only where sequences have ended, for the lag between the rows of two
        steps is the number of sequences that run at the first.
        """
        lags = self.running[:-1]
        starts = np.flatnonzero(np.diff(lags, prepend=-1))
        firsts, lags = self.offsets[starts + 1].tolist(), lags[starts].tolist()
        return [
            Link(slice(first, last), slice(first - lag, last - lag))
            for first, last, lag in zip(firsts, [*firsts[1:], self.n_rows], lags)
        ]

    @cached_property
    def steps(self):
        """Every `Step` in the order of time."""
        offsets, running = self.offsets.tolist(), self.running.tolist()
        steps = [Step(slice(0, offsets[1]), slice(0, 0), slice(0, 0))]
        for t in range(1, len(running)):
            now = slice(offsets[t], offsets[t + 1])
            steps.append(Step(now, now, slice(offsets[t - 1], offsets[t - 1] + running[t])))
        return steps

    @cached_property
    def steps_back(self):
        """Every `Step` for a recurrence that reads the sequences from their ends."""
        ahead = [*self.steps[1:], Step(slice(0, 0), slice(0, 0), slice(0, 0))]
        return [
            Step(step.now, following.before, following.linked)
            for step, following in zip(reversed(self.steps), reversed(ahead))
        ]
