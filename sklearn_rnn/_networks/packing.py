"""Ragged sequences in a packed, time-major layout: index bookkeeping only.

Sequences are sorted by falling length and their rows laid out time-major: step 0 of every
sequence, then step 1 of every sequence still running, and so on. The sequences that run on to the
next step are always the first of a step, so a recurrence needs slices alone: no mask, no padding.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class lazy_property:  # noqa: N801
    """An attribute that is computed when it is first read, and then stored in the instance.

    `functools.cached_property` takes a lock in Python 3.11. A process that is forked while another
    thread holds it would wait for this lock for ever. Without a lock two threads may compute the
    same value twice, which does no harm.
    """

    def __init__(self, function):
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = self._function(instance)
        vars(instance)[self._name] = value  # found before this descriptor from now on
        return value


class Step(NamedTuple):
    """The rows of one time step, those of them that have a predecessor, and the predecessors."""

    now: slice
    linked: slice
    before: slice


class Link(NamedTuple):
    """Rows, and the rows that come right before them in their sequences."""

    linked: slice
    before: slice


class Stretch(NamedTuple):
    """The rows of successive steps, and how many sequences run at each."""

    rows: slice
    n_sequences: int


class Packing:
    """Positions of the rows of S sequences of falling lengths in the packed layout.

    Parameters
    ----------
    lengths : ndarray of int, shape (S,)
        Steps of each sequence, all at least 1, in falling order.
    empty : callable
        Allocates arrays for work on the packed rows, as ``empty(shape, dtype)``. In training this
        is `Workspace.empty`: the arrays are valid until the evaluation of the shard ends.

    Attributes
    ----------
    lengths, empty
        As given.
    running : ndarray of int, shape (T,)
        Sequences still running at each step.
    offsets : ndarray of int, shape (T + 1,)
        Step t is in rows ``offsets[t]:offsets[t + 1]``.
    n_sequences, n_rows : int
        S and N.
    """

    def __init__(self, lengths: np.ndarray, empty: Callable = np.empty):
        self.lengths = np.asarray(lengths)
        self.empty = empty
        self.n_sequences = len(self.lengths)
        steps = np.arange(self.lengths[0])
        self.running = np.searchsorted(-self.lengths, -steps, side="left")
        self.offsets = np.concatenate([[0], np.cumsum(self.running)])
        self.n_rows = int(self.offsets[-1])

    def rows(self, starts):
        """Return the index of every packed row in data that hold one sequence after the other.

        ``starts`` (S,) is the first row of each sequence in these data.
        """
        rows = starts[self.sequence]
        rows += np.repeat(np.arange(len(self.running)), self.running)
        return rows

    def until(self, n_steps):
        """Return the packing of the first ``n_steps`` steps, whose rows are the first ones here."""
        return Packing(np.minimum(self.lengths, n_steps), self.empty)

    @property
    def first(self):
        """Slice of the first steps, in the order of the sequences."""
        return slice(0, self.n_sequences)

    @lazy_property
    def last(self):
        """Row of each sequence's last step, shape (S,)."""
        return self.offsets[self.lengths - 1] + np.arange(self.n_sequences)

    @lazy_property
    def is_last(self):
        """Whether each row is a last step, shape (N,)."""
        is_last = np.zeros(self.n_rows, bool)
        is_last[self.last] = True
        return is_last

    @lazy_property
    def sequence(self):
        """Sequence of each row, shape (N,)."""
        return np.arange(self.n_rows) - np.repeat(self.offsets[:-1], self.running)

    @lazy_property
    def links(self):
        """All rows that are not first steps, with the rows before them: a list of few `Link`.

        The distance between the rows of two successive steps is the number of sequences that run
        at the first one. So a new slice begins only where sequences have ended.
        """
        lags = self.running[:-1]
        starts = np.flatnonzero(np.diff(lags, prepend=-1))
        firsts, lags = self.offsets[starts + 1].tolist(), lags[starts].tolist()
        return [
            Link(slice(first, last), slice(first - lag, last - lag))
            for first, last, lag in zip(firsts, [*firsts[1:], self.n_rows], lags)
        ]

    @lazy_property
    def stretches(self):
        """Rows of successive steps at which the same sequences run: a list of few `Stretch`."""
        starts = np.flatnonzero(np.diff(self.running, prepend=-1))
        ends = np.append(starts[1:], len(self.running))
        return [
            Stretch(slice(*self.offsets[[start, end]].tolist()), int(self.running[start]))
            for start, end in zip(starts, ends)
        ]

    @lazy_property
    def steps(self):
        """List of all `Step` in the order of time."""
        offsets, running = self.offsets.tolist(), self.running.tolist()
        steps = [Step(slice(0, offsets[1]), slice(0, 0), slice(0, 0))]
        for t in range(1, len(running)):
            now = slice(offsets[t], offsets[t + 1])
            steps.append(Step(now, now, slice(offsets[t - 1], offsets[t - 1] + running[t])))
        return steps

    @lazy_property
    def steps_back(self):
        """List of all `Step` for a recurrence that reads the sequences from their ends."""
        ahead = [*self.steps[1:], Step(slice(0, 0), slice(0, 0), slice(0, 0))]
        return [
            Step(step.now, following.before, following.linked)
            for step, following in zip(reversed(self.steps), reversed(ahead))
        ]
