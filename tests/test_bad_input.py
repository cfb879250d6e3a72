"""Bad input of estimators is refused with its position and a remedy, and changes nothing."""

import joblib
import numpy as np
import pytest
from refusals import (
    IDS,
    LONG,
    QUICK,
    ROWS,
    WIDE,
    Y_STEPS,
    D,
    S,
    T,
    X,
    Y,
    assert_refuses,
    csr,
    frame,
    ids,
    put,
)
from scipy import sparse
from sklearn.base import clone

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._input.arrays import object_array

CLASSIFIER, REGRESSOR, TAGGER, FEEDBACK = (
    kind(**QUICK)
    for kind in (SequenceClassifier, SequenceRegressor, SequenceTagger, OutputFeedbackTagger)
)
NAN, INF, Y_LONG = np.nan, np.inf, Y_STEPS.ravel()
BAD_VALUE = put(X, (2, 1, 0), INF)


def classifier(**parameters):
    return clone(CLASSIFIER).set_params(**parameters)


def regressor(**parameters):
    return clone(REGRESSOR).set_params(**parameters)


def tagger(sequence_id=None, **parameters):
    return clone(TAGGER).set_params(sequence_id=sequence_id, **parameters)


def feedback(sequence_id=None, **parameters):
    return clone(FEEDBACK).set_params(sequence_id=sequence_id, **parameters)


# estimator, X (or a function that returns it), a part of the message
BAD_X = [
    # empty
    (CLASSIFIER, [], "no sequences"),
    (CLASSIFIER, X[:0], "0 sequences"),
    (CLASSIFIER, X[:, :0], "0 steps"),
    (CLASSIFIER, X[..., :0], "0 features"),
    (CLASSIFIER, list(X[..., :0]), "0 feature"),
    (TAGGER, ROWS[:0], "0 sample"),
    (CLASSIFIER, WIDE[:, :0], "0 feature"),
    (tagger(0), LONG[:, :1], "0 feature"),
    (CLASSIFIER, [X[0], X[1][:0], X[2]], "sequence 1 of X has no steps. Leave it out"),
    (TAGGER, [sparse.csr_array(X[0]), sparse.csr_array((0, D))], "sequence 1 of X has no steps"),
    # not finite
    (CLASSIFIER, BAD_VALUE, "infinity at sequence 2, step 1, feature 0. Make it finite"),
    (REGRESSOR, put(X, (2, 1, 0), -INF), "infinity at sequence 2, step 1, feature 0"),
    (TAGGER, [X[0], X[1][:2], put(X[2], (1, 2), INF)], "infinity at sequence 2, step 1, feature 2"),
    (TAGGER, put(put(X, (0, 0, 1), NAN), (4, 1, 2), INF), "infinity at sequence 4, step 1"),
    (FEEDBACK, csr(put(X, (2, 1, 2), -INF)), "infinity at sequence 2, step 1, feature 2"),
    (CLASSIFIER, BAD_VALUE.astype(np.float32), "infinity at sequence 2, step 1"),
    (TAGGER, object_array([X[0], put(X[1], (3, 0), INF)]), "sequence 1, step 3"),
    (
        classifier(features_per_step=D),
        put(WIDE, (2, D + 1), INF),
        "infinity at sequence 2, step 1, feature 1",
    ),
    (tagger(0), put(LONG, (9, 1), INF), "infinity at row 9, sequence 5.0, step 1, feature 0"),
    (TAGGER, put(ROWS, (9, 1), INF), "infinity at row 9, step 9, feature 1"),
    # missing values
    (FEEDBACK, csr(put(X, (2, 1, 2), NAN)), "NaN at sequence 2, step 1, feature 2. X is sparse"),
    (CLASSIFIER, put(X, (2, 3), NAN), "last 1 steps of sequence 2 of X. If they are padding"),
    (TAGGER, put(X, (2, slice(2, 4)), NAN), "If they are missing, pass list(X), in which"),
    (classifier(features_per_step=D), put(WIDE, (2, slice(9, 12)), NAN), "list(X.reshape(len(X), "),
    # shapes
    (CLASSIFIER, [X[0], X[1][:, :2]], "sequence 1 of X has 2 features, dense, but sequence 0"),
    (CLASSIFIER, csr([X[0], X[1][:, :2]]), "sequence 1 of X has 2 features"),
    (CLASSIFIER, [[[1.0], [2.0]], [[1.0, 2.0], [1.0]]], "sequence 1 of X"),
    (CLASSIFIER, [X[0, :, 0], X[1, :2, 0]], "sequence 0 of X has shape (4,)"),
    (CLASSIFIER, [sparse.coo_array(x[0]) for x in X], "sequence 0 of X has shape (3,)"),
    (CLASSIFIER, X[0, :, 0], "2D"),
    (CLASSIFIER, X[..., None], "4 dimensions"),
    (CLASSIFIER, 3.0, "2D"),
    (CLASSIFIER, None, "2D"),
    (CLASSIFIER, [X[0], X[1], sparse.csr_array(X[2])], "sequence 2 of X has 3 features, sparse"),
    (classifier(features_per_step=5), WIDE, "12 columns, which is not a multiple"),
    # types
    (CLASSIFIER, X + 1j, "Complex"),
    (TAGGER, list(X + 1j), "Complex"),
    (CLASSIFIER, np.full(X.shape, "word"), "X could not be read as real numbers"),
    (TAGGER, [[["a"], ["b"]], [["c"]]], "X could not be read as real numbers"),
    (TAGGER, [["a", "b"], ["c"]], "sequence 0 of X"),
    (tagger("who"), lambda: frame(a="word"), "X could not be read as real numbers"),
    (TAGGER, [np.full((T, D), object())] * S, "X could not be read as real numbers"),
    (TAGGER, [[[10**400]]] * 2, "X could not be read as real numbers"),
    (CLASSIFIER, np.ma.masked_greater(X, 1), "X is a masked array"),
    (TAGGER, [X[0], np.ma.masked_greater(X[1], -9)], "sequence 1 of X is a masked array"),
    (CLASSIFIER, np.full(X.shape, "NaT", "M8[D]"), "X holds dates"),
    (tagger(0), LONG.astype("m8[s]"), "X holds dates or durations"),
    (CLASSIFIER, [*X[:2], np.full((T, D), "2020", "M8[D]")], "sequence 2 of X"),
    (tagger("who"), lambda: frame(b=np.full(S * T, "2020", "M8[ns]")), "dates or durations in col"),
    # long tables
    (tagger("speaker"), frame, "no column sequence_id='speaker'. Its columns are"),
    (tagger("who"), LONG, "'who' names a column, but X is an array. Pass a DataFrame"),
    (tagger("who"), LONG.tolist(), "'who' names a column"),
    (tagger(4), LONG, "sequence_id=4, but X has only 4 columns"),
    (feedback(-5), LONG, "sequence_id=-5, but X has only 4 columns"),
    (tagger(0), np.c_[np.where(IDS == 9, 7, IDS), ROWS], "sequence 7.0 are not contiguous: it"),
    (feedback("who"), lambda: frame().iloc[[*range(6), 8, 6]], "row 7 of X"),
    (tagger(0), put(LONG, (9, 0), NAN), "id at row 9 of X is missing"),
    (tagger("who"), lambda: frame(np.where(IDS == 5, None, "a")), "id at row 8 of X is missing"),
    (tagger(True), LONG, "sequence_id"),
]
if hasattr(sparse.coo_array, "tensordot"):  # SciPy's sparse arrays have any number of dimensions
    BAD_X.append((CLASSIFIER, sparse.coo_array(X), "Sparse X must be a list"))

# estimator, y, a part of the message
BAD_Y = [
    *((estimator, None, "requires y") for estimator in (CLASSIFIER, TAGGER, REGRESSOR)),
    (CLASSIFIER, Y[:4], "y has 4 entries, but X has 6 sequences"),
    (REGRESSOR, Y[:4], "y has 4 entries, but X has 6 sequences"),
    (TAGGER, Y_LONG, "y has 24 entries, but X has 6 sequences"),
    (tagger(0), Y_LONG[:9], "y has 9 entries, but X has 24 rows"),
    (TAGGER, [*Y_STEPS[:2], Y_STEPS[2][:3], *Y_STEPS[3:]], "y[2] has shape (3,), but sequence 2"),
    (FEEDBACK, Y, "y[0] has shape (), but sequence 0 of X has 4 steps"),
    (TAGGER, [[0, 1, 0, 1], [[0, 1], [1], 0, 1], *Y_STEPS[2:]], "y[1] could not be read"),
    (CLASSIFIER, Y_STEPS, "1d array"),
    (REGRESSOR, Y[:, None, None], "dim"),
    (REGRESSOR, np.ones((S, 0)), "0 feature"),
    (REGRESSOR, ["a"] * S, "y could not be read as real numbers"),
    (REGRESSOR, put(Y, 1, NAN), "y holds NaN or infinity for sequence 1"),
    (REGRESSOR, np.full(S, "2020", "M8[D]"), "y holds dates"),
    (CLASSIFIER, put(Y, 1, NAN), "label of y at sequence 1 is missing, nan"),
    (TAGGER, put(Y_STEPS, (2, 1), NAN), "label of y at sequence 2, step 1 is missing"),
    (TAGGER, [["a", "b", "a", None]] * S, "sequence 0, step 3 is missing, None"),
    (CLASSIFIER, X[:, 0, 0], "continuous"),
    (TAGGER, [["a"] * 4, *Y_STEPS[1:]], "'a' at sequence 0, step 0, 0 at sequence 1, step 0"),
    (TAGGER, [["a", 1, 2, 3]] * S, "'a' at sequence 0, step 0, 1 at sequence 0, step 1"),
    (CLASSIFIER, ["a", *range(5)], "'a' at sequence 0, 0 at sequence 1"),
    (TAGGER, [[{}] * 4] * S, "a dict at sequence 0, step 0, not a string"),
    (TAGGER, csr(X)[0], "y is sparse"),
    (TAGGER, csr(X), "y is sparse"),
    (CLASSIFIER, np.ma.masked_greater(Y, 0), "y is a masked array"),
    (CLASSIFIER, np.full(S, "a"), "only one class, 'a'"),
    (TAGGER, np.ones((S, T)), "only one class, 1"),
    # integers of more than 64 bits, as objects and as floats that NumPy makes of them
    (CLASSIFIER, [10**30, *range(5)], "0 at sequence 0. Pass labels as integers of 64 bits"),
    (
        TAGGER,
        [[2**63, 2**63 + 1, -1, 0]] * S,
        "sequence 0, step 0. Pass labels as integers of 64 bits",
    ),
    (regressor(early_stopping=True), Y, "validation_fraction"),
    (classifier(early_stopping=True, validation_fraction=0.99), Y, "validation_fraction=0.99"),
    (classifier(class_weight={5: 1}), Y, "class_weight has no weight of the class 0"),
    (classifier(class_weight={0: 0, 1: 0}), Y, "class_weight and sample_weight leave no weight"),
    (classifier(class_weight={0: -1, 1: 3}), Y, "class_weight of 0 is -1.0"),
    (classifier(class_weight={0: "a", 1: 1}), Y, "class_weight could not be read as real numbers"),
]

# estimator, sample_weight, a part of the message
BAD_WEIGHT = [
    (TAGGER, np.full((S, T), 1e308), "sum of sample_weight is not finite. Scale it down"),
    (CLASSIFIER, 1j, "sample_weight could not be read as real numbers"),
    (TAGGER, csr(X), "sample_weight is sparse"),
    (CLASSIFIER, np.inf, "sample_weight contains infinity"),
    (CLASSIFIER, np.full(S, "2020", "M8[D]"), "sample_weight holds dates"),
    (CLASSIFIER, [[1], [1, 2], 1, 1, 1, 1], "sample_weight could not be read as real numbers"),
    (CLASSIFIER, {0: 1}, "sample_weight could not be read as real numbers"),
    (CLASSIFIER, ["a"] * S, "sample_weight could not be read as real numbers"),
    (CLASSIFIER, put(np.ones(S), 2, -1.0), "Negative values in data passed to `sample_weight`"),
    (TAGGER, put(np.ones((S, T)), (2, 1), -1.0), "Negative values in data passed to `sample_w"),
    (REGRESSOR, np.zeros(S), "zero"),
    (TAGGER, np.zeros((S, T)), "zero"),
    (CLASSIFIER, put(np.ones(S), 2, NAN), "sample_weight contains NaN"),
    (CLASSIFIER, np.ones(4), "sample_weight has 4 entries, but X has 6 sequences"),
    (tagger(0), np.ones(S), "sample_weight has 6 entries, but X has 24 rows"),
    (TAGGER, [*np.ones((5, T)), np.ones(3)], "sample_weight[5] has shape (3,), but sequence 5"),
    (CLASSIFIER, np.ones((S, T)), "1D"),
]

SIZES = (0, -3, (), (3, -1), (3, 0.5), "a", 2.0, {3, 4})
BAD_PARAMETERS = [
    *((CLASSIFIER, "hidden_layer_sizes", value) for value in SIZES),
    *((CLASSIFIER, "pooling", value) for value in ("sum", (), ("last", "sum"), 3, (["last"],))),
    *((CLASSIFIER, "alpha", value) for value in (-1, NAN, True, 10**400)),
    *((CLASSIFIER, "n_init", value) for value in (0, True, None)),
    *((CLASSIFIER, "max_iter", value) for value in (0, 1.5)),
    *((CLASSIFIER, "tol", value) for value in (-1, np.inf)),
    *((CLASSIFIER, "n_jobs", value) for value in (0, 1.5)),
    *((CLASSIFIER, "random_state", value) for value in (-1, "seed")),
    (CLASSIFIER, "activation", "gelu"),
    (CLASSIFIER, "cell", "rnn"),
    (classifier(activation="relu"), "cell", "gru"),
    (tagger(cell="lstm"), "activation", "identity"),
    (classifier(cell="diagonal"), "solver", "ridge"),
    (CLASSIFIER, "solver", "sgd"),
    (CLASSIFIER, "n_iter_no_change", 0),
    (CLASSIFIER, "validation_fraction", 1.0),
    (CLASSIFIER, "features_per_step", 0),
    (CLASSIFIER, "class_weight", "equal"),
    (CLASSIFIER, "early_stopping", "yes"),
    (TAGGER, "sequence_id", 1.5),
    (TAGGER, "bidirectional", "both"),
    (FEEDBACK, "sequence_id", True),
    (FEEDBACK, "teacher_forcing", "always"),
    (FEEDBACK, "decoding", "beam"),
]

# estimator, X, y: what differs from the fit before
BAD_WARM_START = [
    (CLASSIFIER, X[..., :2], Y),
    (CLASSIFIER, X, Y + 1),
    (TAGGER, X, np.arange(24).reshape(S, T) % 3),
    (REGRESSOR, X, X[:, 0]),
    (classifier(hidden_layer_sizes=5), X, Y),
    (tagger(hidden_layer_sizes=(4, 4)), X, Y_STEPS),
    (tagger(bidirectional=True), X, Y_STEPS),
    (classifier(pooling="last"), X, Y),
]


def good(estimator):
    """Return X and y that the estimator takes."""
    if not isinstance(estimator, SequenceTagger | OutputFeedbackTagger):
        return X, Y
    return (X, Y_STEPS) if estimator.sequence_id is None else (LONG, Y_LONG)


def fitted(like):
    """Return an estimator that was fitted to good data, then got the parameters of `like`."""
    y = Y_STEPS if isinstance(like, SequenceTagger | OutputFeedbackTagger) else Y
    return type(like)(**QUICK).fit(X, y).set_params(**like.get_params())


def assert_unchanged(estimator, call, words):
    """The call must be refused, and leave the estimator as it was."""
    before = joblib.hash(vars(estimator))
    assert_refuses(lambda: call(estimator), words)
    assert joblib.hash(vars(estimator)) == before


first_and_second_fit = pytest.mark.parametrize("start", [clone, fitted])


@first_and_second_fit
@pytest.mark.parametrize("estimator, x, words", BAD_X, ids=ids(BAD_X))
def test_x(estimator, x, words, start):
    x = x() if callable(x) else x
    assert_unchanged(start(estimator), lambda e: e.fit(x, good(e)[1]), words)


@first_and_second_fit
@pytest.mark.parametrize("estimator, y, words", BAD_Y, ids=ids(BAD_Y))
def test_y_and_what_is_checked_after_it(estimator, y, words, start):
    assert_unchanged(start(estimator), lambda e: e.fit(good(e)[0], y), words)


@first_and_second_fit
@pytest.mark.parametrize("estimator, weight, words", BAD_WEIGHT, ids=ids(BAD_WEIGHT))
def test_sample_weight(estimator, weight, words, start):
    call = lambda e: e.fit(*good(e), sample_weight=weight)  # noqa: E731
    assert_unchanged(start(estimator), call, words)


@first_and_second_fit
@pytest.mark.parametrize("estimator, name, value", BAD_PARAMETERS)
def test_parameters(estimator, name, value, start):
    estimator = start(clone(estimator).set_params(**{name: value}))
    assert_unchanged(estimator, lambda e: e.fit(*good(FEEDBACK)), name)


def test_what_is_no_array():
    for estimator in (CLASSIFIER, TAGGER):
        assert_refuses(lambda e=estimator: clone(e).fit(object(), Y), "X could not be read as")


def test_one_long_sequence_held_out():
    call = lambda e: e.fit(ROWS, Y_LONG)  # noqa: E731
    assert_unchanged(tagger(early_stopping=True), call, "early_stopping=True")


@pytest.mark.parametrize("estimator, x, y", BAD_WARM_START)
def test_warm_start(estimator, x, y):
    again = fitted(estimator).set_params(warm_start=True)
    assert_unchanged(again, lambda e: e.fit(x, y), "warm_start")


def test_warm_start_with_fewer_layers():
    deep = tagger(hidden_layer_sizes=(4, 4), warm_start=True).fit(X, Y_STEPS)
    deep.set_params(hidden_layer_sizes=(4,))
    assert_unchanged(deep, lambda e: e.fit(X, Y_STEPS), "warm_start")


def test_predictions_stay_as_they_were():
    model = tagger().fit(X, Y_STEPS)
    before = model.predict_proba(X)
    assert_unchanged(model, lambda e: e.fit(BAD_VALUE, Y_STEPS), "step 1")
    np.testing.assert_array_equal(model.predict_proba(X), before)


FITTED = {
    "classifier": lambda: classifier().fit(X, Y),
    "wide": lambda: classifier(features_per_step=D).fit(WIDE, Y),
    "regressor": lambda: regressor().fit(X, Y),
    "tagger": lambda: tagger().fit(X, Y_STEPS),
    "long": lambda: tagger(0).fit(LONG, Y_LONG),
    "frame": lambda: tagger("who").fit(frame(), Y_LONG),
    "feedback": lambda: feedback().fit(X, Y_STEPS),
    "other decoding": lambda: feedback().fit(X, Y_STEPS).set_params(decoding="beam"),
}
SHORT = [*Y_STEPS[:5], [0, 1]]
# a key of FITTED, method, arguments, a part of the message
USE = [
    ("classifier", "predict", (X[..., :2],), "X has 2 features at each step, but fit saw 3"),
    ("tagger", "predict", (list(X[..., :2]),), "X has 2 features at each step, but fit saw 3"),
    ("feedback", "predict", (csr(X[..., :2]),), "X has 2 features at each step, but fit saw 3"),
    ("wide", "predict", (WIDE[:, :9],), "X has 9 features, but"),
    ("long", "predict", (LONG[:, :3],), "X has 3 features, but"),
    ("wide", "predict", (X[..., :2],), "X has 2 features at each step, but fit saw 3"),
    ("tagger", "predict", (LONG,), "X has 4 features at each step, but fit saw 3"),
    ("frame", "predict", (lambda: frame().drop(columns="b"),), "- b"),
    ("frame", "predict", (lambda: frame()[["who", "a", "b", "c"]],), "order"),
    ("long", "predict", (LONG[[0, 4, 1]],), "at row 2 of X"),
    ("tagger", "predict", ([],), "no sequences"),
    ("regressor", "predict", (BAD_VALUE,), "sequence 2, step 1"),
    ("feedback", "predict_proba", (list(BAD_VALUE),), "sequence 2, step 1"),
    ("feedback", "sequence_log_proba", (BAD_VALUE, Y_STEPS), "sequence 2, step 1"),
    ("feedback", "sample", (BAD_VALUE,), "sequence 2, step 1"),
    ("feedback", "sample", (X, 0), "n_samples"),
    ("feedback", "sample", (X, 0.5), "n_samples"),
    ("feedback", "sample", (X, "a"), "n_samples"),
    ("feedback", "predict_pair_proba", (BAD_VALUE,), "sequence 2, step 1"),
    ("feedback", "predict_n_best", (BAD_VALUE, 2), "sequence 2, step 1"),
    ("feedback", "predict_n_best", (X, 0), "OutputFeedbackTagger.predict_n_best"),
    ("other decoding", "predict", (X,), "'beam'"),
    ("classifier", "score", (X, put(Y, 3, 9)), "label 9 of y at sequence 3 was not seen in fit"),
    ("tagger", "score", (list(X), list(put(Y_STEPS, (3, 2), 9))), "label 9 of y at sequence 3, st"),
    ("long", "score", (LONG, put(Y_LONG, 9, 9)), "label 9 of y at row 9, sequence 5.0, step 1"),
    ("classifier", "score", (X, Y.astype(str)), "label '0' of y at sequence 0"),
    ("feedback", "sequence_log_proba", (X, put(Y_STEPS, (3, 2), 9)), "at sequence 3, step 2 was"),
    ("feedback", "sequence_log_proba", (X, [[None] * T] * S), "sequence 0, step 0 is missing"),
    ("feedback", "sequence_log_proba", (X, SHORT), "y[5] has shape (2,)"),
    ("feedback", "sequence_log_proba", (X, None), "requires y"),
    *((kind, "score", (X, None), "requires y") for kind in ("classifier", "tagger", "regressor")),
    ("classifier", "score", (X, Y[:4]), "y has 4 entries"),
    ("regressor", "score", (X, Y[:4]), "y has 4 entries"),
    ("tagger", "score", (X, SHORT), "y[5] has shape (2,)"),
    ("regressor", "score", (X, put(Y, 2, NAN)), "y holds NaN or infinity for sequence 2"),
    ("regressor", "score", (X, X[:, 0]), "3 targets"),
    ("regressor", "score", (X, Y, -np.ones(S)), "Negative values in data passed to `sample_wei"),
    ("tagger", "score", (X, Y_STEPS, np.ones(4)), "sample_weight has 4 entries"),
    ("classifier", "partial_fit", (X, None), "requires y"),
    ("classifier", "partial_fit", (X, put(Y, 2, 7)), "label 7 of y at sequence 2 was not seen in"),
    ("tagger", "partial_fit", (X, put(Y_STEPS, (2, 1), 7)), "sequence 2, step 1 was not seen in"),
    ("tagger", "partial_fit", (X[..., :2], Y_STEPS), "X has 2 features at each step, but fit saw"),
    ("regressor", "partial_fit", (X, Y[:2]), "y has 2 entries"),
    ("regressor", "partial_fit", (X, np.c_[Y, Y]), "targets"),
]


@pytest.mark.parametrize("name, method, arguments, words", USE, ids=ids(USE))
def test_use(name, method, arguments, words):
    arguments = [value() if callable(value) else value for value in arguments]
    assert_unchanged(FITTED[name](), lambda e: getattr(e, method)(*arguments), words)


CLASSES = [
    ([0, 1, NAN], "label of classes at position 2 is missing"),
    ([], "classes is empty"),
    (["a", 1], "classes mixes types of labels"),
    ([[1], [1, 2]], "classes could not be read"),
    ([[0, 1]], "1d array"),
    (2, "1d array"),
    ([0.5, 1.5], "continuous"),
]


@pytest.mark.parametrize("classes, words", CLASSES)
def test_classes_of_partial_fit(classes, words):
    call = lambda e: e.partial_fit(X, Y, classes=classes)  # noqa: E731
    assert_unchanged(clone(CLASSIFIER), call, words)


def test_one_class_in_the_first_batch():
    assert_unchanged(clone(CLASSIFIER), lambda e: e.partial_fit(X, 0 * Y), "only one class")


@pytest.mark.parametrize("estimator", [CLASSIFIER, TAGGER, FEEDBACK])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "sample", "sequence_log_proba"])
def test_not_fitted(estimator, method):
    if hasattr(estimator, method):
        arguments = (X, Y) if method == "sequence_log_proba" else (X,)
        call = lambda e: getattr(e, method)(*arguments)  # noqa: E731
        assert_unchanged(estimator, call, "not fitted yet")
