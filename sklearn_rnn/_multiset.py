"""The training set as a multiset of sequences.

Training amplifies rounding: of two orders of the same sums, the weights agree to fewer digits with
every iteration. So equal sequences with equal targets are merged, their weights added, sequences
without weight dropped, and the rest put in an order that their content tells. Then a sequence of
weight 2 is to the last bit the same as the sequence given twice, one of weight 0 the same as none,
and the order in which sequences come does not matter.
"""

from hashlib import blake2b

import numpy as np
from scipy import sparse


def distinct(rows, lengths, per_step, y, weight):
    """Distinct sequences, in an order of their own, and their weights.

    Parameters
    ----------
    rows : ndarray or csr_array of shape (N, D)
        One sequence after the other.
    lengths : ndarray of int, shape (S,)
    per_step : bool
        Whether y and weight are for each step, or for each sequence.
    y, weight : ndarray of shape (N, ...) or (S, ...), and (N,) or (S,)
        Targets and their weights.

    Returns
    -------
    sequences : ndarray of int
        The first of each set of equal sequences.
    weight : ndarray
        Like weight, with the sums of equal sequences at the first of them.
    """
    ends = np.cumsum(lengths)
    starts = ends - lengths
    weight = weight.copy()
    first = {}
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist())):
        targets = slice(start, end) if per_step else slice(i, i + 1)
        if not weight[targets].any():
            continue
        key = _digest(rows, start, end, y[targets])
        if key in first:
            _, merged = first[key]
            weight[merged] += weight[targets]
        else:
            first[key] = i, targets
    return np.array([first[key][0] for key in sorted(first)]), weight


def _digest(rows, start, end, y):
    """A fingerprint of a sequence and its targets."""
    digest = blake2b(digest_size=16)
    if sparse.issparse(rows):
        entries = slice(rows.indptr[start], rows.indptr[end])
        parts = np.diff(rows.indptr[start : end + 1]), rows.indices[entries], rows.data[entries]
    else:
        parts = (rows[start:end],)
    for part in (*parts, y):
        digest.update(np.ascontiguousarray(part))
    return digest.digest()
