"""Values of any kind in the place of every argument: taken where listed, else refused by us."""

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
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn.model_selection import (
    SequenceKFold,
    SequenceTimeSeriesSplit,
    sequence_scorer,
    train_test_split,
)
from sklearn_rnn.preprocessing import (
    ContextWindow,
    PerStepTransformer,
    SequenceScaler,
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
# made anew for every call
ITERATORS = {"a generator": lambda: (x for x in X), "an iterator": lambda: iter(list(Y))}

WIDE_CLASSIFIER = SequenceClassifier(features_per_step=D, **QUICK).fit(WIDE, Y)
SCALER = PerStepTransformer(StandardScaler()).fit(X)

# Names of the values that are taken, by what they are taken for.
ANYTHING = None  # whether it is taken does not matter
NOTHING = set()
SEQUENCES = {"CSR sequences", "COO sequences"}
TABLE_OF_SIX = {"10**30 at each step"}
ONE_WEIGHT = {"None", "True", "3", "1.5", "0-D"}
WEIGHTS = ONE_WEIGHT | {"10**30 each", "range"}
STEP_WEIGHTS = WEIGHTS | {"10**30 at each step"}
COUNT = {"3"}
REAL = {"3", "1.5"}
FLAG = {"True"}
SEED = {"None", "True", "3"}
TARGETS = {"-1 each", "0 each", "10**30 each", "range"}
POSITION = {"3", "-1"}
DATES = {"dates", "missing dates", "durations"}
DATE_EACH = {"a date each", "a series of dates"}
IDS = {"None", "range", "-1 each", "0 each", "infinity each", "10**30 each", "records"} | DATE_EACH
MIXED = {"mixed at each step", "a word and numbers at each step"}
ITEMS = MIXED | {"None among steps"}
# numbers that are not finite, or only as floats
UNUSUAL = {"10**30 at each step", "infinity in half precision", "a NaN in a table"}
NOT_A_NUMBER = {"a NaN among steps", "None among steps"}
FILLED = UNUSUAL | {"a NaN among steps", "complex", "4-D", "nested", "dicts at each step"}
FILL = {"None", "True", "3", "-1", "1.5", "NaN", "infinity", "0-D"}
FRAMES_WITH_IDS = {"a frame with words", "a frame with dates"}
TABLES_WITH_IDS = {"a frame with dates", "a NaN in a table"}
PARAMETERS = {
    **dict.fromkeys(
        ["hidden_layer_sizes", "features_per_step", "n_iter_no_change", "n_init", "n_lags"], COUNT
    ),
    **dict.fromkeys(
        ["activation", "cell", "decoding", "loss", "output", "pooling", "solver"],
        NOTHING,
    ),
    "allowed_transitions": NOTHING,
    "unlabeled": {"None", "a word", "3", "-1", "1.5", "NaN", "infinity", "10**400"},
    "validation_fraction": NOTHING,
    "quantile": {"None"},
    **dict.fromkeys(["bidirectional", "teacher_forcing", "warm_start"], FLAG),
    **dict.fromkeys(["alpha", "tol"], REAL),
    "sequence_id": {*POSITION, "None", "a word"},  # 3-D data have no such column
    "max_iter": {*COUNT, "None"},
    "truncated_bptt_steps": {*COUNT, "None"},
    "class_weight": {"None"},
    "early_stopping": ANYTHING,  # a regressor needs more sequences
    "n_jobs": {"None", "3", "-1"},
    "random_state": SEED,
    "verbose": {"True", "3", "10**400"},
}
LONG_Y, PER_SEQUENCE_Y, ONE_EACH = Y_STEPS.ravel(), np.repeat(Y, T), np.ones(S)


def call(function, **arguments):
    """Return a function and, for each of its arguments, a good value and names of those taken."""
    return function, arguments


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
    """Return calls of the methods of an estimator by their names."""
    is_tagger = estimator in (TAGGER, FEEDBACK)
    y = Y_STEPS if is_tagger else Y
    targets = NOTHING if is_tagger else {"range", "a series of dates"}
    known = NOTHING if is_tagger else {"0 each"}
    if estimator is REGRESSOR:
        targets, known = TARGETS | TABLE_OF_SIX, TARGETS
    weight = ONE_EACH, STEP_WEIGHTS if is_tagger else WEIGHTS
    x = X, SEQUENCES | (NOTHING if is_tagger else TABLE_OF_SIX)
    table = {"COO"} if is_tagger else NOTHING

    def fit(**parameters):
        return clone(estimator).set_params(**parameters).fit(X, y)

    going_on = {"X": (X, SEQUENCES), "y": (y, known), "sample_weight": weight}
    run = functools.partial(functools.partial, unchanged_by_failure, estimator)
    calls = {
        "fit": call(run("fit"), X=x, y=(y, targets), sample_weight=weight),
        "partial_fit": call(run("partial_fit"), **going_on),
        "score": call(estimator.score, **going_on),
        "fit of a size": call(lambda n: fit(hidden_layer_sizes=(2, n)), n=(2, COUNT)),
    }
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        if hasattr(estimator, method):
            calls[method] = call(getattr(estimator, method), X=(X, SEQUENCES | table))
    if estimator is not REGRESSOR:
        calls["classes"] = call(
            lambda c: clone(estimator).partial_fit(X, y, c), c=([0, 1], {"None", "range"})
        )
        of_class = {"True", "3", "1.5", "0-D"}
        calls["weight of a class"] = call(lambda w: fit(class_weight={0: w, 1: 1}), w=(1, of_class))
    defaults = type(estimator)().get_params()
    for name, value in estimator.get_params().items():
        taken = PARAMETERS[name]
        if defaults[name] is None and taken is not ANYTHING:
            taken = taken | {"None"}
        calls[f"fit of {name}"] = call(fit, **{name: (value, taken)})
    return {f"{type(estimator).__name__}, {name}": of_name for name, of_name in calls.items()}


def of_stepper(estimator):
    """Return calls of the first and of the second step."""

    def second_step(x):
        stepper = estimator.start()
        stepper.step(X[:, 0])
        stepper.step(x)

    name = type(estimator).__name__
    return {
        f"first step of {name}": call(lambda x: estimator.start().step(x), x=(X[:, 0], {"1-D"})),
        f"second step of {name}": call(second_step, x=(X[:, 0], NOTHING)),
    }


def long_fit(X, y, sample_weight, sequence_id):
    tagger = SequenceTagger(sequence_id=sequence_id, **QUICK)
    return tagger.fit(X, y, sample_weight=sample_weight)


TABLES = {
    "fit a wide table": call(
        lambda X, n: SequenceClassifier(features_per_step=n, **QUICK).fit(X, Y),
        X=(WIDE, SEQUENCES),
        n=(D, COUNT),
    ),
    "fit with a validation set": call(
        lambda X_val, y_val, weight: SequenceTagger(**QUICK).fit(
            X, Y_STEPS, X_val=X_val, y_val=y_val, sample_weight_val=weight
        ),
        X_val=(X, NOTHING),
        y_val=(Y_STEPS, NOTHING),
        weight=(ONE_EACH, STEP_WEIGHTS),
    ),
    "predict a wide table": call(WIDE_CLASSIFIER.predict, X=(WIDE, SEQUENCES)),
    "fit a long table": call(
        long_fit,
        X=(LONG, FRAMES_WITH_IDS),
        y=(LONG_Y, NOTHING),
        sample_weight=(np.ones(S * T), ONE_WEIGHT),
        sequence_id=(0, {*POSITION, "None"}),
    ),
    "fit a long table of sequences": call(
        lambda X, y, sample_weight: SequenceClassifier(sequence_id=0, **QUICK).fit(
            X, y, sample_weight=sample_weight
        ),
        X=(LONG, {"a frame with dates"}),
        y=(PER_SEQUENCE_Y, NOTHING),
        sample_weight=(np.ones(S * T), ONE_WEIGHT),
    ),
    "predict a long table": call(
        LONG_TAGGER.predict,
        X=(LONG, SEQUENCES | {"10**30 at each step", "a word and numbers at each step"}),
    ),
    "score a long table": call(LONG_TAGGER.score, X=(LONG, NOTHING), y=(LONG_Y, NOTHING)),
    "sequence_log_proba": call(FEEDBACK.sequence_log_proba, X=(X, SEQUENCES), y=(Y_STEPS, NOTHING)),
    "sample": call(
        FEEDBACK.sample, X=(X, SEQUENCES | {"COO"}), n_samples=(2, COUNT), random_state=(0, SEED)
    ),
    "predict_pair_proba": call(TAGGER.predict_pair_proba, X=(X, SEQUENCES | {"COO"})),
    "predict_n_best": call(TAGGER.predict_n_best, X=(X, SEQUENCES | {"COO"}), n=(2, COUNT)),
}

PREPROCESSING = {
    "pad": call(
        pad,
        sequences=(
            [x[: i % 4 + 1] for i, x in enumerate(X)],
            ITEMS | FILLED | {"ragged", "one longer", "lists", "no features"},
        ),
        padding_value=(0.0, FILL),
    ),
    "unpad": call(
        unpad,
        X=(X, ANYTHING),  # cut by the lengths
        lengths=([1] * S, {"None"}),
        padding_value=(0.0, ANYTHING),  # not needed
    ),
    "unpad with a value": call(
        lambda X, value: unpad(X, padding_value=value),
        X=(X, ITEMS | FILLED | FRAMES_WITH_IDS | {"dates in a list", "a frame with NA"}),
        value=(0.0, FILL),
    ),
    "to_sequences": call(
        lambda table, sequence_id, values: to_sequences(table, sequence_id, values),
        table=(LONG, FRAMES_WITH_IDS | {"a NaN in a table"}),
        sequence_id=(0, POSITION),
        values=(LONG_Y, {"a frame with NA"}),
    ),
    "to_sequences with ids": call(
        lambda flag: to_sequences(LONG, 0, return_ids=flag), flag=(True, FLAG)
    ),
    "to_table": call(
        lambda X, values, **more: to_table(X, values, **more),
        X=(X, MIXED | DATES | UNUSUAL - {"a NaN in a table"} | {"complex", "words"}),
        values=(Y_STEPS, ITEMS | {"bytes each", "a NaN among steps", "10**30 at each step"}),
        ids=(list("abcdef"), {"None", "range", "a series of dates"}),
    ),
    "ContextWindow": call(
        lambda X, before, after: ContextWindow(before, after).fit_transform(X),
        X=(X, SEQUENCES | UNUSUAL | NOT_A_NUMBER | {"COO", "a frame with NA"}),
        before=(1, COUNT),
        after=(1, COUNT),
    ),
    "ContextWindow, transform": call(
        ContextWindow().fit(X).transform,
        X=(X, SEQUENCES | {"COO", "infinity in half precision"}),
    ),
    "ContextWindow, names": call(
        ContextWindow().fit(X).get_feature_names_out,
        input_features=(list("abc"), {"None", "1-D", "a series with None"}),
    ),
    "SequenceScaler": call(
        lambda X, **flags: SequenceScaler(**flags).fit_transform(X),
        X=(X, {"10**30 at each step"}),
        with_mean=(True, FLAG),
        with_std=(True, FLAG),
    ),
    "SequenceScaler of a wide table": call(
        lambda n: SequenceScaler(features_per_step=n).fit_transform(WIDE), n=(D, COUNT | {"None"})
    ),
    "PerStepTransformer": call(
        lambda X, y, sample_weight: PerStepTransformer(StandardScaler()).fit(X, y, sample_weight),
        X=(X, DATES | {"10**30 at each step", "a NaN among steps"}),
        y=(Y, ANYTHING),  # a scaler does not look at it
        sample_weight=(ONE_EACH, STEP_WEIGHTS),
    ),
    "PerStepTransformer, transform": call(SCALER.transform, X=(X, DATES)),
    "PerStepTransformer, inverse_transform": call(SCALER.inverse_transform, X=(X, DATES)),
    "PerStepTransformer of dicts": call(
        lambda X: PerStepTransformer(DictVectorizer()).fit_transform(X),
        X=([[{"a": 1}]], {"dicts at each step"}),
    ),
    "PerStepTransformer of anything": call(
        lambda transformer: PerStepTransformer(transformer).fit(X),
        transformer=(StandardScaler(), NOTHING),
    ),
}
if "a frame with words" in VALUES:
    PREPROCESSING["to_table, a frame"] = call(
        lambda columns, sequence_id: to_table(X, sequence_id=sequence_id, columns=columns),
        columns=(list("xyz"), {"None"}),
        sequence_id=("who", {"a word", *POSITION}),
    )

STEPS_AND_IDS = np.c_[np.tile(range(T), S), np.repeat(range(S), T)]
SPLITTERS = {
    "SequenceKFold": call(
        lambda X, y, groups, **more: list(SequenceKFold(shuffle=True, **more).split(X, y, groups)),
        X=(LONG, TABLES_WITH_IDS),
        y=(LONG_Y, ANYTHING),  # not looked at
        groups=(None, ANYTHING),
        n_splits=(2, COUNT),
        sequence_id=(0, POSITION),
        random_state=(0, SEED),
    ),
    "SequenceKFold, stratified": call(
        lambda y, **more: list(SequenceKFold(2, sequence_id=0, **more).split(LONG, y)),
        y=(PER_SEQUENCE_Y, NOTHING),
        stratify=(True, FLAG),
        shuffle=(False, FLAG),
    ),
    "SequenceTimeSeriesSplit": call(
        lambda X, y, groups, **more: list(SequenceTimeSeriesSplit(**more).split(X, y, groups)),
        X=(LONG, NOTHING),
        y=(LONG_Y, ANYTHING),  # not looked at
        groups=(None, ANYTHING),
        n_splits=(2, COUNT),
        time=(1, {"3", "-1"}),
        max_train_size=(9, {"None", *COUNT}),
        test_size=(3, {"None", *COUNT}),
        gap=(0, COUNT),
    ),
    "SequenceTimeSeriesSplit of sequences": call(
        lambda **more: list(SequenceTimeSeriesSplit(2, time=0, **more).split(STEPS_AND_IDS)),
        sequence_folds=(2, COUNT),
        sequence_id=(1, {"-1"}),
    ),
    "train_test_split": call(
        lambda X, y, **more: train_test_split(X, y, **more),
        X=(LONG, TABLES_WITH_IDS),
        y=(LONG_Y, TABLES_WITH_IDS | {"a frame with words", "a frame with NA"}),
        sequence_id=(0, POSITION),
        test_size=(0.5, {"None", "3"}),
        random_state=(0, SEED),
        stratify=(PER_SEQUENCE_Y, {"None"}),
    ),
    "train_test_split, train_size": call(
        lambda **more: train_test_split(LONG, sequence_id=0, **more),
        train_size=(0.5, {"None", "3"}),
        shuffle=(False, FLAG),
    ),
}

SCORERS = {
    "sequence_scorer": call(
        lambda scoring: sequence_scorer(scoring)(TAGGER, X, Y_STEPS), scoring=("accuracy", NOTHING)
    ),
    **{
        f"sequence_scorer of {name}": call(
            sequence_scorer(name),
            estimator=(estimator, NOTHING),
            X=(X, SEQUENCES),
            y=(y, taken),
            sample_weight=(ONE_EACH, weights),
        )
        for name, estimator, y, taken, weights in [
            ("accuracy", TAGGER, Y_STEPS, NOTHING, STEP_WEIGHTS),
            ("f1_macro", CLASSIFIER, Y, {"-1 each", "0 each", "range"}, WEIGHTS),
            ("neg_log_loss", TAGGER, Y_STEPS, NOTHING, STEP_WEIGHTS),
            ("r2", REGRESSOR, Y, TARGETS, WEIGHTS),
        ]
    },
    "sequence_scorer of sequence_accuracy": call(
        sequence_scorer("sequence_accuracy"),
        estimator=(TAGGER, NOTHING),
        X=(X, SEQUENCES),
        y=(Y_STEPS, {"10**30 at each step"}),
    ),
    "sequence_scorer of a long table": call(
        lambda X, y, sequence_id: sequence_scorer("sequence_accuracy", sequence_id=sequence_id)(
            LONG_TAGGER, X, y
        ),
        X=(LONG, NOTHING),
        y=(LONG_Y, NOTHING),
        sequence_id=(0, POSITION),
    ),
}


def of_metric(name, y, taken=NOTHING, **more):
    return call(getattr(metrics, name), y_true=(y, taken), y_pred=(y, taken), **more)


BIO = [["B-x", "O", "O", "O"]] * S
STEP_WEIGHT = {"sample_weight": (ONE_EACH, STEP_WEIGHTS)}
METRICS = {
    "token": of_metric("token_accuracy_score", Y_STEPS, **STEP_WEIGHT),
    "report": of_metric("flat_classification_report", Y_STEPS, **STEP_WEIGHT),
    "sequence": of_metric(
        "sequence_accuracy_score", Y_STEPS, TABLE_OF_SIX, sample_weight=(ONE_EACH, WEIGHTS)
    ),
    "sequence, table": of_metric(
        "sequence_accuracy_score", Y, TARGETS | DATE_EACH, sequence_ids=(range(S), IDS)
    ),
    **{
        name: of_metric(name, ["O"] * S, sequence_ids=(range(S), IDS))
        for name in ("span_f1_score", "span_precision_score", "span_recall_score", "span_report")
    },
    "confusion": of_metric("flat_confusion_matrix", Y_STEPS, **STEP_WEIGHT),
    "options of span_report": call(
        lambda **options: metrics.span_report(BIO, BIO, **options),
        matching=("exact", NOTHING),
        digits=(2, COUNT),
        output_dict=(True, FLAG),
    ),
    "span_f1_score of sequences": of_metric("span_f1_score", BIO),
}

DATA = {
    name: call(
        getattr(datasets, name),
        **{name: (20, COUNT if name != "length" else NOTHING) for name in counts},
        random_state=(0, SEED),
    )
    for name, counts in {
        "make_adding": ["n_sequences", "length"],
        "make_conversations": ["n_conversations", "n_turns"],
        "make_multiplication": ["n_sequences", "length"],
        "make_temporal_order": ["n_sequences", "length"],
        "make_memorization": ["n_sequences", "delay", "n_bits"],
        "make_narma": ["n_sequences", "length"],
        "make_mackey_glass": ["n_sequences", "length", "horizon", "tau"],
    }.items()
}

ESTIMATORS = CLASSIFIER, REGRESSOR, TAGGER, FEEDBACK
CALLS = {**TABLES, **PREPROCESSING, **SPLITTERS, **SCORERS, **METRICS, **DATA}
for estimator in ESTIMATORS:
    CALLS |= of_estimator(estimator) | of_stepper(estimator)
ARGUMENTS = [(name, argument) for name, (_, arguments) in CALLS.items() for argument in arguments]
KINDS = [*VALUES, *ITERATORS]
SHARE = 20  # one value in so many is always tried


@pytest.mark.parametrize("name", CALLS)
def test_good(name):
    function, arguments = CALLS[name]
    function(**{argument: good for argument, (good, _) in arguments.items()})


def assert_taken_only_where_listed(name, argument, kinds):
    function, arguments = CALLS[name]
    good = {argument: value for argument, (value, _) in arguments.items()}
    listed = arguments[argument][1]
    for kind in kinds:
        value = VALUES[kind] if kind in VALUES else ITERATORS[kind]()
        try:
            with warnings.catch_warnings():
                for category in (ConvergenceWarning, DataConversionWarning):
                    warnings.simplefilter("ignore", category)
                warnings.filterwarnings("ignore", "X has feature names")
                warnings.filterwarnings("ignore", "y has .* targets for each sequence, and X has")
                function(**{**good, argument: value})
        except (ValueError, TypeError) as error:
            assert_ours(error)
            assert listed is ANYTHING or kind not in listed, f"{kind} is refused: {error}"
        else:
            assert listed is ANYTHING or kind in listed, f"{kind} is taken"


@pytest.mark.parametrize("i", range(len(ARGUMENTS)))
def test_sample(i):
    assert_taken_only_where_listed(*ARGUMENTS[i], KINDS[i % SHARE :: SHARE])


@pytest.mark.wide
@pytest.mark.parametrize("name, argument", ARGUMENTS)
def test_all(name, argument):
    assert_taken_only_where_listed(name, argument, KINDS)
