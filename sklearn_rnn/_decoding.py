"""Exact inference in locally normalised first-order chains: pattern 3 with teacher forcing.

Where only the previous label is fed back, p(y_t | x_t, y_{t-1}) is a chain of K x K tables, one a
step. All sequences of a packed shard are decoded at once, step by step.
"""

import numpy as np
from scipy.special import logsumexp


def log_marginals(first, transitions, packing):
    """Causal marginals log p(y_t | x_1..x_t), summed over all previous labels.

    The forward recursion alpha_t(k) = sum_j alpha_{t-1}(j) p(y_t = k | x_t, y_{t-1} = j). Since
    each table is normalised, alpha_t is the marginal itself and needs no backward pass.

    Parameters
    ----------
    first : ndarray of shape (S, K)
        log p(y_1 | x_1).
    transitions : callable
        ``transitions(rows)`` gives log p(y_t = k | x_t, y_{t-1} = j) at packed rows, as
        (rows, j, k).
    packing : Packing

    Returns
    -------
    ndarray of shape (N, K)
        In the packed order.
    """
    alpha = np.empty_like(first, shape=(packing.n_rows, first.shape[1]))
    alpha[packing.first] = first
    for now, _, before in packing.steps[1:]:
        alpha[now] = logsumexp(alpha[before][:, :, None] + transitions(now), axis=1)
    return alpha
