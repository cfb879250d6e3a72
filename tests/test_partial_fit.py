"""Training on data that come in batches."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from tasks import (
    LABELLED,
    TASKS,
    X_TEST,
    S,
    X,
    fitted,
    of_each_labelled_task,
    of_each_task,
    outputs,
    sign_of_sum,
    state,
)

from sklearn_rnn import SequenceClassifier
from sklearn_rnn.datasets import load_japanese_vowels


def streamed(name, size=40, **parameters):
    estimator, label, _ = TASKS[name]
    estimator, y = clone(estimator).set_params(**parameters), label(X)
    classes = {"classes": np.unique(y)} if name in LABELLED else {}
    for start in range(0, S, size):
        batch = slice(start, start + size)
        assert estimator.partial_fit(X[batch], y[batch], **classes) is estimator
    return estimator


@of_each_task
@pytest.mark.parametrize("solver", ["auto", "trust-ncg"])
def test_learns_from_batches(name, solver):
    _, label, at_least = TASKS[name]
    estimator = streamed(name, solver=solver)
    assert estimator.score(X_TEST, label(X_TEST)) > at_least - 0.1
    assert estimator.n_iter_ == len(estimator.loss_curve_) > S // 40
    assert np.isfinite(estimator.loss_)
    assert estimator.validation_scores_ is None


@of_each_task
def test_same_stream_same_weights(name):
    assert state(streamed(name)) == state(streamed(name, n_jobs=2, max_iter=3, n_init=2))
    assert state(streamed(name)) != state(streamed(name, random_state=1))


@of_each_task
def test_weight_two_is_twice_and_weight_zero_is_absent(name):
    label = TASKS[name][1]
    weight = np.arange(S) % 3
    weighted, repeated = streamed(name), streamed(name)
    weighted.partial_fit(X, label(X), sample_weight=weight)
    X_repeated = np.repeat(X, weight, axis=0)
    repeated.partial_fit(X_repeated, label(X_repeated))
    assert state(weighted) == state(repeated)


@of_each_task
def test_goes_on_after_fit_and_remembers(name):
    label = TASKS[name][1]
    estimator = fitted(name)
    before, n_iter = outputs(estimator, X_TEST), estimator.n_iter_
    estimator.partial_fit(X[:2], label(X[:2]))
    assert estimator.n_iter_ == len(estimator.loss_curve_) > n_iter
    after = outputs(estimator, X_TEST)
    assert not np.array_equal(after, before)
    assert abs(after - before).mean() < 0.1 * np.ptp(before)
    assert state(estimator.fit(X, label(X))) == state(fitted(name))


def test_the_first_batch_may_tell_the_classes():
    y = sign_of_sum(X)
    told, untold = SequenceClassifier(4, random_state=0), SequenceClassifier(4, random_state=0)
    assert state(untold.partial_fit(X, y)) == state(told.partial_fit(X, y, classes=np.unique(y)))
    with pytest.raises(ValueError, match="pass all classes"):
        untold.partial_fit(X, ["sideways"] * S)


def test_one_class_in_a_batch_is_enough():
    classifier = fitted("classifier")
    one_class = sign_of_sum(X) == "up"
    classifier.partial_fit(X[one_class][:20], ["up"] * 20)
    assert classifier.score(X_TEST, sign_of_sum(X_TEST)) > 0.75


def test_class_weight_is_that_of_the_labels():
    y = sign_of_sum(X)
    by_class = SequenceClassifier(4, class_weight={"up": 2, "down": 1}, random_state=0)
    by_sample = SequenceClassifier(4, random_state=0)
    by_class.partial_fit(X, y, classes=["up", "down"])
    by_sample.partial_fit(X, y, classes=["down", "up"], sample_weight=1 + (y == "up"))
    assert state(by_class) == state(by_sample)
    assert_array_equal(by_class.classes_, ["down", "up"])


def y_with_unknown():
    y = sign_of_sum(X)[:10].astype(object)
    y[3] = "sideways"
    return y


@pytest.mark.parametrize(
    "parameters, y, classes, message",
    [
        ({}, ["up"] * 10, None, "only one class"),
        ({}, ["up"] * 10, ["up"], "only one class"),
        (
            {},
            y_with_unknown(),
            ["up", "down"],
            "'sideways' of y at sequence 3 was not seen in the first call",
        ),
        ({"early_stopping": True}, ["up"] * 10, ["up", "down"], "early_stopping=True"),
        ({"class_weight": "balanced"}, ["up"] * 10, ["up", "down"], "class_weight='balanced'"),
    ],
)
def test_refusals_of_the_first_call_change_nothing(parameters, y, classes, message):
    classifier = SequenceClassifier(**parameters)
    before = joblib.hash(vars(classifier))
    with pytest.raises(ValueError, match=message):
        classifier.partial_fit(X[:10], y, classes=classes)
    assert joblib.hash(vars(classifier)) == before


@of_each_labelled_task
def test_refusals_of_later_calls_change_nothing(name):
    estimator, y = fitted(name), TASKS[name][1](X)
    before = joblib.hash(vars(estimator))
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        estimator.partial_fit(X, y, classes=["neither", "nor"])
    with pytest.raises(ValueError, match="features"):
        estimator.partial_fit(X[..., :2], y)
    assert joblib.hash(vars(estimator)) == before
    with pytest.raises(ValueError, match="hidden_layer_sizes have changed"):
        estimator.set_params(hidden_layer_sizes=3).partial_fit(X, y)


def test_stream_of_japanese_vowels_comes_near_the_full_fit():
    X, y = load_japanese_vowels(subset="train", return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    y, order = np.asarray(y), np.random.default_rng(0).permutation(len(y))
    classifier = SequenceClassifier(random_state=0)
    for batch in np.array_split(order, 9):
        classifier.partial_fit([X[i] for i in batch], y[batch], classes=np.unique(y))
    full = SequenceClassifier(random_state=0).fit(X, y)
    assert accuracy_score(y_test, classifier.predict(X_test)) > full.score(X_test, y_test) - 0.03
