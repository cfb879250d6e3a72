"""Exact Jacobians, normal equations, the damped step, and `solver="lm"` of the regressors."""

import re
from functools import partial

import numpy as np
import pytest
from derivatives import (
    K,
    assert_close,
    flat_derivatives,
    hidden_feedback,
    jacobian,
    make_shards,
    penalty_of,
    random_data,
    random_parameters,
    random_shard,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from test_fitting import stop_at

from sklearn_rnn import (
    OutputFeedbackRegressor,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._execution import shards
from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks import hidden_feedback as module
from sklearn_rnn._networks.parameters import views
from sklearn_rnn._training.levenberg_marquardt import Damping, minimise_lm
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.recipe import LM_DAMPING, LM_LEAST_SCALE

squares = partial(hidden_feedback, output="squared")
NETWORKS = {
    "steps": partial(squares, direct=True),
    "logistic": partial(squares, "logistic"),
    "stacked": partial(squares, depth=2, direct=True),
    "both directions": partial(squares, depth=2, n_directions=2),
    "pools": partial(squares, depth=2, pooling=("last", "mean", "max")),
    "pools, both directions": partial(squares, n_directions=2, pooling=("std", "min")),
}
# how J of steps is computed: forward or back, and whether in several blocks of rows
FORWARD, BACK, SMALL_BLOCKS, ONE_BLOCK = 1e9, 0, 10, 10**6
of_each_network = pytest.mark.parametrize("name", NETWORKS)

S, T, D = 30, 8, 2
QUICK = {"hidden_layer_sizes": 4, "random_state": 0, "solver": "lm"}


@pytest.fixture
def data(rng):
    X = rng.standard_normal((S, T, D))
    return X, X[..., 0].cumsum(axis=1) + np.maximum(X[..., 1], 0)


def of_steps(data, **parameters):
    return PerStepRegressor(**QUICK | parameters).fit(*data)


def of_sequences(data, **parameters):
    X, y = data
    return SequenceRegressor(**QUICK | parameters).fit(X, y[:, -1])


of_each_kind = pytest.mark.parametrize("fit", [of_steps, of_sequences])


# Jacobians


@pytest.mark.parametrize("how", [FORWARD, BACK])
@pytest.mark.parametrize("numbers", [SMALL_BLOCKS, ONE_BLOCK])
@of_each_network
def test_jacobian(name, how, numbers, rng, monkeypatch):
    monkeypatch.setattr(module, "FORWARD_PER_STEP", how)
    monkeypatch.setattr(module, "NUMBERS_PER_BLOCK", numbers)
    network = NETWORKS[name]()
    w, shard = random_parameters(network, rng), random_shard(network, rng)
    Z, blocks = network.jacobian(views(w, network.shapes), shard)
    forward = flat_derivatives(network, shard, w)[0]
    assert_array_equal(Z, forward(w))
    J = np.full((len(Z), K, len(w)), np.nan)
    for J_block, rows in blocks:
        J[rows] = J_block
    assert_close(J, jacobian(forward, w).reshape(J.shape))


def make_objective(network, rng, **options):
    data = random_data(network, rng)
    return Objective(
        network, Shards(make_shards(network, *data, **options)), penalty_of(network, 0.1)
    )


@of_each_network
def test_normal_equations(name, rng, monkeypatch):
    monkeypatch.setattr(shards, "SEQUENCES_PER_SHARD", 1)
    monkeypatch.setattr(shards, "MIN_ROWS_PER_SHARD", 4)
    network = NETWORKS[name]()
    w, objective = random_parameters(network, rng), make_objective(network, rng)
    assert len(objective.shards) > 1
    value, gradient = objective.loss_gradient(w)
    product = objective.gauss_newton(w)
    matrix = np.stack([product(unit) for unit in np.eye(len(w))], axis=1)
    g, A = objective.normal_equations(w)
    assert_close(g, gradient)
    assert_close(np.triu(A), np.triu(matrix))
    assert_allclose(objective.loss(w), value, rtol=1e-12)


def test_normal_equations_in_single_precision(rng):
    network = NETWORKS["steps"]()
    w, state = random_parameters(network, rng), np.random.default_rng(0)
    g, A = make_objective(network, state, dtype=np.float32).normal_equations(w)
    state = np.random.default_rng(0)
    g_64, A_64 = make_objective(network, state).normal_equations(w)
    assert g.dtype == A.dtype == np.float64  # sums over shards
    assert_close(g, g_64, 1e-4)
    assert_close(np.triu(A), np.triu(A_64), 1e-4)


# The method


def test_step_is_that_of_damped_least_squares(rng):
    """The first step minimises ||J s + r||^2 + mu ||sqrt(D) s||^2, penalty included: dense."""
    network = NETWORKS["steps"]()
    objective, w = make_objective(network, rng), random_parameters(network, rng)
    (shard,) = objective.shards
    forward = flat_derivatives(network, shard, w)[0]
    root = np.sqrt(np.repeat(shard.weight, K))
    strength = objective.penalty.product(np.ones_like(w))
    pull = objective.penalty.loss_gradient(w)[1] / np.sqrt(np.where(strength > 0, strength, 1.0))
    J = np.vstack([root[:, None] * jacobian(forward, w), np.diag(np.sqrt(strength))])
    r = np.concatenate([root * (forward(w) - shard.y).ravel(), pull])
    scale = np.square(J).sum(axis=0)
    scale = np.maximum(scale, LM_LEAST_SCALE * scale.max())
    damped = np.vstack([J, np.diag(np.sqrt(LM_DAMPING * scale))])
    step = np.linalg.lstsq(damped, -np.concatenate([r, np.zeros(len(w))]))[0]
    result = minimise_lm(objective.loss, w, objective=objective, maxiter=1)
    assert result.fun < objective.loss(w)
    assert_close(result.x - w, step, 1e-8)


def test_damping_follows_what_steps_bring():
    damping = Damping()
    damping.accept(1.0)
    assert_allclose(damping.mu, LM_DAMPING / 10)
    damping.accept(0.5)
    assert_allclose(damping.mu, LM_DAMPING / 10)
    damping.reject()
    damping.reject()
    assert_allclose(damping.mu, 8 * LM_DAMPING / 10)
    damping.accept(0.0)
    damping.reject()
    assert_allclose(damping.mu, 32 * LM_DAMPING / 10)


# The regressors


@of_each_kind
def test_it_learns_at_least_as_well_as_lbfgs(fit, data):
    by_lm, by_lbfgs = fit(data), fit(data, solver="lbfgs")
    assert by_lm.loss_ < 1.02 * by_lbfgs.loss_
    assert by_lm.n_iter_ < by_lbfgs.n_iter_
    assert (np.diff(by_lm.loss_curve_) < 0).all()


@of_each_kind
def test_threads_change_nothing(fit, data, monkeypatch):
    monkeypatch.setattr(shards, "MIN_ROWS_PER_SHARD", 40)
    monkeypatch.setattr(shards, "SEQUENCES_PER_SHARD", 5)
    one, two = (fit(data, max_iter=60, tol=1e-2, n_jobs=n) for n in (1, 2))
    assert_array_equal(one.predict(data[0]), two.predict(data[0]))


@of_each_kind
def test_early_stopping_keeps_the_best_weights(fit, data):
    estimator = fit(data, early_stopping=True, validation_fraction=0.2)
    best = int(np.argmax(estimator.validation_scores_))
    assert estimator.loss_ == estimator.loss_curve_[best]


@of_each_kind
def test_interrupt_keeps_the_best_weights(fit, data, monkeypatch):
    curve = fit(data).loss_curve_[:4]
    stop_at(monkeypatch, 4, KeyboardInterrupt)
    with pytest.warns(UserWarning, match="interrupted after 4 iterations"):
        estimator = fit(data)
    assert estimator.loss_curve_ == curve
    assert estimator.loss_ == min(curve)


def test_max_iter_is_warned_of(data):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        assert of_steps(data, max_iter=2).n_iter_ == 2


def test_verbose_prints_a_line_an_iteration(data, capsys):
    estimator = of_steps(data, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == estimator.n_iter_
    assert all(re.fullmatch(r"Iteration \d+, loss = \d+\.\d+", line) for line in lines)


def test_warm_start_goes_on(data):
    estimator = of_steps(data, tol=1e-2, warm_start=True)
    loss = estimator.loss_
    estimator.set_params(tol=1e-4).fit(*data)
    assert estimator.loss_ < loss
    assert estimator.loss_curve_[-1] == min(estimator.loss_curve_)


def test_ragged_sequences_and_several_targets(data):
    X, y = data
    lengths = 1 + np.arange(S) % T
    X, y = ([M[:n] for M, n in zip(array, lengths)] for array in (X, np.stack([y, -y], axis=2)))
    estimator = of_steps((X, y))
    assert estimator.score(X, y) > 0.95


# Refusals


@of_each_kind
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cell": "gru"}, "solver='lm' trains cell='elman', not cell='gru'. Set it, or take"),
        ({"loss": "quantile", "quantile": 0.5}, "minimises squares, not loss='quantile'. Set"),
        (
            {"hidden_layer_sizes": 50},
            r"networks of 2,000 parameters at most, but this one has 2,\d{3}. Take fewer units",
        ),
    ],
)
def test_what_it_does_not_train_is_refused(fit, parameters, message, data):
    with pytest.raises(ValueError, match=message):
        fit(data, **parameters)


def test_sparse_features_are_refused(data):
    X, y = data
    with pytest.raises(ValueError, match="solver='lm' needs dense X, but X is sparse. Make it"):
        of_steps(([sparse.csr_array(x) for x in X], y))


def test_units_of_a_ridge_are_refused(data):
    regressor = SequenceRegressor(solver="ridge", warm_start=True).fit(data[0], data[1][:, -1])
    with pytest.raises(ValueError, match="fixed units of solver='ridge'. Set warm_start=False"):
        regressor.set_params(solver="lm").fit(data[0], data[1][:, -1])


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger, OutputFeedbackRegressor])
def test_others_have_no_such_solver(kind, data):
    X, y = data
    y = y[:, -1] > 0 if kind is SequenceClassifier else y > 0
    with pytest.raises(ValueError, match=r"The 'solver' parameter .* Got 'lm' instead"):
        kind(solver="lm").fit(X, y)
