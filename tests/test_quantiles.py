"""Quantiles: what is predicted, in which shape, how it is scored, and what is refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import d2_pinball_score

from sklearn_rnn import PerStepRegressor, SequenceRegressor

LEVELS = (0.1, 0.5, 0.9)
S, T, D = 40, 6, 2
SMALL = {
    "loss": "quantile",
    "hidden_layer_sizes": 3,
    "max_iter": 60,
    "random_state": 0,
    "tol": 1e-2,
}


@pytest.fixture
def data(rng):
    X = rng.standard_normal((S, T, D))
    return X, X[..., 0] + np.abs(X[..., 1]) * rng.standard_normal((S, T))


def of_steps(data, **parameters):
    return PerStepRegressor(**SMALL | {"quantile": LEVELS} | parameters).fit(*data)


def of_sequences(data, **parameters):
    X, y = data
    return SequenceRegressor(**SMALL | {"quantile": LEVELS} | parameters).fit(X, y[:, -1])


@pytest.mark.parametrize("quantile", LEVELS)
def test_without_features_it_is_the_quantile_of_the_targets(quantile, rng):
    X, y = np.zeros((1, 400, 1)), rng.gumbel(size=(1, 400))
    regressor = PerStepRegressor(loss="quantile", quantile=quantile, tol=1e-6).fit(X, y)
    share_below = np.mean(y <= regressor.predict(X))
    assert abs(share_below - quantile) < 0.01


def test_quantiles_follow_noise_that_varies(rng):
    X = rng.standard_normal((100, 20, 1))
    scale = 1 + 0.8 * np.tanh(X[..., 0])
    y = scale * rng.standard_normal((100, 20))
    P = PerStepRegressor(loss="quantile", quantile=LEVELS, random_state=0).fit(X, y).predict(X)
    width = P[..., 2] - P[..., 0]
    assert np.corrcoef(width.ravel(), scale.ravel())[0, 1] > 0.85
    assert_allclose(np.mean(y[..., None] <= P, axis=(0, 1)), LEVELS, atol=0.015)


@pytest.mark.parametrize("fit", [of_steps, of_sequences])
def test_shapes(fit, data):
    X, y = data
    step = (T,) if fit is of_steps else ()
    assert fit(data).predict(X).shape == (S, *step, 3)
    assert fit(data, quantile=0.5).predict(X).shape == (S, *step)
    assert fit(data, quantile=[0.5]).predict(X).shape == (S, *step, 1)
    two = X, np.stack([y, -y], axis=2)
    P = fit(two).predict(X)
    assert P.shape == (S, *step, 2, 3)
    assert (np.diff(P, axis=-1) >= 0).all()
    assert np.corrcoef(P[..., 0, 1].ravel(), P[..., 1, 1].ravel())[0, 1] < -0.9


def test_layouts_agree(data):
    X, y = data
    expected = of_steps(data).predict(X)
    ragged = of_steps((list(X), list(y))).predict(list(X))
    assert_array_equal(np.stack(ragged), expected)
    table = np.column_stack([np.repeat(np.arange(S), T), X.reshape(S * T, D)])
    long = of_steps((table, y.ravel()), sequence_id=0).predict(table)
    assert_array_equal(long.reshape(S, T, 3), expected)


def test_score(data):
    X, y = data
    P = of_steps(data).predict(X).reshape(-1, 3)
    expected = [d2_pinball_score(y.ravel(), P[:, i], alpha=q) for i, q in enumerate(LEVELS)]
    assert_allclose(of_steps(data).score(X, y), np.mean(expected))
    one = of_sequences(data, quantile=0.9)
    assert_allclose(one.score(X, y[:, -1]), d2_pinball_score(y[:, -1], one.predict(X), alpha=0.9))


def test_early_stopping_watches_the_score(data):
    X, y = data
    regressor = of_steps((X, y)).set_params(early_stopping=True).fit(X, y, X_val=X, y_val=y)
    assert_allclose(regressor.score(X, y), max(regressor.validation_scores_))


def test_steps_one_by_one(data):
    X, y = data
    for regressor in (of_steps(data), of_steps(data, quantile=0.9)):
        stepper = regressor.start()
        stepped = np.stack([stepper.step(X[:, t]) for t in range(T)], axis=1)
        assert_allclose(stepped, regressor.predict(X), rtol=1e-12)
    last = of_sequences(data, pooling="last")
    stepper = last.start()
    assert_allclose([stepper.step(X[:, t]) for t in range(T)][-1], last.predict(X), rtol=1e-12)


@pytest.mark.parametrize("fit", [of_steps, of_sequences])
def test_it_keeps_what_it_was_fitted_to(fit, data):
    X, _ = data
    regressor = fit(data)
    expected = regressor.predict(X)
    regressor.set_params(loss="squared_error", quantile=None)
    assert_array_equal(regressor.predict(X), expected)
    assert_array_equal(pickle.loads(pickle.dumps(regressor)).predict(X), expected)


def test_partial_fit_and_warm_start_go_on(data):
    X, y = data
    regressor = PerStepRegressor(**SMALL, quantile=LEVELS)
    for _ in range(3):
        regressor.partial_fit(X, y)
    assert regressor.score(X, y) > 0.2
    regressor.set_params(quantile=0.5, warm_start=True)
    with pytest.raises(ValueError, match="quantile have changed"):
        regressor.fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"quantile": None}, "needs a quantile"),
        ({"quantile": 1.0}, "'quantile' parameter"),
        ({"quantile": (0.9, 0.1)}, "several that rise"),
        ({"quantile": (0.5, 0.5)}, "several that rise"),
        ({"quantile": (0.0, 0.5)}, "between 0 and 1"),
        ({"quantile": ()}, "several that rise"),
        ({"quantile": ("a",)}, "between 0 and 1"),
        ({"loss": "squared_error", "quantile": 0.5}, "no effect with loss='squared_error'"),
    ],
)
def test_parameters_that_are_refused(parameters, message, data):
    for fit in (of_steps, of_sequences):
        with pytest.raises(ValueError, match=message):
            fit(data, **parameters)


def test_ridge_is_refused(data):
    with pytest.raises(ValueError, match="Take another solver"):
        of_sequences(data, solver="ridge")
