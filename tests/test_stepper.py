"""Step by step as `start` has it, against the same estimator's predictions for whole prefixes."""

import pickle
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError
from tasks import TASKS, D, T, X, fitted, of_each_activated_task, of_each_task, outputs

from sklearn_rnn import SequenceClassifier, SequenceTagger

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_NEW = np.random.default_rng(2).normal(size=(5, 2 * T, D))
POOLINGS = ["last", "mean", ("max", "last"), ("min", "std", "positive")]
PRECISION = {np.float64: 1e-10, np.float32: 1e-5}


@cache
def trained(name, **parameters):
    return fitted(name, X[:60], max_iter=4, **parameters)


def in_batch(estimator, X):
    """What the estimator predicts after each step of X (S, T, D): (T, S, ...)."""
    if not hasattr(estimator, "pooling"):
        return np.swapaxes(outputs(estimator, X), 0, 1)
    return np.stack([outputs(estimator, X[:, : t + 1]) for t in range(X.shape[1])])


def streamed(estimator, X):
    """The same step by step, all sequences side by side."""
    stepper = estimator.start()
    return np.stack([stepper.step(X[:, t]) for t in range(X.shape[1])])


def assert_as_in_batch(estimator, X):
    expected, rtol = in_batch(estimator, X), PRECISION[X.dtype.type]
    side_by_side = streamed(estimator, X)
    assert side_by_side.dtype == X.dtype
    assert side_by_side.shape == expected.shape
    assert_allclose(side_by_side, expected, rtol=rtol, atol=rtol * 1e-3)
    stepper = estimator.start()
    one = np.stack([stepper.step(x) for x in X[0]])
    assert one.dtype == X.dtype
    assert one.shape == expected[:, 0].shape
    assert_allclose(one, expected[:, 0], rtol=rtol, atol=rtol * 1e-3)


@of_each_task
@pytest.mark.parametrize("hidden_layer_sizes", [6, (5, 4, 3)], ids=["one layer", "stacked"])
@pytest.mark.parametrize("dtype", PRECISION)
def test_every_step_is_as_in_batch(name, hidden_layer_sizes, dtype):
    estimator = trained(name, hidden_layer_sizes=hidden_layer_sizes)
    assert_as_in_batch(estimator, X_NEW.astype(dtype))


@pytest.mark.parametrize("name", ["classifier, 3 classes", "regressor"])
@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_every_pool_is_as_in_batch(name, pooling):
    assert_as_in_batch(trained(name, pooling=pooling), X_NEW)


@of_each_activated_task
@pytest.mark.parametrize("activation", ["logistic", "relu", "identity"])
def test_every_activation_is_as_in_batch(name, activation):
    assert_as_in_batch(trained(name, activation=activation), X_NEW)


@pytest.mark.parametrize("dtype", PRECISION)
def test_marginals_near_underflow_are_as_in_batch(dtype):
    tagger = deepcopy(trained("teacher forcing"))
    tagger.output_weights_ = 1e3 * tagger.output_weights_
    X = X_NEW.astype(dtype)
    P = streamed(tagger, X)
    assert P.min() < np.finfo(dtype).tiny
    assert_allclose(P, in_batch(tagger, X), rtol=1e3 * PRECISION[dtype], atol=1e-30)


def test_a_long_table_has_a_column_that_steps_have_not():
    table = np.c_[np.repeat(np.arange(10), T), X[:10].reshape(-1, D)]
    labels = (table[:, 1] > 0).astype(int)
    tagger = SequenceTagger(4, sequence_id=0, max_iter=3, random_state=0).fit(table, labels)
    stepper = tagger.start()
    P = [stepper.step(x) for x in table[:T, 1:]]
    assert_allclose(P, tagger.predict_proba(table[:T]), rtol=1e-10)


def test_a_wide_table_is_streamed_step_by_step():
    table = X[:20].reshape(20, -1)
    classifier = SequenceClassifier(4, features_per_step=D, max_iter=3, random_state=0)
    classifier.fit(table, np.arange(20) % 2)
    assert_allclose(streamed(classifier, X[:20])[-1], classifier.predict_proba(table), rtol=1e-10)


@pytest.mark.parametrize("name", ["tagger", "classifier", "regressor"])
def test_bidirectional_estimators_refuse(name):
    with pytest.raises(ValueError, match="bidirectional=True.*from its end"):
        trained(name, bidirectional=True).start()


@of_each_task
def test_a_refit_changes_no_stepper(name):
    estimator = deepcopy(trained(name))
    expected = in_batch(estimator, X_NEW)
    stepper = estimator.start()
    early = stepper.step(X_NEW[:, 0])
    for value in (estimator.output_weights_, *estimator.input_weights_):
        value[...] = 7.0
    estimator.set_params(activation="relu")
    rest = [stepper.step(X_NEW[:, t]) for t in range(1, 2 * T)]
    assert_allclose([early, *rest], expected, rtol=1e-10)


@of_each_task
@pytest.mark.parametrize("copy", [deepcopy, lambda stepper: pickle.loads(pickle.dumps(stepper))])
@pytest.mark.parametrize("n_before", [0, 3])
def test_a_copy_goes_on_by_itself(name, copy, n_before):
    stepper = trained(name).start()
    for t in range(n_before):
        stepper.step(X_NEW[:, t])
    other = copy(stepper)
    other.step(X_NEW[:, -1])
    again = copy(stepper)
    for t in range(n_before, T):
        assert_array_equal(stepper.step(X_NEW[:, t]), again.step(X_NEW[:, t]))


@of_each_task
def test_what_a_step_returns_is_the_caller_s(name):
    stepper, other = trained(name).start(), trained(name).start()
    for t in range(T):
        x = X_NEW[:, t].copy()
        output = stepper.step(x)
        assert_array_equal(output, other.step(X_NEW[:, t]))
        output[...] = x[...] = np.nan


BAD = {
    "features": (np.zeros(D + 1), ValueError, f"x has {D + 1} features at step 2, but fit saw {D}"),
    "no features": (np.zeros(0), ValueError, r"x has shape \(0,\) at step 2. Pass the features"),
    "a number": (1.0, ValueError, r"x has shape \(\) at step 2"),
    "3-D": (np.zeros((1, 1, D)), ValueError, r"x has shape \(1, 1, 3\) at step 2"),
    "other sequences": (np.zeros((4, D)), ValueError, r"\(4, 3\) at step 2, but had \(5, 3\)"),
    "one sequence": (np.zeros(D), ValueError, r"\(3,\) at step 2, but had \(5, 3\)"),
    "infinity": (
        np.where(X_NEW[:, 0] == X_NEW[3, 0, 1], np.inf, 0.0),
        ValueError,
        "x holds infinity at step 2, sequence 3",
    ),
    "ragged": ([[0.0] * D, [0.0]], ValueError, "x of step 2 could not be read as real numbers"),
    "strings": (np.full((5, D), "a"), ValueError, "x of step 2 could not be read as real numbers"),
    "complex": (np.zeros((5, D), dtype=complex), ValueError, "[Cc]omplex"),
    "sparse": (sparse.csr_array(np.zeros((5, D))), TypeError, "[Ss]parse"),
}


@pytest.mark.parametrize("name", ["tagger", "classifier", "teacher forcing", "free running"])
@pytest.mark.parametrize("bad", BAD)
def test_bad_steps_are_refused_and_change_nothing(name, bad):
    x, error, message = BAD[bad]
    stepper, other = trained(name).start(), trained(name).start()
    for t in range(2):
        stepper.step(X_NEW[:, t]), other.step(X_NEW[:, t])
    with pytest.raises(error, match=message):
        stepper.step(x)
    assert_array_equal(stepper.step(X_NEW[:, 2]), other.step(X_NEW[:, 2]))


def test_a_bad_first_step_settles_nothing():
    stepper = trained("tagger").start()
    with pytest.raises(ValueError, match="infinity at step 0, feature 1"):
        stepper.step(np.array([0, np.inf, 0], dtype=np.float32))
    assert stepper.step(X_NEW[:, 0]).dtype == np.float64


@of_each_activated_task
def test_an_overflow_is_refused_and_changes_nothing(name):
    estimator = deepcopy(trained(name, activation="identity"))
    estimator.input_weights_[0] *= 1e6
    stepper, other = estimator.start(), estimator.start()
    stepper.step(X_NEW[:, 0]), other.step(X_NEW[:, 0])
    with pytest.raises(ValueError, match="overflows at step 1"):
        stepper.step(np.full((5, D), 1e308) * [1, -1, 1])
    assert_array_equal(stepper.step(X_NEW[:, 1]), other.step(X_NEW[:, 1]))


def test_the_first_step_settles_the_precision():
    stepper = trained("tagger").start()
    assert stepper.step(X_NEW[0, 0].astype(np.float32)).dtype == np.float32
    assert stepper.step(X_NEW[0, 1].tolist()).dtype == np.float32
    with pytest.raises(ValueError, match="infinity at step 2"):
        stepper.step([1e300, 0, 0])


def test_lists_and_integers_are_float64():
    stepper = trained("tagger").start()
    assert stepper.step([1, 0, 2]).dtype == np.float64


def test_only_fitted_estimators_start():
    with pytest.raises(NotFittedError):
        TASKS["tagger"][0].start()
