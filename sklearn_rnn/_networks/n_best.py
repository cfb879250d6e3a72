"""The n most probable sequences of labels of a chain, exactly: the list Viterbi algorithm.

Seshadri, Sundberg 1994. At each step the n best paths to each label are kept, which are among the n
best of each label before, one step longer. All sequences of a packed shard go at once.
"""

import numpy as np

from .packing import Packing

# What a step has in one of the n best sequences, and the log-probability of that whole sequence.
BEST = np.dtype([("label", np.intp), ("log_proba", np.float64)])


def n_best(first, tables, packing: Packing, n: int, pairs: int) -> np.ndarray:
    """Return the n most probable sequences of labels, the best first: (N, n) of dtype `BEST`.

    Of equals the one comes first whose last label that differs comes first. Where a sequence has
    fewer than n sequences of labels with a probability above zero, the rest have log-probability
    -inf, and the labels of the best. It is NaN where nothing is finite.

    Parameters
    ----------
    first : ndarray of shape (S, K)
        Scores of the labels of the first steps.
    tables : callable
        ``tables(rows)`` returns those at other packed rows, given every label before: (m, K, K).
        The scores of a sequence of labels sum to its log-probability.
    packing : Packing
    n : int
    pairs : int
        Pairs of a row and a previous label whose scores are computed at once.
    """
    S, K = first.shape
    n_kept = _at_most(n, K, len(packing.running))
    # best scores of the paths to each label of each sequence, so far; a last one that is no path
    delta = np.full((S, K, n_kept + 1), -np.inf)
    delta[:, :, 0] = first
    label_before = np.zeros((packing.n_rows, K, n_kept), np.min_scalar_type(K - 1))
    rank_before = np.zeros(label_before.shape, np.min_scalar_type(n_kept))
    block = max(1, pairs // K)
    for now, _, _ in packing.steps[1:]:
        for start in range(now.start, now.stop, block):
            rows = slice(start, min(start + block, now.stop))
            running = slice(rows.start - now.start, rows.stop - now.start)
            best, label_before[rows], rank_before[rows] = _merge(delta[running], tables(rows))
            delta[running, :, :-1] = best
    # no label follows the last, which is as if one did whose score is 0
    last = [part[:, 0] for part in _merge(delta, np.zeros((S, K, 1)))]
    return _filled(_traced_back(*last, label_before, rank_before, packing), n)


def _at_most(n, K, T):
    """Return n, or the number of label sequences K^T if that is smaller."""
    n_sequences = 1
    for _ in range(T):
        if n_sequences >= n or K == 1:
            break
        n_sequences *= K
    return min(n, n_sequences)


def _merge(delta, table):
    """Return the best paths to each next label k: scores, labels j and ranks before, (m, k, n).

    The best path to k comes from the best of one of the labels j; then the next of that j competes
    with the best of the others, and so on. ``delta`` is (m, j, n + 1), ``table`` (m, j, k).
    """
    n_kept = delta.shape[2] - 1
    heads = delta[:, :, :1] + table  # the best path of each j that is not taken yet
    rank = np.zeros(heads.shape, np.intp)
    i, k = np.ogrid[: heads.shape[0], : heads.shape[2]]
    shape = heads.shape[0], heads.shape[2], n_kept
    best, labels, ranks = np.empty(shape), np.empty(shape, np.intp), np.empty(shape, np.intp)
    for r in range(n_kept):
        j = heads.argmax(axis=1)
        taken = rank[i, j, k]
        best[:, :, r], labels[:, :, r], ranks[:, :, r] = heads[i, j, k], j, taken
        rank[i, j, k] = taken + 1
        heads[i, j, k] = delta[i, j, taken + 1] + table[i, j, k]
    return best, labels, ranks


def _traced_back(log_proba, label, rank, label_before, rank_before, packing):
    """Return the labels of all steps of the n best, from those of the last steps (S, n)."""
    best = np.empty((packing.n_rows, label.shape[1]), BEST)
    best["log_proba"] = log_proba[packing.sequence]
    for now, _, before in reversed(packing.steps):
        running = slice(0, now.stop - now.start)
        best["label"][now] = label[running]
        if before.stop:
            at = np.arange(now.start, now.stop)[:, None], label[running], rank[running]
            label[running], rank[running] = label_before[at], rank_before[at]
    return best


def _filled(best, n):
    """Return n sequences, of which those that do not exist have the labels of the best."""
    filled = np.empty((len(best), n), BEST)
    filled["label"], filled["log_proba"] = best["label"][:, :1], -np.inf
    exists = best["log_proba"] != -np.inf
    filled[:, : best.shape[1]][exists] = best[exists]
    return filled
