"""Exact inference against the enumeration of all label sequences."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp
from scipy.stats import chisquare

from sklearn_rnn._networks import chains
from sklearn_rnn._networks.chains import draw, greedy, log_marginals, sample, viterbi
from sklearn_rnn._networks.packing import Packing

LENGTHS = np.array([6, 4, 4, 2, 1])


class Tables:
    """A chain with given logits: first (S, K) and for all rows (N, j, k)."""

    def __init__(self, first, tables, packing):
        self.first, self.Z, self.packing = first, tables, packing

    def tables(self, rows):
        return self.Z[rows].copy()

    def given(self, rows, previous):
        return np.take_along_axis(self.Z[rows], previous[:, :, None], axis=1)


def random_chain(rng, n_labels, scale=1.0, lengths=LENGTHS, dtype=np.float64):
    packing = Packing(lengths)
    first = scale * rng.standard_normal((packing.n_sequences, n_labels))
    tables = scale * rng.standard_normal((packing.n_rows, n_labels, n_labels))
    return Tables(first.astype(dtype), tables.astype(dtype), packing)


def rows_of(chain, s):
    return np.flatnonzero(chain.packing.sequence == s)


def enumerated(chain, s):
    """All sequences of labels (n, T) for sequence s, and their log-probabilities (n,)."""
    first, tables = (log_softmax(Z, axis=-1) for Z in (chain.first[s], chain.Z[rows_of(chain, s)]))
    paths = np.array(list(product(range(len(first)), repeat=len(tables))))
    log_P = first[paths[:, 0]]
    for t, table in enumerate(tables[1:], start=1):
        log_P = log_P + table[paths[:, t - 1], paths[:, t]]
    return paths, log_P


@pytest.fixture(params=[1, 7, 2048], ids="pairs={}".format)
def pairs(request, monkeypatch):
    """Sizes of the chunks in which tables are computed."""
    monkeypatch.setattr(chains, "PAIRS", request.param)


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("n_labels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [1.0, 300.0, 1e4])
def test_marginals_by_enumeration(scale, n_labels, rng):
    chain = random_chain(rng, n_labels, scale)
    marginals = log_marginals(chain)
    for s in range(len(LENGTHS)):
        paths, log_P = enumerated(chain, s)
        expected = [[logsumexp(log_P[labels == k]) for k in range(n_labels)] for labels in paths.T]
        # at the larger scale, most are far below the smallest number
        assert_allclose(marginals[rows_of(chain, s)], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("n_labels", [1, 2, 3, 4])
def test_viterbi_by_enumeration(n_labels, rng):
    chain = random_chain(rng, n_labels)
    labels = viterbi(chain)
    for s in range(len(LENGTHS)):
        paths, log_P = enumerated(chain, s)
        assert_array_equal(labels[rows_of(chain, s)], paths[log_P.argmax()])


@pytest.mark.parametrize("n_labels", [1, 4])
def test_greedy_against_a_loop(n_labels, rng):
    chain = random_chain(rng, n_labels)
    labels = greedy(chain)
    for s in range(len(LENGTHS)):
        rows = rows_of(chain, s)
        expected = [chain.first[s].argmax()]
        for table in chain.Z[rows[1:]]:
            expected.append(table[expected[-1]].argmax())
        assert_array_equal(labels[rows], expected)


@pytest.mark.usefixtures("pairs")
def test_samples_have_the_probabilities_of_the_enumeration(rng):
    n_labels, n_samples = 3, 5_000
    chain = random_chain(rng, n_labels, lengths=np.array([4, 4, 2]))
    labels = sample(chain, rng.random((chain.packing.n_rows, n_samples)))
    for s in range(3):
        paths, log_P = enumerated(chain, s)
        weights = n_labels ** np.arange(paths.shape[1])[::-1]
        observed = np.bincount(weights @ labels[rows_of(chain, s)], minlength=len(paths))
        assert chisquare(observed, n_samples * np.exp(log_P)).pvalue > 1e-3


def test_draws_at_the_ends_of_the_interval():
    Z = np.log(np.array([0.25, 0.5, 0.25]))
    U = np.array([0.0, 0.25, 0.7499, 0.7501, np.nextafter(1.0, 0.0), 1.0])
    assert_array_equal(draw(np.tile(Z, (6, 1)), U), [0, 1, 1, 2, 2, 2])
    with np.errstate(divide="ignore"):
        impossible = np.log(np.array([0.0, 1.0, 0.0]))
    assert_array_equal(draw(np.tile(impossible, (6, 1)), U)[:5], 1)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_marginals_sum_to_one(scale, rng):
    marginals = log_marginals(random_chain(rng, 4, scale, np.array([200, 3, 1])))
    assert np.isfinite(marginals).all()
    assert_allclose(np.exp(marginals).sum(axis=1), 1.0, rtol=1e-12)


def test_marginals_that_underflow(rng):
    # against the recursion on logarithms alone; float32 underflows much sooner
    for dtype, tolerance in [(np.float64, 1e-12), (np.float32, 2e-6)]:
        chain = random_chain(rng, 5, 60.0, np.array([40, 7]), dtype)
        expected = np.empty(chain.Z.shape[:2])
        log_P = log_softmax(chain.Z.astype(float), axis=2)
        expected[chain.packing.first] = log_softmax(chain.first.astype(float), axis=1)
        for now, _, before in chain.packing.steps[1:]:
            expected[now] = logsumexp(expected[before][:, :, None] + log_P[now], axis=1)
        assert expected.min() < np.log(np.finfo(dtype).tiny) or dtype == np.float64
        marginals = log_marginals(chain)
        assert marginals.dtype == dtype
        assert_allclose(marginals, expected, rtol=tolerance, atol=10 * tolerance)


def cycle():
    """0, 1, 2, 0, 1, and nothing else possible."""
    # -inf is what the logarithm of a probability of zero is
    with np.errstate(divide="ignore"):
        table = np.log(np.roll(np.eye(3), 1, axis=1))
        first = np.log([[1.0, 0.0, 0.0]])
    return Tables(first, np.repeat(table[None], 5, axis=0), Packing(np.array([5])))


def test_impossible_labels():
    assert_array_equal(np.exp(log_marginals(cycle())), np.eye(3)[[0, 1, 2, 0, 1]])
    assert_array_equal(viterbi(cycle()), [0, 1, 2, 0, 1])


def test_labels_where_logits_are_not_finite(rng):
    chain = random_chain(rng, 3)
    chain.Z[rows_of(chain, 1)[2]] = np.nan
    for decode in (viterbi, greedy, lambda chain: sample(chain, np.full((17, 1), 0.5))[:, 0]):
        labels = decode(chain)
        assert labels[rows_of(chain, 1)[2]] == -1
        assert (labels[chain.packing.sequence != 1] >= 0).all()
    assert np.isnan(log_marginals(chain)[rows_of(chain, 1)[2]]).all()


def test_long_sequences_keep_their_digits(rng):
    # the sum of a hundred thousand log-probabilities would leave float32 two digits
    lengths = np.array([20_000])
    double = random_chain(rng, 2, 3.0, lengths)
    single = Tables(double.first.astype(np.float32), double.Z.astype(np.float32), double.packing)
    assert np.mean(viterbi(single) != viterbi(double)) < 1e-3
    assert_allclose(log_marginals(single), log_marginals(double), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lengths", [[3000], [1] * 3000, [5] * 600])
def test_tables_are_computed_in_pieces(lengths, rng):
    chain = random_chain(rng, 4, lengths=np.array(lengths))
    n_pairs = []
    plain_tables, plain_given = chain.tables, chain.given
    chain.tables = lambda rows: n_pairs.append(4 * (rows.stop - rows.start)) or plain_tables(rows)
    chain.given = lambda rows, previous: (
        n_pairs.append(previous.size) or plain_given(rows, previous)
    )
    log_marginals(chain)
    viterbi(chain)
    sample(chain, rng.random((3000, 50)))
    assert max(n_pairs, default=0) <= chains.PAIRS
