"""Metrics of labels at each step: over all steps, over whole sequences, over spans of IOB tags."""

from collections import Counter

import numpy as np
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

from ._compat import StrOptions, validate_params
from ._input.arrays import format_value
from ._input.constraints import at_least
from ._input.labels import check_labels, label_layout
from ._input.sequences import read_step_values
from ._input.weights import read_step_weight, read_weight

__all__ = [
    "flat_classification_report",
    "flat_confusion_matrix",
    "sequence_accuracy_score",
    "span_f1_score",
    "span_precision_score",
    "span_recall_score",
    "span_report",
    "token_accuracy_score",
]


def __dir__():
    return __all__


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


def flat_confusion_matrix(y_true, y_pred, *, sample_weight=None, **options):
    """How often each label is predicted where each is true, over the steps of all sequences.

    It is :func:`sklearn.metrics.confusion_matrix` over the steps of all sequences, which
    :class:`sklearn.metrics.ConfusionMatrixDisplay` shows.

    Parameters
    ----------
    y_true, y_pred : array-like
        True and predicted labels: (S, T), a list or object array of S arrays or lists of shape
        (T_i,), or (N,) for a long table.
    sample_weight : array-like, optional
        A weight for each step, in the layouts of `y_true`, or for each sequence, (S,).
    **options
        What else :func:`sklearn.metrics.confusion_matrix` takes: `labels`, `normalize`.

    Returns
    -------
    ndarray of shape (K, K)
        The row is the true label, the column the predicted one, both in the order of `labels`, by
        default sorted.

    Raises
    ------
    ValueError
        If `y_pred` or `sample_weight` does not fit `y_true`; the message names the sequence.

    Examples
    --------
    >>> from sklearn_rnn.metrics import flat_confusion_matrix
    >>> y_true, y_pred = [["N", "V"], ["N", "V", "N"]], [["N", "V"], ["V", "V", "N"]]
    >>> flat_confusion_matrix(y_true, y_pred, labels=["N", "V"])
    array([[2, 1],
           [0, 2]])
    """
    true, predicted, weight = _flat(y_true, y_pred, sample_weight)
    return confusion_matrix(true, predicted, sample_weight=weight, **options)


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
    true, predicted = _read_spans(y_true, y_pred, sequence_ids)
    return _share(2 * len(true & predicted), len(true) + len(predicted))


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
    true, predicted = _read_spans(y_true, y_pred, sequence_ids)
    return _share(len(true & predicted), len(predicted))


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
    true, predicted = _read_spans(y_true, y_pred, sequence_ids)
    return _share(len(true & predicted), len(true))


@validate_params(
    {
        "y_true": "no_validation",
        "y_pred": "no_validation",
        "sequence_ids": "no_validation",
        "matching": [StrOptions({"exact", "overlap"})],
        "digits": [at_least(0)],
        "output_dict": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def span_report(
    y_true, y_pred, *, sequence_ids=None, matching="exact", digits=2, output_dict=False
):
    """Precision, recall and F1 of the spans of each kind.

    Spans are those of :func:`span_f1_score`.

    Parameters
    ----------
    y_true, y_pred : array-like of str
        True and predicted tags, as :func:`span_f1_score` takes them.
    sequence_ids : array-like of shape (N,), optional
        For tags of a long table, the sequence of each; without it, they are of one sequence.
    matching : {"exact", "overlap"}, default="exact"
        Which spans are right: those that have the same first and last step and the same kind as one
        of the other side, or those that have a step in common with one of the same kind, the type
        matching of SemEval-2013 [1]_.
    digits : int, default=2
        Digits behind the point in the text.
    output_dict : bool, default=False
        Whether to return a dict instead of the text.

    Returns
    -------
    str or dict
        For each kind, sorted, "precision", the share of the predicted spans that are right;
        "recall", that of the true spans; "f1-score", their harmonic mean; and "support", the number
        of true spans. Then "micro avg", of all spans alike, "macro avg", the mean over the kinds,
        and "weighted avg", that weighted by support.

    Raises
    ------
    ValueError
        For the reasons of :func:`span_f1_score`.

    See Also
    --------
    span_f1_score : One number instead of a report.

    References
    ----------
    .. [1] I. Segura-Bedmar, P. Martinez, M. Herrero-Zazo (2013). SemEval-2013 task 9: extraction of
       drug-drug interactions from biomedical texts. SemEval.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_report
    >>> y_true = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"]]
    >>> y_pred = [["B-PER", "I-PER", "O", "B-PER"], ["B-LOC", "I-LOC"]]
    >>> print(span_report(y_true, y_pred))
                  precision    recall  f1-score   support
             LOC       0.00      0.00      0.00         2
             PER       0.50      1.00      0.67         1
       micro avg       0.33      0.33      0.33         3
       macro avg       0.25      0.50      0.33         3
    weighted avg       0.17      0.33      0.22         3
    >>> report = span_report(y_true, y_pred, matching="overlap", output_dict=True)
    >>> report["LOC"]["precision"], report["LOC"]["recall"]
    (1.0, 0.5)
    """
    true, predicted = _read_spans(y_true, y_pred, sequence_ids)
    right = _matched(true, predicted, matching), _matched(predicted, true, matching)
    kinds = sorted({kind for _, _, kind in true | predicted})
    counts = [Counter(kind for _, _, kind in spans) for spans in (true, predicted, *right)]
    of_kinds = [_span_scores(*(count[kind] for count in counts)) for kind in kinds]
    support = {"support": len(true)}
    report = dict(zip(kinds, of_kinds))
    report["micro avg"] = _span_scores(*(count.total() for count in counts))
    report["macro avg"] = _mean(of_kinds, [1] * len(kinds)) | support
    weights = [scores["support"] for scores in of_kinds]
    report["weighted avg"] = _mean(of_kinds, weights) | support
    return report if output_dict else _as_text(report, digits)


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


def _share(part, whole):
    return float(part / whole) if whole else 0.0


def _read_spans(y_true, y_pred, sequence_ids):
    """Return the set of true spans and that of predicted ones."""
    sequences = label_layout(y_true, "y_true", sequence_ids)
    return [
        _spans(read_step_values(y, sequences, name), sequences, name)
        for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))
    ]


def _matched(spans, others, matching):
    """Return the spans that are among the others, or overlap one of the same kind."""
    if matching == "exact":
        return spans & others
    steps = {(row, kind) for start, end, kind in others for row in range(start, end)}
    return {
        (start, end, kind)
        for start, end, kind in spans
        if any((row, kind) in steps for row in range(start, end))
    }


def _span_scores(n_true, n_predicted, n_true_right, n_predicted_right):
    precision, recall = _share(n_predicted_right, n_predicted), _share(n_true_right, n_true)
    f1 = _share(2 * precision * recall, precision + recall)
    return {"precision": precision, "recall": recall, "f1-score": f1, "support": n_true}


def _mean(of_kinds, weights):
    """Return the weighted mean of the scores of all kinds, 0 without any weight."""
    return {
        name: _share(sum(w * scores[name] for w, scores in zip(weights, of_kinds)), sum(weights))
        for name in ("precision", "recall", "f1-score")
    }


def _as_text(report, digits):
    """Return a report as a table in the form of scikit-learn's."""
    width = max(map(len, report))
    lines = [f"{'':>{width}s} " + "".join(f" {name:>9s}" for name in report["micro avg"]), ""]
    for name, scores in report.items():
        *shares, support = scores.values()
        if name == "micro avg":
            lines.append("")
        numbers = "".join(f" {share:>9.{digits}f}" for share in shares)
        lines.append(f"{name:>{width}s} {numbers} {support:>9}")
    return "\n".join(lines) + "\n"


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
