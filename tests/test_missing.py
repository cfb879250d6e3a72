"""Missing values: NaN in X, which all estimators fill, and know where."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from refusals import assert_refuses
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import get_tags
from tasks import TASKS, D, S, T, X, flat, of_each_task, outputs

from sklearn_rnn import OutputFeedbackTagger, SequenceClassifier, SequenceTagger
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn._input.missing import learn_filling
from sklearn_rnn._input.sequences import Sequences

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NAN = np.nan
QUICK = {"hidden_layer_sizes": 4, "random_state": 0, "max_iter": 8}
Y = np.where(X[..., 0].sum(axis=1) > 0, "up", "down")
Y_STEPS = (X[..., 0].cumsum(axis=1) > 0).astype(int)


def with_gaps(X, share=0.3, seed=0):
    gaps = np.random.default_rng(seed).random(X.shape) < share
    gaps[:, :, 1] = False  # one feature without
    return np.where(gaps, NAN, X)


GAPPY = with_gaps(X)


def sequences_of(parts):
    rows = np.concatenate(parts)
    gaps = np.isnan(rows)
    lengths = np.array([len(part) for part in parts])
    return Sequences(rows, lengths, "ragged", gaps=gaps if gaps.any() else None)


def filling_of(parts, weight=None):
    weight = np.ones(len(parts)) if weight is None else np.asarray(weight, float)
    return learn_filling(sequences_of(parts), np.flatnonzero(weight), weight)


# What stands in a gap


def test_a_gap_decays_from_the_last_value_to_the_mean():
    x = np.array([[8.0], [4.0], [2.0], [1.0], [0.5]])
    filling = filling_of([x, [[NAN]]])
    mean, deviations = x.mean(), x[:, 0] - x.mean()
    rho = deviations[1:] @ deviations[:-1] / np.square(deviations[:-1]).sum()
    assert_allclose([filling.mean[0], filling.decay[0]], [mean, rho])
    filled = filling.fill(sequences_of([[[NAN], [9.0], [NAN], [NAN], [7.0]], [[NAN]]])).rows
    expected = [mean, 9, mean + rho * (9 - mean), mean + rho**2 * (9 - mean), 7, mean]
    assert_allclose(filled[:, 0], expected)
    assert_array_equal(filled[:, 1], [1, 0, 1, 1, 0, 1])


def test_mean_and_decay_are_those_of_neighbours_that_are_both_there():
    x = np.array([[1.0], [NAN], [5.0], [6.0], [2.0]])
    filling = filling_of([x])
    a, b = np.array([5, 6]) - 3.5, np.array([6, 2]) - 3.5
    assert_allclose([filling.mean[0], filling.decay[0]], [3.5, max(a @ b / (a @ a), 0)])


def test_a_feature_that_is_always_missing_is_zero_and_changes_nothing():
    always = GAPPY.copy()
    always[..., 2] = NAN
    tagger = SequenceTagger(**QUICK).fit(always, Y_STEPS)
    assert_array_equal(tagger.features_with_gaps_, [0, 2])
    other = always.copy()
    other[..., 2] = 7.0
    assert_array_equal(tagger.predict_proba(other), tagger.predict_proba(always))


def test_weights_count_as_repetitions():
    parts = [X[0], with_gaps(X[1:2])[0], X[2]]
    weighted, repeated = filling_of(parts, [2, 1, 0]), filling_of([parts[0], *parts[:2]])
    for a, b in zip(vars(weighted).values(), vars(repeated).values()):
        assert_allclose(a, b)


# Estimators


@of_each_task
def test_all_estimators_take_gaps(name):
    estimator, label, _ = TASKS[name]
    assert get_tags(estimator).input_tags.allow_nan
    estimator = clone(estimator).set_params(max_iter=5).fit(GAPPY, label(X))
    assert estimator.n_features_in_ == D
    assert_array_equal(estimator.features_with_gaps_, [0, 2])
    assert len(estimator.input_weights_[0]) == D + 2
    expected = outputs(estimator, GAPPY)
    assert np.isfinite(flat(expected).astype(float)).all()
    estimator.score(GAPPY, label(X))
    assert_array_equal(outputs(pickle.loads(pickle.dumps(estimator)), GAPPY), expected)
    outputs(estimator, X)  # no gaps is no reason to warn


@of_each_task
def test_step_by_step_gaps_are_filled_alike(name):
    estimator, label, _ = TASKS[name]
    estimator = clone(estimator).set_params(max_iter=5).fit(GAPPY, label(X))
    stepper = estimator.start()
    for t in range(T):
        output = stepper.step(GAPPY[:20, t])
        stepper = pickle.loads(pickle.dumps(stepper))
        upto = object_array(list(GAPPY[:20, : t + 1]))
        expected = outputs(estimator, upto)
        if name not in ("classifier", "regressor") and expected.dtype == object:
            expected = np.array([part[-1] for part in expected])
        assert_allclose(output, expected, atol=1e-12)
    one = estimator.start()
    for x in GAPPY[3].astype(np.float32):
        output = one.step(x)
    assert output.dtype == np.float32


def test_what_was_learnt_from_gaps_is_of_use():
    classifier = SequenceClassifier(random_state=0)
    # missing for a reason: the indicator tells the class
    reason = np.where((Y == "up")[:, None, None] & (np.arange(D) == 2), NAN, np.zeros_like(X))
    reason[:, 0] = 0.0
    reason[:, -1] = 0.0
    assert classifier.fit(reason[:100], Y[:100]).score(reason[100:], Y[100:]) == 1


@pytest.mark.parametrize("parameters", [{"bidirectional": True}, {"hidden_layer_sizes": (4, 3)}])
def test_both_directions_and_layers(parameters):
    tagger = SequenceTagger(**QUICK).set_params(**parameters).fit(GAPPY, Y_STEPS)
    assert len(tagger.input_weights_[0]) == D + 2
    assert tagger.score(GAPPY, Y_STEPS) > 0.6


# Layouts


def in_layouts(parts):
    table = np.c_[np.repeat(np.arange(len(parts)), [len(x) for x in parts]), np.concatenate(parts)]
    yield "list", list(parts), {}
    yield "object array", object_array(parts), {}
    yield "long", table, {"sequence_id": 0}
    if len({len(x) for x in parts}) == 1:
        yield "3-D", np.stack(parts), {}


@given(st.data())
def test_all_layouts_are_filled_alike(data):
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=5) | st.just([3, 3, 3]))
    seed = data.draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    parts = [np.where(rng.random((n, D)) < 0.4, NAN, rng.normal(size=(n, D))) for n in lengths]
    for part in parts:
        part[-1] = 1.0  # not padding
    y = [rng.integers(2, size=n) for n in lengths]
    y[0][0], y[1][0] = 0, 1
    expected = None
    for name, layout, parameters in in_layouts(parts):
        tagger = SequenceTagger(2, random_state=0, max_iter=2, **parameters)
        tagger.fit(layout, np.concatenate(y) if name == "long" else y)
        weights = tagger.input_weights_[0], flat(tagger.predict_proba(layout))
        expected = expected or weights
        for a, b in zip(weights, expected):
            assert_array_equal(a, b)


def test_a_wide_table_is_filled_as_its_sequences():
    wide = SequenceClassifier(features_per_step=D, random_state=0).fit(GAPPY.reshape(S, -1), Y)
    deep = SequenceClassifier(random_state=0).fit(GAPPY, Y)
    expected = deep.predict_proba(GAPPY)
    assert_array_equal(wide.predict_proba(GAPPY.reshape(S, -1)), expected)
    assert wide.n_features_in_ == T * D


def test_equal_sequences_with_gaps_are_merged_and_order_does_not_matter():
    gaps = GAPPY[:30].copy()
    other = gaps.copy()
    other[np.isnan(other)] = -NAN  # another NaN
    twice = np.concatenate([gaps, other])[::-1]
    one = OutputFeedbackTagger(**QUICK).fit(gaps, Y_STEPS[:30], np.full(30, 2.0))
    two = OutputFeedbackTagger(**QUICK).fit(twice, np.concatenate([Y_STEPS[:30]] * 2)[::-1])
    assert_array_equal(two.predict_proba(gaps), one.predict_proba(gaps))


def test_input_stays_as_it_is():
    before = GAPPY.copy()
    SequenceTagger(**QUICK).fit(GAPPY, Y_STEPS).predict(GAPPY)
    assert_array_equal(GAPPY, before)


# Gaps that fit did not see


def test_gaps_of_other_features_are_filled_and_warned_of_once():
    tagger = SequenceTagger(**QUICK).fit(X, Y_STEPS)
    assert len(tagger.features_with_gaps_) == 0
    with pytest.warns(UserWarning, match="Feature 0 of X has missing values, but had none") as w:
        predicted = tagger.predict_proba(GAPPY)
    assert len(w) == 1 and np.isfinite(predicted).all()
    stepper = tagger.start()
    stepper.step(X[:, 0])
    with pytest.warns(UserWarning, match="Feature 2 of X"):
        stepper.step(np.where(np.arange(D) == 2, NAN, X[:, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = stepper.step(np.where(np.arange(D) == 2, NAN, X[:, 2]))
    assert np.isfinite(output).all()


def test_what_continues_fills_as_before():
    tagger = SequenceTagger(**QUICK, warm_start=True).fit(GAPPY, Y_STEPS)
    again = pickle.loads(pickle.dumps(tagger)).fit(X, Y_STEPS)
    assert_array_equal(again.features_with_gaps_, [0, 2])
    batch = with_gaps(X[:50] + 1, seed=1)
    tagger.partial_fit(batch, Y_STEPS[:50])
    assert_array_equal(tagger.features_with_gaps_, [0, 2])
    with pytest.warns(UserWarning, match="Feature 1 of X has missing values"):
        tagger.partial_fit(np.where(np.arange(D) == 1, NAN, X), Y_STEPS)
    assert_refuses(lambda: tagger.fit(np.c_[X, X][..., :5], Y_STEPS), "the features, classes")


def test_a_validation_set_may_have_gaps():
    fit = {"X_val": with_gaps(X[:50], seed=1), "y_val": Y_STEPS[:50]}
    tagger = SequenceTagger(**QUICK).fit(GAPPY, Y_STEPS, **fit)
    assert max(tagger.validation_scores_) > 0.5
    SequenceTagger(**QUICK, early_stopping=True).fit(GAPPY, Y_STEPS)


# Padding, and what is refused


def test_padding_is_told_from_gaps():
    x = X.copy()
    x[3, 4:] = NAN
    words = "in the last 2 steps of sequence 3 of X. If they are padding, pass sklearn_rnn.prep"
    tagger = SequenceTagger(**QUICK)
    assert_refuses(lambda: tagger.fit(x, Y_STEPS), words)
    tagger.fit(list(x), Y_STEPS)  # nothing is padding in a list
    assert_refuses(lambda: tagger.predict(x), words)
    x[5, 1:3] = NAN  # gaps inside that are as long
    tagger.fit(x, Y_STEPS)


def test_sparse_x_has_no_gaps():
    X_sparse = [sparse.csr_array(x) for x in X]
    tagger = SequenceTagger(**QUICK).fit(X_sparse, Y_STEPS)
    assert len(tagger.features_with_gaps_) == 0
    bad = [sparse.csr_array(x) for x in GAPPY]
    assert_refuses(lambda: tagger.predict(bad), "NaN at sequence 0")


def test_export_names_what_has_no_form():
    pytest.importorskip("onnx")
    from sklearn_rnn.export import to_onnx

    tagger = SequenceTagger(**QUICK).fit(GAPPY, Y_STEPS)
    assert_refuses(lambda: to_onnx(tagger), "X had missing values in fit, in feature 0")
