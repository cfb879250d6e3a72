"""Numbers at each step: every layout of X and y, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.model_selection import cross_val_score

from sklearn_rnn import PerStepRegressor, SequenceRegressor
from sklearn_rnn.model_selection import SequenceKFold, sequence_scorer

S, T, D = 12, 8, 2
QUICK = {"hidden_layer_sizes": 4, "max_iter": 5, "random_state": 0, "tol": 9, "n_iter_no_change": 3}


@pytest.fixture
def X(rng):
    return rng.standard_normal((S, T, D))


@pytest.fixture
def y(X):
    return X[..., 0].cumsum(axis=1)


def both(y):
    return np.stack([y, 3 * y - 1], axis=-1)


def test_all_layouts_give_the_same(X, y):
    expected = PerStepRegressor(**QUICK).fit(X, y).predict(X)
    assert expected.shape == (S, T)
    ragged = PerStepRegressor(**QUICK).fit(list(X), list(y)).predict(list(X))
    assert_array_equal(np.stack(ragged), expected)
    table = np.column_stack([np.repeat(np.arange(S), T), X.reshape(S * T, D)])
    long = PerStepRegressor(sequence_id=0, **QUICK).fit(table, y.ravel())
    assert_array_equal(long.predict(table), expected.ravel())


@pytest.mark.parametrize("n_targets", [1, 2])
def test_several_targets(X, y, n_targets):
    Y = both(y)[..., :n_targets]
    regressor = PerStepRegressor(**QUICK).fit(X, Y)
    expected = regressor.predict(X)
    assert expected.shape == (S, T, n_targets)
    ragged = PerStepRegressor(**QUICK).fit(list(X), list(Y)).predict(list(X))
    assert_array_equal(np.stack(ragged), expected)
    table = np.column_stack([np.repeat(np.arange(S), T), X.reshape(S * T, D)])
    long = PerStepRegressor(sequence_id=0, **QUICK).fit(table, Y.reshape(S * T, n_targets))
    assert_array_equal(long.predict(table), expected.reshape(S * T, n_targets))
    if n_targets == 2:  # all targets weigh the same, whatever their units
        assert_allclose(expected[..., 1], 3 * expected[..., 0] - 1, rtol=1e-4, atol=1e-4)


def test_frames_of_targets(X, y):
    pd = pytest.importorskip("pandas")
    index = pd.MultiIndex.from_product([range(S), range(T)], names=["id", "time"])
    table = pd.DataFrame(X.reshape(S * T, D), columns=["a", "b"], index=index)
    targets = pd.DataFrame(both(y).reshape(S * T, 2), index=index)
    regressor = PerStepRegressor(sequence_id="id", **QUICK)
    assert regressor.fit(table, targets).predict(table).shape == (S * T, 2)
    assert regressor.fit(table, targets[0]).predict(table).shape == (S * T,)


def test_learns_a_sum_of_the_past(rng):
    X = rng.standard_normal((160, 50, 1))
    y = X[..., 0].cumsum(axis=1)
    regressor = PerStepRegressor(random_state=0).fit(X[:100], y[:100])
    assert regressor.score(X[100:], y[100:]) >= 0.995


def test_stepper_and_weights(X, y):
    regressor = PerStepRegressor(**QUICK).fit(X, y)
    stepper = regressor.start()
    steps = [stepper.step(x) for x in X[0]]
    assert_allclose(steps, regressor.predict(X[:1])[0], atol=1e-12)
    # a step of weight 0 is as good as none, whatever its target
    weight = np.ones((S, T))
    weight[:, ::3] = 0
    changed = np.where(weight > 0, y, 1e3)
    weighted = PerStepRegressor(**QUICK).fit(X, y, sample_weight=weight)
    again = PerStepRegressor(**QUICK).fit(X, changed, sample_weight=weight)
    assert_array_equal(weighted.predict(X), again.predict(X))


def test_sparse_rows_both_directions_and_stacked_layers(X, y):
    rows = [sparse.csr_array(np.where(x > 0, x, 0)) for x in X]
    for parameters in ({"bidirectional": True}, {"hidden_layer_sizes": (4, 3)}):
        for data in (X, rows):
            regressor = PerStepRegressor(**QUICK | parameters).fit(data, list(y))
            assert np.isfinite(np.stack(regressor.predict(data))).all()
    assert not hasattr(regressor, "direct_weights_")


def test_tools_of_scikit_learn_on_a_long_table(X, y):
    table = np.column_stack([np.repeat(np.arange(S), T), X.reshape(S * T, D)])
    regressor = PerStepRegressor(sequence_id=0, **QUICK)
    assert is_regressor(regressor) and not is_regressor(PerStepRegressor())
    folds = SequenceKFold(3, sequence_id=0)
    for scoring in ("r2", "neg_mean_absolute_error", None):
        assert np.isfinite(
            cross_val_score(regressor, table, y.ravel(), cv=folds, scoring=scoring)
        ).all()


@pytest.mark.parametrize("layout", [np.array, list])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_scorers_of_nested_numbers(layout, n_targets, X, y):
    y = y if n_targets is None else both(y)
    data, targets = layout(X), layout(y)
    regressor = PerStepRegressor(**QUICK).fit(data, targets)
    weight = np.arange(1, S + 1)
    score = sequence_scorer("r2")(regressor, data, targets, sample_weight=weight)
    assert score == pytest.approx(regressor.score(data, targets, sample_weight=weight))
    error = -sequence_scorer("neg_mean_absolute_error")(regressor, data, targets)
    assert error == pytest.approx(np.abs(np.stack(regressor.predict(data)) - y).mean())
    with pytest.raises(ValueError, match="y.1. has 7 entries, but sequence 1 of X has 8 steps"):
        sequence_scorer("r2")(regressor, data, [y[0], y[1][:7], *y[2:]])


def replaced(y, place, value):
    y = [row.copy() for row in y]
    y[place[0]][place[1]] = value
    return y


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: replaced(y, (3, 2), np.nan), "y holds NaN or infinity at sequence 3, step 2"),
        (
            lambda y: [*y[:2], y[2][:5], *y[3:]],
            r"y\[2\] has shape \(5,\), but sequence 2 of X",
        ),
        (
            lambda y: [*y[:2], both(y[2]), *y[3:]],
            r"y\[2\] has shape \(8, 2\), but y",
        ),
        (lambda y: y[:5], "y has 5 entries, but X has 12 sequences"),
        (lambda y: y[:, 0], r"y\[0\] has shape \(\)"),
        (lambda y: 3.0, "y must hold one array for each sequence of X, got 3.0"),
        (lambda y: [["a"] * T] * S, r"y\[0\] could not be read as real numbers"),
        (lambda y: np.zeros((S, T, 2, 2)), r"y\[0\] has shape \(8, 2, 2\)"),
    ],
)
@pytest.mark.parametrize("layout", [np.array, list])
def test_refuses(change, message, layout, X, y):
    with pytest.raises((ValueError, TypeError), match=message):
        PerStepRegressor(**QUICK).fit(layout(X), change(y))


def test_refuses_for_tables(X, y):
    table = X.reshape(S * T, D)
    regressor = PerStepRegressor(**QUICK)
    for targets, message in (
        (y.ravel()[:-1], "y has 95 entries, but X has 96 rows"),
        (np.where(np.arange(S * T) == 7, np.inf, y.ravel()), "y holds NaN or infinity at row 7"),
        (np.zeros((S * T, 2, 2)), "must be .N,. or .N, K."),
    ):
        with pytest.raises(ValueError, match=message):
            regressor.fit(table, targets)
    with pytest.raises(ValueError, match="y has 2 targets, but fit saw 1"):
        regressor.fit(X, y).score(X, both(y))


def test_a_regressor_of_sequences_warns_of_targets_of_steps(X, y):
    with pytest.warns(UserWarning, match="PerStepRegressor"):
        SequenceRegressor(**QUICK).fit(X, y)
