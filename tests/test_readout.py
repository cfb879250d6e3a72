"""The output layer fitted alone."""

from functools import partial

import numpy as np
import pytest
from derivatives import (
    LENGTHS,
    K,
    assert_close,
    hidden_feedback,
    make_shards,
    penalty_of,
    random_data,
    random_parameters,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks.parameters import ravel, views
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.readout import ReadoutObjective, fit_readout
from sklearn_rnn._training.solvers import ObjectiveOverflowError

ALPHA = 0.01
REGRESSORS = {
    "tagger": partial(hidden_feedback, depth=2, n_directions=2),
    "classifier": partial(hidden_feedback, pooling=("last", "mean", "max")),
    "gru": partial(hidden_feedback, cell="gru"),
}


def random_objective(network, rng):
    lengths = np.tile(LENGTHS, 4)
    shards = make_shards(network, *random_data(network, rng, lengths), lengths)
    return Objective(network, Shards(shards), penalty_of(network, ALPHA))


def readout_data(objective, w):
    """Features, targets and weights of the output layer, over all shards."""
    p = objective.parameters(w)
    parts = [
        (objective.network.forward(p, shard)[1].features, shard.y, shard.weight)
        for shard in objective.shards
    ]
    return (np.concatenate(arrays) for arrays in zip(*parts))


@pytest.mark.parametrize("name", REGRESSORS)
def test_readout_against_logistic_regression(name, rng):
    network = REGRESSORS[name]()
    objective = random_objective(network, rng)
    w = fit_readout(objective, random_parameters(network, rng), 1000)
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
def test_readout_against_ridge_regression(name, rng):
    network = REGRESSORS[name](output="squared")
    objective = random_objective(network, rng)
    w = fit_readout(objective, random_parameters(network, rng), 1000)
    features, y, weight = readout_data(objective, w)
    p = views(w, network.shapes)
    reference = Ridge(ALPHA).fit(features, y, weight)
    assert_allclose(p["W_out"].T, reference.coef_, atol=1e-3)
    assert_allclose(p["c"], reference.intercept_, atol=1e-3)


@pytest.mark.parametrize("name", REGRESSORS)
def test_readout_does_not_change_other_parameters(name, rng):
    network = REGRESSORS[name]()
    objective, w0 = random_objective(network, rng), random_parameters(network, rng)
    given = w0.copy()
    w = fit_readout(objective, w0, 100)
    assert_array_equal(w0, given)
    before, after = views(w0, network.shapes), views(w, network.shapes)
    for name in set(network.shapes) - {"W_out", "c"}:
        assert_array_equal(after[name], before[name])
    gradient = views(objective.loss_gradient(w)[1], network.shapes)
    assert_allclose(gradient["W_out"], 0.0, atol=1e-3)
    assert_allclose(gradient["c"], 0.0, atol=1e-3)


def test_readout_of_float32_data(rng):
    network = REGRESSORS["classifier"]()
    shards = make_shards(network, *random_data(network, rng), dtype=np.float32)
    objective = Objective(network, Shards(shards), penalty_of(network, ALPHA))
    w0 = random_parameters(network, rng)
    w = fit_readout(objective, w0, 100)
    assert w.dtype == np.float64
    hidden = slice(0, -network.shapes["W_out"][0] * K - K)
    # not even rounded to single precision
    assert_array_equal(w[hidden], w0[hidden])


@pytest.mark.parametrize("name", REGRESSORS)
def test_objective_of_the_readout(name, rng):
    """The loss is that of the whole objective but for the other penalties, gradient included."""
    network = REGRESSORS[name]()
    objective, w0 = random_objective(network, rng), random_parameters(network, rng)
    readout = ReadoutObjective(objective, w0)
    assert readout.shapes.keys() == {"W_out", "c"}
    differences = []
    for _ in range(2):
        p = views(w0.copy(), network.shapes)
        p["W_out"][...] = rng.standard_normal(p["W_out"].shape)
        w = ravel(p, network.shapes)
        value, gradient = readout.loss_gradient(ravel(p, readout.shapes))
        whole, whole_gradient = objective.loss_gradient(w)
        differences.append(whole - value)
        expected = ravel(views(whole_gradient, network.shapes), readout.shapes)
        assert_close(gradient, expected, 1e-10)
    assert_allclose(*differences, rtol=1e-10)


def test_overflow_is_refused(rng):
    network = hidden_feedback("identity")
    objective = random_objective(network, rng)
    with pytest.raises(ObjectiveOverflowError):
        fit_readout(objective, np.full(len(random_parameters(network, rng)), 1e100), 10)
