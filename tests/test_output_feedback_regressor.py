"""Numbers by an `OutputFeedbackRegressor`: simulation, forecasts, one step ahead."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import is_regressor

from sklearn_rnn import OutputFeedbackRegressor

S, T, D = 12, 8, 2
QUICK = {"hidden_layer_sizes": 4, "max_iter": 5, "random_state": 0, "tol": 9, "n_iter_no_change": 3}
both_kinds = pytest.mark.parametrize("teacher_forcing", [True, False])


@pytest.fixture
def X(rng):
    return rng.standard_normal((S, T, D))


@pytest.fixture
def y(X):
    return X[..., 0].cumsum(axis=1)


def tank(S, T, seed):
    """Levels of a leaky tank from inflows, each from another level."""
    rng = np.random.default_rng(seed)
    X, y, now = rng.random((S, T, 1)), np.zeros((S, T)), rng.uniform(0, 5, S)
    for t in range(T):
        now = y[:, t] = 0.9 * now - 0.02 * now**2 + X[:, t, 0]
    return X, y


def table_of(X):
    return np.column_stack([np.repeat(np.arange(len(X)), X.shape[1]), X.reshape(-1, X.shape[2])])


@both_kinds
def test_learns_a_system_of_order_one(teacher_forcing):
    (X, y), (X_test, y_test) = tank(20, 60, 0), tank(20, 60, 1)
    regressor = OutputFeedbackRegressor(8, teacher_forcing=teacher_forcing, random_state=0)
    regressor.fit(X, y)
    error = np.abs(regressor.predict_one_step(X_test, y_test) - y_test)
    assert error[:, 1:].max() < 0.15  # the level before the first step is not known
    forecast = regressor.predict(X_test[:, 3:], y_past=y_test[:, :3])
    assert_allclose(forecast, y_test[:, 3:], atol=0.1)
    # without a past, from about the mean
    assert_allclose(regressor.predict(X_test)[:, 40:], y_test[:, 40:], atol=0.1)
    assert y.min() < regressor.initial_outputs_[0] < y.max()


@both_kinds
@pytest.mark.parametrize("n_targets", [None, 2])
def test_a_forecast_goes_on_from_what_is_known(n_targets, teacher_forcing, X, y):
    """One step after another, each by the past that ends right before it."""
    n_lags = 3
    if n_targets:
        y = np.stack([y, 1 - 2 * y], axis=-1)
    regressor = OutputFeedbackRegressor(n_lags=n_lags, teacher_forcing=teacher_forcing, **QUICK)
    regressor.fit(X, y)
    forecast = regressor.predict(X[:, 4:], y_past=y[:, :4])
    assert forecast.shape == y[:, 4:].shape
    past = y[:, :4]
    for t in range(4, T):
        now = regressor.predict(X[:, t : t + 1], y_past=past)
        past = np.concatenate([past, now], axis=1)
    assert_allclose(past[:, 4:], forecast, atol=1e-12)
    # what lies further back than the lags has no influence
    assert_array_equal(regressor.predict(X[:, 4:], y_past=y[:, 1:4]), forecast)
    # a past of the initial outputs is none
    initial = np.broadcast_to(regressor.initial_outputs_, (S, n_lags, n_targets or 1))
    assert_allclose(regressor.predict(X, y_past=initial), regressor.predict(X), atol=1e-12)


@both_kinds
def test_one_step_ahead_is_a_forecast_of_one_step(teacher_forcing, X, y):
    regressor = OutputFeedbackRegressor(n_lags=2, teacher_forcing=teacher_forcing, **QUICK)
    one_step = regressor.fit(X, y).predict_one_step(X, y)
    assert_allclose(one_step[:, 0], regressor.predict(X[:, :1])[:, 0], atol=1e-12)
    for t in range(2, T):
        now = regressor.predict(X[:, t : t + 1], y_past=y[:, :t])
        assert_allclose(one_step[:, t], now[:, 0], atol=1e-12)


@both_kinds
def test_all_layouts_give_the_same(teacher_forcing, X, y):
    parameters = QUICK | {"teacher_forcing": teacher_forcing, "n_lags": 2}
    regressor = OutputFeedbackRegressor(**parameters).fit(X, y)
    expected = [
        regressor.predict(X),
        regressor.predict(X[:, 3:], y_past=y[:, :3]),
        regressor.predict_one_step(X, y),
    ]
    assert expected[0].shape == (S, T)
    ragged = OutputFeedbackRegressor(**parameters).fit(list(X), list(y))
    for result, simulation in zip(
        (
            ragged.predict(list(X)),
            ragged.predict(list(X[:, 3:]), y_past=list(y[:, :3])),
            ragged.predict_one_step(list(X), list(y)),
        ),
        expected,
    ):
        assert_array_equal(np.stack(result), simulation)
    long = OutputFeedbackRegressor(sequence_id=0, **parameters).fit(table_of(X), y.ravel())
    assert is_regressor(long) and not is_regressor(regressor)
    for result, simulation in zip(
        (
            long.predict(table_of(X)),
            long.predict(table_of(X[:, 3:]), y_past=y[:, :3]),
            long.predict_one_step(table_of(X), y.ravel()),
        ),
        expected,
    ):
        assert_array_equal(result, simulation.ravel())
    one = OutputFeedbackRegressor(**parameters).fit(X[0], y[0])
    assert one.predict(X[0][3:], y_past=y[0][:3]).shape == (T - 3,)


@both_kinds
def test_sparse_rows_are_as_dense_ones(teacher_forcing, X, y):
    X = np.where(X > 0, X, 0)
    rows = [sparse.csr_array(x) for x in X]
    regressor = OutputFeedbackRegressor(n_lags=2, teacher_forcing=teacher_forcing, **QUICK)
    regressor.fit(rows, list(y))
    for past in (None, list(y[:, :2])):
        sparse_result = np.stack(regressor.predict(rows, y_past=past))
        assert_allclose(sparse_result, np.stack(regressor.predict(list(X), y_past=past)))


@both_kinds
def test_steps_without_weight_are_fed_back_all_the_same(teacher_forcing, X, y):
    weight = np.ones((S, T))
    weight[:, 0] = 0
    fits = [
        OutputFeedbackRegressor(teacher_forcing=teacher_forcing, **QUICK).fit(X, target, weight)
        for target in (y, np.where(weight > 0, y, 0.0))
    ]
    assert fits[0].loss_ != fits[1].loss_


@both_kinds
def test_data_off_scale_are_fitted_as_well(teacher_forcing):
    X, y = tank(10, 30, 0)
    parameters = {"n_lags": 2, "random_state": 0, "teacher_forcing": teacher_forcing}
    plain = OutputFeedbackRegressor(4, **parameters).fit(X, y)
    scaled = OutputFeedbackRegressor(4, **parameters).fit(1e3 * X - 7, 1e-3 * y + 40)
    forecast = scaled.predict(1e3 * X - 7, y_past=1e-3 * y[:, -2:] + 40)
    assert_allclose((forecast - 40) * 1e3, plain.predict(X, y_past=y[:, -2:]), atol=1e-2)


def test_the_stepper_simulates(X, y):
    regressor = OutputFeedbackRegressor(n_lags=3, **QUICK).fit(X, y)
    stepper = regressor.start()
    steps = [stepper.step(x) for x in X[0]]
    assert_allclose(steps, regressor.predict(X[:1])[0], atol=1e-12)


def test_long_sequences_are_simulated_in_pieces_in_training(rng):
    X = rng.standard_normal((1, 700, 1))
    y = X[..., 0].cumsum(axis=1)
    parameters = QUICK | {"teacher_forcing": False, "n_lags": 30}
    pieces = OutputFeedbackRegressor(**parameters).fit(X, y)
    whole = OutputFeedbackRegressor(truncated_bptt_steps=None, **parameters).fit(X, y)
    assert pieces.loss_ != whole.loss_
    # one step ahead there is nothing to cut
    parameters = QUICK | {"n_lags": 30}
    one_step = OutputFeedbackRegressor(**parameters).fit(X, y)
    whole = OutputFeedbackRegressor(truncated_bptt_steps=None, **parameters).fit(X, y)
    assert one_step.loss_ == whole.loss_


@pytest.mark.parametrize(
    ("past", "message"),
    [
        (lambda y: y[:, :1], r"y_past\[0\] has shape \(1, 1\), but must hold at least 2 numbers"),
        (lambda y: y[:3, :4], "y_past has 3 entries, but X has 12 sequences"),
        (lambda y: 3.0, "y_past must hold one array for each sequence of X, got 3.0"),
        (lambda y: y[:, 0], r"y_past\[0\] has shape \(\)"),
        (lambda y: np.stack([y, y], axis=-1), r"y_past\[0\] has shape \(8, 2\)"),
        (lambda y: [*y[:5], y[5] * np.nan, *y[6:]], r"y_past\[5\] holds NaN or infinity at step 0"),
        (lambda y: [["a"] * 3] * S, r"y_past\[0\] could not be read as real numbers"),
        (lambda y: sparse.csr_array(y), "y_past"),
    ],
)
def test_refuses(past, message, X, y):
    regressor = OutputFeedbackRegressor(n_lags=2, **QUICK).fit(X, y)
    with pytest.raises((ValueError, TypeError), match=message):
        regressor.predict(X, y_past=past(y))


def test_refuses_other_targets(X, y):
    regressor = OutputFeedbackRegressor(n_lags=2, **QUICK).fit(X, np.stack([y, y], axis=-1))
    with pytest.raises(ValueError, match="at least 2 rows of 2 numbers"):
        regressor.predict(X, y_past=y)
    with pytest.raises(ValueError, match="y has 1 targets, but fit saw 2"):
        regressor.predict_one_step(X, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        regressor.predict_one_step(X, None)


def test_a_simulation_that_overflows_is_refused(X, y):
    regressor = OutputFeedbackRegressor(**QUICK).fit(X, y)
    regressor.autoregressive_weights_ = np.full((1, 1), 1e100)
    with pytest.raises(ValueError, match="overflows at sequence 0, step .* larger alpha"):
        regressor.predict(X)
