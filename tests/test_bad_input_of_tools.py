"""Bad input of transformers, splitters, scorers, metrics, steppers and data is refused."""

import numpy as np
import pytest
from refusals import (
    CLASSIFIER,
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
    csr,
    ids,
    put,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import make_scorer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_rnn import SequenceTagger, datasets, metrics
from sklearn_rnn.model_selection import SequenceKFold, sequence_scorer, train_test_split
from sklearn_rnn.preprocessing import (
    ContextWindow,
    PerStepTransformer,
    pad,
    to_sequences,
    to_table,
    unpad,
)

CSR, Y_LONG = csr(X), Y_STEPS.ravel()
MASKED = np.ma.masked_greater(X, -9)
SHUFFLED = LONG[[0, 4, 1]]
NO_ID = put(LONG, (3, 0), np.nan)
NAN_LABEL = put(Y_LONG, 9, np.nan)
DATES = [np.array(["2020-01-01"] * n, "M8[D]") for n in (1, 2)]
UNEVEN = [[1], [1, 2]]
SHORT = [*Y_STEPS[:5], [0, 1]]
SCALER = PerStepTransformer(StandardScaler())
FITTED_SCALER = PerStepTransformer(StandardScaler()).fit(X)
WINDOW = ContextWindow().fit(X)


def case(words, function, *arguments, **parameters):
    """Return a call, and words that the message of its error must contain."""
    return lambda: function(*arguments, **parameters), words


def fit_transform(X, transformer):
    return PerStepTransformer(transformer).fit_transform(X)


def window(X, **parameters):
    return ContextWindow(**parameters).fit(X)


def folds(X, y=None, sequence_id=0, n_splits=2, **parameters):
    return list(SequenceKFold(n_splits, sequence_id=sequence_id, **parameters).split(X, y))


def halves(*arrays, sequence_id=0, **parameters):
    return train_test_split(*arrays, sequence_id=sequence_id, **parameters)


def score(scoring, estimator, X, y, sequence_id=None, **more):
    return sequence_scorer(scoring, sequence_id=sequence_id)(estimator, X, y, **more)


def step(*steps, of=TAGGER):
    stepper = of.start()
    for x in steps:
        stepper.step(x)


def bidirectional():
    return SequenceTagger(bidirectional=True, **QUICK).fit(X, Y_STEPS).start()


PADDING = [
    case("no sequences", pad, []),
    case("sequence 1 of X has no steps", pad, [[1], []]),
    case("sequence 0 is a single item", pad, [1, 2]),
    case("'sequences'", pad, 3),
    case("'sequences'", pad, (x for x in X)),
    case("sequence 0 is sparse", pad, CSR),
    case("sequence 1 has shape (4, 2)", pad, [X[0], X[1, :, :2]]),
    case("sequence 1 has shape (1, 1)", pad, [[1], [[1]]]),
    case("sequence 0 could not be read", pad, [UNEVEN]),
    case("padding_value must be a single value, got [0]", pad, UNEVEN, [0]),
    case("padding_value must be a single value", pad, [[1]], np.ones(2)),
    case("padding_value=0 cannot stand among", pad, [["a"]], 0),
    case("padding_value='a' cannot stand among", pad, [[1]], "a"),
    case("padding_value=nan cannot stand among", pad, DATES),
    case("sequence 1 is a masked array", pad, [X[0], MASKED[1]]),
    case("padding_value=<class 'int'> cannot", pad, [[1]], int),
    case("padding_value=1000", pad, [[1]], 10**400),
    case("X is a masked array", unpad, MASKED),
    case("padding_value={} cannot", unpad, X, None, {}),
    case("'X'", unpad, 3),
    case("X must be padded", unpad, X[0, 0]),
    case("X could not be read", unpad, [[1, 2], [1]]),
    case("'X'", unpad, CSR[0]),
    case("sequence 1 of X is nothing but padding", unpad, [[1.0], [np.nan]]),
    case("padding_value must be a single value", unpad, X, None, [1, 2]),
    *(
        case("lengths must hold an integer for each of the 6", unpad, X, lengths)
        for lengths in ([1], [1.0] * S, ["a"] * S)
    ),
    case("lengths could not be read", unpad, X, UNEVEN),
    case("lengths[1] is 0, but", unpad, X, [4, 0, 1, 1, 1, 1]),
    case("lengths[0] is 5, but the sequences of X have 4", unpad, X, [5] * S),
]

TABLES = [
    case("table has 3 dimensions", to_sequences, X, 0),
    case("table has 0 dimensions", to_sequences, None, 0),
    case("X could not be read", to_sequences, [[1, 2], [1]], 0),
    case("The table has no rows", to_sequences, LONG[:0], 0),
    case("no columns but sequence_id", to_sequences, LONG[:, :1], 0),
    case("sequence_id=9, but X has only 4 columns", to_sequences, LONG, 9),
    case("'who' names a column, but X is an array", to_sequences, LONG, "who"),
    *(case("sequence_id", to_sequences, LONG, value) for value in (True, 0.5, None)),
    case("sequence 7.0 are not contiguous: it comes again at row 2", to_sequences, SHUFFLED, 0),
    case("id at row 3 of X is missing", to_sequences, NO_ID, 0),
    case("values[0] has 6 entries, but X has 24 rows", to_sequences, LONG, 0, Y),
    case("values[1] must hold one value", to_sequences, LONG, 0, LONG[:, 1], [[1]] * 24),
    case("X must hold sequences", to_table, LONG),
    case("X must hold sequences", to_table, 3),
    case("X must hold sequences, or be a table, but is a generator", to_table, (x for x in X)),
    case("X must hold sequences", to_table, range(S)),
    case("n_features", to_table, [[{"a": 1}]]),
    case("X has 4 dimensions", to_table, X[..., None]),
    case("sequence 1 of X has 2 features", to_table, [X[0], X[1, :, :2]]),
    case("X is a masked array", to_table, MASKED),
    case("values[0] has 5 entries, but X has 6 sequences", to_table, X, Y_STEPS[:5]),
    case("values[0][0] has shape ()", to_table, X, Y),
    case("ids has shape (1,), but X has 6", to_table, X, ids=[1]),
    case("ids holds 1 more than once", to_table, X, ids=[1] * S),
    case("ids holds a missing value", to_table, X, ids=[*"abcde", None]),
    case("ids mixes strings", to_table, X, ids=["a", *range(5)]),
    case("ids could not be read", to_table, X, ids=UNEVEN),
    case("ids must all be of one type that sorts", to_table, X, ids=[{}] * S),
    case("ids is sparse", to_table, X, ids=CSR),
    case("ids that are no numbers", to_table, CSR, ids=list("abcdef")),
    case("sequence_id=9, but the table has 4", to_table, X, sequence_id=9),
    case("sequence_id", to_table, X, sequence_id=True),
    case("columns must name the 3 features", to_table, X, sequence_id="who", columns=["a"]),
    case("and none 'who'", to_table, X, sequence_id="who", columns=["a", "who", "b"]),
    case("columns must be strings", to_table, X, sequence_id="who", columns=[0, 1, 2]),
    case("columns must be strings", to_table, X, sequence_id="who", columns=[["a"], ["b"], ["c"]]),
    case("Sparse X does not go into a DataFrame", to_table, CSR, sequence_id="who"),
    case("'library'", to_table, X, library="dask"),
]

TRANSFORMERS = [
    case("no sequences", window, []),
    case("sequence 1 of X has no steps", window, [X[0], X[1, :0]]),
    case("X could not be read as real numbers", window, [[["a"]], [["b"]]]),
    case("X is a dict. Pass a list", window, {}),
    case("Complex", window, X + 1j),
    case("X has 4 dimensions", window, X[..., None]),
    case("again at row 2", window, SHUFFLED, sequence_id=0),
    case("'who' names a column", window, LONG, sequence_id="who"),
    case("sequence_id", window, LONG, sequence_id=True),
    case("'before'", window, X, before=-1),
    *(case("'after'", window, X, after=value) for value in (1.5, 10**400)),
    case("X holds dates", window, X.astype("M8[s]")),
    case("X has 2 features at each step, but fit saw 3", WINDOW.transform, X[..., :2]),
    case("not fitted yet", ContextWindow().transform, X),
    case(
        "DataFrames of tables only",
        lambda: ContextWindow().set_output(transform="pandas").fit(X).transform(X),
    ),
    case("'transformer'", fit_transform, X, None),
    case("must be an instance, such as StandardScaler()", fit_transform, X, StandardScaler),
    case("'transform'", fit_transform, X, TAGGER),
    case("no sequences", SCALER.fit, []),
    case("sequence 1 of X has no steps", SCALER.fit, [X[0], X[1, :0]]),
    case("but is a NoneType", SCALER.fit, None),
    case("but is a str", SCALER.fit, "abc"),
    case("StandardScaler does not take the steps of X", SCALER.fit, [["a", "b"], ["c"]]),
    case("StandardScaler does not take the steps of X", SCALER.fit, [[{"a": 1}]]),
    case("sequence 1 of X has 2 features", SCALER.fit, [X[0], X[1, :, :2]]),
    case("sequence 0 of X could not be read", SCALER.fit, [[[1, 2], [3]]]),
    case("sequence 0 of X has shape (3,)", SCALER.fit, [np.ones(3), np.ones(2)]),
    case("sequence 1 of X has 3 features, sparse", SCALER.fit, [X[0], CSR[1]]),
    case("X has 4 dimensions", SCALER.fit, X[..., None]),
    case("X is a masked array", SCALER.fit, MASKED),
    case("masked", SCALER.fit, [X[0], MASKED[1]]),
    case("2D array", SCALER.fit, range(S)),
    case("y is sparse", SCALER.fit, X, CSR),
    case("y must be an array or a list", SCALER.fit, X, {*range(S)}),
    case("y has 3 entries, but X has 6 sequences", SCALER.fit, X, Y[:3]),
    case("sample_weight has 1 entries", SCALER.fit, X, sample_weight=[1]),
    case("StandardScaler does not take the steps", FITTED_SCALER.inverse_transform, [[["a"]]]),
    case("StandardScaler does not take the steps", FITTED_SCALER.inverse_transform, X[..., :2]),
    case("not fitted yet", SCALER.transform, X),
    case("but is a dict", fit_transform, {"a": 1}, DictVectorizer()),
    case("sequence 0 of X is a single item", fit_transform, [{"a": 1}], DictVectorizer()),
    case("DictVectorizer does not take the steps", fit_transform, list(X), DictVectorizer()),
    case("DictVectorizer does not take the steps", fit_transform, [["a"]], DictVectorizer()),
    case("a single item, 'the cat'", fit_transform, ["the cat", "a dog"], CountVectorizer()),
    case("CountVectorizer takes one item a step", fit_transform, X[0].tolist(), CountVectorizer()),
    case("23 rows for 24 steps", fit_transform, X, FunctionTransformer(lambda rows: rows[1:])),
    case(
        "OneHotEncoder takes no sample_weight",
        PerStepTransformer(OneHotEncoder()).fit,
        [["a"], ["b"]],
        sample_weight=[1, 1],
    ),
]

SPLITTERS = [
    *(case("'n_splits'", folds, LONG, n_splits=value) for value in (1, 1.5)),
    case("n_splits=9, but X has only 6 sequences", folds, LONG, n_splits=9),
    *(case("2-D table", folds, value) for value in (X, None)),
    case("sequence_id=4, but X has only 4 columns", folds, LONG, sequence_id=4),
    case("X has no rows", folds, LONG[:0]),
    case("'who' names a column", folds, LONG, sequence_id="who"),
    *(case("sequence_id", folds, LONG, sequence_id=value) for value in (None, 1.5, True)),
    case("again at row 2", folds, SHUFFLED),
    case("id at row 3 of X is missing", folds, NO_ID),
    case("stratify=True needs y", folds, LONG, stratify=True),
    case("y has 6 entries, but X has 24 rows", folds, LONG, Y, stratify=True),
    case("continuous", folds, LONG, LONG[:, 1], stratify=True),
    case("label of y at row 9 is missing", folds, LONG, NAN_LABEL, stratify=True),
    case("shuffle", folds, LONG, random_state=0),
    case("'stratify'", folds, LONG, Y, stratify="no"),
    case("'random_state'", folds, LONG, shuffle=True, random_state=-1),
    case("At least one array", halves),
    case("position 1 is None", halves, LONG, None),
    *(case("2-D table", halves, value) for value in (X, list(X))),
    case("again at row 2", halves, SHUFFLED),
    case("'who' names a column", halves, LONG, sequence_id="who"),
    case("sequence_id", halves, LONG, sequence_id=None),
    case("[24, 6]", halves, LONG, Y),
    case("n_samples=1", halves, LONG[:4]),
    case("test_size=9", halves, LONG, test_size=9),
    case("stratify has 6 entries", halves, LONG, stratify=Y),
    case("stratify must hold one value for each row", halves, LONG, stratify=UNEVEN),
    case("stratify changes within sequence 7.0", halves, LONG, stratify=Y_LONG),
]

SCORERS = [
    case("'bad'", sequence_scorer, "bad"),
    *(
        case("scoring must be a name or a scorer", sequence_scorer, value)
        for value in (3, {"a": "f1"}, SequenceTagger)
    ),
    case("sequence_scorer('span_f1')", sequence_scorer, metrics.span_f1_score),
    case(
        "sequence_scorer('sequence_accuracy')",
        sequence_scorer,
        make_scorer(metrics.sequence_accuracy_score),
    ),
    *(
        case("y must hold the labels", score, name, TAGGER, X, 3)
        for name in ("accuracy", "span_f1")
    ),
    case("needs an estimator that predicts", score, "span_f1", None, X, Y_STEPS),
    case("sequence 5, step 1 is missing", score, "accuracy", TAGGER, X, [*SHORT[:5], [0, None]]),
    case("a list for each of 6", score, "accuracy", CLASSIFIER, X, Y_STEPS),
    case("y has 3 entries", score, "accuracy", TAGGER, X, Y_STEPS[:3]),
    case("y[5] has 2 entries, but sequence 5", score, "accuracy", TAGGER, X, SHORT),
    case("not fitted yet", score, "accuracy", SequenceTagger(), X, Y_STEPS),
    case("needs y", score, "accuracy", TAGGER, X, None),
    case("sample_weight has 2", score, "accuracy", TAGGER, X, Y_STEPS, sample_weight=[1, 2]),
    case("log loss", score, "neg_log_loss", TAGGER, X, put(Y_STEPS, (2, 1), 7)),
    case("sequence 1, step 2", score, "accuracy", TAGGER, put(X, (1, 2, 0), np.inf), Y_STEPS),
    case("0 at sequence 0, step 0, which is no tag", score, "span_f1", TAGGER, X, 0 * Y_STEPS),
    case("sequence_id", score, "sequence_accuracy", LONG_TAGGER, LONG, Y_LONG),
    case("sequence_id", score, "sequence_accuracy", LONG_TAGGER, LONG, Y_LONG, sequence_id=0.5),
]

token, whole = metrics.token_accuracy_score, metrics.sequence_accuracy_score
METRICS = [
    case("y_pred has 3 entries, but y_true has 6 sequences", token, Y_STEPS, Y_STEPS[:3]),
    case("y_pred[5] has shape (2,), but sequence 5 of y_true", token, Y_STEPS, SHORT),
    case("y_true must hold the labels of sequences, got None", token, None, Y_STEPS),
    case("y_pred must hold one array for each sequence of y_true", token, Y_STEPS, None),
    case("y_true must hold the labels of sequences, got 1", token, 1, 1),
    case("y_true must hold the labels of sequences, got 'ab'", token, "ab", "ab"),
    case("y_true is empty", token, [], []),
    case("y_true is empty", whole, [], []),
    case("y_pred has 1 entries, but y_true has 2 rows", token, ["a", "b"], ["a"]),
    case("one value for each row of y_true", token, ["a", "b"], [["a"], ["b"]]),
    case("y_true[1] has shape ()", token, [["a"], "b"], [["a"], ["b"]]),
    case("'a' at sequence 5, step 0", token, Y_STEPS, [*Y_STEPS[:5], ["a", 0, 1, 1]]),
    case("sample_weight has 1 entries", token, Y_STEPS, Y_STEPS, sample_weight=[1]),
    case("sequence 2, step 1 is missing", whole, put(Y_STEPS, (2, 1), np.nan), Y_STEPS),
    case("sample_weight contains NaN", whole, Y_STEPS, Y_STEPS, sample_weight=np.nan),
    case("1D", whole, Y_STEPS, Y_STEPS, sample_weight=np.ones((S, T))),
    case("sequence_ids has 1 entries", whole, [1, 2], [1, 2], sequence_ids=[1]),
    case("row 2 of sequence_ids", whole, [1, 2, 1], [1, 2, 1], sequence_ids=[1, 2, 1]),
    case("sequence_ids are for a flat list", whole, Y_STEPS, Y_STEPS, sequence_ids=LONG[:, 0]),
    case("sequence_ids could", metrics.span_f1_score, SHORT[5], SHORT[5], sequence_ids=UNEVEN),
    case(
        "row 1 of sequence_ids is missing",
        metrics.span_f1_score,
        [*"OO"],
        [*"OO"],
        sequence_ids=[1, np.nan],
    ),
    case("'X-PER' at sequence 0, step 1", metrics.span_recall_score, [["O", "X-PER"]], [["O"] * 2]),
    case("y_pred holds 1", metrics.span_precision_score, [["O"]], [[1]]),
    case("y_true at sequence 0, st", metrics.flat_classification_report, [["a", None]], [[*"ab"]]),
    case("target_names", metrics.flat_classification_report, Y_STEPS, Y_STEPS, target_names=["a"]),
]

# more in test_streaming.py, where they also change nothing
STEPS = [
    case("x of step 0 could not be read as real numbers", step, ["a", "b", "c"]),
    case("x of step 0 could not be read as real numbers", step, CSR),
    case("x of step 0 could not be read as real numbers", step, {}),
    case("x of step 0 holds dates", step, X[:, 0].astype("M8[s]")),
    case("x of step 0 is a masked array", step, MASKED[:, 0]),
    case("step 1, sequence 2", step, X[:, 0], put(X[:, 1], (2, 0), np.inf)),
    case("x has shape (2, 3) at step 1", step, X[:, 0], X[:2, 1]),
    case("bidirectional=False", bidirectional),
]

DATA = [
    case("'subset'", datasets.load_japanese_vowels, subset="dev"),
    case("'return_X_y'", datasets.load_digit_sequences, return_X_y="yes"),
    case("'n_conversations'", datasets.make_conversations, 0),
    case("'n_turns'", datasets.make_conversations, 2, n_turns=0),
    case("'length'", datasets.make_adding, 2, 3),
    case("'n_sequences'", datasets.make_multiplication, -1),
    case("'n_sequences'", datasets.make_adding, True),
    case("'n_sequences'", datasets.make_narma, 0),
    case("'horizon'", datasets.make_mackey_glass, horizon=0),
    case("'tau'", datasets.make_mackey_glass, tau=0),
    case("'n_relevant'", datasets.make_temporal_order, 2, n_relevant=4),
    case("'n_bits'", datasets.make_memorization, 2, n_bits=0),
    case("'random_state'", datasets.make_adding, 2, random_state="a"),
]

CASES = [*PADDING, *TABLES, *TRANSFORMERS, *SPLITTERS, *SCORERS, *METRICS, *STEPS, *DATA]


@pytest.mark.parametrize("call, words", CASES, ids=ids(CASES))
def test_refused(call, words):
    assert_refuses(call, words)
