"""The loss of pattern 3 with labels fed back, where some labels are unknown: summed out exactly.

Where the label before is unknown, the logits of a step are computed given every label before. The
likelihood of the known labels is then a sum over all labels of the unlabelled steps, by a forward
recursion,

    alpha_t(k) = [k is possible at t] sum_j alpha_{t-1}(j) p(k | x_t, j),

and its gradient needs the probabilities of all pairs given the known labels, by a backward one.
"""

from typing import NamedTuple

import numpy as np

from .outputs import Softmax, log_softmax, log_sum_exp, softmax, softmax_product
from .packing import Packing


class Contexts(NamedTuple):
    """The rows at which logits are computed, M in all, each given one label before.

    Attributes
    ----------
    row : ndarray of int, shape (M,)
        The packed row of each.
    previous : ndarray of int, shape (M,)
        The label before; K where there is none.
    start : ndarray of int, shape (N,)
        The first context of each packed row; those of unknown labels before follow.
    is_open : ndarray of bool, shape (N,)
        Whether a row has K contexts, as the label before is unknown.
    """

    row: np.ndarray
    previous: np.ndarray
    start: np.ndarray
    is_open: np.ndarray

    @classmethod
    def of(cls, y, packing: Packing, n_labels: int):
        """Return the contexts of labels y (N,), -1 where there is none."""
        previous = np.full(packing.n_rows, n_labels)
        for linked, before in packing.links:
            previous[linked] = y[before]
        is_open = previous < 0
        counts = np.where(is_open, n_labels, 1)
        start = np.cumsum(counts) - counts
        row = np.repeat(np.arange(packing.n_rows), counts)
        every = np.arange(len(row)) - start[row]
        return cls(row, np.where(is_open[row], every, previous[row]), start, is_open)


class FedBackLabels(Softmax):
    """Cross-entropy given the label before; unknown labels, -1, are summed out.

    The weights of the steps of a sequence with unknown labels must be equal. The Hessian product is
    that of the cross-entropy which the EM algorithm would minimise: the expectation, given the
    known labels, of that of all labels. It is convex in the logits, which the loss itself is not.
    """

    def loss_gradient(self, p, Z, shard):
        if (shard.y >= 0).all():
            return super().loss_gradient(p, Z, shard)
        log_scale, pairs, contexts = _posterior(Z, shard.y, shard.packing)
        dZ = pairs.sum(axis=1, keepdims=True) * softmax(Z) - pairs
        dZ *= shard.weight.astype(Z.real.dtype)[contexts.row][:, None]
        return -np.dot(log_scale, shard.weight), dZ, {}

    def hessp(self, p, Z, shard, dZ, v):
        if (shard.y >= 0).all():
            return super().hessp(p, Z, shard, dZ, v)
        _, pairs, contexts = _posterior(Z, shard.y, shard.packing)
        weight = pairs.sum(axis=1) * shard.weight.astype(Z.real.dtype)[contexts.row]
        return softmax_product(softmax(Z), dZ) * weight[:, None], {}

    def log_proba(self, p, Z, y, packing=None):
        """Return a term for each row; those of a sequence sum to log p(known labels | x)."""
        if (y >= 0).all():
            return super().log_proba(p, Z, y)
        log_scale, _, contexts = _posterior(Z, y, packing)
        is_valid = np.logical_and.reduceat(~np.isnan(Z).any(axis=1), contexts.start)
        # no labels are allowed that agree with the known ones
        log_scale[np.isnan(log_scale) & is_valid] = -np.inf
        return log_scale


def _posterior(Z, y, packing):
    """Return terms (N,) of log p(known labels | x), p(y_{t-1}, y_t | known) (M, K), and contexts.

    The pairs are those of the label before in each context, and of each label (K).
    """
    K = Z.shape[1]
    contexts = Contexts.of(y, packing, K)
    log_P = log_softmax(Z)
    known = y[contexts.row]
    log_P[(known >= 0)[:, None] & (known[:, None] != np.arange(K))] = -np.inf
    log_alpha, log_scale = _forward(log_P, contexts, packing)
    log_beta = _backward(log_P, log_scale, contexts, packing)
    log_before = np.zeros_like(log_scale, shape=len(log_P))
    for linked, before in packing.links:
        opens = linked.start + np.flatnonzero(contexts.is_open[linked])
        at = contexts.start[opens][:, None] + np.arange(K)
        log_before[at] = log_alpha[opens + (before.start - linked.start)]
    log_pairs = log_P + (log_before - log_scale[contexts.row])[:, None] + log_beta[contexts.row]
    double = np.result_type(log_scale, np.float64)
    return log_scale.astype(double), np.exp(log_pairs), contexts


def _tables(log_P, rows, contexts):
    """Return the tables (n, j, k) of rows whose label before is unknown."""
    return log_P[contexts.start[rows][:, None] + np.arange(log_P.shape[1])]


def _forward(log_P, contexts, packing):
    """Return log alpha (N, K), scaled to sum to one at each step, and the scales (N,)."""
    log_alpha = log_P[contexts.start]  # a known label before has probability one
    log_scale = np.empty_like(log_alpha[:, 0])
    for now, _, before in packing.steps:
        opens = now.start + np.flatnonzero(contexts.is_open[now])
        if len(opens):
            behind = opens + (before.start - now.start)
            paths = log_alpha[behind][:, :, None] + _tables(log_P, opens, contexts)
            log_alpha[opens] = log_sum_exp(paths, axis=1)
        log_scale[now] = log_sum_exp(log_alpha[now], axis=1)
        log_alpha[now] -= log_scale[now][:, None]
    return log_alpha, log_scale


def _backward(log_P, log_scale, contexts, packing):
    """Return log beta (N, K): of the known labels after a step, given its label, scaled alike.

    Given a known label it is zero: so alpha and beta are scaled.
    """
    log_beta = np.zeros_like(log_P, shape=(packing.n_rows, log_P.shape[1]))
    for now, _, before in reversed(packing.steps[1:]):
        opens = now.start + np.flatnonzero(contexts.is_open[now])
        if len(opens):
            after = (log_beta[opens] - log_scale[opens][:, None])[:, None, :]
            behind = opens + (before.start - now.start)
            log_beta[behind] = log_sum_exp(_tables(log_P, opens, contexts) + after, axis=2)
    return log_beta
