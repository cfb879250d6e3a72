"""Missing values of X: what stands in for them, and padding that is taken for them.

A value that is missing is predicted from the last one of its feature in the sequence, as by an
autoregressive process of order one: from m_d, the mean of the feature, it deviates the less the
longer ago the last one was,

    x_t = m + rho^k (x_{t-k} - m),

and is m before the first one. That is the decay of Che et al. 2018 (Recurrent neural networks for
multivariate time series with missing values, Scientific Reports 8), whose rates are learnt by least
squares here. Only the past is used, so that values that come in step by step are filled alike.
"""

import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np


class LastValues(NamedTuple):
    """What n sequences that go on have to remember of each feature.

    Attributes
    ----------
    value : ndarray of shape (n, D)
        The last value, the mean before the first.
    age : ndarray of int, shape (n, D), or 0
        Steps since then.
    """

    value: np.ndarray
    age: np.ndarray | int


@dataclass(frozen=True)
class Filling:
    """How gaps of X are filled.

    Attributes
    ----------
    mean, decay : ndarray of shape (D,)
        m and rho of each feature.
    with_gaps : ndarray of int, shape (G,)
        Features that had gaps in `fit`: each has an indicator, which is 1 where its value is
        missing.
    """

    mean: np.ndarray
    decay: np.ndarray
    with_gaps: np.ndarray

    @property
    def n_features(self):
        """D."""
        return len(self.mean)

    def fill(self, sequences):
        """Return the sequences without gaps, with the indicators as further features.

        Gaps of features that had none in `fit` are warned of.
        """
        rows, gaps = sequences.rows, sequences.gaps
        if gaps is None:
            if len(self.with_gaps) == 0:
                return sequences
            return replace(sequences, rows=self._widened(rows, np.zeros(rows.shape, bool)))
        self.warn_of_unexpected(gaps)
        filled = rows.copy()
        features = np.flatnonzero(gaps.any(axis=0))
        # of those alone: often few features have gaps
        missing, values = gaps[:, features], rows[:, features]
        row = np.arange(len(rows))[:, None]
        last = np.maximum.accumulate(np.where(missing, -1, row), axis=0)
        is_none = last < np.repeat(sequences.starts, sequences.lengths)[:, None]
        value = np.take_along_axis(values, np.maximum(last, 0), axis=0)
        value = np.where(is_none, self.mean[features].astype(rows.dtype), value)
        filled[:, features] = np.where(missing, self._decayed(value, row - last, features), values)
        return replace(sequences, rows=self._widened(filled, gaps), gaps=None)

    def begin(self, n):
        """Return the state of n sequences before their first step."""
        return LastValues(np.tile(self.mean, (n, 1)), 0)

    def step(self, last, X):
        """Return the step X (n, D) as `fill` returns rows, and the state there."""
        gaps = np.isnan(X)
        age = np.where(gaps, last.age + 1, 0)
        value = np.where(gaps, last.value.astype(X.dtype, copy=False), X)
        filled = np.where(gaps, self._decayed(value, age, slice(None)), X)
        return self._widened(filled, gaps), LastValues(value, age)

    def _decayed(self, value, age, features):
        mean, decay = self.mean[features], self.decay[features]
        return (mean + decay**age * (value - mean)).astype(value.dtype)

    def _widened(self, rows, gaps):
        """Return rows with the indicators of what is missing."""
        indicators = gaps[:, self.with_gaps].astype(rows.dtype)
        return np.concatenate([rows, indicators], axis=1) if len(self.with_gaps) else rows

    def unexpected(self, gaps):
        """Return the features that have gaps (n, D), but had none in `fit`."""
        return np.setdiff1d(np.flatnonzero(gaps.any(axis=0)), self.with_gaps)

    def warn_of_unexpected(self, gaps):
        """Warn of the first feature that has gaps, but had none in `fit`."""
        features = self.unexpected(gaps)
        if len(features):
            warnings.warn(
                f"Feature {features[0]} of X has missing values, but had none in fit. They are "
                "filled, but the network has not learnt what it means that they are missing.",
                stacklevel=2,
            )


def learn_filling(sequences, members, weight):
    """Return the `Filling` of the members of a training set, by their weights.

    It depends on the members, in this order, and on nothing else.

    Parameters
    ----------
    sequences : Sequences
    members : ndarray of int
    weight : ndarray of shape (S,)
        Of each sequence.
    """
    rows, gaps, starts = sequences.rows, sequences.gaps, sequences.starts
    weight = weight[members] / weight[members].max()

    def total(values):
        return weight @ np.add.reduceat(values, starts, axis=0, dtype=np.float64)[members]

    with np.errstate(over="ignore", invalid="ignore"):
        if gaps is None:
            with_gaps, present = np.zeros(0, int), np.ones((len(rows), 1))
        else:
            has_gaps = np.logical_or.reduceat(gaps, starts, axis=0)[members].any(axis=0)
            with_gaps, present = np.flatnonzero(has_gaps), ~gaps
            rows = np.where(gaps, 0.0, rows)
        mean = _ratio(total(rows), total(present))
        deviations = (rows - mean) * present
        follows = np.ones((len(rows), 1))
        follows[starts] = 0.0
        before = np.roll(deviations, 1, axis=0) * follows
        covariance = total(before * deviations)
        variance = total(np.square(before) * present)
    return Filling(mean, np.clip(_ratio(covariance, variance), 0.0, 1.0), with_gaps)


def _ratio(a, b):
    """Return a / b, 0 where b is."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def refuse_padding(sequences):
    """Refuse sequences of equal length that end with longer gaps than they have within.

    These are taken for padding: steps in which all values are missing.
    """
    S = sequences.n_sequences
    is_empty = sequences.gaps.all(axis=1).reshape(S, -1)
    is_end = np.logical_and.accumulate(is_empty[:, ::-1], axis=1)[:, ::-1]
    ends = is_end.sum(axis=1)
    if ends.max() > _longest_run(is_empty & ~is_end):
        i = int(np.argmax(ends))
        array, gaps = "X", "list(X)"
        if sequences.layout == "wide":
            array = gaps = f"X.reshape(len(X), -1, {sequences.n_features})"
            gaps = f"list({gaps})"
        raise ValueError(
            f"All values are missing (NaN) in the last {ends[i]} steps of sequence {i} of "
            f"{sequences.name}. If they are padding, pass sklearn_rnn.preprocessing.unpad({array})."
            f" If they are missing, pass {gaps}, in which nothing is taken for padding."
        )


def _longest_run(is_in):
    """Return the length of the longest run of True along the rows."""
    flat = np.pad(is_in, ((0, 0), (1, 1))).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return (edges[1::2] - edges[::2]).max(initial=0)
