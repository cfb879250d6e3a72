"""Bad input of transformers, splitters, scorers, metrics, steppers and data: as of estimators."""

import numpy as np
import pytest
from refusals import (
    CLASSIFIER,
    FEEDBACK,
    LONG,
    LONG_TAGGER,
    QUICK,
    TAGGER,
    Y_STEPS,
    S,
    T,
    X,
    Y,
    assert_refuses,
    put,
)
from scipy import sparse
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import make_scorer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_rnn import (
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    datasets,
    metrics,
)
from sklearn_rnn.model_selection import SequenceKFold, sequence_scorer, train_test_split
from sklearn_rnn.preprocessing import (
    ContextWindow,
    PerStepTransformer,
    pad,
    to_sequences,
    to_table,
    unpad,
)

CSR = [sparse.csr_array(x) for x in X]
MASKED = np.ma.masked_greater(X, -9)
SHUFFLED = LONG[[0, 4, 1]]
NO_ID = put(LONG, (3, 0), np.nan)
DATES = [np.array(["2020-01-01"] * n, "M8[D]") for n in (1, 2)]


def scaler(X, y=None, **more):
    return lambda: PerStepTransformer(StandardScaler()).fit(X, y, **more)


def without_the_first(rows):
    return rows[1:]


def encoder(X, transformer=None):
    transformer = DictVectorizer() if transformer is None else transformer
    return lambda: PerStepTransformer(transformer).fit_transform(X)


def window(X, **parameters):
    return lambda: ContextWindow(**parameters).fit(X)


def folds(X, y=None, sequence_id=0, n_splits=2, **parameters):
    return lambda: list(SequenceKFold(n_splits, sequence_id=sequence_id, **parameters).split(X, y))


def halves(*arrays, sequence_id=0, **parameters):
    return lambda: train_test_split(*arrays, sequence_id=sequence_id, **parameters)


def score(scoring, estimator, X, y, sequence_id=None, **more):
    return lambda: sequence_scorer(scoring, sequence_id=sequence_id)(estimator, X, y, **more)


def step(*steps, of=TAGGER):
    def call():
        stepper = of.start()
        for x in steps:
            stepper.step(x)

    return call


def go_on(X, y, estimator=None, **more):
    estimator = SequenceClassifier(**QUICK) if estimator is None else estimator
    return lambda: estimator.partial_fit(X, y, **more)


# id: call, error, what the message must hold
PADDING = {
    "no sequences": (lambda: pad([]), ValueError, ["no sequences"]),
    "no steps": (lambda: pad([[1], []]), ValueError, ["sequence 1", "no steps"]),
    "numbers": (lambda: pad([1, 2]), ValueError, ["sequence 0", "single item"]),
    "a number": (lambda: pad(3), ValueError, ["sequences", "array-like"]),
    "a generator": (lambda: pad(x for x in X), ValueError, ["sequences", "array-like"]),
    "sparse": (lambda: pad([sparse.csr_array(X[0])]), TypeError, ["sequence 0", "toarray"]),
    "features differ": (lambda: pad([X[0], X[1, :, :2]]), ValueError, ["sequence 1", "(4, 2)"]),
    "dimensions differ": (lambda: pad([[1], [[1]]]), ValueError, ["sequence 1", "(1, 1)"]),
    "unequal steps": (lambda: pad([[[1], [1, 2]]]), ValueError, ["sequence 0", "unequal"]),
    "with a list": (lambda: pad([[1], [1, 2]], [0]), ValueError, ["single value", "[0]"]),
    "with an array": (lambda: pad([[1]], np.ones(2)), ValueError, ["padding_value", "single"]),
    "words with a number": (lambda: pad([["a"]], 0), ValueError, ["padding_value=0", "string"]),
    "numbers with a word": (lambda: pad([[1]], "a"), ValueError, ["padding_value='a'", "number"]),
    "dates with NaN": (lambda: pad(DATES), ValueError, ["padding_value=nan", "date"]),
    "masked": (lambda: pad([X[0], MASKED[1]]), ValueError, ["sequence 1 is a masked", "Leave out"]),
    "with a type": (lambda: pad([[1]], int), ValueError, ["padding_value", "cannot stand"]),
    "with what is too large": (lambda: pad([[1]], 10**400), ValueError, ["padding_value=1000"]),
    "unpad what is masked": (lambda: unpad(MASKED), ValueError, ["X is a masked array"]),
    "unpad a dict": (lambda: unpad(X, None, {}), ValueError, ["padding_value={}", "cannot stand"]),
    "unpad a number": (lambda: unpad(3), ValueError, ["X", "array-like"]),
    "unpad one sequence": (lambda: unpad(X[0, 0]), ValueError, ["must be padded"]),
    "unpad what is ragged": (lambda: unpad([[1, 2], [1]]), ValueError, ["X", "unequal"]),
    "unpad sparse": (lambda: unpad(sparse.csr_array(X[0])), ValueError, ["X", "array-like"]),
    "only padding": (lambda: unpad([[1.0], [np.nan]]), ValueError, ["sequence 1", "Leave it out"]),
    "unpad a list": (lambda: unpad(X, None, [1, 2]), ValueError, ["padding_value", "single"]),
    "few lengths": (lambda: unpad(X, [1]), ValueError, ["lengths", "6 sequences"]),
    "lengths of float": (lambda: unpad(X, [1.0] * S), ValueError, ["lengths", "integer"]),
    "lengths of words": (lambda: unpad(X, ["a"] * S), ValueError, ["lengths", "integer"]),
    "ragged lengths": (lambda: unpad(X, [[1], [1, 2]]), ValueError, ["lengths", "unequal"]),
    "length 0": (lambda: unpad(X, [4, 0, 1, 1, 1, 1]), ValueError, ["lengths[1] is 0", "1 to 4"]),
    "too long": (lambda: unpad(X, [5] * S), ValueError, ["lengths[0] is 5", "1 to 4"]),
}

TABLES = {
    "3-D": (lambda: to_sequences(X, 0), ValueError, ["3 dimensions", "a row for each step"]),
    "None": (lambda: to_sequences(None, 0), ValueError, ["0 dimensions"]),
    "ragged": (lambda: to_sequences([[1, 2], [1]], 0), ValueError, ["unequal length"]),
    "no rows": (lambda: to_sequences(LONG[:0], 0), ValueError, ["no rows"]),
    "no columns": (lambda: to_sequences(LONG[:, :1], 0), ValueError, ["no columns"]),
    "no such column": (lambda: to_sequences(LONG, 9), ValueError, ["sequence_id=9", "4 columns"]),
    "a name": (lambda: to_sequences(LONG, "who"), ValueError, ["'who'", "DataFrame"]),
    "True": (lambda: to_sequences(LONG, True), TypeError, ["sequence_id", "True"]),
    "half": (lambda: to_sequences(LONG, 0.5), ValueError, ["sequence_id", "0.5"]),
    "apart": (lambda: to_sequences(SHUFFLED, 0), ValueError, ["sequence 7", "row 2", "Sort"]),
    "no id": (lambda: to_sequences(NO_ID, 0), ValueError, ["row 3", "missing"]),
    "few values": (lambda: to_sequences(LONG, 0, Y), ValueError, ["values[0]", "24 rows"]),
    "no name": (lambda: to_sequences(LONG, None), ValueError, ["'sequence_id'"]),
    "values in lists": (
        lambda: to_sequences(LONG, 0, LONG[:, 1], [[1]] * 24),
        ValueError,
        ["values[1]", "list of lists"],
    ),
    "of a table": (lambda: to_table(LONG), ValueError, ["must hold sequences"]),
    "of a number": (lambda: to_table(3), TypeError, ["must hold sequences", "int"]),
    "of a generator": (lambda: to_table(x for x in X), TypeError, ["generator"]),
    "of dicts": (lambda: to_table([[{"a": 1}]]), ValueError, ["n_features"]),
    "of 4-D": (lambda: to_table(X[..., None]), ValueError, ["4 dimensions"]),
    "of other features": (lambda: to_table([X[0], X[1, :, :2]]), ValueError, ["sequence 1"]),
    "of few values": (lambda: to_table(X, Y_STEPS[:5]), ValueError, ["values[0]", "6 sequences"]),
    "of short values": (lambda: to_table(X, Y), ValueError, ["values[0][0]", "4 steps"]),
    "of few ids": (lambda: to_table(X, ids=[1]), ValueError, ["ids", "6 sequences"]),
    "of equal ids": (lambda: to_table(X, ids=[1] * S), ValueError, ["1 more than once"]),
    "of a missing id": (lambda: to_table(X, ids=[*"abcde", None]), ValueError, ["ids", "missing"]),
    "of mixed ids": (
        lambda: to_table(X, ids=["a", *range(5)]),
        TypeError,
        ["ids mixes", "strings"],
    ),
    "of ragged ids": (lambda: to_table(X, ids=[[1], [1, 2]]), ValueError, ["ids", "unequal"]),
    "of dicts as ids": (lambda: to_table(X, ids=[{}] * S), TypeError, ["ids", "sorts"]),
    "of a position": (lambda: to_table(X, sequence_id=9), ValueError, ["9", "4 columns"]),
    "of True": (lambda: to_table(X, sequence_id=True), TypeError, ["sequence_id", "True"]),
    "of few names": (
        lambda: to_table(X, sequence_id="who", columns=["a"]),
        ValueError,
        ["columns", "3 features", "['a']"],
    ),
    "of equal names": (
        lambda: to_table(X, sequence_id="who", columns=["a", "who", "b"]),
        ValueError,
        ["each differently", "'who'"],
    ),
    "of numbers as names": (
        lambda: to_table(X, sequence_id="who", columns=[0, 1, 2]),
        TypeError,
        ["columns must be strings", "holds 0"],
    ),
    "of lists as names": (
        lambda: to_table(X, sequence_id="who", columns=[["a"], ["b"], ["c"]]),
        TypeError,
        ["columns must be strings"],
    ),
    "of sparse": (
        lambda: to_table([sparse.csr_array(X[0])], sequence_id="who"),
        TypeError,
        ["DataFrame", "position"],
    ),
    "of masked": (lambda: to_table(MASKED), ValueError, ["X is a masked array"]),
    "of a range": (lambda: to_table(range(S)), ValueError, ["must hold sequences"]),
    "of sparse ids": (lambda: to_table(X, ids=CSR), TypeError, ["ids is sparse"]),
    "of sparse with words as ids": (
        lambda: to_table(CSR, ids=list("abcdef")),
        TypeError,
        ["'a'", "Make the ids numbers"],
    ),
    "by dask": (lambda: to_table(X, library="dask"), ValueError, ["library", "pandas", "'dask'"]),
}

TRANSFORMERS = {
    "window, empty": (window([]), ValueError, ["no sequences"]),
    "window, no steps": (window([X[0], X[1, :0]]), ValueError, ["sequence 1", "no steps"]),
    "window, words": (window([[["a"]], [["b"]]]), ValueError, ["X must hold numbers", "'a'"]),
    "window, dict": (window({}), TypeError, ["X must hold numbers", "'dict'"]),
    "window, complex": (window(X + 1j), ValueError, ["Complex"]),
    "window, 4-D": (window(X[..., None]), ValueError, ["4 dimensions"]),
    "window, apart": (window(SHUFFLED, sequence_id=0), ValueError, ["sequence 7", "row 2"]),
    "window, a name": (window(LONG, sequence_id="who"), ValueError, ["'who'", "DataFrame"]),
    "window, True": (window(LONG, sequence_id=True), TypeError, ["sequence_id", "True"]),
    "window, before": (window(X, before=-1), ValueError, ["before", "-1"]),
    "window, after": (window(X, after=1.5), ValueError, ["after", "1.5"]),
    "window, huge": (window(X, after=10**400), ValueError, ["after", "in the range"]),
    "window, dates": (window(X.astype("M8[s]")), TypeError, ["X holds dates"]),
    "window, other features": (
        lambda: ContextWindow().fit(X).transform(X[..., :2]),
        ValueError,
        ["2 features", "fit saw 3"],
    ),
    "window, not fitted": (lambda: ContextWindow().transform(X), ValueError, ["not fitted yet"]),
    "window, pandas": (
        lambda: ContextWindow().set_output(transform="pandas").fit(X).transform(X),
        ValueError,
        ["tables only", "set_output(transform='default')"],
    ),
    "nothing": (lambda: PerStepTransformer(None).fit(X), ValueError, ["transformer", "None"]),
    "a class": (
        lambda: PerStepTransformer(StandardScaler).fit(X),
        TypeError,
        ["instance", "Scaler()"],
    ),
    "a tagger": (lambda: PerStepTransformer(TAGGER).fit(X), ValueError, ["'transform'"]),
    "no sequences": (scaler([]), ValueError, ["no sequences"]),
    "no steps": (scaler([X[0], X[1, :0]]), ValueError, ["sequence 1", "no steps", "Leave it out"]),
    "None": (scaler(None), TypeError, ["must hold sequences", "NoneType"]),
    "a word": (scaler("abc"), TypeError, ["must hold sequences", "str"]),
    "words": (scaler([["a", "b"], ["c"]]), ValueError, ["X must hold numbers", "'a'"]),
    "dicts": (scaler([[{"a": 1}]]), TypeError, ["StandardScaler", "steps", "{'a': 1}"]),
    "other features": (scaler([X[0], X[1, :, :2]]), ValueError, ["sequence 1", "2 features"]),
    "unequal steps": (scaler([[[1, 2], [3]]]), ValueError, ["sequence 0", "different numbers"]),
    "vectors": (scaler([np.ones(3), np.ones(2)]), ValueError, ["sequence 0", "reshape"]),
    "mixed": (scaler([X[0], sparse.csr_array(X[1])]), ValueError, ["sequence 1", "sparse"]),
    "4-D": (scaler(X[..., None]), ValueError, ["4 dimensions"]),
    "one dict": (encoder({"a": 1}), TypeError, ["must hold sequences", "dict"]),
    "one sentence": (encoder([{"a": 1}]), ValueError, ["sequence 0", "single item", "'a'"]),
    "numbers for dicts": (encoder(list(X)), TypeError, ["DictVectorizer", "steps"]),
    "words for dicts": (encoder([["a"]]), TypeError, ["DictVectorizer", "steps", "'a'"]),
    "documents": (
        encoder(["the cat", "a dog"], CountVectorizer()),
        ValueError,
        ["sequence 0", "'the cat'", "tokens"],
    ),
    "a table of numbers for texts": (
        encoder(X[0].tolist(), CountVectorizer()),
        ValueError,
        ["CountVectorizer", "list of lists", "ColumnTransformer"],
    ),
    "a row lost": (
        encoder(X, FunctionTransformer(without_the_first)),
        ValueError,
        ["23 rows for 24 steps"],
    ),
    "masked": (scaler(MASKED), ValueError, ["X is a masked array"]),
    "one masked": (scaler([X[0], MASKED[1]]), ValueError, ["masked"]),
    "a range": (scaler(range(S)), ValueError, ["2D array"]),
    "targets sparse": (scaler(X, CSR), TypeError, ["y is sparse", "toarray"]),
    "targets in a set": (scaler(X, {*range(S)}), ValueError, ["y must be", "{0, 1"]),
    "words back": (
        lambda: PerStepTransformer(StandardScaler()).fit(X).inverse_transform([[["a"]]]),
        ValueError,
        ["X must hold numbers", "'a'"],
    ),
    "other features back": (
        lambda: PerStepTransformer(StandardScaler()).fit(X).inverse_transform(X[..., :2]),
        ValueError,
        ["X has 2 features", "StandardScaler"],
    ),
    "few targets": (scaler(X, Y[:3]), ValueError, ["y has 3 entries", "6 sequences"]),
    "few weights": (scaler(X, sample_weight=[1]), ValueError, ["sample_weight", "6 sequences"]),
    "not fitted": (
        lambda: PerStepTransformer(StandardScaler()).transform(X),
        ValueError,
        ["not fitted yet"],
    ),
    "weights for an encoder": (
        lambda: PerStepTransformer(OneHotEncoder()).fit([["a"], ["b"]], sample_weight=[1, 1]),
        TypeError,
        ["OneHotEncoder takes no sample_weight"],
    ),
}

SPLITTERS = {
    "one fold": (folds(LONG, n_splits=1), ValueError, ["'n_splits'", "Got 1"]),
    "half a fold": (folds(LONG, n_splits=1.5), ValueError, ["1.5"]),
    "many folds": (folds(LONG, n_splits=9), ValueError, ["n_splits=9", "6 sequences"]),
    "3-D": (folds(X), ValueError, ["2-D table", "scikit-learn's own"]),
    "no such column": (folds(LONG, sequence_id=4), ValueError, ["sequence_id=4", "4 columns"]),
    "None": (folds(None), ValueError, ["2-D table"]),
    "no rows": (folds(LONG[:0]), ValueError, ["no rows"]),
    "a name": (folds(LONG, sequence_id="who"), ValueError, ["'who'", "DataFrame"]),
    "no name": (folds(LONG, sequence_id=None), TypeError, ["sequence_id", "None"]),
    "half": (folds(LONG, sequence_id=1.5), TypeError, ["sequence_id", "1.5"]),
    "True": (folds(LONG, sequence_id=True), TypeError, ["sequence_id", "True"]),
    "apart": (folds(SHUFFLED), ValueError, ["sequence 7", "row 2", "Sort"]),
    "no id": (folds(NO_ID), ValueError, ["row 3", "missing"]),
    "no y": (folds(LONG, stratify=True), ValueError, ["stratify=True needs y"]),
    "few y": (folds(LONG, Y, stratify=True), ValueError, ["24", "6"]),
    "continuous y": (folds(LONG, LONG[:, 1], stratify=True), ValueError, ["continuous"]),
    "a seed in vain": (folds(LONG, random_state=0), ValueError, ["shuffle"]),
    "stratified by a word": (folds(LONG, Y, stratify="no"), ValueError, ["'stratify'", "'no'"]),
    "a seed below zero": (
        folds(LONG, shuffle=True, random_state=-1),
        ValueError,
        ["'random_state'", "-1"],
    ),
    "y with NaN": (
        folds(LONG, put(Y_STEPS.ravel(), 9, np.nan), stratify=True),
        ValueError,
        ["label of y at row 9", "missing"],
    ),
    "None in two": (halves(LONG, None), ValueError, ["position 1 is None", "Leave it out"]),
    "ragged labels": (halves(LONG, stratify=[[1], [1, 2]]), ValueError, ["stratify", "lists"]),
    "nothing in two": (halves(), ValueError, ["At least one array"]),
    "3-D in two": (halves(X), ValueError, ["2-D table"]),
    "a list in two": (halves(list(X)), ValueError, ["2-D table", "scikit-learn's own"]),
    "apart in two": (halves(SHUFFLED), ValueError, ["sequence 7", "row 2"]),
    "a name in two": (halves(LONG, sequence_id="who"), ValueError, ["'who'", "X is an array"]),
    "few in two": (halves(LONG, Y), ValueError, ["[24, 6]"]),
    "one in two": (halves(LONG[:4]), ValueError, ["n_samples=1", "empty"]),
    "too many to test": (halves(LONG, test_size=9), ValueError, ["test_size=9"]),
    "few labels": (halves(LONG, stratify=Y), ValueError, ["stratify has 6", "24 rows"]),
    "labels that change": (
        halves(LONG, stratify=Y_STEPS.ravel()),
        ValueError,
        ["stratify changes within a sequence", "row", "SequenceKFold"],
    ),
    "no name in two": (halves(LONG, sequence_id=None), TypeError, ["sequence_id", "None"]),
}

SCORERS = {
    "a name": (lambda: sequence_scorer("bad"), ValueError, ["'bad'", "get_scorer_names"]),
    "a number": (lambda: sequence_scorer(3), TypeError, ["a name or a scorer", "3"]),
    "a dict": (lambda: sequence_scorer({"a": "f1"}), TypeError, ["Several scores"]),
    "a metric of sequences": (
        lambda: sequence_scorer(metrics.span_f1_score),
        ValueError,
        ["span_f1_score", "sequence_scorer('span_f1')"],
    ),
    "a scorer of sequences": (
        lambda: sequence_scorer(make_scorer(metrics.sequence_accuracy_score)),
        ValueError,
        ["sequence_accuracy_score", "sequence_scorer('sequence_accuracy')"],
    ),
    "a class": (lambda: sequence_scorer(SequenceTagger), TypeError, ["a name or a scorer"]),
    "a label": (score("accuracy", TAGGER, X, 3), ValueError, ["y must hold the labels", "3"]),
    "a label of sequences": (score("span_f1", TAGGER, X, 3), ValueError, ["y must hold", "3"]),
    "no estimator": (
        score("span_f1", None, X, Y_STEPS),
        TypeError,
        ["needs an estimator", "NoneType"],
    ),
    "None among labels": (
        score("accuracy", TAGGER, X, [*Y_STEPS[:5], [0, None, 1, 1]]),
        ValueError,
        ["sequence 5, step 1", "missing"],
    ),
    "lists for a classifier": (
        score("accuracy", CLASSIFIER, X, Y_STEPS),
        ValueError,
        ["a list for each of 6", "one label for each of 6"],
    ),
    "few": (score("accuracy", TAGGER, X, Y_STEPS[:3]), ValueError, ["3 entries", "6 sequences"]),
    "short": (
        score("accuracy", TAGGER, X, [*Y_STEPS[:5], [0, 1]]),
        ValueError,
        ["y[5]", "sequence 5", "4 steps"],
    ),
    "not fitted": (score("accuracy", SequenceTagger(), X, Y_STEPS), ValueError, ["not fitted yet"]),
    "no y": (score("accuracy", TAGGER, X, None), ValueError, ["needs y"]),
    "few weights": (
        score("accuracy", TAGGER, X, Y_STEPS, sample_weight=[1, 2]),
        ValueError,
        ["sample_weight", "6 sequences"],
    ),
    "an unknown label": (
        score("neg_log_loss", TAGGER, X, put(Y_STEPS, (2, 1), 7)),
        ValueError,
        ["label 7", "sequence 2, step 1", "log loss"],
    ),
    "NaN": (
        score("accuracy", TAGGER, put(X, (1, 2, 0), np.nan), Y_STEPS),
        ValueError,
        ["sequence 1, step 2"],
    ),
    "spans of numbers": (
        score("span_f1", TAGGER, X, Y_STEPS),
        ValueError,
        ["sequence 0, step 0", "no tag of a span"],
    ),
    "a table without ids": (
        score("sequence_accuracy", LONG_TAGGER, LONG, Y_STEPS.ravel()),
        ValueError,
        ["sequence_id"],
    ),
    "a table with half an id": (
        score("sequence_accuracy", LONG_TAGGER, LONG, Y_STEPS.ravel(), sequence_id=0.5),
        TypeError,
        ["sequence_id", "0.5"],
    ),
}

METRICS = {
    "few": (lambda: metrics.token_accuracy_score(Y_STEPS, Y_STEPS[:3]), ["y_pred", "6 sequences"]),
    "short": (
        lambda: metrics.token_accuracy_score(Y_STEPS, [*Y_STEPS[:5], [0, 1]]),
        ["y_pred[5]", "sequence 5", "4 steps"],
    ),
    "None": (lambda: metrics.token_accuracy_score(None, Y_STEPS), ["y_true", "None"]),
    "no prediction": (lambda: metrics.token_accuracy_score(Y_STEPS, None), ["y_pred", "None"]),
    "a number": (lambda: metrics.token_accuracy_score(1, 1), ["y_true", "1"]),
    "a word": (lambda: metrics.token_accuracy_score("ab", "ab"), ["y_true", "'ab'"]),
    "empty": (lambda: metrics.token_accuracy_score([], []), ["y_true is empty"]),
    "a row too few": (
        lambda: metrics.token_accuracy_score(["a", "b"], ["a"]),
        ["y_pred has 1 entries", "y_true has 2 rows"],
    ),
    "flat and nested": (
        lambda: metrics.token_accuracy_score(["a", "b"], [["a"], ["b"]]),
        ["y_pred", "one value for each row of y_true"],
    ),
    "a label among lists": (
        lambda: metrics.token_accuracy_score([["a"], "b"], [["a"], ["b"]]),
        ["y_true[1]", "shape ()"],
    ),
    "a word among numbers": (
        lambda: metrics.token_accuracy_score(Y_STEPS, [*Y_STEPS[:5], ["a", 0, 1, 1]]),
        ["y_pred mixes", "'a' at sequence 5, step 0"],
    ),
    "a label missing": (
        lambda: metrics.flat_classification_report([["a", None]], [["a", "b"]]),
        ["label of y_true at sequence 0, step 1", "missing"],
    ),
    "a NaN": (
        lambda: metrics.sequence_accuracy_score(put(Y_STEPS, (2, 1), np.nan), Y_STEPS),
        ["label of y_true at sequence 2, step 1", "missing"],
    ),
    "ragged ids": (
        lambda: metrics.span_f1_score(["O", "O"], ["O", "O"], sequence_ids=[[1], [1, 2]]),
        ["sequence_ids holds lists"],
    ),
    "a weight that is NaN": (
        lambda: metrics.sequence_accuracy_score(Y_STEPS, Y_STEPS, sample_weight=np.nan),
        ["sample_weight", "not finite"],
    ),
    "empty, sequences": (lambda: metrics.sequence_accuracy_score([], []), ["y_true is empty"]),
    "few weights": (
        lambda: metrics.token_accuracy_score(Y_STEPS, Y_STEPS, sample_weight=[1]),
        ["sample_weight", "6 sequences"],
    ),
    "weights of steps": (
        lambda: metrics.sequence_accuracy_score(Y_STEPS, Y_STEPS, sample_weight=np.ones((S, T))),
        ["1D"],
    ),
    "few ids": (
        lambda: metrics.sequence_accuracy_score([1, 2], [1, 2], sequence_ids=[1]),
        ["sequence_ids", "2 rows"],
    ),
    "ids apart": (
        lambda: metrics.sequence_accuracy_score([1, 2, 1], [1, 2, 1], sequence_ids=[1, 2, 1]),
        ["sequence 1", "row 2 of sequence_ids"],
    ),
    "a missing id": (
        lambda: metrics.span_f1_score(["O", "O"], ["O", "O"], sequence_ids=[1, np.nan]),
        ["row 1 of sequence_ids", "missing"],
    ),
    "ids of lists": (
        lambda: metrics.sequence_accuracy_score(Y_STEPS, Y_STEPS, sequence_ids=LONG[:, 0]),
        ["sequence_ids", "Leave it out"],
    ),
    "no tag": (
        lambda: metrics.span_recall_score([["O", "X-PER"]], [["O", "O"]]),
        ["'X-PER'", "sequence 0, step 1", "B-PER"],
    ),
    "no string": (lambda: metrics.span_precision_score([["O"]], [[1]]), ["y_pred", "1"]),
    "names of classes": (
        lambda: metrics.flat_classification_report(Y_STEPS, Y_STEPS, target_names=["a"]),
        ["target_names"],
    ),
}
METRICS = {name: (call, ValueError, words) for name, (call, words) in METRICS.items()}

# more in test_streaming.py, where they also change nothing
STEPS = {
    "words": (step(["a", "b", "c"]), ValueError, ["x must hold numbers", "'a'"]),
    "dates": (step(X[:, 0].astype("M8[s]")), TypeError, ["x holds dates"]),
    "masked": (step(MASKED[:, 0]), ValueError, ["x is a masked array"]),
    "sparse, one each": (step(CSR), ValueError, ["x holds arrays"]),
    "dict": (step({}), TypeError, ["x must hold numbers", "'dict'"]),
    "NaN": (step(X[:, 0], put(X[:, 1], (2, 0), np.nan)), ValueError, ["step 1, sequence 2"]),
    "fewer sequences": (step(X[:, 0], X[:2, 1]), ValueError, ["step 1", "(2, 3)", "start()"]),
    "both directions": (
        step(X[0], of=SequenceTagger(bidirectional=True, **QUICK).fit(X, Y_STEPS)),
        ValueError,
        ["bidirectional=False"],
    ),
}

BATCHES = {
    "one class": (go_on(X, 0 * Y), ValueError, ["one class"]),
    "no y": (go_on(X, None), ValueError, ["requires y"]),
    "missing class": (
        go_on(X, Y, classes=[0, 1, np.nan]),
        ValueError,
        ["classes", "position 2", "missing"],
    ),
    "no classes": (go_on(X, Y, classes=[]), ValueError, ["classes is empty", "leave it out"]),
    "mixed classes": (go_on(X, Y, classes=["a", 1]), ValueError, ["classes mixes", "position 1"]),
    "ragged classes": (go_on(X, Y, classes=[[1], [1, 2]]), ValueError, ["classes holds lists"]),
    "2-D classes": (go_on(X, Y, classes=[[0, 1]]), ValueError, ["1d array"]),
    "a number of classes": (go_on(X, Y, classes=2), ValueError, ["1d array"]),
    "continuous classes": (go_on(X, Y, classes=[0.5, 1.5]), ValueError, ["continuous"]),
    "unknown label": (
        go_on(X, put(Y_STEPS, (2, 1), 7), TAGGER),
        ValueError,
        ["label 7", "sequence 2, step 1", "first call"],
    ),
    "features": (go_on(X[..., :2], Y_STEPS, TAGGER), ValueError, ["2 features", "fit saw 3"]),
    "few targets": (go_on(X, Y[:2], SequenceRegressor(**QUICK)), ValueError, ["6 sequences"]),
    "other targets": (
        go_on(X, np.c_[Y, Y], SequenceRegressor(**QUICK).fit(X, Y)),
        ValueError,
        ["targets", "changed"],
    ),
    "samples": (lambda: FEEDBACK.sample(X, "a"), ValueError, ["n_samples", "'a'"]),
    "one label of a sequence": (
        lambda: FEEDBACK.sequence_log_proba(X, [[None] * T] * S),
        ValueError,
        ["sequence 0, step 0", "missing"],
    ),
}

DATA = {
    "subset": (lambda: datasets.load_japanese_vowels(subset="dev"), ["subset", "'dev'"]),
    "digits": (lambda: datasets.load_digit_sequences(return_X_y="yes"), ["return_X_y"]),
    "conversations": (lambda: datasets.make_conversations(0), ["n_conversations", "0"]),
    "turns": (lambda: datasets.make_conversations(2, n_turns=0), ["n_turns"]),
    "adding": (lambda: datasets.make_adding(2, 3), ["length", "10"]),
    "multiplication": (lambda: datasets.make_multiplication(-1), ["n_sequences", "-1"]),
    "order": (lambda: datasets.make_temporal_order(2, n_relevant=4), ["n_relevant", "4"]),
    "bits": (lambda: datasets.make_memorization(2, n_bits=0), ["n_bits"]),
    "True": (lambda: datasets.make_adding(True), ["n_sequences", "True"]),
    "seed": (lambda: datasets.make_adding(2, random_state="a"), ["random_state", "'a'"]),
}
DATA = {name: (call, ValueError, words) for name, (call, words) in DATA.items()}

CASES = {
    "padding": PADDING,
    "tables": TABLES,
    "transformers": TRANSFORMERS,
    "splitters": SPLITTERS,
    "scorers": SCORERS,
    "metrics": METRICS,
    "steps": STEPS,
    "batches": BATCHES,
    "data": DATA,
}


@pytest.mark.parametrize(
    "call, error, words",
    [
        pytest.param(*case, id=f"{kind}, {name}")
        for kind, cases in CASES.items()
        for name, case in cases.items()
    ],
)
def test_refused(call, error, words):
    assert_refuses(call, error, words)
