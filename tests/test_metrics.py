"""Metrics over steps, sequences and spans, against scikit-learn, seqeval and counts by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

from sklearn_rnn._input.arrays import object_array
from sklearn_rnn.metrics import (
    flat_classification_report,
    flat_confusion_matrix,
    sequence_accuracy_score,
    span_f1_score,
    span_precision_score,
    span_recall_score,
    span_report,
    token_accuracy_score,
)

TRUE = [["a", "b", "a"], ["b"], ["a", "a", "b", "b"]]
PREDICTED = [["a", "b", "a"], ["a"], ["a", "b", "b", "b"]]
FLAT_TRUE, FLAT_PREDICTED = sum(TRUE, []), sum(PREDICTED, [])
IDS = [7, 7, 7, 3, 9, 9, 9, 9]

SQUARE = [["a", "b"], ["b", "b"]], [["a", "b"], ["b", "a"]]

LAYOUTS = {
    "lists": (TRUE, PREDICTED),
    "list of arrays": ([np.array(y) for y in TRUE], [np.array(y) for y in PREDICTED]),
    "object array": (object_array(TRUE), object_array([np.array(y) for y in PREDICTED])),
    "long": (np.array(FLAT_TRUE), np.array(FLAT_PREDICTED)),
}
of_each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def ids_of(layout):
    return {"sequence_ids": IDS} if layout == "long" else {}


@of_each_layout
def test_accuracies_in_every_layout(layout):
    assert token_accuracy_score(*LAYOUTS[layout]) == 6 / 8
    assert sequence_accuracy_score(*LAYOUTS[layout], **ids_of(layout)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("convert", [np.array, list], ids=["3-D", "nested lists"])
def test_accuracies_of_sequences_of_one_length(convert):
    true, predicted = map(convert, SQUARE)
    assert token_accuracy_score(true, predicted) == 3 / 4
    assert sequence_accuracy_score(true, predicted) == 1 / 2


def test_layouts_may_differ():
    assert token_accuracy_score(np.array(SQUARE[0]), object_array(SQUARE[1])) == 3 / 4


def test_labels_in_a_frame():
    pd = pytest.importorskip("pandas")
    assert token_accuracy_score(pd.DataFrame(SQUARE[0]), np.array(SQUARE[1])) == 3 / 4
    assert token_accuracy_score(pd.Series(FLAT_TRUE), np.array(FLAT_PREDICTED)) == 6 / 8


def test_a_table_without_ids_is_one_sequence():
    assert sequence_accuracy_score(FLAT_TRUE, FLAT_PREDICTED) == 0
    assert sequence_accuracy_score(FLAT_TRUE, FLAT_TRUE) == 1


@pytest.mark.parametrize(
    "weight",
    [
        [1.0, 2.0, 3.0],
        [[1.0] * 3, [2.0], [3.0] * 4],
        [np.ones(3), np.full(1, 2.0), np.full(4, 3.0)],
    ],
    ids=["per sequence", "lists", "arrays"],
)
def test_weight_is_that_of_sequences_given_so_often(weight):
    thrice = [0, 1, 1, 2, 2, 2]
    often = [TRUE[i] for i in thrice], [PREDICTED[i] for i in thrice]
    weighted = token_accuracy_score(TRUE, PREDICTED, sample_weight=weight)
    assert weighted == token_accuracy_score(*often)
    reports = (
        flat_classification_report(TRUE, PREDICTED, sample_weight=weight, output_dict=True),
        flat_classification_report(*often, output_dict=True),
    )
    for label in ("a", "b", "macro avg"):
        assert reports[0][label] == pytest.approx(reports[1][label])
    if np.ndim(weight[0]) == 0:
        assert sequence_accuracy_score(
            TRUE, PREDICTED, sample_weight=weight
        ) == sequence_accuracy_score(*often)


def test_weight_of_each_step():
    weight = [[1, 0, 2], [1], [4, 3, 0, 1]]
    expected = accuracy_score(FLAT_TRUE, FLAT_PREDICTED, sample_weight=sum(weight, []))
    assert token_accuracy_score(TRUE, PREDICTED, sample_weight=weight) == expected


@of_each_layout
def test_report_is_that_of_all_steps(layout):
    report = flat_classification_report(*LAYOUTS[layout], digits=3, labels=["b", "a"])
    assert report == classification_report(FLAT_TRUE, FLAT_PREDICTED, digits=3, labels=["b", "a"])


# Spans. Worked by hand with the rules of conlleval: (true, predicted, right, true, found).
SPANS = {
    "IOB2": ("B-X I-X O B-Y", "B-X I-X O B-Y", 2, 2, 2),
    "IOB1: an I begins a span": ("I-X I-X O I-Y", "B-X I-X O B-Y", 2, 2, 2),
    "IOB1: a B parts neighbours": ("I-X B-X O", "I-X I-X O", 0, 2, 1),
    "another kind parts spans": ("B-X I-Y", "B-X B-Y", 2, 2, 2),
    "end is wrong": ("B-X I-X O", "B-X O O", 0, 1, 1),
    "start is wrong": ("B-X I-X I-X", "O I-X I-X", 0, 1, 1),
    "kind is wrong": ("B-X I-X", "B-Y I-Y", 0, 1, 1),
    "BIOES": ("B-X I-X E-X S-Y O S-X", "B-X I-X I-X B-Y O I-X", 3, 3, 3),
    "BILOU": ("B-X I-X L-X U-Y O U-X", "B-X I-X E-X S-Y O S-X", 3, 3, 3),
    "nothing goes on from E or S": ("E-X I-X S-X I-X", "B-X B-X B-X B-X", 4, 4, 4),
    "a hyphen in the kind": ("B-X-Y I-X-Y", "B-X-Y I-X", 0, 1, 2),
    "no kinds": ("B I O B", "B I O O", 1, 2, 1),
    "none found": ("B-X", "O", 0, 1, 0),
    "none there": ("O", "B-X", 0, 0, 1),
    "neither": ("O O", "O O", 0, 0, 0),
}


@pytest.mark.parametrize("name", SPANS)
def test_spans_counted_by_hand(name):
    true, predicted, n_right, n_true, n_found = SPANS[name]
    y = [true.split()], [predicted.split()]
    assert span_precision_score(*y) == (n_right / n_found if n_found else 0)
    assert span_recall_score(*y) == (n_right / n_true if n_true else 0)
    assert span_f1_score(*y) == pytest.approx(
        2 * n_right / (n_true + n_found) if n_right else 0, rel=1e-15
    )


def test_spans_end_with_their_sequence():
    y = ["B-X", "I-X", "I-X"]
    assert span_recall_score([y[:2], y[2:]], [["B-X", "I-X"], ["B-X"]]) == 1
    assert span_recall_score(y, ["B-X", "I-X", "B-X"], sequence_ids=[0, 0, 1]) == 1
    assert span_recall_score(y, ["B-X", "I-X", "B-X"]) == 0  # one sequence


TAGS = [f"{prefix}-{kind}" for prefix in "BIES" for kind in "XY"] + ["O"]
PAIRS = st.lists(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=n, max_size=n)] * 2)
    ),
    min_size=1,
    max_size=6,
)


@given(PAIRS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_spans_are_those_of_seqeval(pairs):
    seqeval = pytest.importorskip("seqeval.metrics")
    true, predicted = [list(y) for y in zip(*pairs)]
    for ours, theirs in [
        (span_f1_score, seqeval.f1_score),
        (span_precision_score, seqeval.precision_score),
        (span_recall_score, seqeval.recall_score),
    ]:
        expected = theirs(true, predicted, zero_division=0)
        assert ours(true, predicted) == pytest.approx(expected, rel=1e-12)
        ids = np.repeat(np.arange(len(true)), [len(y) for y in true])
        assert ours(sum(true, []), sum(predicted, []), sequence_ids=ids) == ours(true, predicted)


def only(kind, y):
    """The same tags, those of other kinds being O."""
    return [[tag if tag.endswith(f"-{kind}") else "O" for tag in part] for part in y]


@given(PAIRS)
def test_the_report_has_the_scores_of_each_kind(pairs):
    true, predicted = [list(y) for y in zip(*pairs)]
    report = span_report(true, predicted, output_dict=True)
    averages = [report.pop(name) for name in ("micro avg", "macro avg", "weighted avg")]
    for kind, scores in [*report.items(), (None, averages[0])]:
        y = (true, predicted) if kind is None else (only(kind, true), only(kind, predicted))
        assert scores["precision"] == span_precision_score(*y)
        assert scores["recall"] == span_recall_score(*y)
        assert scores["f1-score"] == pytest.approx(span_f1_score(*y), rel=1e-12)
    supports = [scores["support"] for scores in report.values()]
    assert {average["support"] for average in averages} == {sum(supports)}
    for name in ("precision", "recall", "f1-score") if report else ():
        values = [scores[name] for scores in report.values()]
        assert averages[1][name] == pytest.approx(np.mean(values))
        if sum(supports):
            assert averages[2][name] == pytest.approx(np.average(values, weights=supports))


# true and predicted tags, and the scores of X by overlap: precision, recall
OVERLAPS = {
    "part of it": ("B-X I-X I-X O", "O B-X I-X I-X", 1, 1),
    "beside it": ("B-X I-X O O", "O O B-X I-X", 0, 0),
    "another kind": ("B-X I-X", "B-Y I-Y", 0, 0),
    "two in one": ("B-X I-X I-X I-X", "B-X O B-X I-X", 1, 1),
    "one of two": ("B-X I-X O B-X", "B-X O O O", 1, 1 / 2),
    "one too many": ("B-X I-X O O", "I-X O O B-X", 1 / 2, 1),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlaps_counted_by_hand(name):
    true, predicted, precision, recall = OVERLAPS[name]
    y = [true.split()], [predicted.split()]
    scores = span_report(*y, matching="overlap", output_dict=True)["X"]
    assert (scores["precision"], scores["recall"]) == (precision, recall)


def test_the_report_has_the_form_of_scikit_learns():
    y = [["B-X", "O"], ["B-Y", "I-Y"]]
    ours = span_report(y, y, digits=3)
    assert span_report(sum(y, []), sum(y, []), sequence_ids=[0, 0, 1, 1], digits=3) == ours
    theirs = classification_report(["X", "Y"], ["X", "Y"], digits=3, labels=["X", "Y"])
    lines = theirs.splitlines()
    assert ours.splitlines()[:4] == lines[:4]
    assert ours.splitlines()[-2:] == lines[-2:]


def test_a_report_of_no_spans():
    report = span_report([["O", "O"]], [["O", "O"]], output_dict=True)
    assert report["macro avg"] == {"precision": 0, "recall": 0, "f1-score": 0, "support": 0}


@of_each_layout
def test_confusion_over_all_steps(layout):
    weight = np.arange(8.0) if layout == "long" else [[0, 1, 2], [3], [4, 5, 6, 7]]
    actual = flat_confusion_matrix(*LAYOUTS[layout], sample_weight=weight, normalize="true")
    expected = confusion_matrix(
        FLAT_TRUE, FLAT_PREDICTED, sample_weight=np.arange(8), normalize="true"
    )
    np.testing.assert_array_equal(actual, expected)
