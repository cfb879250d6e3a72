"""Metrics of labels at each step: over all steps, over whole sequences, over spans of IOB tags."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, classification_report

from ._input.arrays import format_value
from ._input.labels import check_labels, label_layout
from ._input.sequences import read_step_values
from ._input.weights import read_step_weight, read_weight

__all__ = [
    "flat_classification_report",
    "sequence_accuracy_score",
    "span_f1_score",
    "span_precision_score",
    "span_recall_score",
    "token_accuracy_score",
]

# IOB1 and IOB2 have B and I; BIOES adds E and S, which BILOU calls L and U.
_PREFIXES = set("OBIESLU")
_STAY_OPEN = set("BI")
_GO_ON = set("IEL")


def token_accuracy_score(y_true, y_pred, *, sample_weight=None):
    """Share of the steps that are labelled right.

    It is :func:`sklearn.metrics.accuracy_score` over the steps of all sequences.

    Parameters
    ----------
    y_true, y_pred : array-like
        True and predicted labels: (S, T), a list or object array of S arrays or lists of shape
        (T_i,), or (N,) for a long table.
    sample_weight : array-like, optional
        A weight for each step, in the layouts of `y_true`, or for each sequence, (S,).

    Returns
    -------
    float
        The share, weighted, from 0 to 1.

    Raises
    ------
    ValueError
        If `y_pred` or `sample_weight` does not fit `y_true`; the message names the sequence.

    See Also
    --------
    sequence_accuracy_score : The share of the sequences without any error.

    Examples
    --------
    >>> from sklearn_rnn.metrics import token_accuracy_score
    >>> token_accuracy_score([["up", "up"], ["up", "down"]], [["up", "up"], ["up", "up"]])
    0.75
    """
    true, predicted, weight = _flat(y_true, y_pred, sample_weight)
    return accuracy_score(true, predicted, sample_weight=weight)


def sequence_accuracy_score(y_true, y_pred, *, sequence_ids=None, sample_weight=None):
    """Share of the sequences that are labelled without any error.

    One wrong step makes a sequence wrong, so that it is stricter than the share of the steps.

    Parameters
    ----------
    y_true, y_pred : array-like
        True and predicted labels: (S, T), a list or object array of S arrays or lists of shape
        (T_i,), or (N,) for a long table.
    sequence_ids : array-like of shape (N,), optional
        For labels of a long table, the sequence of each; without it, they are of one sequence.
    sample_weight : array-like of shape (S,), optional
        A weight for each sequence.

    Returns
    -------
    float
        The share, weighted, from 0 to 1.

    Raises
    ------
    ValueError
        If the arguments do not fit `y_true`, or the rows of a sequence are not contiguous.

    See Also
    --------
    token_accuracy_score : The share of the steps labelled right.

    Examples
    --------
    >>> from sklearn_rnn.metrics import sequence_accuracy_score
    >>> sequence_accuracy_score([["up", "up"], ["up", "down"]], [["up", "up"], ["up", "up"]])
    0.5
    """
    sequences = label_layout(y_true, "y_true", sequence_ids)
    right = _labels(y_true, sequences, "y_true") == _labels(y_pred, sequences, "y_pred")
    is_right = [part.all() for part in sequences.split(right)]
    weight = read_weight(sample_weight, sequences.n_sequences, "sequence", "y_true")
    return float(np.average(is_right, weights=weight))


def flat_classification_report(y_true, y_pred, *, sample_weight=None, **options):
    """Precision, recall and F1 of each label, over the steps of all sequences.

    It is :func:`sklearn.metrics.classification_report` over the steps of all sequences.

    Parameters
    ----------
    y_true, y_pred : array-like
        True and predicted labels: (S, T), a list or object array of S arrays or lists of shape
        (T_i,), or (N,) for a long table.
    sample_weight : array-like, optional
        A weight for each step, in the layouts of `y_true`, or for each sequence, (S,).
    **options
        What else :func:`sklearn.metrics.classification_report` takes: `labels`, `target_names`,
        `digits`, `output_dict`, `zero_division`.

    Returns
    -------
    str or dict
        The report, a dict with ``output_dict=True``.

    Raises
    ------
    ValueError
        If `y_pred` or `sample_weight` does not fit `y_true`; the message names the sequence.

    Examples
    --------
    >>> from sklearn_rnn.metrics import flat_classification_report
    >>> y_true, y_pred = [["N", "V"], ["N", "V", "N"]], [["N", "V"], ["V", "V", "N"]]
    >>> print(flat_classification_report(y_true, y_pred))
                  precision    recall  f1-score   support
               N       1.00      0.67      0.80         3
               V       0.67      1.00      0.80         2
        accuracy                           0.80         5
       macro avg       0.83      0.83      0.80         5
    weighted avg       0.87      0.80      0.80         5
    """
    true, predicted, weight = _flat(y_true, y_pred, sample_weight)
    return classification_report(true, predicted, sample_weight=weight, **options)


def span_f1_score(y_true, y_pred, *, sequence_ids=None):
    """F1 of whole spans: the harmonic mean of their precision and recall.

    A span is right if its first step, its last step and its kind are. Tags are ``O`` outside of
    spans and else a prefix and a kind, as in ``B-PER``. They are read as the scorer of the CoNLL
    tasks [1]_ reads them, which takes IOB1, IOB2 and BIOES alike: a span goes on from ``B`` or
    ``I`` to an ``I`` or ``E`` of the same kind; any other tag but ``O`` begins a span. BILOU is
    read as BIOES.

    Parameters
    ----------
    y_true, y_pred : array-like of str
        True and predicted tags: (S, T), a list or object array of S arrays or lists of shape
        (T_i,), or (N,) for a long table.
    sequence_ids : array-like of shape (N,), optional
        For tags of a long table, the sequence of each; without it, they are of one sequence.

    Returns
    -------
    float
        From 0 to 1; 0 if neither has a span.

    Raises
    ------
    ValueError
        If a label is no such tag, the arguments do not fit `y_true`, or the rows of a sequence are
        not contiguous.

    See Also
    --------
    span_precision_score : The share of the predicted spans that are right.
    span_recall_score : The share of the true spans that are found.

    References
    ----------
    .. [1] E. F. Tjong Kim Sang, S. Buchholz (2000). Introduction to the CoNLL-2000 shared task:
       chunking. CoNLL; its script `conlleval`.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_f1_score
    >>> y_true = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"]]
    >>> y_pred = [["B-PER", "I-PER", "O", "B-PER"], ["B-LOC", "I-LOC"]]
    >>> round(span_f1_score(y_true, y_pred), 3)
    0.333
    """
    n = _count_spans(y_true, y_pred, sequence_ids)
    return _share(2 * n.right, n.true + n.predicted)


def span_precision_score(y_true, y_pred, *, sequence_ids=None):
    """Share of the predicted spans that are right.

    Spans are those of :func:`span_f1_score`.

    Parameters
    ----------
    y_true, y_pred : array-like of str
        True and predicted tags, as :func:`span_f1_score` takes them.
    sequence_ids : array-like of shape (N,), optional
        For tags of a long table, the sequence of each; without it, they are of one sequence.

    Returns
    -------
    float
        From 0 to 1; 0 if no span is predicted.

    Raises
    ------
    ValueError
        For the reasons of :func:`span_f1_score`.

    See Also
    --------
    span_recall_score : The share of the true spans that are found.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_precision_score
    >>> span_precision_score([["B-PER", "I-PER", "O", "O"]], [["B-PER", "I-PER", "O", "B-LOC"]])
    0.5
    """
    n = _count_spans(y_true, y_pred, sequence_ids)
    return _share(n.right, n.predicted)


def span_recall_score(y_true, y_pred, *, sequence_ids=None):
    """Share of the true spans that are found.

    Spans are those of :func:`span_f1_score`.

    Parameters
    ----------
    y_true, y_pred : array-like of str
        True and predicted tags, as :func:`span_f1_score` takes them.
    sequence_ids : array-like of shape (N,), optional
        For tags of a long table, the sequence of each; without it, they are of one sequence.

    Returns
    -------
    float
        From 0 to 1; 0 if there is no true span.

    Raises
    ------
    ValueError
        For the reasons of :func:`span_f1_score`.

    See Also
    --------
    span_precision_score : The share of the predicted spans that are right.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_recall_score
    >>> span_recall_score([["B-PER", "I-PER", "O", "O"]], [["B-PER", "I-PER", "O", "B-LOC"]])
    1.0
    """
    n = _count_spans(y_true, y_pred, sequence_ids)
    return _share(n.right, n.true)


def _flat(y_true, y_pred, sample_weight):
    """Return true labels, predicted labels and weights of all steps, (N,) each."""
    sequences = label_layout(y_true, "y_true")
    return (
        _labels(y_true, sequences, "y_true"),
        _labels(y_pred, sequences, "y_pred"),
        None if sample_weight is None else read_step_weight(sample_weight, sequences),
    )


def _labels(y, sequences, name):
    labels = read_step_values(y, sequences, name)
    check_labels(labels, sequences.describe_position, name)
    return labels


class _SpanCounts(NamedTuple):
    """Number of spans that are both true and predicted, true, and predicted."""

    right: int
    true: int
    predicted: int


def _share(part, whole):
    return float(part / whole) if whole else 0.0


def _count_spans(y_true, y_pred, sequence_ids):
    sequences = label_layout(y_true, "y_true", sequence_ids)
    true, predicted = (
        _spans(read_step_values(y, sequences, name), sequences, name)
        for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))
    )
    return _SpanCounts(len(true & predicted), len(true), len(predicted))


def _spans(tags, sequences, name):
    """Return (first row, row after the last, kind) of every span of the tags (N,)."""
    firsts = set(np.cumsum(sequences.lengths).tolist())
    spans, start, before, kind_before = set(), None, "O", ""
    for row, tag in enumerate([*tags.tolist(), "O"]):
        prefix, _, kind = str(tag).partition("-")
        if prefix not in _PREFIXES:
            raise ValueError(
                f"{name} holds {format_value(tag)} at {sequences.describe_position(row)}, which is "
                "no tag of a span. Spans need the tag O and tags such as B-PER and I-PER."
            )
        goes_on = before in _STAY_OPEN and prefix in _GO_ON and kind == kind_before
        if not goes_on or row in firsts:
            if start is not None:
                spans.add((start, row, kind_before))
            start = None if prefix == "O" else row
        before, kind_before = prefix, kind
    return spans
