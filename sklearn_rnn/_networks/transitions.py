"""Which labels may follow which, as terms of scores."""

from typing import NamedTuple

import numpy as np


class Transitions(NamedTuple):
    """Terms of scores: 0 for what is allowed, -inf for what is forbidden.

    Attributes
    ----------
    between : ndarray of shape (K, K)
        Of the label before (the row) and the label.
    start, end : ndarray of shape (K,)
        Of the first and the last label of a sequence.
    """

    between: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, allowed):
        """Return the terms from booleans by the same names, None from None."""
        if allowed is None:
            return None
        return cls(*(np.where(allowed[name], 0.0, -np.inf) for name in cls._fields))

    def astype(self, dtype):
        """Return the same in another precision."""
        return Transitions(*(terms.astype(dtype) for terms in self))

    def fit(self, lengths):
        """Return whether there is an allowed sequence of labels of each of the lengths."""
        between, reached, end = (terms == 0 for terms in self)
        if (np.vstack([reached, between]) & end).any(axis=1).all():
            return np.ones(len(lengths), bool)
        fits = np.zeros(lengths.max() + 1, bool)
        for length in range(1, len(fits)):
            fits[length] = (reached & end).any()
            reached = between[reached].any(axis=0)
        return fits[lengths]
