"""The output of a reservoir in closed form: leave-one-out against refits, and the estimators."""

import numpy as np
import pytest
from derivatives import (
    along,
    assert_close,
    assert_gradient,
    hidden_feedback,
    make_shards,
    penalty_of,
    random_data,
    random_parameters,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_rnn import SequenceClassifier, SequenceRegressor
from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks.direct import PositionDirect
from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.parameters import views
from sklearn_rnn._training import recipe
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.ridge import _fit, _temperature


def ridge(F, Y, w, strength):
    """Ridge regression with an intercept by its normal equations: slopes and intercept."""
    w = w / w.sum()
    f, y = w @ F, w @ Y
    A = (F - f).T * w @ (F - f) + strength * np.eye(F.shape[1])
    B = np.linalg.solve(A, (F - f).T * w @ (Y - y))
    return B, y - f @ B


def centred(rng, w, n=12, P=5):
    F = rng.standard_normal((n, P))
    return F - w @ F


def test_leave_one_out_against_the_normal_equations(rng):
    w = rng.uniform(0.5, 2, 12)
    w /= w.sum()
    F, Y = centred(rng, w), rng.standard_normal((12, 2))
    strength, loss = 0.05, 0.0
    for i in range(12):
        # the same penalised sum: the others weigh less in all, and so does the centre of the rest
        rest = np.arange(12) != i
        A = np.block(
            [
                [(F[rest].T * w[rest]) @ F[rest] + strength * np.eye(5), F[rest].T @ w[rest, None]],
                [w[rest] @ F[rest], w[rest].sum()],
            ]
        )
        b = np.vstack([(F[rest].T * w[rest]) @ Y[rest], w[rest] @ Y[rest]])
        solution = np.linalg.solve(A, b)
        loss += 0.5 * w[i] * np.square(F[i] @ solution[:-1] + solution[-1] - Y[i]).sum()
    fit = _fit(F, Y, w, None, [strength], 12)
    assert fit.loss == pytest.approx(loss, rel=1e-10)
    B, c = ridge(F, Y, w, strength)
    assert_allclose(F.T @ fit.dual, B, rtol=1e-9, atol=1e-12)
    assert_allclose(fit.intercept, c, rtol=1e-9, atol=1e-12)


def test_the_strength_of_least_loss_is_taken(rng):
    w = np.full(12, 1 / 12)
    F, Y = centred(rng, w), rng.standard_normal((12, 2))
    strengths = [1e-3, 1e-1, 10.0]
    losses = [_fit(F, Y, w, None, [s], 12).loss for s in strengths]
    assert _fit(F, Y, w, None, strengths, 12).loss == min(losses)


def test_temperature_is_finite_where_all_is_right():
    labels = np.array([0, 1, 1])
    F = np.where(labels[:, None] == np.arange(2), 1.0, -1.0)
    factor, loss = _temperature(F, labels, np.full(3, 1 / 3), 3)
    assert 0.5 < factor < 2 and 0 < loss < 1


def series(rng, n=40, T=20, D=2):
    """Two kinds of oscillation at random phases."""
    y = np.arange(n) % 2
    time = np.arange(T)[:, None] + rng.uniform(0, 10, (n, 1, D))
    X = np.sin(time * (0.5 + 0.3 * y[:, None, None]))
    return X + 0.1 * rng.standard_normal(X.shape), y


def test_classifies_few_series(rng):
    X, y = series(rng)
    classifier = SequenceClassifier(solver="ridge", random_state=0).fit(X, y)
    X_test, y_test = series(rng, 100)
    assert classifier.score(X_test, y_test) > 0.95
    assert classifier.n_iter_ == 1 and classifier.loss_ == classifier.loss_curve_[0]
    assert classifier.recurrent_weights_[0].shape == (3, 200, 200)
    assert_allclose(classifier.predict_proba(X_test).sum(axis=1), 1)


def test_takes_a_linear_model_where_positions_matter(rng):
    X = rng.standard_normal((60, 5, 1))
    y = (X[:, 2, 0] > 0).astype(int)
    classifier = SequenceClassifier(solver="ridge", random_state=0).fit(X, y)
    assert not classifier.output_weights_.any() and classifier.direct_weights_.any()
    assert np.abs(classifier.direct_weights_[:, 0, 0]).argmax() == 2
    # streaming, and sequences of other lengths: the same, and later steps count for nothing
    stepper = classifier.start()
    for x in X[0]:
        probabilities = stepper.step(x)
    assert_allclose(probabilities, classifier.predict_proba(X[:1])[0], atol=1e-12)
    longer = np.concatenate([X, X], axis=1)
    assert_allclose(classifier.predict_proba(longer), classifier.predict_proba(X), atol=1e-12)
    assert np.isfinite(classifier.predict_proba(X[:, :2])).all()


def test_no_linear_model_for_ragged_or_sparse_sequences(rng):
    X, y = series(rng)
    ragged = [x[: 10 + i % 10] for i, x in enumerate(X)]
    rows = [sparse.csr_array(x) for x in X]
    for data in (ragged, rows):
        classifier = SequenceClassifier(solver="ridge", random_state=0).fit(data, y)
        assert not hasattr(classifier, "direct_weights_")
        assert classifier.score(data, y) > 0.9


def test_predicts_numbers(rng):
    X, _ = series(rng, 80)
    y = np.column_stack([X[:, :, 0].std(axis=1), 100 + 5 * X[:, 3, 1]])
    regressor = SequenceRegressor(solver="ridge", random_state=0).fit(X[:60], y[:60])
    assert regressor.predict(X[60:]).shape == (20, 2)
    assert regressor.score(X[60:], y[60:]) > 0.5


@pytest.mark.parametrize("weight", [0, 2])
def test_weights_are_copies(weight, rng):
    X, y = series(rng, 20)
    X[0] = rng.standard_normal(X[0].shape)
    copies = np.r_[np.zeros(weight, int), np.arange(1, 20)]
    weighted = SequenceClassifier(solver="ridge", random_state=0).fit(
        X, y, np.r_[weight, np.ones(19)]
    )
    repeated = SequenceClassifier(solver="ridge", random_state=0).fit(X[copies], y[copies])
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-9)


def test_what_the_user_gives_is_taken(rng):
    X, y = series(rng)
    classifier = SequenceClassifier(
        (10,), solver="ridge", alpha=1.0, pooling="mean", bidirectional=True, random_state=0
    ).fit(X, y)
    assert classifier.recurrent_weights_[0].shape == (6, 10, 10)
    assert classifier.output_weights_.shape == (60, 2)
    weak, strong = (
        SequenceClassifier(solver="ridge", alpha=alpha, random_state=0).fit(X, y).loss_
        for alpha in (1.0, 1e6)
    )
    assert weak < strong


def test_keeps_its_units_over_a_warm_start_and_batches(rng):
    X, y = series(rng)
    classifier = SequenceClassifier(solver="ridge", random_state=0, warm_start=True).fit(X, y)
    W = classifier.recurrent_weights_[0].copy()
    before = classifier.predict_proba(X)
    classifier.fit(X, y)
    assert_allclose(classifier.recurrent_weights_[0], W)
    assert_allclose(classifier.predict_proba(X), before, atol=1e-6)
    assert classifier.partial_fit(X[:10], y[:10]).score(X, y) > 0.9


def test_goes_on_with_sequences_of_other_lengths(rng):
    """Positions past the end of a sequence count as their mean, whatever the lengths add up to."""
    X, y = series(rng)
    others = X[:, :12], [x[: 10 + 20 * (i % 2) // 2] for i, x in enumerate(X)], [*map(np.array, X)]
    for data in (*others, [sparse.csr_array(x) for x in X]):
        classifier = SequenceClassifier(solver="ridge", random_state=0, warm_start=True).fit(X, y)
        assert classifier.fit(data, y).score(data, y) > 0.9


def test_derivatives_with_a_term_for_each_position(rng):
    network = hidden_feedback(pooling=("mean",), direct=True)
    shards = make_shards(network, *random_data(network, rng))
    objective = Objective(network, Shards(shards), penalty_of(network, 0.1))
    w = random_parameters(network, rng)
    assert_gradient(objective.loss_gradient, w, rng)
    (shard,) = shards
    v = rng.standard_normal(len(w))

    def logits(w):
        return network.forward(views(w, network.shapes), shard)[0]

    p, direction = views(w, network.shapes), views(v, network.shapes)
    _, cache = network.forward(p, shard)
    assert_close(network.jvp(p, cache, direction), along(logits, w, v))


def test_inputs_by_their_position(rng):
    packing = Packing(np.array([4, 2, 1]))
    X = rng.standard_normal((packing.n_rows, D := 2))
    for T in (1, 3, 6):
        flat = PositionDirect(T, D, 1).flatten(X, packing).reshape(3, T, D)
        for s, length in enumerate(packing.lengths):
            expected = np.zeros((max(T, length), D))
            expected[:length] = X[packing.sequence == s]
            assert_array_equal(flat[s], expected[:T])


def test_a_sequence_of_each_class_or_one_number(rng):
    X, _ = series(rng, 2)
    classifier = SequenceClassifier(solver="ridge", random_state=0)
    assert np.isfinite(classifier.fit(X, ["a", "b"]).predict_proba(X)).all()
    regressor = SequenceRegressor(solver="ridge", random_state=0)
    assert_allclose(regressor.fit(X[:1], [3.0]).predict(X), 3.0)


@pytest.mark.parametrize("make", [SequenceClassifier, SequenceRegressor])
@pytest.mark.parametrize("layout", [np.array, list, lambda X: [sparse.csr_array(x) for x in X]])
def test_few_sequences_get_it_by_default(make, layout, rng):
    X, y = series(rng)
    default, ridge = make(random_state=0), make(solver="ridge", random_state=0)
    assert_array_equal(default.fit(layout(X), y).predict(X), ridge.fit(layout(X), y).predict(X))
    assert default.loss_ == ridge.loss_


def test_weights_are_trained_where_sizes_or_iterations_are_asked_for(rng):
    X, y = series(rng)
    sized = SequenceClassifier(5, random_state=0, tol=1).fit(X, y)
    assert sized.recurrent_weights_[0].shape == (5, 5)
    stopped = SequenceClassifier(early_stopping=True, random_state=0).fit(X, y)
    batched = SequenceClassifier(random_state=0).partial_fit(X, y)
    for classifier in (stopped, batched):
        assert classifier.recurrent_weights_[0].shape == (32, 32)
        assert classifier.n_iter_ > 1


def test_duplicates_do_not_count_as_many_sequences(rng, monkeypatch):
    monkeypatch.setattr(recipe, "MANY_SEQUENCES", 41)
    X, y = series(rng, 42)
    few = SequenceClassifier(random_state=0).fit(X[:40], y[:40])
    again = SequenceClassifier(random_state=0).fit(np.repeat(X[:40], 2, axis=0), y[:40].repeat(2))
    assert_allclose(few.predict_proba(X), again.predict_proba(X), atol=0.1)
    many = SequenceClassifier(random_state=0, max_iter=2).fit(X, y)
    assert again.recurrent_weights_[0].shape == few.recurrent_weights_[0].shape == (3, 200, 200)
    assert many.recurrent_weights_[0].shape == (32, 32)


def test_a_warm_start_with_many_sequences_trains_all_weights(rng, monkeypatch):
    monkeypatch.setattr(recipe, "MANY_SEQUENCES", 41)
    X, y = series(rng, 42)
    classifier = SequenceClassifier(random_state=0, warm_start=True, max_iter=2).fit(X[:40], y[:40])
    W = classifier.recurrent_weights_[0]
    assert not np.array_equal(classifier.fit(X, y).recurrent_weights_[0], W)


def test_refuses_early_stopping(rng):
    X, y = series(rng)
    with pytest.raises(ValueError, match="leave-one-out"):
        SequenceClassifier(solver="ridge", early_stopping=True).fit(X, y)
