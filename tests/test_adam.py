"""Adam on minibatches, against a loop written by hand."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from derivatives import (
    LENGTHS,
    NETWORKS,
    D,
    K,
    assert_close,
    minibatch_objective,
    penalty_of,
    random_data,
    random_parameters,
    whole_objective,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, sparse

from sklearn_rnn._networks.outputs import Softmax
from sklearn_rnn._networks.parameters import Role, ravel, size, views
from sklearn_rnn._training.adam import minimise_adam
from sklearn_rnn._training.recipe import (
    ADAM_BETA_1,
    ADAM_BETA_2,
    ADAM_EPSILON,
    ADAM_STEP_SIZE,
)
from sklearn_rnn._training.solvers import INTERRUPTED, ObjectiveOverflowError, minimise

MANY = np.tile(LENGTHS, 7)
ALL = slice(None)


def make_objective(network, rng, csr=False, dtype=np.float64, **options):
    X, y, weight = random_data(network, rng, MANY)
    X = X.astype(dtype)
    return minibatch_objective(
        network, sparse.csr_array(X) if csr else X, y, weight, MANY, **options
    )


def run(objective, w0, n_epochs, callback=None):
    """Call Adam by SciPy's public interface."""
    options = {"objective": objective, "maxiter": n_epochs}
    return optimize.minimize(None, w0, method=minimise_adam, callback=callback, options=options)


def reference(objective, w0, n_epochs):
    """Kingma & Ba 2015, algorithm 1, on the rows that each minibatch uses."""
    p = {name: value.copy() for name, value in views(w0, objective.network.shapes).items()}
    m, v = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
    t, n_steps = 0, n_epochs * objective.n_minibatches
    losses = []
    for epoch in range(n_epochs):
        losses.append([])
        for minibatch in objective.minibatches(epoch):
            step_size = ADAM_STEP_SIZE * (1 - t / n_steps)
            t += 1
            loss, gradients = minibatch.loss_gradient(p)
            losses[-1].append(loss)
            for name, g in gradients.items():
                rows = minibatch.rows.get(name, ALL)
                m[name][rows] = ADAM_BETA_1 * m[name][rows] + (1 - ADAM_BETA_1) * g
                v[name][rows] = ADAM_BETA_2 * v[name][rows] + (1 - ADAM_BETA_2) * g**2
                m_hat = m[name][rows] / (1 - ADAM_BETA_1**t)
                v_hat = v[name][rows] / (1 - ADAM_BETA_2**t)
                p[name][rows] -= step_size * m_hat / (np.sqrt(v_hat) + ADAM_EPSILON)
    return ravel(p, objective.network.shapes), np.mean(losses, axis=1)


@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_against_a_loop(name, csr, rng):
    network = NETWORKS[name]()
    objective = make_objective(network, rng, csr)
    assert objective.n_minibatches > 1
    w0 = random_parameters(network, rng)
    given = w0.copy()
    result = run(objective, w0, 4)
    w, losses = reference(objective, w0, 4)
    assert_close(result.x, w, 1e-9)
    assert_allclose(result.fun, losses[-1] + objective.penalty.loss_gradient(w)[0], rtol=1e-9)
    assert_array_equal(w0, given)


def test_rows_that_no_minibatch_uses_do_not_change(rng):
    network = NETWORKS["tagger"]()
    X, y, weight = random_data(network, rng, MANY)
    X[:, 1] = 0.0
    objective = minibatch_objective(network, sparse.csr_array(X), y, weight, MANY)
    w0 = random_parameters(network, rng)
    before, after = (views(w, network.shapes)["W_in0"] for w in (w0, run(objective, w0, 3).x))
    seen = np.arange(D) != 1
    assert_array_equal(after[1], before[1])
    assert (after[seen] != before[seen]).all()


def test_callback_is_called_after_each_epoch(rng):
    network = NETWORKS["classifier"]()
    objective = make_objective(network, rng)
    w0, seen = random_parameters(network, rng), []

    def callback(intermediate_result):
        seen.append((intermediate_result.x, intermediate_result.fun))

    result = run(objective, w0, 5, callback)
    assert len(seen) == 5
    losses = reference(objective, w0, 5)[1]
    for (x, fun), loss in zip(seen, losses):
        assert_allclose(fun, loss + objective.penalty.loss_gradient(x)[0], rtol=1e-9)
    assert_array_equal(seen[-1][0], result.x)
    assert len({x.tobytes() for x, _ in seen}) == 5


def test_callback_ends_training(rng):
    network = NETWORKS["classifier"]()
    objective, w0 = make_objective(network, rng), random_parameters(network, rng)
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result.x)
        if len(seen) == 3:
            raise StopIteration

    assert_array_equal(run(objective, w0, 9, callback).x, seen[2])
    assert len(seen) == 3


class LinearModel:
    """The contract `Network`, as far as Adam uses it: z = x W_in + c, without states."""

    shapes = {"W_in": (D, K), "c": (K,)}
    roles = {"W_in": Role.OUTPUT, "c": Role.BIAS}
    input_biases = {"W_in": "c"}
    output_biases = {}
    output = Softmax()

    def initial(self, rng, start):
        return {name: np.zeros(shape) for name, shape in self.shapes.items()}

    def forward(self, p, shard):
        return shard.X @ p["W_in"] + p["c"], shard.X

    def vjp(self, p, cache, dZ):
        return {"W_in": cache.T @ dZ, "c": dZ.sum(axis=0)}


@pytest.mark.parametrize(
    "lengths", [LENGTHS, np.tile(LENGTHS, 7)], ids=["one minibatch", "several"]
)
def test_converges_to_the_minimum_of_a_convex_problem(lengths, rng):
    network = LinearModel()
    # a label that can be learnt, so that the start is not the minimum
    X, _, weight = random_data(network, rng, lengths)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    objective = minibatch_objective(network, X, y, weight, lengths)
    whole = whole_objective(objective)
    w0 = np.zeros(size(network.shapes))
    least = minimise(whole, w0, "lbfgs", 500).fun
    x = run(objective, w0, 400).x
    assert least < 0.9 * whole.loss_gradient(w0)[0]
    assert whole.loss_gradient(x)[0] < least * 1.01


def test_learns_what_is_not_convex(rng):
    network = NETWORKS["classifier"]()
    objective, w0 = make_objective(network, rng, alpha=1e-3), random_parameters(network, rng)
    whole = whole_objective(objective)
    before, after = (whole.loss_gradient(w)[0] for w in (w0, run(objective, w0, 60).x))
    assert after < 0.8 * before


@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_single_precision(name, csr, seed):
    network = NETWORKS[name]()
    single, double = (
        make_objective(network, np.random.default_rng(seed), csr, dtype)
        for dtype in (np.float32, np.float64)
    )
    w0 = random_parameters(network, np.random.default_rng(seed))
    seen = []
    loss_gradients = []
    for minibatch in single.minibatches(0):
        p = {name: value.astype(np.float32) for name, value in views(w0, network.shapes).items()}
        loss_gradients.append(minibatch.loss_gradient(p)[1])
    # gradients are computed in the data's precision
    assert {g.dtype for gradients in loss_gradients for g in gradients.values()} == {
        np.dtype(np.float32)
    }
    result = run(single, w0, 3, lambda intermediate_result: seen.append(intermediate_result.x))
    assert result.x.dtype == float
    assert all(x.dtype == float for x in seen)
    assert_allclose(result.x, run(double, w0, 3).x, atol=1e-3)


# What happens at a few chosen minibatches


class Scripted:
    """Minibatches with given gradients, by (epoch, number of the minibatch)."""

    n_minibatches = 2
    dtype = np.dtype(float)
    network = SimpleNamespace(shapes={"c": (2,)})
    penalty = SimpleNamespace(value=lambda p: 0.0)

    def __init__(self, script=None, loss=lambda epoch: 1.0 / (1 + epoch)):
        self.script = script or {}
        self.loss = loss
        self.seen = []

    def minibatches(self, epoch):
        for i in range(self.n_minibatches):
            yield SimpleNamespace(rows={}, loss_gradient=partial(self.at, (epoch, i)))

    def at(self, place, p):
        self.seen.append((place, p["c"].copy()))
        event = self.script.get(place, 1.0)
        if isinstance(event, BaseException):
            raise event
        loss, slope = event if isinstance(event, tuple) else (self.loss(place[0]), event)
        return loss, {"c": np.full(2, slope)}


START = np.array([5.0, -3.0])


def test_step_size_falls_linearly_to_zero():
    # with a constant gradient every step has the step size
    objective = Scripted()
    result = run(objective, START, 5)
    points = np.array([w for _, w in objective.seen] + [result.x])
    expected = ADAM_STEP_SIZE * (1 - np.arange(10) / 10)
    assert_allclose(-np.diff(points, axis=0), np.c_[expected, expected], rtol=1e-6)
    assert [place for place, _ in objective.seen] == [(e, i) for e in range(5) for i in range(2)]


@pytest.mark.parametrize("event", [np.nan, np.inf, (np.nan, 1.0), (np.inf, 1.0), (1.0, 1e200)])
def test_retreat_from_values_that_are_not_finite(event):
    # the first epoch's gradients point elsewhere, which moments would show
    objective, told = Scripted({(0, 0): -3.0, (0, 1): -3.0, (1, 1): event}), []
    run(objective, START, 4, lambda intermediate_result: told.append(intermediate_result.x))
    at = dict(objective.seen)
    # back to where the epoch started
    assert_array_equal(at[2, 0], at[1, 0])
    # and on with half the step size, and new moments
    left = 1 - np.array([4, 5]) / 8
    steps = at[2, 0] - at[2, 1], at[2, 1] - at[3, 0]
    assert_allclose(steps, np.outer(ADAM_STEP_SIZE / 2 * left, [1, 1]), rtol=1e-6)
    # the epoch that overflowed is not reported
    assert len(told) == 3


@pytest.mark.parametrize("event", [np.nan, (np.nan, 1.0), (1.0, 1e200)])
def test_epochs_that_all_overflow_are_refused(event):
    objective = Scripted({(epoch, 1): event for epoch in range(9)})
    with pytest.raises(ObjectiveOverflowError, match="Scale the features.*activation='tanh'"):
        minimise(objective, START, "adam", 9)


def test_start_that_is_not_finite(rng):
    network = NETWORKS["tagger"]()
    objective = make_objective(network, rng)
    with pytest.raises(ObjectiveOverflowError, match="Scale the features"):
        minimise(objective, np.full(len(random_parameters(network, rng)), np.inf), "adam", 5)


@pytest.mark.parametrize(
    ("place", "n_epochs"), [((0, 0), 0), ((0, 1), 0), ((2, 0), 2), ((3, 1), 3)]
)
def test_interrupt_keeps_the_best_epoch(place, n_epochs):
    objective, told = Scripted({place: KeyboardInterrupt()}), []
    if n_epochs == 0:
        with pytest.raises(KeyboardInterrupt):
            minimise(objective, START, "adam", 9, keep_interrupted=True)
        return

    def record(w, loss):
        told.append((w, loss))

    result = minimise(objective, START, "adam", 9, record, keep_interrupted=True)
    assert result.status == INTERRUPTED
    assert result.nit == len(told) == n_epochs
    assert_array_equal(result.x, told[-1][0])
    assert result.fun == 1 / n_epochs


def test_the_epoch_of_the_least_loss_is_kept_and_every_epoch_reported():
    losses, told = [3.0, 2.0, 4.0, 1.0, 5.0], []
    objective = Scripted(loss=lambda epoch: losses[epoch])
    result = minimise(objective, START, "adam", 5, lambda w, loss: told.append((w, loss)))
    at = dict(objective.seen)
    assert result.fun == 1.0
    assert_array_equal(result.x, at[4, 0])
    # another epoch may have the best validation score
    assert [loss for _, loss in told] == losses
    assert_array_equal([w for w, _ in told[:4]], [at[epoch, 0] for epoch in range(1, 5)])


def test_max_iter_counts_epochs_and_is_not_exhausted(rng):
    objective = Scripted()
    result = minimise(objective, START, "adam", 7)
    assert result.status == 0
    assert result.nit == 7
    assert len(objective.seen) == 7 * objective.n_minibatches


def test_penalty_alone_keeps_the_start(rng, monkeypatch):
    network = NETWORKS["tagger"]()
    objective = make_objective(network, rng, alpha=1.0)

    def nothing(self, p, Z, shard):
        return 0.0, np.zeros_like(Z), {}

    monkeypatch.setattr(type(network.output), "loss_gradient", nothing)
    start = penalty_of(network, 1.0).centre | {
        name: rng.standard_normal(shape)
        for name, shape in network.shapes.items()
        if not name.startswith("W")
    }
    w0 = ravel(start, network.shapes)
    assert_array_equal(run(objective, w0, 3).x, w0)
