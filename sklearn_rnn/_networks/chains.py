"""Exact inference in locally normalised first-order chains: pattern 3 with teacher forcing.

Where only the previous label is fed back, p(y_t | x_t, y_{t-1}) is a chain of K x K tables, one a
step. All sequences of a packed shard are decoded at once, step by step. The tables are computed for
a few rows at a time, so that they stay in the cache and memory grows with N K alone.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import logsumexp

from .n_best import n_best
from .outputs import PAIRS, draw, log_softmax, softmax
from .packing import Packing


class Chain(Protocol):
    """Logits of every label given the previous label.

    Attributes
    ----------
    packing : Packing
    first : ndarray of shape (S, K)
        Logits of the first steps, which have no previous label.
    """

    packing: Packing
    first: np.ndarray

    def tables(self, rows: slice) -> np.ndarray:
        """At packed rows, given every previous label j: (n, j, k)."""

    def given(self, rows: slice, previous: np.ndarray) -> np.ndarray:
        """At packed rows, given the labels ``previous`` (n, m): (n, m, k)."""


class _Piece(NamedTuple):
    """Some rows of one time step, their predecessors, and the logits of their tables."""

    now: slice
    before: slice
    Z: np.ndarray


def _pieces(chain: Chain) -> Iterator[_Piece]:
    """All rows but the first steps', in the order of time; Z may be overwritten."""
    packing = chain.packing
    n_rows = max(1, PAIRS // chain.first.shape[1])
    steps = iter(packing.steps[1:])
    step = None
    for start in range(packing.n_sequences, packing.n_rows, n_rows):
        stop = min(start + n_rows, packing.n_rows)
        Z = chain.tables(slice(start, stop))
        row = start
        while row < stop:
            if step is None or row == step.now.stop:
                step = next(steps)
            end = min(stop, step.now.stop)
            lag = step.now.start - step.before.start
            yield _Piece(slice(row, end), slice(row - lag, end - lag), Z[row - start : end - start])
            row = end


def log_marginals(chain: Chain) -> np.ndarray:
    """Causal marginals log p(y_t | x_1..x_t), summed over all previous labels: (N, K), packed.

    The forward recursion alpha_t(k) = sum_j alpha_{t-1}(j) p(y_t = k | x_t, y_{t-1} = j). Since
    each table is normalised, alpha_t is the marginal itself and needs no backward pass.
    """
    packing, first = chain.packing, log_softmax(chain.first)
    log_alpha = np.empty_like(first, shape=(packing.n_rows, first.shape[1]))
    log_alpha[packing.first] = first
    alpha = np.empty_like(log_alpha)
    alpha[packing.first] = np.exp(first)
    for now, before, Z in _pieces(chain):
        log_alpha[now], alpha[now] = pass_on(log_alpha[before], alpha[before], Z)
    return log_alpha


@cache
def digits_floor(K, dtype):
    """Value below which a sum of K terms has lost digits."""
    limits = np.finfo(dtype)
    # what underflows is less than `tiny` in each of the K terms and of their factors
    return 4 * K * limits.tiny / limits.eps


@np.errstate(divide="ignore", under="ignore")
def pass_on(log_alpha, alpha, Z):
    """One step of the forward recursion: log alpha and alpha (n, K) from those of the step before.

    The sum runs over probabilities, which is quick; where one comes so near to underflow that
    digits are lost, it runs over logarithms. The logits Z (n, K, K) of the tables are overwritten.
    """
    floor = digits_floor(Z.shape[-1], Z.dtype)
    Z -= Z.max(axis=2, keepdims=True)
    E = np.exp(Z)
    total = E.sum(axis=2)
    alpha_now = np.matmul((alpha / total)[:, None, :], E)[:, 0]
    log_alpha_now = np.log(alpha_now)
    if not alpha_now.min() > floor:
        tiny = np.flatnonzero(~(alpha_now.min(axis=1) > floor))
        terms = log_alpha[tiny] - np.log(total[tiny])
        log_alpha_now[tiny] = logsumexp(terms[:, :, None] + Z[tiny], axis=1)
        alpha_now[tiny] = np.exp(log_alpha_now[tiny])
    return log_alpha_now, alpha_now


def viterbi(chain: Chain) -> np.ndarray:
    """The most probable sequence of labels given all of x: (N,), -1 where nothing is finite.

    delta_t(k) = max_j delta_{t-1}(j) + log p(y_t = k | x_t, y_{t-1} = j), and the way back from its
    maximum at the last step (Viterbi 1967).
    """
    packing, delta_first = chain.packing, log_softmax(chain.first)
    K = delta_first.shape[1]
    delta = np.empty_like(delta_first, shape=(packing.n_rows, K))
    best_previous = np.empty(delta.shape, dtype=np.min_scalar_type(K - 1))

    def keep(now, delta_now):
        # relative to the maximum, since digits would be lost in long sequences
        delta[now] = delta_now - delta_now.max(axis=1, keepdims=True)

    keep(packing.first, delta_first)
    for now, before, Z in _pieces(chain):
        Z -= Z.max(axis=2, keepdims=True)
        Z += (delta[before] - np.log(np.exp(Z).sum(axis=2)))[:, :, None]
        best_previous[now] = Z.argmax(axis=1)
        keep(now, Z.max(axis=1))
    labels = np.empty(packing.n_rows, dtype=int)
    labels[packing.last] = delta[packing.last].argmax(axis=1)
    for now, _, before in reversed(packing.steps[1:]):
        labels[before] = np.take_along_axis(best_previous[now], labels[now, None], axis=1)[:, 0]
    labels[np.isnan(delta).any(axis=1)] = -1
    return labels


def greedy(chain: Chain) -> np.ndarray:
    """At each step the most probable label given the one chosen before: (N,), -1 as in `viterbi`.

    One evaluation a step.
    """
    packing = chain.packing
    labels = np.empty(packing.n_rows, dtype=int)
    labels[packing.first] = most_probable(chain.first)
    for now, _, before in packing.steps[1:]:
        labels[now] = most_probable(chain.given(now, labels[before, None])[:, 0])
    return labels


def most_probable(Z: np.ndarray) -> np.ndarray:
    """The label of the largest logit (n,), -1 where a logit is neither finite nor -inf."""
    return np.where((Z < np.inf).all(axis=1), Z.argmax(axis=1), -1)


def pair_marginals(chain: Chain) -> np.ndarray:
    """p(y_{t-1} = j, y_t = k | x_1..x_t) = alpha_{t-1}(j) p(k | x_t, j): (N, K, K), packed.

    Zero at the first steps.
    """
    packing, alpha = chain.packing, softmax(chain.first)
    K = alpha.shape[1]
    P = np.zeros_like(alpha, shape=(packing.n_rows, K, K))
    for now, before, Z in _pieces(chain):
        starts = before.start < packing.n_sequences
        P[now] = softmax(Z) * (alpha[before] if starts else P[before].sum(axis=1))[:, :, None]
    return P


def most_probable_sequences(chain: Chain, n: int) -> np.ndarray:
    """The n most probable sequences of labels given all of x, as `n_best` has them: (N, n)."""

    def tables(rows):
        return log_softmax(chain.tables(rows))

    return n_best(log_softmax(chain.first), tables, chain.packing, n, PAIRS)


DECODERS = {"viterbi": viterbi, "greedy": greedy}


def sample(chain: Chain, U: np.ndarray) -> np.ndarray:
    """Sequences of labels drawn from the chain, from its start on.

    Parameters
    ----------
    chain : Chain
    U : ndarray of shape (N, n_samples)
        Independent random numbers, uniform on [0, 1).

    Returns
    -------
    ndarray of int, shape (N, n_samples)
        -1 where nothing is finite.
    """
    labels = np.empty(U.shape, dtype=int)
    for start in range(0, U.shape[1], PAIRS):
        some = slice(start, start + PAIRS)
        labels[:, some] = _sample(chain, U[:, some])
    return labels


def _sample(chain, U):
    packing = chain.packing
    labels = np.empty(U.shape, dtype=int)
    labels[packing.first] = draw(chain.first[:, None, :], U[packing.first])
    n_rows = max(1, PAIRS // U.shape[1])
    for now, _, before in packing.steps[1:]:
        lag = now.start - before.start
        for start in range(now.start, now.stop, n_rows):
            rows = slice(start, min(start + n_rows, now.stop))
            Z = chain.given(rows, labels[rows.start - lag : rows.stop - lag])
            labels[rows] = draw(Z, U[rows])
    return labels
