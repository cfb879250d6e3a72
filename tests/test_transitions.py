"""Allowed transitions: against the enumeration of the allowed sequences of labels."""

import pickle
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from derivatives import along, assert_close
from numpy.testing import assert_allclose, assert_array_equal
from refusals import assert_refuses
from scipy.special import log_softmax, logsumexp
from scipy.stats import chisquare
from sklearn.base import clone

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger
from sklearn_rnn._input.transitions import read_transitions
from sklearn_rnn._networks.crf import CRF
from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.parameters import ravel, size, views
from sklearn_rnn._networks.transitions import Transitions

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LENGTHS = np.array([6, 4, 4, 3, 2])
PACKING = Packing(LENGTHS)
N = PACKING.n_rows


def transitions(K, seed, density=0.6):
    """Random ones, with which at least two sequences of each length of the test are allowed."""
    rng = np.random.default_rng(seed)
    while True:
        shapes = {"between": (K, K), "start": (K,), "end": (K,)}
        allowed = {name: rng.random(shape) < density for name, shape in shapes.items()}
        if all(len(paths_of(allowed, T)) > 1 for T in set(LENGTHS)) and not allowed["end"].all():
            return allowed


def paths_of(allowed, T):
    """All allowed sequences of T labels."""
    paths = np.array(list(product(range(len(allowed["start"])), repeat=T)))
    good = allowed["start"][paths[:, 0]] & allowed["end"][paths[:, -1]]
    return paths[good & allowed["between"][paths[:, :-1], paths[:, 1:]].all(axis=1)]


def problem(K, scale, seed=0):
    rng = np.random.default_rng(seed)
    allowed = transitions(K, seed)
    output = CRF(K, Transitions.of(allowed))
    p = {name: scale * rng.standard_normal(shape) for name, shape in output.shapes.items()}
    Z = scale * rng.standard_normal((N, K))
    y = np.empty(N, int)
    for i, T in enumerate(LENGTHS):
        paths = paths_of(allowed, T)
        y[rows_of(i)] = paths[rng.integers(len(paths))]
    weight = rng.random(len(LENGTHS))[PACKING.sequence]
    return output, allowed, p, Z, SimpleNamespace(y=y, weight=weight, packing=PACKING)


def rows_of(i):
    return np.flatnonzero(PACKING.sequence == i)


def enumerated(allowed, p, Z, i):
    rows, paths = rows_of(i), paths_of(allowed, LENGTHS[i])
    scores = p["start"][paths[:, 0]] + p["end"][paths[:, -1]] + Z[rows, paths].sum(axis=1)
    scores = scores + p["A"][paths[:, :-1], paths[:, 1:]].sum(axis=1)
    return rows, paths, scores - logsumexp(scores)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("K", [2, 3, 4])
def test_crf_by_enumeration(K, scale):
    output, allowed, p, Z, shard = problem(K, scale)
    P, log_P = output.predict(p, Z, PACKING), output.predict_log(p, Z, PACKING)
    pairs, best = output.pairs(p, Z, PACKING), output.n_best(p, Z, PACKING, 30)
    viterbi = output.decode(p, Z, PACKING, "viterbi")
    terms, loss = output.log_proba(p, Z, shard.y, PACKING), 0.0
    tolerance = 1e-12 * max(1, scale / 10)
    for i in range(len(LENGTHS)):
        rows, paths, log_proba = enumerated(allowed, p, Z, i)
        order = np.argsort(-log_proba)[:30]
        assert_array_equal(viterbi[rows], paths[order[0]])
        (of_y,) = log_proba[(paths == shard.y[rows]).all(axis=1)]
        assert_allclose(terms[rows].sum(), of_y, rtol=1e-12, atol=1e-12 * scale)
        loss -= shard.weight[rows[0]] * of_y
        exist = slice(0, len(order))
        assert_array_equal(best["label"][rows, exist], paths[order].T)
        assert_allclose(best["log_proba"][rows[0], exist], log_proba[order], 1e-12, 1e-12 * scale)
        assert (best["log_proba"][rows, len(order) :] == -np.inf).all()
        for t, row in enumerate(rows):
            expected = np.bincount(paths[:, t], np.exp(log_proba), K)
            assert_allclose(P[row], expected, rtol=0, atol=tolerance)
            assert_array_equal(log_P[row] == -np.inf, np.bincount(paths[:, t], minlength=K) == 0)
            if t:
                expected = np.zeros((K, K))
                np.add.at(expected, (paths[:, t - 1], paths[:, t]), np.exp(log_proba))
                assert_allclose(pairs[row], expected, rtol=0, atol=tolerance)
                assert (pairs[row][~allowed["between"]] == 0).all()
    assert_allclose(output.loss_gradient(p, Z, shard)[0], loss, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("K", [2, 4])
def test_crf_gradient_and_hessian(K, scale):
    output, allowed, p, Z, shard = problem(K, scale)
    shapes = {"Z": Z.shape} | output.shapes

    def loss_gradient(w):
        p = views(w, shapes)
        value, dZ, gradients = output.loss_gradient(p, p["Z"], shard)
        return value, ravel({"Z": dZ} | gradients, shapes)

    w = ravel({"Z": Z} | p, shapes)
    gradient = loss_gradient(w)[1]
    expected = [along(lambda w: loss_gradient(w)[0], w, unit) for unit in np.eye(size(shapes))]
    assert_close(gradient, np.array(expected))
    assert (views(gradient, shapes)["A"][~allowed["between"]] == 0).all()
    v = np.random.default_rng(1).standard_normal(len(w))
    direction = views(v, shapes)
    dZ, gradients = output.hessp(p, Z, shard, direction["Z"], direction)
    expected = along(lambda w: loss_gradient(w)[1], w, v)
    product = ravel({"Z": dZ} | gradients, shapes)
    assert_allclose(product, expected, rtol=1e-10, atol=1e-10 * shard.weight.max())


def test_crf_float32():
    output, _, p, Z, shard = problem(4, 30.0)
    single = {name: value.astype(np.float32) for name, value in p.items()}
    value, dZ, _ = output.loss_gradient(p, Z, shard)
    value_32, dZ_32, gradients = output.loss_gradient(single, Z.astype(np.float32), shard)
    assert dZ_32.dtype == gradients["A"].dtype == np.float32
    assert_allclose(value_32, value, rtol=1e-5)
    assert_close(dZ_32, dZ, 1e-4)


def test_crf_samples():
    output, allowed, p, Z, _ = problem(3, 1.0)
    n = 5000
    labels = output.sample(p, Z, PACKING, np.random.default_rng(1).random((N, n)))
    for i in range(len(LENGTHS)):
        rows, paths, log_proba = enumerated(allowed, p, Z, i)
        code = 3 ** np.arange(LENGTHS[i])
        counts = np.bincount(code @ labels[rows], minlength=3 ** LENGTHS[i])
        assert counts[paths @ code].sum() == n
        assert chisquare(counts[paths @ code], n * np.exp(log_proba)).pvalue > 1e-3


def test_lengths_that_fit():
    for seed in range(20):
        allowed = transitions(3, seed, density=0.4)
        fits = Transitions.of(allowed).fit(np.arange(1, 7))
        assert_array_equal(fits, [len(paths_of(allowed, T)) > 0 for T in range(1, 7)])


TAGS = np.array(["B-a", "B-b", "E-a", "E-b", "I-a", "I-b", "O", "S-a", "S-b"])
GOOD = {
    "IOB2": ["O O", "B-a I-a I-a", "B-a B-a", "B-a B-b I-b O"],
    "BIOES": ["O O", "B-a I-a E-a", "S-a S-b O", "B-b E-b B-a E-a", "O B-a E-a"],
}
BAD = {
    "IOB2": ["I-a", "O I-a", "I-a I-b", "B-a I-b"],
    "BIOES": ["B-a", "O B-a", "I-a E-a", "E-a", "B-a O", "B-a E-b", "S-a I-a E-a", "B-a B-a"],
}


@pytest.mark.parametrize("scheme", GOOD)
def test_schemes(scheme):
    tags = TAGS if scheme == "BIOES" else TAGS[[0, 1, 4, 5, 6]]
    allowed = read_transitions(scheme, tags)

    def is_allowed(labels):
        codes = np.searchsorted(tags, labels.split())
        between = allowed.between[codes[:-1], codes[1:]].all()
        return allowed.start[codes[0]] and between and allowed.end[codes[-1]]

    assert all(map(is_allowed, GOOD[scheme]))
    assert not any(map(is_allowed, BAD[scheme]))


def test_pairs():
    a = np.array(["a", "b", "c"])
    allowed = read_transitions([("a", "b"), ("b", "a"), ("b", "x"), (None, "a")], a)
    assert_array_equal(allowed.between, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert_array_equal(allowed.start, [1, 0, 0])
    assert allowed.end.all()
    numbers = read_transitions(np.array([[0, 1], [1, 0]]), np.array([0, 1]))
    assert_array_equal(numbers.between, [[0, 1], [1, 0]])
    ends = read_transitions([("a", "b"), ("b", None)], a)
    assert_array_equal(ends.end, [0, 1, 0])


QUICK = {"hidden_layer_sizes": 4, "max_iter": 5, "random_state": 0}
# a cycle that may stay where it is, begins with "a", and does not end with "b"
PAIRS = [(None, "a"), *zip("abcabc", "abcbca"), ("a", None), ("c", None)]
TAGGERS = {
    "CRF": SequenceTagger(**QUICK, output="crf", allowed_transitions=PAIRS),
    "output feedback": OutputFeedbackTagger(**QUICK, allowed_transitions=PAIRS),
}
FREE = {
    name: clone(tagger).set_params(allowed_transitions=None) for name, tagger in TAGGERS.items()
}


def is_good(labels):
    pairs = zip((None, *labels), (*labels, None))
    return all(pair in PAIRS for pair in pairs)


def data():
    rng = np.random.default_rng(0)
    good = [[y for y in product("abc", repeat=T) if is_good(y)] for T in range(1, 6)]
    y = [list(good[i % 5][rng.integers(len(good[i % 5]))]) for i in range(25)]
    codes = [np.searchsorted(list("abc"), labels) for labels in y]
    return [rng.standard_normal((len(k), 3)) + np.eye(3)[k] for k in codes], y


X, Y = data()


def enumerated_paths(T):
    paths = np.array(list(product("abc", repeat=T)))
    return paths, np.array([is_good(y) for y in paths])


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "trust-ncg"])
@pytest.mark.parametrize("name", ["CRF", "output feedback"])
def test_taggers(name, solver):
    tagger = clone(TAGGERS[name]).set_params(solver=solver).fit(X, Y)
    assert np.isfinite(tagger.loss_)
    for T in range(1, 5):
        x = X[T - 1]
        paths, good = enumerated_paths(T)
        log_proba = tagger.sequence_log_proba([x] * len(paths), paths.tolist())
        assert_array_equal(log_proba == -np.inf, ~good)
        P = np.exp(log_proba)
        assert_allclose(P.sum(), 1.0, rtol=1e-12)
        marginals = np.stack([P @ (paths == k) for k in "abc"], axis=-1)
        assert_allclose(tagger.predict_proba([x])[0], marginals, rtol=0, atol=1e-12)
        assert_array_equal(np.exp(tagger.predict_log_proba([x])[0]) == 0, marginals == 0)
        indicators = (paths[:, :, None] == list("abc")).astype(float)
        pairs = np.einsum("n,ntj,ntk->tjk", P, indicators[:, :-1], indicators[:, 1:])
        assert_allclose(tagger.predict_pair_proba([x])[0][1:], pairs, rtol=0, atol=1e-12)
        labels, of_labels = tagger.predict_n_best([x], 90)
        n = good.sum()
        assert_allclose(of_labels[:n, 0], np.sort(log_proba[good])[::-1], rtol=1e-11)
        assert (of_labels[n:] == -np.inf).all()
        assert all(is_good(y) for y in labels[:n, 0])
        drawn = tagger.sample([x], 200, random_state=0)[:, 0]
        assert all(is_good(y) for y in drawn)
    assert all(map(is_good, tagger.set_params(decoding="viterbi").predict(X)))
    if name == "output feedback":
        assert all(map(is_good, tagger.set_params(decoding="greedy").predict(X)))


def test_output_feedback_by_a_loop():
    """p(k | x_t, j) is the softmax over the labels that are allowed after j."""
    tagger = clone(TAGGERS["output feedback"]).fit(X, Y)
    W_in, W_fb, b = tagger.input_weights_[0], tagger.feedback_weights_, tagger.hidden_biases_[0]
    for x, y in zip(X, Y):
        total, before, feedback = 0.0, None, tagger.initial_feedback_
        for t, label in enumerate(y):
            z = np.tanh(x[t] @ W_in + feedback + b) @ tagger.output_weights_ + tagger.output_biases_
            z[[(before, k) not in PAIRS for k in "abc"]] = -np.inf
            if t == len(y) - 1:
                z[[(k, None) not in PAIRS for k in "abc"]] = -np.inf
            k = "abc".index(label)
            total += log_softmax(z)[k]
            before, feedback = label, W_fb[k]
        assert_allclose(tagger.sequence_log_proba([x], [y]), total, rtol=1e-12)


def test_output_feedback_step_by_step():
    """All but the end, which is not known while a sequence goes on."""
    tagger = clone(TAGGERS["output feedback"]).set_params(allowed_transitions=PAIRS[:-2]).fit(X, Y)
    stepper = tagger.start()
    P = tagger.predict_proba(X[4:5])[0]
    assert P[0].tolist() == [1, 0, 0]
    for x, expected in zip(X[4], P):
        assert_allclose(stepper.step(x), expected, rtol=1e-12)


@pytest.mark.parametrize("name", TAGGERS)
def test_fitted_model_keeps_its_transitions(name):
    tagger = clone(TAGGERS[name]).fit(X, Y)
    P = tagger.predict_proba(X)
    for other in (pickle.loads(pickle.dumps(tagger)), tagger.set_params(allowed_transitions=None)):
        assert all(np.array_equal(p, q) for p, q in zip(other.predict_proba(X), P))
    assert_refuses(
        lambda: tagger.set_params(warm_start=True).fit(X, Y), "allowed_transitions have changed"
    )
    tagger.set_params(allowed_transitions=PAIRS).fit(X, Y)
    tagger.partial_fit(X, Y)
    stopped = clone(tagger).set_params(early_stopping=True, warm_start=False).fit(X, Y)
    assert len(stopped.validation_scores_) == stopped.n_iter_


def with_labels(i, labels):
    y = [list(labels) for labels in Y]
    y[i] = list(labels)
    return y


BAD_FITS = [
    ({}, with_labels(4, "abcba"), "y goes from 'c' to 'b' at sequence 4, step 3, which"),
    ({}, with_labels(1, "bc"), "y starts with 'b' at sequence 1, step 0"),
    ({}, with_labels(6, "ab"), "y ends with 'b' at sequence 6, step 1"),
    ({"allowed_transitions": "IOB2"}, Y, "needs the labels 'O', 'B-name', 'I-name', but y has 'a'"),
    ({"allowed_transitions": "IOB3"}, Y, "'allowed_transitions' parameter"),
    ({"allowed_transitions": ["ab"]}, Y, "allowed_transitions holds 'ab'. Pass pairs"),
    ({"allowed_transitions": [("a", "b", "c")]}, Y, "allowed_transitions holds ('a', 'b', 'c')"),
    ({"allowed_transitions": [(None, None)]}, Y, "allowed_transitions holds (None, None)"),
    ({"allowed_transitions": [(["a"], "b")]}, Y, "allowed_transitions holds (['a'], 'b')"),
    ({"allowed_transitions": [(1, 2)]}, Y, "allows no transition between the classes ['a', 'b'"),
    ({"allowed_transitions": []}, Y, "allows no transition"),
]


@pytest.mark.parametrize("name", TAGGERS)
@pytest.mark.parametrize("parameters, y, words", BAD_FITS, ids=[case[-1] for case in BAD_FITS])
def test_refusals(name, parameters, y, words):
    tagger = clone(TAGGERS[name]).set_params(**parameters)
    assert_refuses(lambda: tagger.fit(X, y), words)
    assert_refuses(lambda: tagger.partial_fit(X, y), words)


def test_refusals_of_each():
    ends_in_b = [(None, "a"), *zip("abcab", "abcbc"), ("c", None)]
    words = "allows no label after 'a' that may end"
    tagger = clone(FREE["output feedback"]).set_params(allowed_transitions=ends_in_b)
    assert_refuses(lambda: tagger.fit(X, Y), "allows no label after the start that may end")
    tagger.set_params(allowed_transitions=[*ends_in_b, ("b", "b"), (None, "c")])
    assert_refuses(lambda: tagger.fit(X, Y), words)
    tagger.set_params(teacher_forcing=False)
    assert_refuses(lambda: tagger.fit(X, Y), "needs teacher_forcing=True")
    crf = clone(FREE["CRF"]).set_params(allowed_transitions=ends_in_b, output="softmax")
    assert_refuses(lambda: crf.fit(X, Y), "needs output='crf'")
    crf.set_params(output="crf").fit(X[2:3] * 2, [list("abc")] * 2)
    assert_refuses(lambda: crf.predict(X), "no labels for sequence 0, which has 1 steps")
    assert_refuses(
        lambda: crf.fit(X[2:3] * 2, [list("abc")] * 2, X_val=X[:1], y_val=[["a"]]),
        "In the validation set",
    )
