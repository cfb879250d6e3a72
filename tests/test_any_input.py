"""Anything in the place of any argument: taken only where that is listed, else refused by us."""

import copy
import functools
import warnings

import joblib
import numpy as np
import pytest
from refusals import (
    CLASSIFIER,
    FEEDBACK,
    LONG,
    LONG_TAGGER,
    QUICK,
    REGRESSOR,
    TAGGER,
    WIDE,
    Y_STEPS,
    D,
    S,
    T,
    X,
    Y,
    assert_ours,
    put,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.feature_extraction import DictVectorizer
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import SequenceClassifier, SequenceTagger, datasets, metrics
from sklearn_rnn._arrays import object_array
from sklearn_rnn.model_selection import SequenceKFold, sequence_scorer, train_test_split
from sklearn_rnn.preprocessing import (
    ContextWindow,
    PerStepTransformer,
    pad,
    to_sequences,
    to_table,
    unpad,
)


class Anything:
    """An object of no known class."""


OBJECTS = [Anything() for _ in range(S)]
VALUES = {
    "None": None,
    "True": True,
    "3": 3,
    "-1": -1,
    "1.5": 1.5,
    "NaN": np.nan,
    "infinity": np.inf,
    "10**400": 10**400,
    "a word": "abc",
    "bytes": b"ab",
    "a dict": {"a": 1},
    "a set": {1, 2},
    "an object": Anything(),
    "a type": int,
    "a function": len,
    "a slice": slice(3),
    "...": ...,
    "()": (),
    "[]": [],
    "[[]]": [[]],
    "[[], [1]]": [[], [1]],
    "0-D": np.array(1.0),
    "1-D": X[0, 0],
    "4-D": X[None],
    "range": range(S),
    "nested": [[[[[1]]]]],
    "complex": X + 1j,
    "dates": np.full((S, T, D), "2020-01-01", "M8[D]"),
    "missing dates": np.full((S, T, D), "NaT", "M8[D]"),
    "durations": np.full((S, T, D), 1, "m8[s]"),
    "a date each": np.full(S, "2020-01-01", "M8[D]"),
    "dates in a list": [*X[1:], np.full((T, D), "2020-01-01", "M8[D]")],
    "masked": np.ma.masked_greater(X, 1),
    "masked in a list": [*X[1:], np.ma.masked_greater(X[0], -9)],
    "masked, one each": np.ma.masked_greater(np.arange(S), 3),
    "objects": object_array(OBJECTS),
    "objects in a list": OBJECTS,
    "records": np.zeros(S, "i4,f4"),
    "words": np.full((S, T, D), "a"),
    "bytes each": np.full((S, T), b"a"),
    "NaN each": np.full(S, np.nan),
    "a NaN among steps": put(Y_STEPS, (2, 1), np.nan),
    "a NaN in a table": put(LONG, (9, 1), np.nan),
    "infinity each": np.full(S, np.inf),
    "infinity in half precision": np.full((S, T, D), np.inf, np.float16),
    "-1 each": -np.ones(S),
    "0 each": np.zeros(S),
    "one each, and more": np.ones(S + 2),
    "mixed": [1, "a", None, 2.5, b"x", ()],
    "a word and numbers": ["a", *range(S - 1)],
    "mixed at each step": [[1, "a", None, 2.5]] * S,
    "a word and numbers at each step": [["a", 1, 2, 3]] * S,
    "None among steps": [[None if t == i else t for t in range(T)] for i in range(S)],
    "ragged": [[1] * (i % 4 + 1) for i in range(S)],
    "one longer": [[0] * (T + (i == 2)) for i in range(S)],
    "lists": [[1], [2, 3]] * 3,
    "dicts": [{}] * S,
    "dicts at each step": [[{}]] * S,
    "10**30 each": [10**30] * S,
    "10**30 at each step": [[10**30] * T] * S,
    "no features": np.zeros((S, T, 0)),
    "COO": sparse.coo_array(X[0]),
    "CSR sequences": [sparse.csr_array(x) for x in X],
    "COO sequences": [sparse.coo_array(x) for x in X],
    "complex CSR": [sparse.csr_array(x + 1j) for x in X],
}
try:
    import pandas as pd
except ImportError:
    pass
else:
    VALUES |= {
        "a frame with words": pd.DataFrame({"a": ["x"] * 24, "b": 1.0}),
        "a frame with dates": pd.DataFrame({"a": pd.date_range("2020", periods=24), "b": 1.0}),
        "a frame with NA": pd.DataFrame({"a": pd.array([1, None] * 12, "Int64")}),
        "a series with None": pd.Series(["a", 1, None]),
        "a series of dates": pd.Series(pd.date_range("2020", periods=S)),
        "categories and None": pd.Categorical(["a", None] * 3),
        "integers and NA": pd.array([1, None] * 3, "Int64"),
    }
ITERATORS = {"a generator": lambda: (x for x in X), "an iterator": lambda: iter(list(Y))}

WIDE_CLASSIFIER = SequenceClassifier(features_per_step=D, **QUICK).fit(WIDE, Y)

# What may be taken, by what it is taken for.
ANYTHING = None  # it does not matter, but for the words of an error
NOTHING = set()
SEQUENCES = {"CSR sequences", "COO sequences"}
TABLE_OF_SIX = {"10**30 at each step"}
WEIGHTS = {"None", "True", "3", "1.5", "10**30 each", "range"}
STEP_WEIGHTS = WEIGHTS | {"10**30 at each step"}
COUNT = {"3"}
REAL = {"3", "1.5"}
FLAG = {"True"}
SEED = {"None", "True", "3"}
TARGETS = {"-1 each", "0 each", "10**30 each", "range"}
POSITION = {"3", "-1"}
IDS = {
    *("None", "range", "-1 each", "0 each", "infinity each", "10**30 each", "records"),
    *("a date each", "a series of dates"),
}
PARAMETERS = {
    "hidden_layer_sizes": COUNT,
    "activation": NOTHING,
    "bidirectional": FLAG,
    "teacher_forcing": FLAG,
    "decoding": NOTHING,
    "pooling": NOTHING,
    "features_per_step": COUNT,
    "sequence_id": {*POSITION, "None", "a word"},  # 3-D data have no such column
    "solver": NOTHING,
    "alpha": REAL,
    "max_iter": {*COUNT, "None"},
    "tol": REAL,
    "class_weight": {"None"},
    "early_stopping": ANYTHING,  # a regressor needs more sequences
    "validation_fraction": NOTHING,
    "n_iter_no_change": COUNT,
    "n_init": COUNT,
    "warm_start": FLAG,
    "n_jobs": {"None", "3", "-1"},
    "random_state": SEED,
    "verbose": {"True", "3", "10**400"},
}


def unchanged_by_failure(estimator, method, *args, **more):
    """Call a method of a copy; if it fails, the copy must be as it was before."""
    estimator = copy.deepcopy(estimator)
    before = joblib.hash(vars(estimator))
    try:
        getattr(estimator, method)(*args, **more)
    except Exception:
        assert joblib.hash(vars(estimator)) == before
        raise


def of_estimator(estimator):
    """Calls of the methods, by their names: the function, its arguments, what may be taken."""
    is_tagger = estimator in (TAGGER, FEEDBACK)
    y = Y_STEPS if is_tagger else Y
    labels = NOTHING if is_tagger else {"range", "a series of dates"}
    targets = TARGETS | TABLE_OF_SIX if estimator is REGRESSOR else labels
    known = TARGETS if estimator is REGRESSOR else NOTHING if is_tagger else {"0 each"}
    table = {"COO"} if is_tagger else NOTHING
    weights = STEP_WEIGHTS if is_tagger else WEIGHTS
    x = X, SEQUENCES | (NOTHING if is_tagger else TABLE_OF_SIX)
    weight = np.ones(S), weights
    calls = {}
    fitting = {"X": x, "y": (y, targets), "sample_weight": weight}
    going_on = {"X": (X, SEQUENCES), "y": (y, known), "sample_weight": weight}
    for method, arguments in {"fit": fitting, "partial_fit": going_on}.items():
        call = functools.partial(unchanged_by_failure, estimator, method)
        calls[method] = (
            lambda X, y, sample_weight, call=call: call(X, y, sample_weight=sample_weight),
            arguments,
        )
    calls["score"] = estimator.score, going_on
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        if hasattr(estimator, method):
            calls[method] = getattr(estimator, method), {"X": (X, SEQUENCES | table)}
    if estimator is not REGRESSOR:
        calls["first partial_fit"] = (
            lambda classes: clone(estimator).partial_fit(X, y, classes=classes),
            {"classes": ([0, 1], {"None", "range"})},
        )
        calls["weight of a class"] = (
            lambda weight: clone(estimator).set_params(class_weight={0: weight, 1: 1}).fit(X, y),
            {"weight": (1.0, {"True", "3", "1.5", "0-D"})},
        )
    for name, value in estimator.get_params().items():
        calls[f"fit of {name}"] = (
            lambda value, name=name: clone(estimator).set_params(**{name: value}).fit(X, y),
            {"value": (value, PARAMETERS[name])},
        )
    calls["fit of a size"] = (
        lambda size: clone(estimator).set_params(hidden_layer_sizes=(2, size)).fit(X, y),
        {"size": (2, COUNT)},
    )
    return {f"{type(estimator).__name__}, {name}": call for name, call in calls.items()}


def long_fit(X, y, sample_weight, sequence_id):
    tagger = SequenceTagger(sequence_id=sequence_id, **QUICK)
    return tagger.fit(X, y, sample_weight=sample_weight)


LONG_Y = Y_STEPS.ravel()
TABLES_OF_ROWS = {"10**30 at each step", "a word and numbers at each step"}
FRAMES_WITH_IDS = {"a frame with words", "a frame with dates"}
TABLES = {
    "fit a wide table": (
        lambda X, n: SequenceClassifier(features_per_step=n, **QUICK).fit(X, Y),
        {"X": (WIDE, SEQUENCES), "n": (D, COUNT)},
    ),
    "predict a wide table": (WIDE_CLASSIFIER.predict, {"X": (WIDE, SEQUENCES)}),
    "fit a long table": (
        long_fit,
        {
            "X": (LONG, FRAMES_WITH_IDS),
            "y": (LONG_Y, NOTHING),
            "sample_weight": (np.ones(S * T), {"None", "True", "3", "1.5"}),
            "sequence_id": (0, {*POSITION, "None"}),
        },
    ),
    "predict a long table": (LONG_TAGGER.predict, {"X": (LONG, SEQUENCES | TABLES_OF_ROWS)}),
    "score a long table": (LONG_TAGGER.score, {"X": (LONG, NOTHING), "y": (LONG_Y, NOTHING)}),
}

FEEDBACK_CALLS = {
    "sequence_log_proba": (
        FEEDBACK.sequence_log_proba,
        {"X": (X, SEQUENCES), "y": (Y_STEPS, NOTHING)},
    ),
    "sample": (
        FEEDBACK.sample,
        {
            "X": (X, SEQUENCES | {"COO"}),
            "n_samples": (2, COUNT),
            "random_state": (0, SEED),
        },
    ),
}

STEPS = {
    f"{when} step of {type(estimator).__name__}": (call, {"x": (X[:, 0], taken)})
    for estimator in (CLASSIFIER, REGRESSOR, TAGGER, FEEDBACK)
    for when, call, taken in [
        ("first", lambda x, estimator=estimator: estimator.start().step(x), {"1-D"}),
        ("second", lambda x, estimator=estimator: second_step(estimator.start(), x), NOTHING),
    ]
}


def second_step(stepper, x):
    stepper.step(X[:, 0])
    stepper.step(x)


DATES = {"dates", "missing dates", "durations"}
ITEMS = {"mixed at each step", "a word and numbers at each step", "None among steps"}
ANY_STEPS = {
    *ITEMS,
    *("complex", "dates", "missing dates", "durations", "words", "bytes each"),
    *("a NaN among steps", "infinity in half precision", "10**30 at each step"),
}
PADDING = {
    "pad": (
        pad,
        {
            "sequences": (
                [x[: i % 4 + 1] for i, x in enumerate(X)],
                {
                    *ITEMS,
                    *("complex", "4-D", "nested", "a NaN among steps", "a NaN in a table"),
                    *("ragged", "one longer", "lists", "no features", "dicts at each step"),
                    *("10**30 at each step", "infinity in half precision"),
                },
            ),
            "padding_value": (
                0.0,
                {"None", "True", "3", "-1", "1.5", "NaN", "infinity", "0-D"},
            ),
        },
    ),
    "unpad": (
        unpad,
        {
            "X": (X, ANY_STEPS | {"no features", "dicts at each step", "dates in a list"}),
            "lengths": ([1] * S, {"None"}),
            "padding_value": (0.0, ANYTHING),  # not needed
        },
    ),
    "unpad with a value": (
        lambda X, value: unpad(X, padding_value=value),
        {
            "X": (
                X,
                {
                    *ITEMS,
                    *("complex", "4-D", "nested", "a NaN among steps", "a NaN in a table"),
                    *("10**30 at each step", "infinity in half precision", "dates in a list"),
                    *("dicts at each step", "a frame with NA", *FRAMES_WITH_IDS),
                },
            ),
            "value": (0.0, {"None", "True", "3", "-1", "1.5", "NaN", "infinity", "0-D"}),
        },
    ),
}

CONVERSIONS = {
    "to_sequences": (
        lambda table, sequence_id, values: to_sequences(table, sequence_id, values),
        {
            "table": (LONG, FRAMES_WITH_IDS | {"a NaN in a table"}),
            "sequence_id": (0, POSITION),
            "values": (LONG_Y, {"a frame with NA"}),
        },
    ),
    "to_table": (
        lambda X, values, **more: to_table(X, values, **more),
        {
            "X": (
                X,
                {
                    *("complex", "words", "infinity in half precision", "10**30 at each step"),
                    *("mixed at each step", "a word and numbers at each step", *DATES),
                },
            ),
            "values": (
                Y_STEPS,
                ITEMS | {"bytes each", "a NaN among steps", "10**30 at each step"},
            ),
            "ids": (list("abcdef"), {"None", "range", "a series of dates"}),
        },
    ),
}
if "a frame with words" in VALUES:
    CONVERSIONS["to_table, a frame"] = (
        lambda columns, sequence_id: to_table(X, sequence_id=sequence_id, columns=columns),
        {"columns": (list("xyz"), {"None"}), "sequence_id": ("who", {"a word", *POSITION})},
    )

TRANSFORMERS = {
    "ContextWindow": (
        lambda X, before, after: ContextWindow(before, after).fit_transform(X),
        {
            "X": (
                X,
                {
                    *SEQUENCES,
                    *("a NaN among steps", "None among steps", "COO", "a frame with NA"),
                    *("10**30 at each step", "infinity in half precision", "a NaN in a table"),
                },
            ),
            "before": (1, COUNT),
            "after": (1, COUNT),
        },
    ),
    "ContextWindow, transform": (
        ContextWindow().fit(X).transform,
        {"X": (X, {*SEQUENCES, "COO", "infinity in half precision"})},
    ),
    "ContextWindow, names": (
        ContextWindow().fit(X).get_feature_names_out,
        {"input_features": (list("abc"), {"None", "1-D", "a series with None"})},
    ),
    "PerStepTransformer": (
        lambda X, y, sample_weight: PerStepTransformer(StandardScaler()).fit(X, y, sample_weight),
        {
            "X": (X, DATES | {"10**30 at each step", "a NaN among steps"}),
            "y": (Y, ANYTHING),  # a scaler does not look at it
            "sample_weight": (np.ones(S), STEP_WEIGHTS),
        },
    ),
    "PerStepTransformer, transform": (
        PerStepTransformer(StandardScaler()).fit(X).transform,
        {"X": (X, DATES)},
    ),
    "PerStepTransformer, inverse_transform": (
        PerStepTransformer(StandardScaler()).fit(X).inverse_transform,
        {"X": (X, DATES)},
    ),
    "PerStepTransformer of dicts": (
        lambda X: PerStepTransformer(DictVectorizer()).fit_transform(X),
        {"X": ([[{"a": 1}]], {"dicts at each step"})},
    ),
    "PerStepTransformer of anything": (
        lambda transformer: PerStepTransformer(transformer).fit(X),
        {"transformer": (StandardScaler(), NOTHING)},
    ),
}

SPLITTERS = {
    "SequenceKFold": (
        lambda X, y, groups, **more: list(SequenceKFold(shuffle=True, **more).split(X, y, groups)),
        {
            "X": (LONG, {"a frame with dates", "a NaN in a table"}),
            "y": (LONG_Y, ANYTHING),  # not looked at
            "groups": (None, ANYTHING),
            "n_splits": (2, COUNT),
            "sequence_id": (0, POSITION),
            "random_state": (0, SEED),
        },
    ),
    "SequenceKFold, stratified": (
        lambda y, stratify, shuffle: list(
            SequenceKFold(2, sequence_id=0, stratify=stratify, shuffle=shuffle).split(LONG, y)
        ),
        {
            "y": (np.repeat(Y, T), NOTHING),
            "stratify": (True, FLAG),
            "shuffle": (False, FLAG),
        },
    ),
    "train_test_split": (
        lambda X, y, **more: train_test_split(X, y, **more),
        {
            "X": (LONG, {"a frame with dates", "a NaN in a table"}),
            "y": (LONG_Y, FRAMES_WITH_IDS | {"a frame with NA", "a NaN in a table"}),
            "sequence_id": (0, POSITION),
            "test_size": (0.5, {"None", "3"}),
            "random_state": (0, SEED),
            "stratify": (np.repeat(Y, T), {"None"}),
        },
    ),
    "train_test_split, train_size": (
        lambda train_size, shuffle: train_test_split(
            LONG, sequence_id=0, train_size=train_size, shuffle=shuffle
        ),
        {"train_size": (0.5, {"None", "3"}), "shuffle": (False, FLAG)},
    ),
}

BIO = [["B-x", "O", "O", "O"]] * S
SCORERS = {
    "sequence_scorer": (
        lambda scoring: sequence_scorer(scoring)(TAGGER, X, Y_STEPS),
        {"scoring": ("accuracy", NOTHING)},
    ),
    **{
        f"sequence_scorer of {name}": (
            sequence_scorer(name),
            {
                "estimator": (estimator, NOTHING),
                "X": (x, SEQUENCES),
                "y": (y, taken),
                "sample_weight": (np.ones(S), weights),
            },
        )
        for name, estimator, x, y, taken, weights in [
            ("accuracy", TAGGER, X, Y_STEPS, NOTHING, STEP_WEIGHTS),
            ("f1_macro", CLASSIFIER, X, Y, {"-1 each", "0 each", "range"}, WEIGHTS),
            ("neg_log_loss", TAGGER, X, Y_STEPS, NOTHING, STEP_WEIGHTS),
            ("r2", REGRESSOR, X, Y, TARGETS, WEIGHTS),
        ]
    },
    "sequence_scorer of sequence_accuracy": (
        sequence_scorer("sequence_accuracy"),
        {
            "estimator": (TAGGER, NOTHING),
            "X": (X, SEQUENCES),
            "y": (Y_STEPS, {"10**30 at each step"}),
        },
    ),
    "sequence_scorer of a long table": (
        lambda X, y, sequence_id: sequence_scorer("sequence_accuracy", sequence_id=sequence_id)(
            LONG_TAGGER, X, y
        ),
        {"X": (LONG, NOTHING), "y": (LONG_Y, NOTHING), "sequence_id": (0, POSITION)},
    ),
}

METRICS = {
    **{
        name: (
            getattr(metrics, name),
            {
                "y_true": (Y_STEPS, NOTHING),
                "y_pred": (Y_STEPS, NOTHING),
                "sample_weight": (np.ones(S), STEP_WEIGHTS),
            },
        )
        for name in ("token_accuracy_score", "flat_classification_report")
    },
    "sequence_accuracy_score": (
        metrics.sequence_accuracy_score,
        {
            "y_true": (Y_STEPS, {"10**30 at each step"}),
            "y_pred": (Y_STEPS, {"10**30 at each step"}),
            "sample_weight": (np.ones(S), WEIGHTS),
        },
    ),
    "sequence_accuracy_score of a table": (
        metrics.sequence_accuracy_score,
        {
            "y_true": (Y, TARGETS | {"a date each", "a series of dates"}),
            "y_pred": (Y, TARGETS | {"a date each", "a series of dates"}),
            "sequence_ids": (range(S), IDS),
        },
    ),
    **{
        name: (
            getattr(metrics, name),
            {
                "y_true": (["O"] * S, NOTHING),
                "y_pred": (["O"] * S, NOTHING),
                "sequence_ids": (range(S), IDS),
            },
        )
        for name in ("span_f1_score", "span_precision_score", "span_recall_score")
    },
    "span_f1_score of sequences": (
        metrics.span_f1_score,
        {"y_true": (BIO, NOTHING), "y_pred": (BIO, NOTHING)},
    ),
}

DATA = {
    name: (
        getattr(datasets, name),
        {name: (20, COUNT if name != "length" else NOTHING) for name in counts}
        | {"random_state": (0, SEED)},
    )
    for name, counts in {
        "make_adding": ["n_sequences", "length"],
        "make_conversations": ["n_conversations", "n_turns"],
        "make_multiplication": ["n_sequences", "length"],
        "make_temporal_order": ["n_sequences", "length"],
        "make_memorization": ["n_sequences", "delay", "n_bits"],
    }.items()
}

CALLS = {
    **of_estimator(CLASSIFIER),
    **of_estimator(REGRESSOR),
    **of_estimator(TAGGER),
    **of_estimator(FEEDBACK),
    **TABLES,
    **FEEDBACK_CALLS,
    **STEPS,
    **PADDING,
    **CONVERSIONS,
    **TRANSFORMERS,
    **SPLITTERS,
    **SCORERS,
    **METRICS,
    **DATA,
}


def values():
    yield from VALUES.items()
    yield from ((name, make()) for name, make in ITERATORS.items())


@pytest.mark.parametrize("name", CALLS)
def test_good(name):
    call, arguments = CALLS[name]
    call(**{argument: good for argument, (good, _) in arguments.items()})


@pytest.mark.parametrize(
    "name, argument",
    [
        pytest.param(name, argument, id=f"{name}, {argument}")
        for name, (_, arguments) in CALLS.items()
        for argument in arguments
    ],
)
def test_taken_only_where_listed_and_else_refused_by_us(name, argument):
    call, arguments = CALLS[name]
    good = {argument: value for argument, (value, _) in arguments.items()}
    taken = set()
    for kind, value in values():
        try:
            with warnings.catch_warnings():
                for category in (ConvergenceWarning, DataConversionWarning):
                    warnings.simplefilter("ignore", category)
                warnings.filterwarnings("ignore", "X has feature names")
                call(**{**good, argument: value})
        except (ValueError, TypeError) as error:
            assert_ours(error)
        else:
            taken.add(kind)
    _, listed = arguments[argument]
    assert listed is ANYTHING or taken == listed & {*VALUES, *ITERATORS}
