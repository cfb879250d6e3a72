"""Pairs, and the n best sequences of labels: against the enumeration of all sequences."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger
from sklearn_rnn._networks import chains, crf, outputs
from sklearn_rnn._networks.chains import most_probable_sequences, pair_marginals
from sklearn_rnn._networks.crf import CRF
from sklearn_rnn._networks.outputs import Softmax
from sklearn_rnn._networks.packing import Packing

LENGTHS = np.array([6, 4, 4, 2, 1])
PACKING = Packing(LENGTHS)
N = PACKING.n_rows
MODELS = ["CRF", "output feedback", "softmax"]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Tables:
    """A chain with given logits: first (S, K) and for all rows (N, j, k)."""

    packing = PACKING

    def __init__(self, first, tables):
        self.first, self.Z = first, tables

    def tables(self, rows):
        return self.Z[rows].copy()


def model(kind, K, numbers):
    """Return functions that give pairs and the n best, and one with the score of paths."""
    Z = numbers((N, K))
    if kind == "output feedback":
        chain = Tables(numbers((len(LENGTHS), K)), numbers((N, K, K)))
        log_first, log_P = log_softmax(chain.first, axis=-1), log_softmax(chain.Z, axis=-1)

        def score(i, rows, paths):
            tables = [log_P[row][paths[:, t], paths[:, t + 1]] for t, row in enumerate(rows[1:])]
            return log_first[i][paths[:, 0]] + sum(tables)

        return SimpleNamespace(
            pairs=lambda: pair_marginals(chain),
            n_best=lambda n: most_probable_sequences(chain, n),
            score=score,
        )
    output = CRF(K) if kind == "CRF" else Softmax()
    p = {name: numbers(shape) for name, shape in output.shapes.items()}
    full = {"A": np.zeros((K, K)), "start": np.zeros(K), "end": np.zeros(K)} | p

    def score(i, rows, paths):
        transitions = full["A"][paths[:, :-1], paths[:, 1:]].sum(axis=1)
        ends = full["start"][paths[:, 0]] + full["end"][paths[:, -1]]
        return Z[rows, paths].sum(axis=1) + transitions + ends

    return SimpleNamespace(
        pairs=lambda: output.pairs(p, Z, PACKING),
        n_best=lambda n: output.n_best(p, Z, PACKING, n),
        score=score,
    )


def enumerated(model, i, K):
    """All label sequences of sequence i, and their log-probabilities."""
    rows = np.flatnonzero(PACKING.sequence == i)
    paths = np.array(list(product(range(K), repeat=len(rows))))
    scores = model.score(i, rows, paths)
    return rows, paths, scores - logsumexp(scores)


@pytest.fixture(params=[1, 7, 2048], ids="pairs={}".format)
def pairs(request, monkeypatch):
    """Sizes of the blocks of tables."""
    for module in (chains, crf, outputs):
        monkeypatch.setattr(module, "PAIRS", request.param)


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("K", [2, 3, 4])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("kind", MODELS)
def test_pairs(kind, scale, K, rng):
    of = model(kind, K, lambda shape: scale * rng.standard_normal(shape))
    pairs = of.pairs()
    for i in range(len(LENGTHS)):
        rows, paths, log_proba = enumerated(of, i, K)
        assert_array_equal(pairs[rows[0]], 0.0)
        for t, row in enumerate(rows[1:]):
            expected = np.zeros((K, K))
            np.add.at(expected, (paths[:, t], paths[:, t + 1]), np.exp(log_proba))
            assert_allclose(pairs[row], expected, rtol=0, atol=1e-12 * max(1, scale / 10))


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("K", [2, 3, 4])
@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.parametrize("kind", MODELS)
def test_n_best(kind, n, K, rng):
    of = model(kind, K, rng.standard_normal)
    best = of.n_best(n)
    assert best.shape == (N, n)
    for i in range(len(LENGTHS)):
        rows, paths, log_proba = enumerated(of, i, K)
        order = np.argsort(-log_proba)[:n]
        exist = slice(0, len(order))
        assert_array_equal(best["label"][rows, exist], paths[order].T)
        expected = np.broadcast_to(log_proba[order], (len(rows), len(order)))
        assert_allclose(best["log_proba"][rows, exist], expected, rtol=1e-12, atol=1e-12)
        # sequences of labels that do not exist
        rest = best[rows, len(order) :]
        assert (rest["log_proba"] == -np.inf).all()
        assert (rest["label"] == paths[order[0]][:, None]).all()


@pytest.mark.parametrize("kind", MODELS)
def test_n_best_of_equals(kind):
    """All sequences are there once, in the order of the classes from the last step back."""
    of = model(kind, 3, np.zeros)
    rows, paths, _ = enumerated(of, 1, 3)
    best = of.n_best(100)[rows]
    order = np.lexsort(paths.T)
    assert_array_equal(best["label"][:, :81].T, paths[order])
    assert_allclose(best["log_proba"][:, :81], -4 * np.log(3), rtol=1e-12)
    assert (best["log_proba"][:, 81:] == -np.inf).all()


def test_n_best_where_nothing_is_finite():
    output = CRF(2)
    p = {name: np.zeros(shape) for name, shape in output.shapes.items()}
    Z = np.zeros((N, 2))
    Z[PACKING.sequence == 1] = np.nan
    is_nan = np.isnan(output.n_best(p, Z, PACKING, 2)["log_proba"]).all(axis=1)
    assert_array_equal(is_nan, PACKING.sequence == 1)


QUICK = {"hidden_layer_sizes": 4, "max_iter": 5, "random_state": 0}
ESTIMATORS = {
    "CRF": SequenceTagger(**QUICK, output="crf"),
    "CRF, both directions": SequenceTagger(**QUICK, output="crf", bidirectional=True),
    "softmax": SequenceTagger(**QUICK),
    "output feedback": OutputFeedbackTagger(**QUICK),
    "free running": OutputFeedbackTagger(**QUICK, teacher_forcing=False),
}
X = np.random.default_rng(0).standard_normal((12, 4, 3))
Y = np.where(X[..., 0].cumsum(axis=1) > 0, "up", np.where(X[..., 1] > 1, "odd", "down"))
X_RAGGED = [x[: 1 + i % 4] for i, x in enumerate(X)]
Y_RAGGED = [y[: 1 + i % 4] for i, y in enumerate(Y)]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name):
    """Pairs agree with the marginals, the n best with Viterbi and with `sequence_log_proba`."""
    tagger = ESTIMATORS[name].fit(X, Y)
    P, pairs = tagger.predict_proba(X), tagger.predict_pair_proba(X)
    assert pairs.shape == (12, 4, 3, 3)
    assert_array_equal(pairs[:, 0], 0.0)
    assert_allclose(pairs[:, 1:].sum(axis=2), P[:, 1:], rtol=0, atol=1e-12)
    # also of output feedback the sum over the label after is the marginal: x_t tells nothing of it
    assert_allclose(pairs[:, 1:].sum(axis=3), P[:, :-1], rtol=0, atol=1e-12)
    labels, log_proba = tagger.predict_n_best(X, 90)
    assert labels.shape == (90, 12, 4)
    assert log_proba.shape == (90, 12)
    assert_allclose(np.exp(log_proba).sum(axis=0), 1.0, rtol=1e-12)
    assert (np.diff(log_proba[:81], axis=0) <= 0).all()
    for i in (0, 7, 80):
        assert_allclose(tagger.sequence_log_proba(X, labels[i]), log_proba[i], rtol=1e-12)
    assert_array_equal(log_proba[81:], -np.inf)
    viterbi = tagger.set_params(decoding="viterbi").predict(X)
    assert_array_equal(labels[0], viterbi)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_layouts(name):
    tagger = ESTIMATORS[name].fit(X_RAGGED, Y_RAGGED)
    pairs = tagger.predict_pair_proba(X_RAGGED)
    labels, log_proba = tagger.predict_n_best(X_RAGGED, 2)
    assert [p.shape for p in pairs] == [(len(x), 3, 3) for x in X_RAGGED]
    assert labels.shape == log_proba.shape == (2, 12)
    assert [len(y) for y in labels[1]] == [len(x) for x in X_RAGGED]
    table = np.concatenate([np.c_[np.full(len(x), i), x] for i, x in enumerate(X_RAGGED)])
    long = tagger.set_params(sequence_id=0).fit(table, np.concatenate(Y_RAGGED))
    tagger.set_params(sequence_id=None)
    assert_allclose(long.predict_pair_proba(table), np.concatenate(list(pairs)), rtol=1e-12)
    of_rows, of_table = long.predict_n_best(table, 2)
    assert_array_equal(of_rows, [np.concatenate(list(y)) for y in labels])
    assert_allclose(of_table, log_proba, rtol=1e-12)
    single = [x.astype(np.float32) for x in X_RAGGED]
    tagger.fit(X_RAGGED, Y_RAGGED)
    assert tagger.predict_pair_proba(single)[1].dtype == np.float32
    assert_allclose(tagger.predict_n_best(single, 2)[1], log_proba, rtol=1e-4)


@pytest.mark.parametrize("method", ["predict_pair_proba", "predict_n_best"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_overflow_is_refused(name, method):
    tagger = ESTIMATORS[name].fit(X, Y)
    tagger.output_biases_ = np.array([np.inf, 0.0, 0.0])
    arguments = (2,) if method == "predict_n_best" else ()
    with pytest.raises(ValueError, match="The network overflows at sequence 0, step"):
        getattr(tagger, method)(X, *arguments)


def test_bad_n():
    tagger = ESTIMATORS["CRF"].fit(X, Y)
    with pytest.raises(ValueError, match="'n' parameter of SequenceTagger.predict_n_best"):
        tagger.predict_n_best(X, 0)
