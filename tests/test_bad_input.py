"""Bad input is refused with the place and the remedy, and changes nothing."""

import joblib
import numpy as np
import pytest
from refusals import IDS, LONG, ROWS, WIDE, Y_STEPS, D, S, T, X, Y, assert_refuses, put
from scipy import sparse
from sklearn.base import clone

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._arrays import object_array

QUICK = {"hidden_layer_sizes": 4, "random_state": 0, "tol": 1e-2, "n_iter_no_change": 2}


def Classifier(**parameters):
    return SequenceClassifier(**(QUICK | parameters))


def Regressor(**parameters):
    return SequenceRegressor(**(QUICK | parameters))


def Tagger(**parameters):
    return SequenceTagger(**(QUICK | parameters))


def Feedback(**parameters):
    return OutputFeedbackTagger(**(QUICK | parameters))


def frame(ids=IDS, **columns):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(ROWS, columns=list("abc")).assign(who=ids)
    return table.assign(**columns)


def named():
    return frame(np.repeat(list("fedcba"), T))


def fit(X, y, **more):
    return lambda estimator: estimator.fit(X, y, **more)


def csr(X):
    return [sparse.csr_array(x) for x in X]


# id: estimator, what is done with it, error, what the message must hold
FIT = {
    # empty
    "no sequences, list": (Classifier(), fit([], []), ValueError, ["no sequences"]),
    "no sequences, 3-D": (Classifier(), fit(X[:0], Y[:0]), ValueError, ["empty", "0 sequences"]),
    "no steps, 3-D": (Classifier(), fit(X[:, :0], Y), ValueError, ["empty", "0 steps"]),
    "no features, 3-D": (Classifier(), fit(X[..., :0], Y), ValueError, ["empty", "0 features"]),
    "no features, ragged": (Classifier(), fit(list(X[..., :0]), Y), ValueError, ["0 feature"]),
    "no rows, table": (Tagger(), fit(ROWS[:0], []), ValueError, ["0 sample"]),
    "no columns, table": (Classifier(), fit(WIDE[:, :0], Y), ValueError, ["0 feature"]),
    "only the id": (Tagger(sequence_id=0), fit(LONG[:, :1], IDS), ValueError, ["0 feature"]),
    "a sequence with no steps": (
        Classifier(),
        fit([X[0], X[1][:0], X[2]], Y[:3]),
        ValueError,
        ["sequence 1", "no steps", "Leave it out"],
    ),
    "a sparse sequence with no steps": (
        Tagger(),
        fit([sparse.csr_array(X[0]), sparse.csr_array((0, D))], [Y_STEPS[0], []]),
        ValueError,
        ["sequence 1", "no steps"],
    ),
    # NaN and infinity
    "NaN, 3-D": (
        Classifier(),
        fit(put(X, (2, 1, 0), np.nan), Y),
        ValueError,
        ["NaN", "sequence 2, step 1", "feature 0", "SimpleImputer", "padding"],
    ),
    "infinity, 3-D": (
        Regressor(),
        fit(put(X, (2, 1, 0), np.inf), Y),
        ValueError,
        ["infinity", "sequence 2, step 1", "feature 0"],
    ),
    "NaN, ragged": (
        Tagger(),
        fit([X[0], X[1][:2], put(X[2], (1, 2), np.nan)], [Y_STEPS[0], Y_STEPS[1][:2], Y_STEPS[2]]),
        ValueError,
        ["NaN", "sequence 2, step 1", "feature 2", "SimpleImputer"],
    ),
    "-infinity, CSR": (
        Feedback(),
        fit(csr(put(X, (2, 1, 2), -np.inf)), Y_STEPS),
        ValueError,
        ["infinity", "sequence 2, step 1", "feature 2"],
    ),
    "NaN, float32": (
        Classifier(),
        fit(put(X, (2, 1, 0), np.nan).astype(np.float32), Y),
        ValueError,
        ["NaN", "sequence 2, step 1"],
    ),
    "NaN, wide": (
        Classifier(features_per_step=D),
        fit(put(WIDE, (2, D + 1), np.nan), Y),
        ValueError,
        ["NaN", "sequence 2, step 1", "feature 1"],
    ),
    "NaN, long": (
        Tagger(sequence_id=0),
        fit(put(LONG, (9, 1), np.nan), Y_STEPS.ravel()),
        ValueError,
        ["NaN", "row 9", "sequence 5", "step 1", "feature 0"],
    ),
    "NaN, one sequence": (
        Tagger(),
        fit(put(ROWS, (9, 1), np.nan), Y_STEPS.ravel()),
        ValueError,
        ["NaN", "row 9", "feature 1"],
    ),
    # shapes
    "features differ": (
        Classifier(),
        fit([X[0], X[1][:, :2]], Y[:2]),
        ValueError,
        ["sequence 1", "2 features", "sequence 0 has 3"],
    ),
    "sparse features differ": (
        Classifier(),
        fit(csr([X[0], X[1][:, :2]]), Y[:2]),
        ValueError,
        ["sequence 1", "2 features"],
    ),
    "features differ within a sequence": (
        Classifier(),
        fit([[[1.0], [2.0]], [[1.0, 2.0], [1.0]]], [0, 1]),
        ValueError,
        ["sequence 1", "(n_steps, n_features)"],
    ),
    "1-D sequences": (
        Classifier(),
        fit([X[0, :, 0], X[1, :2, 0]], Y[:2]),
        ValueError,
        ["sequence 0", "shape (4,)", "reshape(-1, 1)"],
    ),
    "an array of numbers": (Classifier(), fit(X[0, :, 0], Y[:4]), ValueError, ["2D", "reshape"]),
    "4-D": (Classifier(), fit(X[..., None], Y), ValueError, ["4 dimensions", "n_features"]),
    "a number": (Classifier(), fit(3.0, Y), ValueError, ["2D"]),
    "None": (Classifier(), fit(None, Y), ValueError, ["2D"]),
    "sparse and dense": (
        Classifier(),
        fit([X[0], X[1], sparse.csr_array(X[2])], Y[:3]),
        ValueError,
        ["sparse", "dense", "sequence 2"],
    ),
    "columns": (
        Classifier(features_per_step=5),
        fit(WIDE, Y),
        ValueError,
        ["12 columns", "features_per_step=5"],
    ),
    # types
    "complex, 3-D": (Classifier(), fit(X + 1j, Y), ValueError, ["Complex"]),
    "complex, ragged": (Tagger(), fit(list(X + 1j), Y_STEPS), ValueError, ["Complex"]),
    "complex, table": (Tagger(), fit(ROWS + 1j, Y_STEPS.ravel()), ValueError, ["Complex"]),
    "words, 3-D": (
        Classifier(),
        fit(np.full(X.shape, "word"), Y),
        (TypeError, ValueError),
        ["X"],
    ),
    "words, ragged": (
        Tagger(),
        fit([[["a"], ["b"]], [["c"]]], [[0, 1], [0]]),
        (TypeError, ValueError),
        ["X"],
    ),
    "lists of words": (Tagger(), fit([["a", "b"], ["c"]], [[0, 1], [0]]), ValueError, ["sequence"]),
    "words, table": (
        Tagger(sequence_id="who"),
        lambda e: e.fit(frame(a="word"), Y_STEPS.ravel()),
        (TypeError, ValueError),
        ["X"],
    ),
    "an object": (Classifier(), fit(object(), Y), TypeError, ["X must hold numbers", "'object'"]),
    "a dict": (Tagger(), fit({"a": X}, Y_STEPS), TypeError, ["X must hold numbers", "'dict'"]),
    "a generator": (Tagger(), fit((x for x in ()), Y_STEPS), TypeError, ["X must hold numbers"]),
    "objects": (
        Tagger(),
        fit([np.full((T, D), object())] * S, Y_STEPS),
        TypeError,
        ["X must hold numbers", "'object'"],
    ),
    "an int without a float": (Tagger(), fit([[[10**400]]] * 2, [[0], [1]]), ValueError, ["large"]),
    "masked, 3-D": (
        Classifier(),
        fit(np.ma.masked_greater(X, 1), Y),
        ValueError,
        ["X is a masked array", "Leave out"],
    ),
    "masked, ragged": (
        Tagger(),
        fit([X[0], np.ma.masked_greater(X[1], -9)], Y_STEPS[:2]),
        ValueError,
        ["sequence 1 of X is a masked array", "Leave out"],
    ),
    "dates, 3-D": (
        Classifier(),
        fit(np.full(X.shape, "NaT", "M8[D]"), Y),
        TypeError,
        ["X holds dates"],
    ),
    "durations, table": (
        Tagger(sequence_id=0),
        fit(LONG.astype("m8[s]"), Y_STEPS.ravel()),
        TypeError,
        ["X holds dates or durations", "days or seconds"],
    ),
    "dates in one sequence": (
        Classifier(),
        fit([*X[:2], np.full((T, D), "2020", "M8[D]")], Y[:3]),
        TypeError,
        ["sequence 2", "datetime64", "sequence 0 has float64"],
    ),
    "dates in a frame": (
        Tagger(sequence_id="who"),
        lambda e: e.fit(frame(b=np.full(S * T, "2020", "M8[ns]")), Y_STEPS.ravel()),
        TypeError,
        ["X holds dates", "column 'b'", "Leave them out"],
    ),
    "bytes": (Classifier(), fit(np.full(X.shape, b"a"), Y), ValueError, ["but holds b'a'."]),
    "sparse sequences of one step without its axis": (
        Classifier(),
        fit([sparse.coo_array(x[0]) for x in X], Y),
        ValueError,
        ["sequence 0", "shape (3,)"],
    ),
    # y
    "y None, classifier": (Classifier(), fit(X, None), ValueError, ["requires y"]),
    "y None, tagger": (Tagger(), fit(X, None), ValueError, ["requires y"]),
    "y None, regressor": (Regressor(), fit(X, None), ValueError, ["requires y"]),
    "y shorter, sequences": (
        Classifier(),
        fit(X, Y[:4]),
        ValueError,
        ["4 entries", "6 sequences"],
    ),
    "y shorter, targets": (Regressor(), fit(X, Y[:4]), ValueError, ["4 entries", "6 sequences"]),
    "y longer, sequences of labels": (
        Tagger(),
        fit(X[:4], Y_STEPS),
        ValueError,
        ["6 entries", "4 sequences"],
    ),
    "y shorter, rows": (
        Tagger(sequence_id=0),
        fit(LONG, Y_STEPS.ravel()[:9]),
        ValueError,
        ["9 entries", "24 rows"],
    ),
    "y shorter within a sequence": (
        Tagger(),
        fit(X, [*Y_STEPS[:2], Y_STEPS[2][:3], *Y_STEPS[3:]]),
        ValueError,
        ["y[2]", "sequence 2", "4 steps"],
    ),
    "y of one label each": (
        Feedback(),
        fit(X, Y),
        ValueError,
        ["y[0]", "4 steps", "each step"],
    ),
    "y flat": (Tagger(), fit(X, Y_STEPS.ravel()), ValueError, ["24 entries", "6 sequences"]),
    "y nested unevenly": (
        Tagger(),
        fit(X[:2], [[0, 1, 0, 1], [[0, 1], [1], 0, 1]]),
        ValueError,
        ["y[1]"],
    ),
    "y of steps for a classifier": (Classifier(), fit(X, Y_STEPS), ValueError, ["1d array"]),
    "y 3-D for a regressor": (Regressor(), fit(X, Y[:, None, None]), ValueError, ["dim"]),
    "y of no targets": (Regressor(), fit(X, np.ones((S, 0))), ValueError, ["0 feature"]),
    "y words for a regressor": (Regressor(), fit(X, ["a"] * S), ValueError, ["y"]),
    "y NaN for a regressor": (
        Regressor(),
        fit(X, put(Y, 1, np.nan)),
        ValueError,
        ["y", "NaN", "sequence 1"],
    ),
    "y NaN for a classifier": (
        Classifier(),
        fit(X, put(Y, 1, np.nan)),
        ValueError,
        ["y", "missing", "sequence 1"],
    ),
    "y NaN for a tagger": (
        Tagger(),
        fit(X, put(Y_STEPS, (2, 1), np.nan)),
        ValueError,
        ["y", "missing", "step 1"],
    ),
    "y continuous": (Classifier(), fit(X, X[:, 0, 0]), ValueError, ["continuous"]),
    "y of str and int": (
        Tagger(),
        fit(X[:2], [["a"] * 4, [0] * 4]),
        ValueError,
        ["sequence 1, step 0", "one type"],
    ),
    "y of str and None": (
        Tagger(),
        fit(X[:2], [["a", "b", "a", None]] * 2),
        (TypeError, ValueError),
        ["y"],
    ),
    "y sparse": (Tagger(), fit(X, csr(X)[0]), TypeError, ["y is sparse", "toarray"]),
    "y of a sequence sparse": (Tagger(), fit(X, csr(X)), TypeError, ["y is sparse", "toarray"]),
    "y masked": (
        Classifier(),
        fit(X, np.ma.masked_greater(Y, 0)),
        ValueError,
        ["y is a masked array", "Leave out"],
    ),
    "y of a word and numbers": (
        Classifier(),
        fit(X, ["a", *range(5)]),
        ValueError,
        ["'a' at sequence 0", "0 at sequence 1", "one type"],
    ),
    "y of a word and numbers in a sequence": (
        Tagger(),
        fit(X[:1], [["a", 1, 2, 3]]),
        ValueError,
        ["'a' at sequence 0, step 0", "1 at sequence 0, step 1"],
    ),
    "y of dicts": (
        Tagger(),
        fit(X[:1], [[{}, {}, {}, {}]]),
        ValueError,
        ["dict at sequence 0, step 0", "no label"],
    ),
    "y of dates for a regressor": (
        Regressor(),
        fit(X, np.full(S, "2020", "M8[D]")),
        TypeError,
        ["y holds dates"],
    ),
    "one class": (Classifier(), fit(X, np.full(S, "a")), ValueError, ["one class", "'a'"]),
    "one class at all steps": (Tagger(), fit(X, np.ones((S, T))), ValueError, ["one class, 1"]),
    # long tables
    "id column missing": (
        Tagger(sequence_id="speaker"),
        lambda e: e.fit(frame(), Y_STEPS.ravel()),
        ValueError,
        ["no column", "'speaker'", "'who'"],
    ),
    "id by name in an array": (
        Tagger(sequence_id="who"),
        fit(LONG, Y_STEPS.ravel()),
        ValueError,
        ["'who'", "array", "DataFrame", "position"],
    ),
    "id by name in a list": (
        Tagger(sequence_id="who"),
        fit(LONG.tolist(), Y_STEPS.ravel()),
        ValueError,
        ["'who'", "DataFrame"],
    ),
    "id beyond the columns": (
        Tagger(sequence_id=4),
        fit(LONG, Y_STEPS.ravel()),
        ValueError,
        ["sequence_id=4", "4 columns"],
    ),
    "id before the columns": (
        Feedback(sequence_id=-5),
        fit(LONG, Y_STEPS.ravel()),
        ValueError,
        ["sequence_id=-5", "4 columns"],
    ),
    "ids apart": (
        Tagger(sequence_id=0),
        fit(np.c_[np.where(IDS == 9, 7, IDS), ROWS], Y_STEPS.ravel()),
        ValueError,
        ["sequence 7", "not contiguous", "row 16", "Sort", "SequenceKFold"],
    ),
    "named ids apart": (
        Feedback(sequence_id="who"),
        lambda e: e.fit(named().iloc[[*range(6), *range(8, 24), 6, 7]], Y_STEPS.ravel()),
        ValueError,
        ["sequence 'e'", "not contiguous", "row 22", "SequenceKFold"],
    ),
    "id NaN": (
        Tagger(sequence_id=0),
        fit(put(LONG, (9, 0), np.nan), Y_STEPS.ravel()),
        ValueError,
        ["id at row 9", "missing"],
    ),
    "id missing among names": (
        Tagger(sequence_id="who"),
        lambda e: e.fit(
            frame(np.where(IDS == 5, None, np.repeat(list("fedcba"), T))), Y_STEPS.ravel()
        ),
        (TypeError, ValueError),
        ["row 8", "missing"],
    ),
    "one long sequence held out": (
        Tagger(early_stopping=True),
        fit(ROWS, Y_STEPS.ravel()),
        ValueError,
        ["early_stopping=True", "only one", "early_stopping=False"],
    ),
    "too much held out": (
        Classifier(early_stopping=True, validation_fraction=0.99),
        fit(X, Y),
        ValueError,
        ["validation_fraction=0.99", "6 sequences"],
    ),
    "too few held out to score": (
        Regressor(early_stopping=True),
        fit(X, Y),
        ValueError,
        ["validation_fraction"],
    ),
    "an id that is neither name nor position": (
        Tagger(sequence_id=True),
        fit(LONG, Y_STEPS.ravel()),
        TypeError,
        ["sequence_id", "True"],
    ),
    # weights
    "a sum of weights that overflows": (
        Tagger(),
        fit(X, Y_STEPS, sample_weight=np.full((S, T), 1e308)),
        ValueError,
        ["sample_weight", "sum", "Scale it down"],
    ),
    "complex weights": (Classifier(), fit(X, Y, sample_weight=1j), ValueError, ["real numbers"]),
    "sparse weights": (Tagger(), fit(X, Y_STEPS, sample_weight=csr(X)), TypeError, ["is sparse"]),
    "weights of infinity": (
        Classifier(),
        fit(X, Y, sample_weight=np.inf),
        ValueError,
        ["sample_weight", "not finite"],
    ),
    "weights of dates": (
        Classifier(),
        fit(X, Y, sample_weight=np.full(S, "2020", "M8[D]")),
        TypeError,
        ["sample_weight holds dates"],
    ),
    "weights in lists": (
        Classifier(),
        fit(X, Y, sample_weight=[[1], [1, 2], 1, 1, 1, 1]),
        ValueError,
        ["sample_weight", "unequal length"],
    ),
    "weights in a dict": (
        Classifier(),
        fit(X, Y, sample_weight={0: 1}),
        TypeError,
        ["sample_weight must hold numbers", "'dict'"],
    ),
    "class weight of a word": (
        Classifier(class_weight={0: "a", 1: 1}),
        fit(X, Y),
        ValueError,
        ["class_weight must hold numbers", "'a'"],
    ),
    "negative weight": (
        Classifier(),
        fit(X, Y, sample_weight=put(np.ones(S), 2, -1.0)),
        ValueError,
        ["Negative", "sample_weight"],
    ),
    "negative weight of a step": (
        Tagger(),
        fit(X, Y_STEPS, sample_weight=put(np.ones((S, T)), (2, 1), -1.0)),
        ValueError,
        ["Negative", "sample_weight"],
    ),
    "no weight": (
        Regressor(),
        fit(X, Y, sample_weight=np.zeros(S)),
        ValueError,
        ["zero"],
    ),
    "no weight at all steps": (
        Tagger(),
        fit(X, Y_STEPS, sample_weight=np.zeros((S, T))),
        ValueError,
        ["zero"],
    ),
    "NaN weight": (
        Classifier(),
        fit(X, Y, sample_weight=put(np.ones(S), 2, np.nan)),
        ValueError,
        ["sample_weight", "NaN"],
    ),
    "too few weights": (
        Classifier(),
        fit(X, Y, sample_weight=np.ones(4)),
        ValueError,
        ["sample_weight", "4 entries", "6 sequences"],
    ),
    "too few weights of rows": (
        Tagger(sequence_id=0),
        fit(LONG, Y_STEPS.ravel(), sample_weight=np.ones(S)),
        ValueError,
        ["sample_weight", "6 entries", "24 rows"],
    ),
    "too few weights of steps": (
        Tagger(),
        fit(X, Y_STEPS, sample_weight=[*np.ones((5, T)), np.ones(3)]),
        ValueError,
        ["sample_weight[5]", "sequence 5", "4 steps"],
    ),
    "weight of steps for a classifier": (
        Classifier(),
        fit(X, Y, sample_weight=np.ones((S, T))),
        ValueError,
        ["1D"],
    ),
    "weight of words": (
        Classifier(),
        fit(X, Y, sample_weight=["a"] * S),
        ValueError,
        ["sample_weight"],
    ),
    "class weight without a class": (
        Classifier(class_weight={5: 1}),
        fit(X, Y),
        ValueError,
        ["class_weight", "[0, 1]"],
    ),
    "class weights of zero": (
        Classifier(class_weight={0: 0, 1: 0}),
        fit(X, Y),
        ValueError,
        ["class_weight"],
    ),
    "negative class weight": (
        Classifier(class_weight={0: -1, 1: 3}),
        fit(X, Y),
        ValueError,
        ["class_weight"],
    ),
}
if hasattr(sparse.coo_array, "tensordot"):  # SciPy's sparse arrays have any number of dimensions
    FIT["sparse 3-D"] = Classifier(), fit(sparse.coo_array(X), Y), TypeError, ["X"]

PARAMETERS = [
    *(
        ("hidden_layer_sizes", value)
        for value in (0, -3, (), (3, -1), (3, 0.5), "a", 2.0, None, {3, 4})
    ),
    *(("pooling", value) for value in ("sum", (), ("last", "sum"), 0, None, (["last"],))),
    ("activation", "gelu"),
    ("solver", "sgd"),
    ("alpha", -1),
    ("alpha", np.nan),
    ("alpha", True),
    ("tol", np.inf),
    ("n_init", True),
    ("n_jobs", 0),
    ("random_state", -1),
    ("max_iter", 0),
    ("max_iter", 1.5),
    ("n_init", 0),
    ("n_init", None),
    ("tol", -1),
    ("n_iter_no_change", 0),
    ("validation_fraction", 1.0),
    ("features_per_step", 0),
    ("bidirectional", "yes"),
    ("class_weight", "equal"),
    ("early_stopping", "yes"),
    ("random_state", "seed"),
    ("n_jobs", 1.5),
]
FIT |= {
    f"{name}={value!r}": (Classifier(**{name: value}), fit(X, Y), ValueError, [name, repr(value)])
    for name, value in PARAMETERS
}
FIT |= {
    f"{name}={value!r}": (estimator(**{name: value}), fit(X, Y_STEPS), ValueError, [name])
    for estimator, name, value in [
        (Tagger, "sequence_id", 1.5),
        (Feedback, "sequence_id", True),
        (Tagger, "alpha", 10**400),
        (Tagger, "bidirectional", "both"),
        (Feedback, "teacher_forcing", "always"),
        (Feedback, "decoding", "beam"),
    ]
}

WARM = {
    "other features": (Classifier(), fit(X[..., :2], Y), ValueError, ["warm_start", "features"]),
    "other classes": (Classifier(), fit(X, Y + 1), ValueError, ["warm_start", "classes", "[1 2]"]),
    "more classes": (Tagger(), fit(X, np.arange(24).reshape(S, T) % 3), ValueError, ["classes"]),
    "other targets": (Regressor(), fit(X, X[:, 0]), ValueError, ["warm_start"]),
    "other sizes": (
        Classifier(hidden_layer_sizes=5),
        fit(X, Y),
        ValueError,
        ["warm_start", "hidden_layer_sizes"],
    ),
    "more layers": (
        Tagger(hidden_layer_sizes=(4, 4)),
        fit(X, Y_STEPS),
        ValueError,
        ["warm_start", "hidden_layer_sizes"],
    ),
    "other direction": (Tagger(bidirectional=True), fit(X, Y_STEPS), ValueError, ["warm_start"]),
    "fewer pools": (Classifier(pooling="last"), fit(X, Y), ValueError, ["warm_start"]),
}


def fitted(like):
    """Fitted to good data with good parameters, then given the parameters of `like`."""
    y = Y_STEPS if isinstance(like, SequenceTagger | OutputFeedbackTagger) else Y
    return type(like)(**QUICK).fit(X, y).set_params(**like.get_params())


def assert_unchanged(estimator, call, error, words):
    """The call must be refused, and leave the estimator as it was."""
    before = joblib.hash(vars(estimator))
    assert_refuses(lambda: call(estimator), error, words)
    assert joblib.hash(vars(estimator)) == before


@pytest.mark.parametrize("start", [clone, fitted])
@pytest.mark.parametrize("estimator, call, error, words", FIT.values(), ids=FIT)
def test_fit(estimator, call, error, words, start):
    assert_unchanged(start(estimator), call, error, words)


@pytest.mark.parametrize("estimator, call, error, words", WARM.values(), ids=WARM)
def test_warm_start(estimator, call, error, words):
    assert_unchanged(fitted(estimator).set_params(warm_start=True), call, error, words)


def test_warm_start_with_fewer_layers():
    tagger = Tagger(hidden_layer_sizes=(4, 4), warm_start=True).fit(X, Y_STEPS)
    tagger.set_params(hidden_layer_sizes=(4,))
    assert_unchanged(tagger, fit(X, Y_STEPS), ValueError, ["warm_start", "hidden_layer_sizes"])


def test_predictions_stay_as_they_were():
    tagger = Tagger().fit(X, Y_STEPS)
    before = tagger.predict_proba(X)
    assert_unchanged(tagger, fit(put(X, (2, 1, 0), np.nan), Y_STEPS), ValueError, ["step 1"])
    np.testing.assert_array_equal(tagger.predict_proba(X), before)


def on_sequences(estimator):
    return estimator.fit(X, Y)


def on_steps(estimator):
    return estimator.fit(X, Y_STEPS)


def on_wide(estimator):
    return estimator.set_params(features_per_step=D).fit(WIDE, Y)


def on_long(estimator):
    return estimator.set_params(sequence_id=0).fit(LONG, Y_STEPS.ravel())


def on_frame(estimator):
    return estimator.set_params(sequence_id="who").fit(frame(), Y_STEPS.ravel())


def predict(X):
    return lambda estimator: estimator.predict(X)


def score(X, y, **more):
    return lambda estimator: estimator.score(X, y, **more)


# id: estimator, how it is fitted, what is done with it, what the message must hold
USE = {
    "features, 3-D": (Classifier(), on_sequences, predict(X[..., :2]), ["2 features", "fit saw 3"]),
    "features, ragged": (Tagger(), on_steps, predict(list(X[..., :2])), ["2 features", "saw 3"]),
    "features, CSR": (Feedback(), on_steps, predict(csr(X[..., :2])), ["2 features", "saw 3"]),
    "features, wide": (Classifier(), on_wide, predict(WIDE[:, :9]), ["9 features", "12 features"]),
    "features, long": (Tagger(), on_long, predict(LONG[:, :3]), ["3 features", "4 features"]),
    "features, 3-D after wide": (Classifier(), on_wide, predict(X[..., :2]), ["2 feat", "saw 3"]),
    "features, table after 3-D": (Tagger(), on_steps, predict(LONG), ["4 features", "fit saw 3"]),
    "columns missing": (
        Tagger(),
        on_frame,
        lambda e: e.predict(frame().drop(columns="b")),
        ["feature names", "- b"],
    ),
    "columns in another order": (
        Tagger(),
        on_frame,
        lambda e: e.predict(frame()[["who", "a", "b", "c"]]),
        ["feature names", "order"],
    ),
    "ids apart": (Tagger(), on_long, predict(LONG[[0, 4, 1]]), ["not contiguous", "row 2"]),
    "no sequences": (Tagger(), on_steps, predict([]), ["no sequences"]),
    "NaN": (Regressor(), on_sequences, predict(put(X, (2, 1, 0), np.nan)), ["sequence 2, step 1"]),
    "NaN at predict_proba": (
        Feedback(),
        on_steps,
        lambda e: e.predict_proba(list(put(X, (2, 1, 0), np.nan))),
        ["sequence 2, step 1"],
    ),
    "unknown label": (
        Classifier(),
        on_sequences,
        score(X, put(Y, 3, 9)),
        ["label 9", "sequence 3", "not seen in fit"],
    ),
    "unknown label of a step": (
        Tagger(),
        on_steps,
        score(list(X), list(put(Y_STEPS, (3, 2), 9))),
        ["label 9", "sequence 3, step 2", "not seen in fit"],
    ),
    "unknown label of a row": (
        Feedback(),
        on_long,
        score(LONG, put(Y_STEPS.ravel(), 9, 9)),
        ["label 9", "row 9", "sequence 5", "not seen in fit"],
    ),
    "labels of another type": (
        Classifier(),
        on_sequences,
        score(X, Y.astype(str)),
        ["label '0'", "sequence 0"],
    ),
    "unknown label of a sequence": (
        Feedback(),
        on_steps,
        lambda e: e.sequence_log_proba(X, put(Y_STEPS, (3, 2), 9)),
        ["label 9", "sequence 3, step 2", "not seen in fit"],
    ),
    "probability of fewer steps": (
        Feedback(),
        on_steps,
        lambda e: e.sequence_log_proba(X, [*Y_STEPS[:5], [0, 1]]),
        ["y[5]", "sequence 5", "4 steps"],
    ),
    "probability without y": (
        Feedback(),
        on_steps,
        lambda e: e.sequence_log_proba(X, None),
        ["requires y"],
    ),
    "probability of NaN": (
        Feedback(),
        on_steps,
        lambda e: e.sequence_log_proba(put(X, (2, 1, 0), np.nan), Y_STEPS),
        ["sequence 2, step 1"],
    ),
    "sample of NaN": (
        Feedback(),
        on_steps,
        lambda e: e.sample(put(X, (2, 1, 0), np.nan)),
        ["sequence 2, step 1"],
    ),
    "no samples": (Feedback(), on_steps, lambda e: e.sample(X, 0), ["n_samples", "0"]),
    "half a sample": (Feedback(), on_steps, lambda e: e.sample(X, 0.5), ["n_samples", "0.5"]),
    "decoding": (
        Feedback(decoding="beam"),
        lambda e: e.set_params(decoding="greedy").fit(X, Y_STEPS).set_params(decoding="beam"),
        predict(X),
        ["decoding", "'beam'"],
    ),
    "score without y": (Classifier(), on_sequences, score(X, None), ["requires y"]),
    "score of a tagger without y": (Tagger(), on_steps, score(X, None), ["requires y"]),
    "score of a regressor without y": (Regressor(), on_sequences, score(X, None), ["y"]),
    "score of fewer": (Classifier(), on_sequences, score(X, Y[:4]), ["4 entries", "6 sequences"]),
    "score of fewer steps": (
        Tagger(),
        on_steps,
        score(X, [*Y_STEPS[:5], [0, 1]]),
        ["y[5]", "sequence 5", "4 steps"],
    ),
    "score of targets with NaN": (
        Regressor(),
        on_sequences,
        score(X, put(Y, 2, np.nan)),
        ["NaN", "sequence 2", "Leave"],
    ),
    "score of more targets": (Regressor(), on_sequences, score(X, X[:, 0]), ["3 targets", "saw 1"]),
    "score with negative weights": (
        Regressor(),
        on_sequences,
        score(X, Y, sample_weight=-np.ones(S)),
        ["Negative", "sample_weight"],
    ),
    "score of fewer targets": (Regressor(), on_sequences, score(X, Y[:4]), ["4 entries"]),
    "score with fewer weights": (
        Tagger(),
        on_steps,
        score(X, Y_STEPS, sample_weight=np.ones(4)),
        ["sample_weight", "4 entries", "6 sequences"],
    ),
}


@pytest.mark.parametrize("estimator, start, call, words", USE.values(), ids=USE)
def test_use(estimator, start, call, words):
    assert_unchanged(start(clone(estimator)), call, ValueError, words)


@pytest.mark.parametrize("estimator", [Classifier(), Tagger(), Feedback()])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_not_fitted(estimator, method):
    assert_unchanged(estimator, lambda e: getattr(e, method)(X), ValueError, ["not fitted yet"])


@pytest.mark.parametrize("call", [lambda e: e.sample(X), lambda e: e.sequence_log_proba(X, Y)])
def test_not_fitted_for_sequences_of_labels(call):
    assert_unchanged(Feedback(), call, ValueError, ["not fitted yet"])


def test_object_array_of_sequences_is_checked_as_a_list_is():
    ragged = object_array([X[0], put(X[1], (3, 0), np.nan)])
    assert_unchanged(Tagger(), fit(ragged, Y_STEPS[:2]), ValueError, ["sequence 1, step 3"])
