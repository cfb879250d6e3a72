"""The training set as a multiset of sequences.

Training amplifies rounding: when the same sums are taken in two orders, the weights agree to fewer
digits with every iteration. So equal sequences with equal targets are merged, with their weights
added, sequences without weight are dropped, and the rest are put in an order that depends on their
content only. Then a sequence of weight 2 gives, to the last bit, the same result as the sequence
given twice, one of weight 0 the same as none, and the order of the sequences does not matter.
"""

from hashlib import blake2b

import numpy as np
from scipy import sparse

from .._execution.shards import Data


def merge_duplicates(data: Data, ignores_weightless: bool):
    """Return the distinct sequences, in an order of their own, and their weights.

    Parameters
    ----------
    data : Data
    ignores_weightless : bool
        Whether targets of weight 0 have no influence on training; otherwise sequences that differ
        in these alone are distinct.

    Returns
    -------
    sequences : ndarray of int
        The first of each set of equal sequences.
    weight : ndarray
        Like the weights of the data, with the sums of equal sequences at the first of them.
    """
    y, weight = data.y, data.weight
    if ignores_weightless:
        y = y.copy()
        y[weight == 0] = 0
    ends = np.cumsum(data.lengths)
    starts = ends - data.lengths
    first, end_of = (starts, ends) if data.per_step else (np.arange(len(y)), np.arange(len(y)) + 1)
    has_weight = np.logical_or.reduceat(weight != 0, first)
    digest = _digests_of(data.X, y)
    equal = {}  # digest -> the sequences that have it, and where their targets are
    bounds = (array[has_weight].tolist() for array in (starts, ends, first, end_of))
    for i, start, end, *targets in zip(np.flatnonzero(has_weight).tolist(), *bounds):
        targets = slice(*targets)
        equal.setdefault(digest(start, end, targets), []).append((i, targets))
    merged = weight.copy()
    for copies in equal.values():
        if len(copies) > 1:  # sorted, so that the order of the sequences does not change the sum
            merged[copies[0][1]] = np.sort([weight[rows] for _, rows in copies], axis=0).sum(axis=0)
    return np.array([equal[key][0][0] for key in sorted(equal)]), merged


def _digests_of(X, y):
    """Return a function that gives the fingerprint of a sequence and its targets.

    It takes the first row of the sequence, the row after its last, and the slice of its targets. A
    fingerprint takes less memory than the sequence as a key. 128 bits, so that two different
    sequences never share one by chance.
    """
    y = np.ascontiguousarray(y)
    if sparse.issparse(X):
        counts = np.diff(X.indptr)

        def parts(start, end):
            entries = slice(X.indptr[start], X.indptr[end])
            return counts[start:end], X.indices[entries], X.data[entries]

    else:

        def parts(start, end):
            return (np.ascontiguousarray(X[start:end]),)

    def digest(start, end, targets):
        state = blake2b(digest_size=16)
        for part in (*parts(start, end), y[targets]):
            state.update(part)
        return state.digest()

    return digest
