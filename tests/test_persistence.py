"""Saved and loaded, an estimator predicts the same to the last bit, and can go on learning."""

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tasks import LABELLED, TASKS, X_TEST, X, fitted, of_each_task, outputs, state

import sklearn_rnn

# what skops is told to trust, beside what it trusts of scikit-learn
TRUSTED = [
    f"sklearn_rnn.{kind.__module__.split('.')[-1]}.{kind.__name__}"
    for kind in (
        sklearn_rnn.OutputFeedbackRegressor,
        sklearn_rnn.OutputFeedbackTagger,
        sklearn_rnn.PerStepRegressor,
        sklearn_rnn.SequenceClassifier,
        sklearn_rnn.SequenceRegressor,
        sklearn_rnn.SequenceTagger,
    )
]


def by_pickle(estimator, path):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path)


def by_memory_map(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path, mmap_mode="r")


def by_skops(estimator, path):
    skops = pytest.importorskip("skops.io")
    skops.dump(estimator, path)
    assert set(skops.get_untrusted_types(file=path)) <= set(TRUSTED)
    return skops.load(path, trusted=TRUSTED)


of_each_way = pytest.mark.parametrize("way", [by_pickle, by_joblib, by_memory_map, by_skops])


@of_each_task
@of_each_way
def test_round_trip(name, way, tmp_path):
    estimator = fitted(name)
    copy = way(estimator, tmp_path / "estimator")
    assert_array_equal(outputs(copy, X_TEST), outputs(estimator, X_TEST))
    assert copy.get_params() == estimator.get_params()
    y = TASKS[name][1](X)
    classes = {"classes": np.unique(y)} if name in LABELLED else {}
    goes_on = [e.partial_fit(X[:50], y[:50], **classes) for e in (copy, estimator)]
    assert_array_equal(*(outputs(e, X_TEST) for e in goes_on))
    assert state(copy.fit(X, y)) == state(estimator.fit(X, y))


@of_each_way
def test_round_trip_of_a_pipeline(way, tmp_path):
    classifier = TASKS["classifier"][0]
    pipeline = make_pipeline(FunctionTransformer(np.tanh), classifier)
    pipeline.fit(X, TASKS["classifier"][1](X))
    if way is by_skops:
        pipeline.set_params(functiontransformer=None)
    copy = way(pipeline, tmp_path / "pipeline")
    assert_array_equal(outputs(copy, X_TEST), outputs(pipeline, X_TEST))
