"""Where training starts, when it stops, and which weights it keeps."""

from functools import partial

import numpy as np
import pytest
from derivatives import (
    LENGTHS,
    LOSSES,
    K,
    hidden_feedback,
    make_shards,
    n_parameters,
    output_feedback,
    penalty_of,
    random_data,
    random_parameters,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_rnn._objective import Objective
from sklearn_rnn._parameters import views
from sklearn_rnn._solvers import INTERRUPTED, ObjectiveOverflowError
from sklearn_rnn._start import FEEDBACK, RESERVOIR, SMALL, SPARSE
from sklearn_rnn._training import (
    MANY,
    Monitor,
    choose_iterations,
    choose_solver,
    choose_start,
    fit_readout,
    train,
)

ALPHA = 0.01
NETWORKS = {
    "tagger": partial(hidden_feedback, depth=2, bidirectional=True),
    "classifier": partial(hidden_feedback, pooling=("last", "mean", "max")),
    "teacher": partial(output_feedback, "teacher", depth=2),
}
REGRESSORS = ["tagger", "classifier"]


def random_objective(network, rng, loss="softmax"):
    lengths = np.tile(LENGTHS, 4)
    shards = make_shards(network, *random_data(network, rng, lengths, loss), lengths)
    return Objective(network, LOSSES[loss], shards, penalty_of(network, ALPHA))


@pytest.mark.parametrize(
    ("solver", "n_sequences", "chosen"),
    [
        ("auto", 1, "lbfgs"),
        ("auto", 1999, "lbfgs"),
        ("auto", 2000, "adam"),
        ("auto", 10**6, "adam"),
        *((solver, n, solver) for solver in ("lbfgs", "adam", "trust-ncg") for n in (1, 10**6)),
    ],
)
def test_choose_solver(solver, n_sequences, chosen):
    assert choose_solver(solver, n_sequences) == chosen


@pytest.mark.parametrize(
    ("max_iter", "solver", "n_sequences", "chosen"),
    [
        (None, "lbfgs", 10, 1000),
        (None, "trust-ncg", 10**6, 1000),
        # as many epochs as make 64,000 sequences, but five at least
        (None, "adam", 100, 640),
        (None, "adam", MANY, 32),
        (None, "adam", 10_000, 6),
        (None, "adam", 10**6, 5),
        *((7, solver, n, 7) for solver in ("lbfgs", "adam") for n in (10, 10**6)),
    ],
)
def test_choose_iterations(max_iter, solver, n_sequences, chosen):
    assert choose_iterations(max_iter, solver, n_sequences) == chosen


@pytest.mark.parametrize(
    ("per_step", "independent_steps", "sparse_input", "start"),
    [
        (False, False, False, RESERVOIR),
        (True, False, False, SMALL),
        (True, True, False, FEEDBACK),
        (True, True, True, FEEDBACK),
        (True, False, True, SPARSE),
        (False, False, True, SPARSE),
    ],
)
def test_choose_start(per_step, independent_steps, sparse_input, start):
    assert choose_start(per_step, independent_steps, sparse_input) == start


def watch(monitor, losses):
    """How many losses the monitor looks at before it ends the training."""
    for n, loss in enumerate(losses, start=1):
        try:
            monitor(np.array([n]), loss)
        except StopIteration:
            return n
    return None


@pytest.mark.parametrize(
    ("losses", "stop"),
    [
        ([5, 4, 3, 2, 1, 0], None),
        ([5, 5, 5, 5, 5, 5], 4),
        ([5, 4, 4, 4, 3, 3, 3], None),
        ([5, 4, 4, 4, 4, 3], 5),
        # better, but not by tol
        ([5, 4.95, 4.9, 4.85, 4.8], 4),
        # each is better than the one before, and still not than the best
        ([5, 9, 8, 7, 6], 4),
    ],
)
def test_monitor_stops(losses, stop):
    monitor = Monitor(tol=0.1, n_iter_no_change=3)
    assert watch(monitor, losses) == stop
    assert monitor.loss_curve == losses[:stop]
    assert monitor.validation_scores == []


def test_monitor_keeps_the_weights_of_the_best_score():
    scores = iter([0.5, 0.8, 0.6, 0.8, 0.7])
    monitor = Monitor(tol=0.0, n_iter_no_change=3, validate=lambda w: next(scores))
    # the loss goes on falling
    assert watch(monitor, [5, 4, 3, 2, 1]) == 5
    assert monitor.validation_scores == [0.5, 0.8, 0.6, 0.8, 0.7]
    assert_array_equal(monitor.w, [2])


def test_monitor_tells_the_merit_of_what_it_keeps():
    monitor = Monitor(0.0, 5)
    assert monitor.merit == -np.inf
    watch(monitor, [5, 3, 4])
    assert monitor.merit == -3 == -monitor.loss
    scores = iter([0.5, 0.8, 0.6])
    monitor = Monitor(0.0, 5, validate=lambda w: next(scores))
    watch(monitor, [5, 4, 3])
    assert monitor.merit == 0.8
    assert monitor.loss == 4


def test_monitor_speaks_when_told_to(capsys):
    watch(Monitor(0.0, 5), [1.0])
    assert capsys.readouterr().out == ""
    watch(Monitor(0.0, 5, verbose=1), [1.0, 0.5])
    watch(Monitor(0.0, 5, validate=lambda w: 0.25, verbose=1), [1.0])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["Iteration 1", "Iteration 2", "Iteration 1"]
    assert "loss = 0.50000000" in lines[1]
    assert "validation score = 0.250000" in lines[2]


@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
@pytest.mark.parametrize("name", NETWORKS)
def test_train(name, solver, rng):
    network = NETWORKS[name]()
    objective = random_objective(network, rng)
    w0, monitor = random_parameters(network, rng), Monitor(1e-4, 5)
    result = train(objective, w0, solver, 200, monitor, readout_first=True)
    assert_allclose(result.fun, objective.loss_gradient(result.x)[0])
    # the readout is where the curve starts
    assert monitor.loss_curve[0] <= objective.loss_gradient(fit_readout(objective, w0, 200).x)[0]
    assert result.fun <= min(monitor.loss_curve)


def test_train_gives_back_the_best_of_validation(rng):
    network = NETWORKS["tagger"]()
    objective = random_objective(network, rng)
    seen, scores = [], []

    def validate(w):
        seen.append(w)
        scores.append(-abs(len(seen) - 4.0))
        return scores[-1]

    monitor = Monitor(0.0, 3, validate)
    result = train(objective, random_parameters(network, rng), "lbfgs", 200, monitor, False)
    assert monitor.validation_scores == scores == [-3, -2, -1, 0, -1, -2, -3]
    assert_array_equal(result.x, seen[3])


def test_loss_is_that_of_the_weights_that_are_kept(rng):
    network = NETWORKS["tagger"]()
    objective = random_objective(network, rng)
    scores = iter(range(0, -100, -1))
    monitor = Monitor(0.0, 5, lambda w: next(scores))
    result = train(objective, random_parameters(network, rng), "lbfgs", 200, monitor, False)
    assert_allclose(result.fun, objective.loss_gradient(result.x)[0])


def readout_data(objective, w):
    """Features, targets and weights of the output layer, over all shards."""
    p = objective.parameters(w)
    parts = [
        (objective.network.forward(p, shard)[1].features, shard.y, shard.weight)
        for shard in objective.shards
    ]
    return (np.concatenate(arrays) for arrays in zip(*parts))


@pytest.mark.parametrize("name", NETWORKS)
def test_readout_is_a_logistic_regression(name, rng):
    network = NETWORKS[name]()
    objective = random_objective(network, rng)
    w = fit_readout(objective, random_parameters(network, rng), 1000).x
    features, y, weight = readout_data(objective, w)
    p = views(w, network.shapes)
    reference = LogisticRegression(C=1 / ALPHA, tol=1e-10, max_iter=1000)
    reference.fit(features, y, weight)
    assert_allclose(
        softmax(features @ p["W_out"] + p["c"], axis=1),
        reference.predict_proba(features),
        atol=1e-3,
    )


@pytest.mark.parametrize("name", REGRESSORS)
def test_readout_is_a_ridge_regression(name, rng):
    network = NETWORKS[name]()
    objective = random_objective(network, rng, "squared")
    w = fit_readout(objective, random_parameters(network, rng), 1000).x
    features, y, weight = readout_data(objective, w)
    p = views(w, network.shapes)
    reference = Ridge(ALPHA).fit(features, y, weight)
    assert_allclose(p["W_out"].T, reference.coef_, atol=1e-3)
    assert_allclose(p["c"], reference.intercept_, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_readout_leaves_the_rest_alone(name, rng):
    network = NETWORKS[name]()
    objective, w0 = random_objective(network, rng), random_parameters(network, rng)
    given = w0.copy()
    w = fit_readout(objective, w0, 100).x
    assert_array_equal(w0, given)
    before, after = views(w0, network.shapes), views(w, network.shapes)
    for name in set(network.shapes) - {"W_out", "c"}:
        assert_array_equal(after[name], before[name])
    gradient = views(objective.loss_gradient(w)[1], network.shapes)
    assert_allclose(gradient["W_out"], 0.0, atol=1e-3)
    assert_allclose(gradient["c"], 0.0, atol=1e-3)


def test_readout_of_float32_data(rng):
    network = NETWORKS["classifier"]()
    shards = make_shards(network, *random_data(network, rng), dtype=np.float32)
    objective = Objective(network, LOSSES["softmax"], shards, penalty_of(network, ALPHA))
    w0 = random_parameters(network, rng)
    w = fit_readout(objective, w0, 100).x
    assert w.dtype == np.float64
    hidden = slice(0, -network.shapes["W_out"][0] * K - K)
    # not even rounded
    assert_array_equal(w[hidden], w0[hidden])


@pytest.mark.parametrize("readout_first", [False, True])
def test_overflow_at_the_start_is_refused(readout_first, rng):
    network = hidden_feedback("identity")
    objective = random_objective(network, rng)
    w0 = np.full(n_parameters(network), 1e100)
    with pytest.raises(ObjectiveOverflowError):
        train(objective, w0, "lbfgs", 10, Monitor(0, 5), readout_first)


@pytest.mark.filterwarnings("ignore:Training was interrupted")
def test_interrupt_of_the_readout_ends_the_training(rng, monkeypatch):
    network = NETWORKS["tagger"]()
    objective, monitor = random_objective(network, rng), Monitor(1e-4, 5)
    evaluate, calls = Objective.loss_gradient, iter(range(10**6))

    def impatient(self, w):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(self, w)

    monkeypatch.setattr(Objective, "loss_gradient", impatient)
    w0 = random_parameters(network, rng)
    result = train(objective, w0, "lbfgs", 20, monitor, readout_first=True)
    assert result.status == INTERRUPTED
    assert_allclose(result.fun, evaluate(objective, result.x)[0])
    assert monitor.loss_curve == []
