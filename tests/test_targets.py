"""Labels of any sortable type, weights for each step or sequence, class weights."""

import tracemalloc
from enum import Enum

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn._input.labels import (
    check_known,
    class_factors,
    encode_known,
    encode_labels,
    read_step_labels,
)
from sklearn_rnn._input.sequences import Sequences, read_step_values
from sklearn_rnn._input.targets import read_sequence_targets
from sklearn_rnn._input.weights import read_sequence_weight, read_step_weight

LENGTHS = (3, 1, 4)
QUICK = {"hidden_layer_sizes": 4, "random_state": 0, "tol": 1e-2, "n_iter_no_change": 3}

# what the codes 0, 1, 2 stand for
LABELS = {
    "str": np.array(["noun", "verb", "ω"]),
    "object str": np.array(["noun", "verb", "word"], dtype=object),
    "int": np.array([1, 2, 3]),
    "negative int": np.array([-7, -1, 5]),
    "int8": np.array([-7, -1, 5], dtype=np.int8),
    "bool": np.array([False, True]),
    "whole floats": np.array([1.0, 2.0, 4.0]),
}


def sequences(layout="ragged"):
    return Sequences(np.zeros((sum(LENGTHS), 2)), np.array(LENGTHS), layout)


def parts(values):
    return np.split(np.asarray(values), np.cumsum(LENGTHS)[:-1])


# Labels


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_any_type_that_sorts(labels):
    rng = np.random.default_rng(0)
    codes = rng.integers(len(labels), size=(6, 4))
    X, y = rng.normal(size=(6, 4, 2)), labels[codes]
    for estimator, target in [
        (SequenceTagger(**QUICK), y),
        (OutputFeedbackTagger(**QUICK), y),
        (SequenceClassifier(**QUICK), y[:, 0]),
    ]:
        estimator.fit(X, target)
        assert_array_equal(estimator.classes_, np.unique(target))
        assert estimator.classes_.dtype == labels.dtype
        assert estimator.predict(X).dtype == labels.dtype
        assert estimator.score(X, target) == np.mean(estimator.predict(X) == target)


@pytest.mark.parametrize("labels", [LABELS["str"], LABELS["int"]])
def test_the_names_of_labels_do_not_matter(labels):
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(6, 4, 2)), rng.integers(3, size=(6, 4))
    one = SequenceTagger(**QUICK).fit(X, codes)
    other = SequenceTagger(**QUICK).fit(X, labels[codes])
    assert one.loss_curve_ == other.loss_curve_
    assert_array_equal(labels[one.predict(X)], other.predict(X))


WORDS = [["a", "b", "a"], ["b"], ["b", "b", "a", "a"]]
FLAT_WORDS = np.array(sum(WORDS, []))


@pytest.mark.parametrize(
    "y",
    [
        WORDS,
        tuple(map(tuple, WORDS)),
        object_array(WORDS),
        [np.array(part) for part in WORDS],
        [np.array(part, dtype=object) for part in WORDS],
        # str of both kinds in one y
        [np.array(WORDS[0], dtype=object), *WORDS[1:]],
    ],
    ids=["lists", "tuples", "object array", "str arrays", "object str arrays", "of both kinds"],
)
def test_labels_of_steps(y):
    assert_array_equal(read_step_values(y, sequences(), "y"), FLAT_WORDS)


def test_lists_of_lists_of_str_in_and_out():
    X = [np.random.default_rng(0).normal(size=(length, 2)) for length in LENGTHS]
    tagger = SequenceTagger(**QUICK).fit(X, WORDS)
    assert set(np.concatenate(tagger.predict(X))) <= {"a", "b"}
    assert 0 <= tagger.score(X, WORDS) <= 1


@pytest.mark.parametrize("y", [FLAT_WORDS, FLAT_WORDS.tolist()])
def test_labels_of_a_long_table(y):
    assert_array_equal(read_step_values(y, sequences("long"), "y"), FLAT_WORDS)


def test_encode_labels():
    classes, codes = encode_labels(np.array(["b", "a", "c", "b"]), str)
    assert_array_equal(classes, ["a", "b", "c"])
    assert_array_equal(codes, [1, 0, 2, 1])


def test_one_class_is_named_as_a_user_would_write_it():
    with pytest.raises(ValueError, match="only one class, 3[.]"):
        encode_labels(np.array([3, 3]), str)


def test_unknown_label_is_named_as_a_user_would_write_it():
    with pytest.raises(ValueError, match="label 9 of y at step 1"):
        check_known(np.array([1, 9]), np.array([1, 2]), lambda i: f"step {i}")


LONG_LABEL = "x" * 200_000
NARROW = np.array(["a", "b"] * 1000)
LONG_LABELS = {
    "list": [[*NARROW[:3]], [LONG_LABEL], [*NARROW[:1996]]],
    "arrays": [NARROW[:3], np.array([LONG_LABEL]), NARROW[:1996]],
}


@pytest.mark.parametrize("y", LONG_LABELS.values(), ids=LONG_LABELS)
def test_one_long_label_does_not_widen_all(y):
    lengths = np.array([3, 1, 1996])
    layout = Sequences(np.zeros((2000, 1)), lengths, "ragged")
    tracemalloc.start()
    labels = read_step_labels(y, layout)
    classes, codes = encode_labels(labels, str)
    assert_array_equal(encode_known(labels, classes, str), codes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert classes.tolist() == ["a", "b", LONG_LABEL]
    assert peak < 10e6  # 1.6 GB as strings of fixed width


def test_estimators_take_a_long_label_and_quote_it_cut():
    X, y = np.arange(24.0).reshape(12, 2, 1), ["a", "b", LONG_LABEL] * 4
    model = SequenceClassifier(**QUICK).fit(X, y)
    assert model.classes_.dtype == object and model.predict(X).dtype == object
    assert model.score(X, y) > 0.3
    with pytest.raises(ValueError, match="label 'yyy.*[.][.][.] of y at sequence 0") as info:
        model.score(X, ["y" * 1_000_000, *y[1:]])
    assert len(str(info.value)) < 400


class Tag(str, Enum):  # noqa: UP042 (StrEnum has another __str__)
    BEGIN = "beginning"
    IN = "in"


def test_enum_of_strings_stands_for_its_value():
    y = [[Tag.BEGIN, Tag.IN, Tag.IN], [Tag.BEGIN], [Tag.BEGIN, Tag.IN] * 2]
    labels = read_step_labels(y, sequences())
    assert labels.tolist() == ["beginning", "in", "in", "beginning"] + ["beginning", "in"] * 2


@pytest.mark.parametrize("y, single", [([1, 2, 3], True), ([[1], [2], [3]], False)])
def test_regression_targets(y, single):
    targets, is_single = read_sequence_targets(y, sequences())
    assert targets.dtype == np.float64
    assert_array_equal(targets, [[1], [2], [3]])
    assert is_single == single


# Weights


@pytest.mark.parametrize("kind", ["ragged", "long"])
def test_weights_default_to_one(kind):
    assert_array_equal(read_step_weight(None, sequences(kind)), np.ones(8))
    assert_array_equal(read_sequence_weight(None, sequences(kind)), np.ones(3))


STEP_WEIGHT = np.arange(8.0)


@pytest.mark.parametrize("convert", [list, object_array, lambda w: [part.tolist() for part in w]])
def test_weight_of_each_step(convert):
    weight = read_step_weight(convert(parts(STEP_WEIGHT)), sequences())
    assert_array_equal(weight, STEP_WEIGHT)


def test_weight_of_each_row_of_a_long_table():
    assert_array_equal(read_step_weight(STEP_WEIGHT, sequences("long")), STEP_WEIGHT)


@pytest.mark.parametrize("convert", [list, np.asarray, tuple])
def test_weight_of_each_sequence_goes_to_its_steps(convert):
    weight = read_step_weight(convert([1, 2, 0.5]), sequences())
    assert_array_equal(weight, np.repeat([1, 2, 0.5], LENGTHS))


def test_weight_of_sequences_is_that_of_their_steps():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 4, 2)), rng.integers(2, size=(6, 4))
    of_sequences = rng.uniform(size=6)
    of_steps = np.repeat(of_sequences[:, None], 4, axis=1)
    one = SequenceTagger(**QUICK).fit(X, y, sample_weight=of_sequences)
    other = SequenceTagger(**QUICK).fit(X, y, sample_weight=of_steps)
    assert one.loss_curve_ == other.loss_curve_
    assert one.score(X, y, of_sequences) == pytest.approx(other.score(X, y, of_steps), abs=1e-15)


ESTIMATORS = {
    "classifier": (SequenceClassifier(**QUICK), lambda X: (X[:, 0, 0] > 0).astype(int)),
    "regressor": (SequenceRegressor(**QUICK), lambda X: X[:, :, 0].sum(axis=1)),
    "tagger": (SequenceTagger(**QUICK), lambda X: (X[:, :, 0] > 0).astype(int)),
    "output feedback": (OutputFeedbackTagger(**QUICK), lambda X: (X[:, :, 0] > 0).astype(int)),
}


@pytest.mark.parametrize("estimator, label", ESTIMATORS.values(), ids=ESTIMATORS)
def test_weights_of_one_are_no_weights(estimator, label):
    X = np.random.default_rng(0).normal(size=(10, 4, 2))
    losses = [estimator.fit(X, label(X), w).loss_curve_ for w in (None, np.ones(10))]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("estimator, label", ESTIMATORS.values(), ids=ESTIMATORS)
def test_weight_two_is_twice_and_weight_zero_is_absent(estimator, label):
    X = np.random.default_rng(0).normal(size=(10, 4, 2))
    y, weight = label(X), np.arange(10) % 3
    weighted = estimator.fit(X, y, weight).predict(X)
    repeated = estimator.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)).predict(X)
    assert_allclose(weighted, repeated, atol=1e-6)


# Class weights


@pytest.mark.parametrize(
    "class_weight, expected",
    [
        (None, [1, 1, 1]),
        ({"a": 2, "b": 0.5, "c": 3}, [2, 0.5, 3]),
        ({"b": 0.5}, [1, 0.5, 1]),
        ("balanced", [8 / 12, 8 / 6, 8 / 6]),
    ],
)
def test_class_factors(class_weight, expected):
    codes = np.repeat([0, 1, 2], [4, 2, 2])
    factors = class_factors(class_weight, np.array(["a", "b", "c"]), codes, np.ones(8))
    assert_allclose(factors, expected)


def test_class_weight_of_strings_of_digits():
    y = np.array(["1", "2"])
    assert_array_equal(class_factors({"1": 2, "2": 1}, y, np.arange(2), np.ones(2)), [2, 1])
    # as in scikit-learn, a key that is no class is ignored if all classes have a weight
    assert_array_equal(class_factors({"1": 2, "2": 1, "3": 9}, y, np.arange(2), np.ones(2)), [2, 1])
    with pytest.raises(ValueError, match="no weight of the class '1'"):
        class_factors({1: 2, 2: 1}, y, np.arange(2), np.ones(2))


def test_balanced_counts_weights_as_repeated_rows():
    codes, weight = np.array([0, 0, 1, 2, 2]), np.array([1, 3, 2, 0, 1])
    repeated = np.repeat(codes, weight)
    classes = np.arange(3)
    assert_allclose(
        class_factors("balanced", classes, codes, weight),
        class_factors("balanced", classes, repeated, np.ones(len(repeated))),
    )


def test_balanced_leaves_out_a_class_without_weight():
    factors = class_factors("balanced", np.arange(3), np.arange(3), np.array([2.0, 1.0, 0.0]))
    assert_allclose(factors, [0.75, 1.5, 0])


@pytest.mark.parametrize("name", ["classifier", "tagger", "output feedback"])
def test_class_weight_is_a_sample_weight(name):
    estimator, label = ESTIMATORS[name]
    X = np.random.default_rng(0).normal(size=(10, 4, 2))
    y = label(X)
    by_class = type(estimator)(class_weight={0: 1, 1: 3}, **QUICK).fit(X, y)
    by_sample = estimator.fit(X, y, 1 + 2 * y)
    assert by_class.loss_curve_ == by_sample.loss_curve_


@pytest.mark.parametrize("name", ["classifier", "tagger", "output feedback"])
def test_balanced_labels_the_rare_class_more_often(name):
    estimator, _ = ESTIMATORS[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4, 2))
    noise = rng.normal(size=(60, 4))
    # the linear part of a noisy problem, so that the threshold is what differs
    y = (X[:, :, 0] + noise > 2).astype(int)
    y = y[:, -1] if name == "classifier" else y
    share = {}
    for class_weight in (None, "balanced"):
        fitted = type(estimator)(class_weight=class_weight, **QUICK, alpha=10).fit(X, y)
        share[class_weight] = np.mean(fitted.predict(X))
    assert share[None] < share["balanced"]
