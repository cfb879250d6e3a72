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
    equal = {}  # digest -> the sequences that have it, and where their targets are
    for i, (start, end) in enumerate(zip((ends - data.lengths).tolist(), ends.tolist())):
        targets = slice(start, end) if data.per_step else slice(i, i + 1)
        if weight[targets].any():
            key = _digest(data.X, start, end, y[targets])
            equal.setdefault(key, []).append((i, targets))
    merged = weight.copy()
    for copies in equal.values():
        if len(copies) > 1:  # sorted, so that the order of the sequences does not change the sum
            merged[copies[0][1]] = np.sort([weight[rows] for _, rows in copies], axis=0).sum(axis=0)
    return np.array([equal[key][0][0] for key in sorted(equal)]), merged


def _digest(X, start, end, y):
    """Return a fingerprint of a sequence and its targets: less memory than the sequence as a key.

    128 bits, so that two different sequences never share one by chance.
    """
    digest = blake2b(digest_size=16)
    if sparse.issparse(X):
        entries = slice(X.indptr[start], X.indptr[end])
        parts = np.diff(X.indptr[start : end + 1]), X.indices[entries], X.data[entries]
    else:
        parts = (X[start:end],)
    for part in (*parts, y):
        digest.update(np.ascontiguousarray(part))
    return digest.digest()
