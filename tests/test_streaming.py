"""Steps through a fitted pipeline, one by one: the same as the pipeline of whole sequences."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from refusals import CLASSIFIER, QUICK, TAGGER, Y_STEPS, D, S, T, X, Y, assert_refuses
from sklearn.base import clone
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_rnn import SequenceClassifier, SequenceTagger
from sklearn_rnn.preprocessing import ContextWindow, PerStepTransformer, start_pipeline

SCALER = PerStepTransformer(StandardScaler())
WINDOW = ContextWindow(before=2, after=0)
ITEMS = [[{"a": float(t), "b": str(i % 2)} for t in range(T)] for i in range(S)]
PIPELINES = {
    "scaled": (SCALER,),
    "passed through": ("passthrough", SCALER),
    "a window": (WINDOW,),
    "both": (SCALER, WINDOW),
    "a window of windows": (WINDOW, SCALER, ContextWindow(before=1, after=0)),
    "none": (),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_one_sequence_and_several_side_by_side(name):
    pipeline = make_pipeline(*PIPELINES[name], SequenceTagger(**QUICK)).fit(X, Y_STEPS)
    expected = pipeline.predict_proba(X)
    one, several = start_pipeline(pipeline), start_pipeline(pipeline)
    for t in range(T):
        assert_allclose(one.step(X[1, t]), expected[1, t], atol=1e-12)
        assert_allclose(several.step(X[:, t]), expected[:, t], atol=1e-12)


def test_dicts():
    vectorizer = PerStepTransformer(DictVectorizer())
    pipeline = make_pipeline(vectorizer, WINDOW, SequenceTagger(**QUICK)).fit(ITEMS, Y_STEPS)
    expected = pipeline.predict_proba(ITEMS)
    one, several = start_pipeline(pipeline), start_pipeline(pipeline)
    for t in range(T):
        assert_allclose(one.step(ITEMS[1][t]), expected[1][t], atol=1e-12)
        side_by_side = several.step([items[t] for items in ITEMS])
        assert_allclose(side_by_side, np.stack(expected)[:, t], atol=1e-12)


def test_a_whole_sequence():
    pipeline = make_pipeline(SCALER, SequenceClassifier(**QUICK)).fit(X, Y)
    stepper = start_pipeline(pipeline)
    outputs = [stepper.step(x) for x in X[2].tolist()]
    assert_allclose(outputs[-1], pipeline.predict_proba(X)[2], atol=1e-12)


def test_rows_of_a_frame_are_checked_by_name():
    pd = pytest.importorskip("pandas")
    frames = [pd.DataFrame(x, columns=list("abc")) for x in X]
    pipeline = make_pipeline(SCALER, SequenceTagger(**QUICK)).fit(frames, Y_STEPS)
    stepper = start_pipeline(pipeline)
    assert_allclose(stepper.step(frames[0].iloc[0]), pipeline.predict_proba(frames)[0][0])
    with pytest.raises(ValueError, match="same order"):
        stepper.step(frames[0].iloc[1][["b", "a", "c"]])


def test_a_step_that_fails_changes_nothing():
    pipeline = make_pipeline(WINDOW, SequenceTagger(**QUICK)).fit(X, Y_STEPS)
    stepper = start_pipeline(pipeline)
    stepper.step(X[0, 0])
    before = pickle.loads(pickle.dumps(stepper))
    assert_refuses(lambda: stepper.step(np.full(D, np.inf)), "infinity at step 1")
    assert_array_equal(stepper.step(X[0, 1]), copy.deepcopy(before).step(X[0, 1]))


REFUSED = [
    (TAGGER, "pipeline must be a Pipeline, got a SequenceTagger"),
    (make_pipeline(ContextWindow(after=1), TAGGER), "looks at steps that are still to come"),
    (make_pipeline(FunctionTransformer(), CLASSIFIER), "FunctionTransformer may need a whole"),
    (make_pipeline(SCALER, StandardScaler()), "is a StandardScaler, which has no start()"),
]


@pytest.mark.parametrize("pipeline, words", REFUSED)
def test_refusals(pipeline, words):
    if hasattr(pipeline, "steps"):
        pipeline = clone(pipeline)
        pipeline[-1].fit(X[0], Y_STEPS[0])
    assert_refuses(lambda: start_pipeline(pipeline), words)
