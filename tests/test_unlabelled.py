"""Unlabelled steps are summed out: against the enumeration of all labels they may have."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from derivatives import (
    D,
    H,
    K,
    along,
    assert_close,
    assert_gradient,
    dense,
    jacobian,
    make_shards,
    penalty_of,
)
from numpy.testing import assert_allclose, assert_array_equal
from refusals import assert_refuses
from scipy import sparse
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.base import clone

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger
from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks.crf import CRF
from sklearn_rnn._networks.label_feedback import Contexts
from sklearn_rnn._networks.output_feedback import TeacherForced
from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.parameters import ravel, size, views
from sklearn_rnn._networks.transitions import Transitions
from sklearn_rnn._training.objective import Objective

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LENGTHS = np.array([6, 4, 4, 4, 2, 1, 1])
PACKING = Packing(LENGTHS)
N = PACKING.n_rows
# which labels are known, by sequence: runs at the start, inside and at the end; none and all
KNOWN = ["100101", "0010", "0000", "1111", "01", "0", "1"]
ALLOWED = {
    "between": np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], bool),
    "start": np.array([1, 1, 0], bool),
    "end": np.array([1, 1, 0], bool),
}


def rows_of(i):
    return np.flatnonzero(PACKING.sequence == i)


def labels(rng, n_labels, transitions):
    """Labels that are allowed, in packed order, -1 where they are not known."""
    y = np.empty(N, int)
    for i, T in enumerate(LENGTHS):
        paths = np.array(list(product(range(n_labels), repeat=T)))
        if transitions is not None:
            terms = transitions.start[paths[:, 0]] + transitions.end[paths[:, -1]]
            terms = terms + transitions.between[paths[:, :-1], paths[:, 1:]].sum(axis=1)
            paths = paths[terms == 0]
        path = paths[rng.integers(len(paths))]
        y[rows_of(i)] = np.where(np.array(list(KNOWN[i])) == "1", path, -1)
    return y


def consistent(y, n_labels):
    """All sequences of labels that agree with y (T,)."""
    return np.array(list(product(*([k] if k >= 0 else range(n_labels) for k in y))))


def log_proba_by_enumeration(p, Z, y, transitions=None):
    """log p(known labels | x) of each sequence, of a CRF."""
    p = {
        name: p[name] + (0 if transitions is None else terms)
        for name, terms in zip(("A", "start", "end"), transitions or (0, 0, 0))
    }

    def log_total(rows, paths):
        scores = p["start"][paths[:, 0]] + p["end"][paths[:, -1]] + Z[rows, paths].sum(axis=1)
        return logsumexp(scores + p["A"][paths[:, :-1], paths[:, 1:]].sum(axis=1))

    n_labels = Z.shape[1]
    return np.array(
        [
            log_total(rows, consistent(y[rows], n_labels))
            - log_total(rows, consistent(np.full(len(rows), -1), n_labels))
            for rows in map(rows_of, range(len(LENGTHS)))
        ]
    )


def of_sequences(terms):
    return np.bincount(PACKING.sequence, terms)


def crf_problem(n_labels, scale, constrained, seed=0):
    rng = np.random.default_rng(seed)
    transitions = Transitions.of(ALLOWED) if constrained else None
    output = CRF(n_labels, transitions)
    p = {name: scale * rng.standard_normal(shape) for name, shape in output.shapes.items()}
    Z = scale * rng.standard_normal((N, n_labels))
    y = labels(rng, n_labels, transitions)
    weight = rng.random(len(LENGTHS))[PACKING.sequence]
    return output, p, Z, SimpleNamespace(y=y, weight=weight, packing=PACKING)


@pytest.mark.parametrize("n_labels, constrained", [(2, False), (3, False), (4, False), (3, True)])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_crf_by_enumeration(scale, n_labels, constrained):
    output, p, Z, shard = crf_problem(n_labels, scale, constrained)
    expected = log_proba_by_enumeration(p, Z, shard.y, output.transitions)
    log_proba = of_sequences(output.log_proba(p, Z, shard.y, PACKING))
    assert_allclose(log_proba, expected, rtol=1e-12, atol=1e-12 * scale)
    loss = output.loss_gradient(p, Z, shard)[0]
    assert_allclose(loss, -expected @ shard.weight[: len(LENGTHS)], rtol=1e-12)


@pytest.mark.parametrize("n_labels, constrained", [(2, False), (4, False), (3, True)])
@pytest.mark.parametrize("scale", [1.0, 10.0, 1000.0])
def test_crf_gradient_and_product(scale, n_labels, constrained):
    """The product is the Hessian of the log-partition alone: what is known does not matter."""
    output, p, Z, shard = crf_problem(n_labels, scale, constrained)
    shapes = {"Z": Z.shape} | output.shapes

    def loss_gradient(w, y=shard.y):
        p = views(w, shapes)
        of_y = SimpleNamespace(y=y, weight=shard.weight, packing=PACKING)
        value, dZ, gradients = output.loss_gradient(p, p["Z"], of_y)
        return value, ravel({"Z": dZ} | gradients, shapes)

    w = ravel({"Z": Z} | p, shapes)
    expected = [along(lambda w: loss_gradient(w)[0], w, unit) for unit in np.eye(len(w))]
    gradient = loss_gradient(w)[1]
    assert_allclose(gradient, expected, rtol=1e-10, atol=1e-10 * max(abs(gradient).max(), 1e-2))
    v = np.random.default_rng(1).standard_normal(len(w))
    direction = views(v, shapes)
    dZ, gradients = output.hessp(p, Z, shard, direction["Z"], direction)
    everything = labels(np.random.default_rng(0), n_labels, output.transitions)
    everything[everything < 0] = 0
    if not constrained:
        expected = along(lambda w: loss_gradient(w, everything)[1], w, v)
        product = ravel({"Z": dZ} | gradients, shapes)
        assert_allclose(product, expected, rtol=1e-10, atol=1e-10)
    assert (
        np.vdot(direction["Z"], dZ)
        + sum(np.vdot(direction[name], g) for name, g in gradients.items())
        >= -1e-10
    )


def test_crf_float32():
    output, p, Z, shard = crf_problem(4, 30.0, False)
    single = {name: value.astype(np.float32) for name, value in p.items()}
    value, dZ, _ = output.loss_gradient(p, Z, shard)
    value_32, dZ_32, _ = output.loss_gradient(single, Z.astype(np.float32), shard)
    assert dZ_32.dtype == np.float32
    assert_allclose(value_32, value, rtol=1e-5)
    assert_close(dZ_32, dZ, 1e-4)


def feedback_problem(constrained, dtype=np.float64, csr=False, scale=1.0):
    """A network, its objective on one shard, and parameters."""
    rng = np.random.default_rng(0)
    transitions = Transitions.of(ALLOWED) if constrained else None
    network = TeacherForced(D, [H, H], K, "tanh", transitions)
    y = labels(rng, K, transitions)
    X = rng.standard_normal((N, D))
    in_order = np.concatenate([rows_of(i) for i in range(len(LENGTHS))])
    weight = np.repeat(rng.random(len(LENGTHS)), LENGTHS)
    (shard,) = make_shards(network, X[in_order], y[in_order], weight, LENGTHS, dtype, csr)
    assert_array_equal(shard.y, y)
    w = scale * rng.standard_normal(size(network.shapes))
    return network, Objective(network, Shards([shard]), penalty_of(network, 0.0)), shard, w


def feedback_log_proba(network, p, shard, i):
    """By enumeration, with the recurrence written as a loop."""
    rows, W_fb, total = rows_of(i), p["W_fb"], []
    for path in consistent(shard.y[rows], K):
        log_p, before = 0.0, K
        for t, (row, k) in enumerate(zip(rows, path)):
            h = np.tanh(shard.X[row] @ p["W_in0"] + W_fb[before] + p["b0"])
            z = np.tanh(h @ p["W_in1"] + p["b1"]) @ p["W_out"] + p["c"]
            if network.transitions is not None:
                between, start, end = network.transitions
                z = z + np.vstack([between, start])[before] + (end if t == len(rows) - 1 else 0)
            log_p += log_softmax(z)[k]
            before = k
        total.append(log_p)
    return logsumexp(total)


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_output_feedback_by_enumeration(scale, constrained):
    network, objective, shard, w = feedback_problem(constrained, scale=scale)
    p = views(w, network.shapes)
    expected = [feedback_log_proba(network, p, shard, i) for i in range(len(LENGTHS))]
    log_proba = of_sequences(network.log_proba(p, shard))
    assert_allclose(log_proba, expected, rtol=1e-12, atol=1e-12 * scale)
    loss = objective.loss_gradient(w)[0]
    assert_allclose(loss, -np.dot(expected, shard.weight[: len(LENGTHS)]), rtol=1e-12)


@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("constrained", [False, True])
def test_output_feedback_gradient_and_product(constrained, csr, rng):
    network, objective, shard, w = feedback_problem(constrained, csr=csr)
    assert_gradient(objective.loss_gradient, w, rng)
    p = views(w, network.shapes)

    def logits(w):
        Z = network.forward(views(w, network.shapes), shard)[0]
        return np.where(Z.real > -np.inf, Z, 0.0)

    # J' H J, where H is that of the cross-entropies, by the probability of the label before
    contexts = Contexts.of(shard.y, PACKING, K)
    Z = network.forward(p, shard)[0]
    P = softmax(Z, axis=1)
    weight = shard.weight[contexts.row] * probability_before(network, p, shard, contexts)
    blocks = [c * (np.diag(q) - np.outer(q, q)) for c, q in zip(weight, P)]
    J = jacobian(logits, w).reshape(len(Z), K, -1)
    expected = np.einsum("mip,mij,mjq->pq", J, np.array(blocks), J)
    matrix = dense(objective.gauss_newton(w), len(w))
    assert_close(matrix, expected)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def probability_before(network, p, shard, contexts):
    """p(label before | known labels) of each context, by enumeration."""
    log_P = log_softmax(network.forward(p, shard)[0], axis=1)
    result = np.ones(len(contexts.row))
    for i in range(len(LENGTHS)):
        rows = rows_of(i)
        paths = consistent(shard.y[rows], K)
        before = np.hstack([np.full((len(paths), 1), K), paths[:, :-1]])
        at = contexts.start[rows] + np.where(contexts.is_open[rows], before, 0)
        weight = softmax(log_P[at, paths].sum(axis=1))
        for context in np.unique(at):
            result[context] = weight @ (at == context).any(axis=1)
    return result


def test_output_feedback_float32():
    network, objective, shard, w = feedback_problem(False)
    _, single, _, _ = feedback_problem(False, np.float32)
    value, gradient = objective.loss_gradient(w)
    value_32, gradient_32 = single.loss_gradient(w)
    assert_allclose(value_32, value, rtol=1e-5)
    assert_close(gradient_32, gradient, 1e-4)


QUICK = {"hidden_layer_sizes": 4, "max_iter": 8, "random_state": 0}
TAGGERS = {
    "CRF": SequenceTagger(**QUICK, output="crf"),
    "softmax": SequenceTagger(**QUICK),
    "output feedback": OutputFeedbackTagger(**QUICK),
    "free running": OutputFeedbackTagger(**QUICK, teacher_forcing=False),
}
SUMMED_OUT = ["CRF", "output feedback"]
X = np.random.default_rng(0).standard_normal((30, 5, 3))
Y = np.where(X[..., 0].cumsum(axis=1) > 0, "up", np.where(X[..., 1] > 0.5, "odd", "down"))
IS_KNOWN = np.random.default_rng(1).random(Y.shape) < 0.6
Y_PARTLY = np.where(IS_KNOWN, Y, "?")
CODES = np.searchsorted(["down", "odd", "up"], Y)


def object_labels(values, marker):
    y = values.astype(object)
    y[~IS_KNOWN] = marker
    return y


MARKERS = {
    "a word": ("?", Y_PARTLY),
    "a word in lists": ("?", Y_PARTLY.tolist()),
    "-1 among integers": (-1, np.where(IS_KNOWN, CODES, -1)),
    "-1 among words": (-1, object_labels(Y, -1)),
    "None": (np.nan, object_labels(Y, None)),
    "None in lists": (np.nan, object_labels(CODES, None).tolist()),
    "NaN among words": (np.nan, object_labels(Y, np.nan)),
    "NaN": (np.nan, np.where(IS_KNOWN, CODES, np.nan)),
    "an empty word": ("", np.where(IS_KNOWN, Y, "")),
}


@pytest.mark.parametrize("name", TAGGERS)
@pytest.mark.parametrize("marker", MARKERS)
def test_markers(marker, name):
    unlabeled, y = MARKERS[marker]
    tagger = clone(TAGGERS[name]).set_params(unlabeled=unlabeled, max_iter=2).fit(X, y)
    words = clone(TAGGERS[name]).set_params(unlabeled="?", max_iter=2).fit(X, Y_PARTLY)
    assert len(tagger.classes_) == 3
    assert tagger.classes_.dtype.kind in "Uif"
    assert_array_equal(tagger.output_weights_, words.output_weights_)
    assert tagger.score(X, y) == words.score(X, Y_PARTLY)
    correct = words.predict(X) == Y
    assert_allclose(words.score(X, Y_PARTLY), correct[IS_KNOWN].mean())


@pytest.mark.parametrize("name", TAGGERS)
def test_long_tables(name):
    table = np.c_[np.repeat(np.arange(30), 5), X.reshape(-1, 3)]
    long = clone(TAGGERS[name]).set_params(unlabeled=-1, sequence_id=0)
    y = np.where(IS_KNOWN, CODES, -1)
    long.fit(table, y.ravel())
    expected = clone(TAGGERS[name]).set_params(unlabeled=-1).fit(X, y)
    assert_array_equal(long.output_weights_, expected.output_weights_)


@pytest.mark.parametrize("name", ["softmax", "free running"])
def test_weight_zero_without_a_chain(name):
    partly = clone(TAGGERS[name]).set_params(unlabeled="?").fit(X, Y_PARTLY)
    weighted = clone(TAGGERS[name]).fit(X, Y, IS_KNOWN.astype(float))
    assert_array_equal(partly.output_weights_, weighted.output_weights_)
    terms = [
        partly.sequence_log_proba(X[:1, : t + 1], Y[:1, : t + 1])[0] for t in range(Y.shape[1])
    ]
    of_steps = np.diff([0.0, *terms])
    expected = of_steps[IS_KNOWN[0]].sum()
    assert_allclose(partly.sequence_log_proba(X[:1], Y_PARTLY[:1]), expected, rtol=1e-10)


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "trust-ncg"])
@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("name", SUMMED_OUT)
def test_training(name, csr, solver):
    data = [sparse.csr_array(x) for x in X] if csr else X
    tagger = clone(TAGGERS[name]).set_params(unlabeled="?", solver=solver).fit(data, Y_PARTLY)
    assert tagger.loss_curve_[-1] < tagger.loss_curve_[0]
    assert_array_equal(tagger.classes_, ["down", "odd", "up"])
    total = []
    for path in product(tagger.classes_, repeat=(~IS_KNOWN[0]).sum()):
        y = Y_PARTLY[:1].copy()
        y[~IS_KNOWN[:1]] = path
        total.append(tagger.sequence_log_proba(data[:1], y)[0])
    log_proba = tagger.sequence_log_proba(data[:1], Y_PARTLY[:1])
    assert_allclose(log_proba, logsumexp(total), rtol=1e-10)
    assert tagger.sequence_log_proba(data[:1], [["?"] * 5])[0] == pytest.approx(0, abs=1e-12)
    before = tagger.loss_
    tagger.partial_fit(data, Y_PARTLY)
    assert tagger.loss_ <= before + 1e-9


@pytest.mark.parametrize("name", SUMMED_OUT)
def test_allowed_transitions(name):
    pairs = [(j, k) for j in ("down", "odd", "up") for k in ("down", "odd", "up") if j != k]
    tagger = clone(TAGGERS[name]).set_params(allowed_transitions=pairs, unlabeled="?")
    y = [["odd", "up", "?", "down", "up"] for _ in range(4)]
    tagger.fit(X[:4], y)
    log_proba = tagger.sequence_log_proba(X[:1], [["odd", "?", "odd", "?", "up"]])
    assert -np.inf < log_proba[0] < 0
    for labels in (["odd", "odd", "up", "?", "up"], ["?", "up", "?", "up", "up"]):
        assert tagger.sequence_log_proba(X[:1], [labels])[0] == -np.inf
    words = "goes from 'odd' to 'odd' at sequence 3, step 1"
    assert_refuses(lambda: tagger.fit(X[:4], [*y[:3], ["odd", "odd", "?", "up", "?"]]), words)
    to_odd = [("odd", "up"), ("up", "odd"), ("down", "odd"), ("odd", "down")]
    tagger.set_params(allowed_transitions=to_odd)
    words = "no labels for the unlabelled steps of y up to sequence 3, step 2"
    y = [["odd", "up", "odd", "down", "odd"]] * 3
    assert_refuses(lambda: tagger.fit(X[:4], [*y, ["odd", "?", "up", "?", "?"]]), words)


@pytest.mark.parametrize("name", TAGGERS)
def test_refusals(name):
    tagger = clone(TAGGERS[name])
    assert_refuses(lambda: tagger.fit(X, object_labels(Y, None)), "is missing, None")
    tagger.set_params(unlabeled="?")
    assert_refuses(lambda: tagger.fit(X, object_labels(Y, None)), "is missing, None")
    assert_refuses(lambda: tagger.fit(X, np.full(Y.shape, "?")), "y holds nothing but '?'")
    assert_refuses(lambda: tagger.fit(X, Y_PARTLY, (~IS_KNOWN).astype(float)), "weight")
    assert_refuses(lambda: tagger.partial_fit(X, Y_PARTLY, ["?", "up"]), "classes holds '?'")
    place = np.flatnonzero(~IS_KNOWN[0])[0], np.flatnonzero(IS_KNOWN[2])[1]
    y = Y_PARTLY.astype(object)
    y[2, place[1]] = 7
    assert_refuses(lambda: tagger.fit(X, y), f"7 at sequence 2, step {place[1]}")
    with pytest.raises(ValueError, match="'unlabeled' parameter"):
        tagger.set_params(unlabeled=["?"]).fit(X, Y)


@pytest.mark.parametrize("name", SUMMED_OUT)
def test_weights(name):
    tagger = clone(TAGGERS[name]).set_params(unlabeled="?")
    weight = np.ones(Y.shape)
    i = np.flatnonzero(~IS_KNOWN.all(axis=1))[0]
    weight[i, 2] = 3
    words = f"all its steps, but with sample_weight and class_weight that of sequence {i}, step 2"
    assert_refuses(lambda: tagger.fit(X, Y_PARTLY, weight), words)
    twice = clone(tagger).fit(np.r_[X, X[:1]], np.r_[Y_PARTLY, Y_PARTLY[:1]])
    weighted = clone(tagger).fit(X, Y_PARTLY, [2.0] + [1.0] * 29)
    assert_array_equal(weighted.output_weights_, twice.output_weights_)


@pytest.mark.parametrize("name", TAGGERS)
def test_early_stopping(name):
    tagger = clone(TAGGERS[name]).set_params(unlabeled="?")
    stopped = clone(tagger).set_params(early_stopping=True).fit(X, Y_PARTLY)
    assert len(stopped.validation_scores_) == stopped.n_iter_
    own = clone(tagger).fit(X[:20], Y_PARTLY[:20], X_val=X[20:], y_val=Y_PARTLY[20:])
    assert own.score(X[20:], Y_PARTLY[20:]) == max(own.validation_scores_)
    few = np.full(Y.shape, "?", dtype="<U4")
    few[7, :3] = ["up", "down", "odd"]
    if name in SUMMED_OUT:
        words = "holds out has a label"
        assert_refuses(lambda: clone(tagger).set_params(early_stopping=True).fit(X, few), words)
