"""Exact inference against the enumeration of all label sequences."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp

from sklearn_rnn._decoding import log_marginals
from sklearn_rnn._packing import Packing

LENGTHS = np.array([6, 4, 4, 2, 1])


def random_chains(rng, n_labels, scale=1.0, lengths=LENGTHS):
    """Normalised tables: of the first steps (S, K), and of all rows (N, j, k)."""
    packing = Packing(lengths)
    first = scale * rng.standard_normal((packing.n_sequences, n_labels))
    tables = scale * rng.standard_normal((packing.n_rows, n_labels, n_labels))
    return log_softmax(first, axis=-1), log_softmax(tables, axis=-1), packing


def enumerated(first, tables):
    """log p(y_t = k) of the last step of one chain, over all sequences of labels before."""
    n_labels = len(first)
    paths = [[] for _ in range(n_labels)]
    for labels in product(range(n_labels), repeat=len(tables) + 1):
        links = zip(tables, labels, labels[1:])
        paths[labels[-1]].append(first[labels[0]] + sum(table[j, k] for table, j, k in links))
    return logsumexp(paths, axis=1)


@pytest.mark.parametrize("n_labels", [1, 2, 3, 4])
def test_marginals_by_enumeration(n_labels, rng):
    first, tables, packing = random_chains(rng, n_labels)
    marginals = log_marginals(first, tables.__getitem__, packing)
    for s, length in enumerate(LENGTHS):
        rows = np.flatnonzero(packing.sequence == s)
        expected = [enumerated(first[s], tables[rows[1 : t + 1]]) for t in range(length)]
        assert_allclose(marginals[rows], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_marginals_sum_to_one(scale, rng):
    lengths = np.array([200, 3, 1])
    first, tables, packing = random_chains(rng, 4, scale, lengths)
    marginals = log_marginals(first, tables.__getitem__, packing)
    assert np.isfinite(marginals).all()
    assert_allclose(np.exp(marginals).sum(axis=1), 1.0, rtol=1e-12)


def test_impossible_labels():
    # -inf is what the logarithm of a probability of zero is
    with np.errstate(divide="ignore"):
        cycle = np.log(np.roll(np.eye(3), 1, axis=1))
        first = np.log([[1.0, 0.0, 0.0]])
    packing = Packing(np.array([5]))
    marginals = log_marginals(first, np.repeat(cycle[None], 5, axis=0).__getitem__, packing)
    assert_array_equal(np.exp(marginals), np.eye(3)[[0, 1, 2, 0, 1]])


def test_precision_is_kept(rng):
    first, tables, packing = random_chains(rng, 3)
    tables32 = tables.astype(np.float32)
    marginals = log_marginals(first.astype(np.float32), tables32.__getitem__, packing)
    assert marginals.dtype == np.float32
    assert_allclose(marginals, log_marginals(first, tables.__getitem__, packing), atol=1e-5)
