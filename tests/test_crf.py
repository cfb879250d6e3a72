"""The CRF output: against enumeration of all label sequences, and complex steps."""

import pickle
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
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import chisquare
from sklearn.base import clone

from sklearn_rnn import SequenceTagger
from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks.crf import CRF
from sklearn_rnn._networks.direct import StepDirect
from sklearn_rnn._networks.hidden_feedback import recurrent_network
from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.parameters import ravel, size, views
from sklearn_rnn._training.objective import Objective

LENGTHS = np.array([6, 4, 4, 2, 1])
PACKING = Packing(LENGTHS)
KS = [2, 3, 4]
# beyond 700 and 90 what is far from the best underflows, in double and in single precision
SCALES = [1.0, 30.0, 1000.0]


def problem(K, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    output = CRF(K)
    p = {name: scale * rng.standard_normal(shape) for name, shape in output.shapes.items()}
    Z = scale * rng.standard_normal((PACKING.n_rows, K))
    y = rng.integers(K, size=PACKING.n_rows)
    weight = rng.random(len(LENGTHS))[PACKING.sequence]
    return output, p, Z, SimpleNamespace(y=y, weight=weight, packing=PACKING)


def rows_of(i):
    return np.flatnonzero(PACKING.sequence == i)


def enumerated(p, Z, i):
    """All label sequences of sequence i, and their log-probabilities."""
    rows = rows_of(i)
    paths = np.array(list(product(range(Z.shape[1]), repeat=len(rows))))
    scores = p["start"][paths[:, 0]] + p["end"][paths[:, -1]]
    scores = scores + Z[rows, paths].sum(axis=1)
    scores = scores + p["A"][paths[:, :-1], paths[:, 1:]].sum(axis=1)
    return paths, scores - logsumexp(scores)


def in_all_sequences(function):
    return [function(i) for i in range(len(LENGTHS))]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("K", KS)
def test_marginals(K, scale):
    output, p, Z, _ = problem(K, scale)
    P, log_P = output.predict(p, Z, PACKING), output.predict_log(p, Z, PACKING)
    for i in range(len(LENGTHS)):
        paths, log_proba = enumerated(p, Z, i)
        for t, row in enumerate(rows_of(i)):
            expected = [logsumexp(log_proba[paths[:, t] == k]) for k in range(K)]
            assert_allclose(P[row], np.exp(expected), rtol=0, atol=1e-12 * max(1, scale / 10))
            assert_allclose(log_P[row], expected, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("K", KS)
def test_log_probability_and_loss(K, scale):
    output, p, Z, shard = problem(K, scale)
    terms = output.log_proba(p, Z, shard.y, PACKING)
    loss = 0.0
    for i in range(len(LENGTHS)):
        rows = rows_of(i)
        paths, log_proba = enumerated(p, Z, i)
        (expected,) = log_proba[(paths == shard.y[rows]).all(axis=1)]
        assert_allclose(terms[rows].sum(), expected, rtol=1e-12, atol=1e-12 * scale)
        loss -= shard.weight[rows[0]] * expected
    assert_allclose(output.loss_gradient(p, Z, shard)[0], loss, rtol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("K", KS)
def test_viterbi(K, scale):
    output, p, Z, _ = problem(K, scale)
    labels = output.decode(p, Z, PACKING, "viterbi")
    for i in range(len(LENGTHS)):
        paths, log_proba = enumerated(p, Z, i)
        assert_array_equal(labels[rows_of(i)], paths[log_proba.argmax()])


def test_decoding_by_marginals():
    output, p, Z, _ = problem(3)
    labels = output.decode(p, Z, PACKING, "marginal")
    assert_array_equal(labels, output.predict(p, Z, PACKING).argmax(axis=1))


@pytest.mark.parametrize("decoding", ["marginal", "viterbi"])
def test_rows_that_are_not_finite_have_no_label(decoding):
    output, p, Z, _ = problem(3)
    Z[2] = np.nan
    assert output.decode(p, Z, PACKING, decoding)[2] == -1


def test_samples():
    output, p, Z, _ = problem(3)
    n = 20_000
    U = np.random.default_rng(1).random((PACKING.n_rows, n))
    labels = output.sample(p, Z, PACKING, U)
    for i in range(1, len(LENGTHS)):
        paths, log_proba = enumerated(p, Z, i)
        codes = 3 ** np.arange(LENGTHS[i])[::-1] @ labels[rows_of(i)]
        counts = np.bincount(codes, minlength=len(paths))
        expected = n * np.exp(log_proba)
        common = expected > 5
        counts = np.append(counts[common], counts[~common].sum())
        expected = np.append(expected[common], expected[~common].sum())
        occurs = expected > 0
        assert chisquare(counts[occurs], expected[occurs]).pvalue > 1e-3


def flat(output, Z, shard):
    """Loss and gradient as functions of one vector of all scores."""
    shapes = {"Z": Z.shape} | output.shapes

    def loss_gradient(w):
        p = views(w, shapes)
        value, dZ, gradients = output.loss_gradient(p, p["Z"], shard)
        return value, ravel({"Z": dZ} | gradients, shapes)

    return loss_gradient, shapes


@pytest.mark.parametrize("scale", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("K", KS)
def test_gradient_and_hessian(K, scale):
    output, p, Z, shard = problem(K, scale)
    loss_gradient, shapes = flat(output, Z, shard)
    w = ravel({"Z": Z} | p, shapes)
    gradient = loss_gradient(w)[1]
    units = np.eye(size(shapes))
    expected = [along(lambda w: loss_gradient(w)[0], w, unit) for unit in units]
    assert_close(gradient, np.array(expected))
    for v in np.random.default_rng(1).standard_normal((3, len(w))):
        direction = views(v, shapes)
        dZ, gradients = output.hessp(p, Z, shard, direction["Z"], direction)
        product = ravel({"Z": dZ} | gradients, shapes)
        expected = along(lambda w: loss_gradient(w)[1], w, v)
        # where one sequence has all probability, the Hessian is zero but for rounding
        assert_allclose(product, expected, rtol=1e-10, atol=1e-10 * shard.weight.max())


@pytest.mark.parametrize("K", KS)
def test_hessian_is_a_covariance(K):
    """Of the counts of labels and transitions, by enumeration."""
    output, p, Z, shard = problem(K)
    loss_gradient, shapes = flat(output, Z, shard)
    v = views(np.random.default_rng(1).standard_normal(size(shapes)), shapes)
    dZ, gradients = output.hessp(p, Z, shard, v["Z"], v)
    total = np.vdot(v["Z"], dZ) + sum(np.vdot(v[name], g) for name, g in gradients.items())
    expected = 0.0
    for i in range(len(LENGTHS)):
        paths, log_proba = enumerated(p, Z, i)
        P = np.exp(log_proba)
        score = v["Z"][rows_of(i), paths].sum(axis=1)
        score += v["A"][paths[:, :-1], paths[:, 1:]].sum(axis=1)
        score += v["start"][paths[:, 0]] + v["end"][paths[:, -1]]
        expected += shard.weight[rows_of(i)[0]] * (P @ score**2 - (P @ score) ** 2)
    assert_allclose(total, expected, rtol=1e-10)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_float32_is_near_float64(scale):
    output, p, Z, shard = problem(4, scale)
    single = {name: value.astype(np.float32) for name, value in p.items()}
    value, dZ, gradients = output.loss_gradient(p, Z, shard)
    value_32, dZ_32, gradients_32 = output.loss_gradient(single, Z.astype(np.float32), shard)
    assert dZ_32.dtype == np.float32
    assert_allclose(value_32, value, rtol=1e-5)
    assert_close(dZ_32, dZ, 1e-4)
    for name, gradient in gradients.items():
        assert gradients_32[name].dtype == np.float32
        assert_close(gradients_32[name], gradient, 1e-4)
    v = {name: np.ones_like(value) for name, value in p.items()} | {"A": p["A"]}
    product, of_p = output.hessp(p, Z, shard, Z, v)
    v_32 = {name: value.astype(np.float32) for name, value in v.items()}
    Z_32 = Z.astype(np.float32)
    product_32, of_p_32 = output.hessp(single, Z_32, shard, Z_32, v_32)
    assert product_32.dtype == np.float32
    scale = max(abs(product).max(), 1e-3)
    assert_allclose(product_32, product, rtol=0, atol=1e-3 * scale)


@pytest.mark.parametrize("n_directions", [1, 2])
@pytest.mark.parametrize("direct", [False, True])
def test_whole_network(n_directions, direct):
    """The objective's gradient, and its Gauss-Newton matrix J' H J for the scores' Jacobian J."""
    rng = np.random.default_rng(0)
    direct = StepDirect(D, K) if direct else None
    network = recurrent_network(D, [H], K, CRF(K), "tanh", (), n_directions, direct)
    lengths = np.array([4, 2, 1])
    X, y = rng.standard_normal((7, D)), rng.integers(K, size=7)
    weight = np.repeat([1.0, 2.0, 0.5], lengths)
    shards = make_shards(network, X, y, weight, lengths)
    objective = Objective(network, Shards(shards), penalty_of(network, 0.0))
    w = rng.standard_normal(size(network.shapes))
    assert_gradient(objective.loss_gradient, w, rng)
    (shard,) = shards
    Z, _ = network.forward(objective.parameters(w), shard)
    loss_gradient, shapes = flat(network.output, Z, shard)

    def scores(w):
        p = views(w, network.shapes)
        return ravel({"Z": network.forward(p, shard)[0]} | p, shapes)

    J = jacobian(scores, w)
    HJ = [along(lambda u: loss_gradient(u)[1], scores(w), column) for column in J.T]
    assert_close(dense(objective.gauss_newton(w), len(w)), J.T @ np.stack(HJ, axis=1))


QUICK = {"hidden_layer_sizes": 4, "max_iter": 5, "random_state": 0, "output": "crf"}
X = np.random.default_rng(0).standard_normal((30, 5, 3))
Y = np.where(X[..., 0].cumsum(axis=1) > 0, "up", np.where(X[..., 1] > 1, "odd", "down"))
X_RAGGED = [x[: 1 + i % 5] for i, x in enumerate(X)]
Y_RAGGED = [y[: 1 + i % 5] for i, y in enumerate(Y)]
ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(X):
    return np.concatenate([np.c_[np.full(len(x), i), x] for i, x in enumerate(X)])


@ignore_convergence
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "trust-ncg"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("csr", [False, True])
def test_layouts_and_solvers(solver, bidirectional, csr):
    parameters = QUICK | {"solver": solver, "bidirectional": bidirectional}
    data = [sparse.csr_array(x) for x in X_RAGGED] if csr else X_RAGGED
    tagger = SequenceTagger(**parameters).fit(data, Y_RAGGED)
    assert tagger.loss_curve_[-1] < tagger.loss_curve_[0]
    assert tagger.transition_weights_.shape == (3, 3)
    assert tagger.start_scores_.shape == tagger.end_scores_.shape == (3,)
    long = SequenceTagger(**parameters, sequence_id=0)
    if not csr:
        long.fit(table(X_RAGGED), np.concatenate(Y_RAGGED))
        P = np.concatenate(list(tagger.predict_proba(data)))
        assert_allclose(long.predict_proba(table(X_RAGGED)), P, rtol=1e-12)
    for decoding in ("marginal", "viterbi"):
        tagger.set_params(decoding=decoding)
        labels = tagger.predict(data)
        assert [len(y) for y in labels] == [len(y) for y in Y_RAGGED]
    log_P = tagger.sequence_log_proba(data, labels)
    others = tagger.sample(data, 20, random_state=0)
    assert all((log_P >= tagger.sequence_log_proba(data, y) - 1e-12).all() for y in others)


@ignore_convergence
@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_probabilities_of_sequences_sum_to_one(output):
    tagger = SequenceTagger(**QUICK | {"output": output}).fit(X, Y)
    total = 0.0
    for labels in product(tagger.classes_, repeat=5):
        total += np.exp(tagger.sequence_log_proba(X[:2], [labels] * 2))
    assert_allclose(total, 1.0, rtol=1e-12)
    drawn = tagger.sample(X, 2000, random_state=0)
    frequency = (drawn == tagger.classes_[1]).mean(axis=0)
    assert_allclose(frequency, tagger.predict_proba(X)[..., 1], atol=0.06)


@ignore_convergence
def test_logarithm_and_decision_are_those_of_the_marginals():
    tagger = SequenceTagger(**QUICK).fit(X, Y)
    log_P = np.log(tagger.predict_proba(X))
    assert_allclose(tagger.predict_log_proba(X), log_P, rtol=1e-10)
    assert_allclose(tagger.decision_function(X), log_P, rtol=1e-10)
    assert_array_equal(tagger.predict(X), tagger.classes_[log_P.argmax(axis=-1)])


@ignore_convergence
def test_start_is_refused():
    with pytest.raises(ValueError, match="output='crf'"):
        SequenceTagger(**QUICK).fit(X, Y).start()


@ignore_convergence
def test_weights():
    """A weight of 2 is the sequence twice; weights that differ inside a sequence are refused."""
    twice = SequenceTagger(**QUICK).fit(np.r_[X, X[:1]], np.r_[Y, Y[:1]])
    weight = np.ones(len(X))
    weight[0] = 2
    weighted = SequenceTagger(**QUICK).fit(X, Y, weight)
    assert_array_equal(weighted.transition_weights_, twice.transition_weights_)
    weight = np.ones(Y.shape)
    weight[3, 2] = 0.5
    with pytest.raises(ValueError, match="sequence 3, step 2 is 0.5"):
        SequenceTagger(**QUICK).fit(X, Y, weight)
    with pytest.raises(ValueError, match="sequence 0"):
        SequenceTagger(**QUICK, class_weight={"up": 2}).fit(X, Y)
    with pytest.raises(ValueError, match="sequence 3, step 2"):
        SequenceTagger(**QUICK).partial_fit(X, Y, sample_weight=weight)


@ignore_convergence
def test_training_goes_on():
    once = SequenceTagger(**QUICK).fit(X, Y)
    warm = clone(once).set_params(warm_start=True).fit(X, Y).fit(X, Y)
    assert warm.loss_ < once.loss_
    with pytest.raises(ValueError, match="output"):
        warm.set_params(output="softmax").fit(X, Y)
    before = once.loss_
    A = once.transition_weights_.copy()
    once.partial_fit(X, Y)
    assert once.loss_ <= before + 1e-9
    assert (once.transition_weights_ != A).any()
    stopped = SequenceTagger(**QUICK | {"decoding": "viterbi"}, early_stopping=True).fit(X, Y)
    assert len(stopped.validation_scores_) == stopped.n_iter_


@ignore_convergence
def test_round_trip_and_assigned_weights():
    tagger = SequenceTagger(**QUICK).fit(X, Y)
    copy = pickle.loads(pickle.dumps(tagger))
    assert_array_equal(copy.predict_proba(X), tagger.predict_proba(X))
    copy.transition_weights_ = np.zeros((3, 3))
    copy.start_scores_ = copy.end_scores_ = np.zeros(3)
    plain = SequenceTagger(**QUICK | {"output": "softmax"}).fit(X, Y)
    for name in ("input_weights_", "recurrent_weights_", "hidden_biases_", "direct_weights_"):
        setattr(plain, name, getattr(copy, name))
    plain.output_weights_, plain.output_biases_ = copy.output_weights_, copy.output_biases_
    assert_allclose(copy.predict_proba(X), plain.predict_proba(X), rtol=1e-10)


@ignore_convergence
def test_sequences_are_not_cut_into_pieces():
    whole = SequenceTagger(**QUICK, truncated_bptt_steps=None).fit(X, Y)
    cut = SequenceTagger(**QUICK, truncated_bptt_steps=2).fit(X, Y)
    assert_array_equal(cut.predict_proba(X), whole.predict_proba(X))
