"""Scorers of labels at each step: scikit-learn's over all steps, ours over whole sequences."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
from sklearn.metrics import check_scoring, get_scorer, log_loss, make_scorer
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from . import metrics
from ._compat import accepts_sample_weight, metric_of
from ._input.arrays import as_numeric_array, depth, format_value, reading
from ._input.labels import check_known, check_labels, is_nested, label_layout
from ._input.long_tables import sequence_runs
from ._input.sequences import read_step_values
from ._input.targets import read_targets
from ._input.weights import read_step_weight

_OF_SEQUENCES = {
    "sequence_accuracy": metrics.sequence_accuracy_score,
    "span_f1": metrics.span_f1_score,
    "span_precision": metrics.span_precision_score,
    "span_recall": metrics.span_recall_score,
}


def sequence_scorer(scoring, *, sequence_id=None):
    """Make a scorer that works for labels or numbers at each step, whatever the layout.

    scikit-learn's scorers take one label a row. What this makes of them takes labels in any layout
    and has them see all steps of all sequences, one after the other. It goes wherever scikit-learn
    takes a scorer: into the searches (a dict of several too), `cross_validate`, the curves. One
    label a row (of a long table or of a classifier) is passed on as it is.

    Parameters
    ----------
    scoring : str or callable
        One of

        - a name of :func:`sklearn.metrics.get_scorer_names` that makes sense for classes, such as
          "f1_macro", "neg_log_loss", "roc_auc_ovr" or "balanced_accuracy"; of a
          :class:`~sklearn_rnn.PerStepRegressor` for numbers, such as "neg_mean_absolute_error";
        - a scorer, such as :func:`sklearn.metrics.make_scorer` makes of a metric, or any
          ``callable(estimator, X, y)``;
        - "sequence_accuracy", "span_f1", "span_precision" or "span_recall", the metrics of whole
          sequences of :mod:`sklearn_rnn.metrics`.
    sequence_id : str or int, default=None
        For the metrics of whole sequences on a long table: its column of sequence ids, as in
        the taggers. The other metrics do not need it.

    Returns
    -------
    callable
        A scorer: ``scorer(estimator, X, y, sample_weight=None)`` gives a float, the higher, the
        better. Where the metric takes `sample_weight`, it is a weight for each step or for each
        sequence; metadata are requested by `set_score_request`, as in scikit-learn's scorers. The
        metrics of whole sequences have none.

    Raises
    ------
    ValueError, TypeError
        If `scoring` is none of these. When it scores: if y does not fit X, or the metric is not
        defined; log loss is not for labels that were not seen in `fit`. To other metrics such
        labels are errors, and classes that a fold lacks are no matter.

    See Also
    --------
    SequenceKFold : Cross-validation of long tables by sequence.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_rnn import OutputFeedbackTagger
    >>> from sklearn_rnn.datasets import make_conversations
    >>> from sklearn_rnn.model_selection import sequence_scorer
    >>> X, y = make_conversations(60, random_state=0)
    >>> tagger = OutputFeedbackTagger(random_state=0)
    >>> scores = cross_val_score(tagger, X, y, cv=3, scoring=sequence_scorer("f1_macro"))
    >>> bool((scores > 0.8).all())
    True
    """
    if isinstance(scoring, type) or not (isinstance(scoring, str) or callable(scoring)):
        raise TypeError(
            f"scoring must be a name or a scorer, got {format_value(scoring)}. Several scores are "
            "a dict of sequence_scorers."
        )
    if isinstance(scoring, str) and scoring in _OF_SEQUENCES:
        return _SequenceScorer(scoring, sequence_id)
    metric = metric_of(scoring)
    for name, of_sequences in _OF_SEQUENCES.items():
        if metric is of_sequences:
            raise ValueError(
                f"A scorer of {metric.__name__} would see all steps as one sequence. Take "
                f"sequence_scorer({name!r}), which knows where sequences end."
            )
    return _StepScorer(scoring)


class _StepScorer:
    """A scorer of scikit-learn, called with flat labels and flat responses."""

    def __init__(self, scoring):
        self._scoring = scoring
        is_name = isinstance(scoring, str)
        self._scorer = get_scorer(scoring) if is_name else check_scoring(scoring=scoring)

    def __call__(self, estimator, X, y, sample_weight=None, **metadata):
        _check(self, estimator, y)
        scorer = self._scorer
        if is_regressor(estimator):
            y = read_targets(y)
            sequences = label_layout(y[..., 0] if y.ndim > 1 else y, "y")
        elif not hasattr(estimator, "classes_") and depth(y) and is_nested(y):
            y, sequences = _flat_numbers(y)
            estimator = _FlatRegressor(estimator, sequences.lengths)
        else:
            sequences = label_layout(y, "y")
            labels = read_step_values(y, sequences, "y")
            place = (
                sequences.describe_position if sequences.layout == "ragged" else "entry {}".format
            )
            check_labels(labels, place)
            if self._scoring == "neg_log_loss":
                scorer = _log_loss_scorer(estimator.classes_, labels, place)
            if sequences.layout == "ragged":
                y, estimator = labels, _FlatClassifier(estimator, sequences.lengths)
        if sample_weight is not None:
            metadata["sample_weight"] = read_step_weight(sample_weight, sequences)
        return scorer(estimator, X, y, **metadata)

    def __repr__(self):
        return f"sequence_scorer({self._scoring!r})"

    def set_score_request(self, **requests):
        """Request metadata for the wrapped scorer."""
        self._scorer.set_score_request(**requests)
        return self

    def get_metadata_routing(self):
        """Return the requests of the wrapped scorer."""
        return get_routing_for_object(self._scorer)

    def _accept_sample_weight(self):
        """Return whether searches may pass weights; scikit-learn 1.8 and later call it."""
        return accepts_sample_weight(self._scorer)


def _check(scorer, estimator, y):
    if not hasattr(estimator, "predict"):
        raise TypeError(
            f"{scorer!r} needs an estimator that predicts, got a {type(estimator).__name__}."
        )
    if not hasattr(estimator, "classes_"):
        check_is_fitted(estimator)
    if y is None:
        raise ValueError(f"{scorer!r} needs y, but it is None.")


def _log_loss_scorer(classes, labels, place):
    """Return the scorer "neg_log_loss" of all classes, of which the labels may lack some."""
    alternative = ", or take another score than log loss, which is infinite there"
    check_known(labels, classes, place, alternative=alternative)
    return make_scorer(
        log_loss, greater_is_better=False, response_method="predict_proba", labels=classes
    )


def _responds(method):
    return available_if(lambda flat: hasattr(flat.estimator, method))


def _flat_numbers(y):
    """Return numbers for each step of sequences as (N,) or (N, K), and the layout of y."""
    parts = [as_numeric_array(part, f"y[{i}]", dtype=np.float64) for i, part in enumerate(y)]
    sequences = label_layout([part[:, 0] if part.ndim > 1 else part for part in parts], "y")
    with reading("y", "one array"):
        return np.concatenate(parts), sequences


class _FlatEstimator(BaseEstimator):
    """Adapter that gives a fitted estimator one row of output for each step.

    Parameters
    ----------
    estimator : object
        The estimator, or a pipeline or search that ends in one.
    lengths : ndarray of int, shape (S,)
        Targets that each sequence of X has in y.
    """

    def __init__(self, estimator, lengths):
        self.estimator = estimator
        self.lengths = lengths

    def predict(self, X):
        return self._flat(self.estimator.predict(X))

    def _flat(self, response):
        if not is_nested(response):
            raise ValueError(
                f"y holds a list for each of {len(self.lengths)} sequences, but the estimator puts "
                f"out one label for each of {len(response)} rows or sequences. Pass y like that."
            )
        lengths = np.array([len(part) for part in response])
        if len(lengths) != len(self.lengths):
            raise ValueError(
                f"y has {len(self.lengths)} entries, but X has {len(lengths)} sequences. Pass one "
                "entry of y for each sequence."
            )
        differ = np.flatnonzero(lengths != self.lengths)
        if len(differ):
            i = differ[0]
            raise ValueError(
                f"y[{i}] has {self.lengths[i]} entries, but sequence {i} of X has {lengths[i]} "
                "steps. Pass one value of y for each step."
            )
        return np.concatenate(list(response))


class _FlatRegressor(RegressorMixin, _FlatEstimator):
    """A `PerStepRegressor` as a regressor with a row for each step."""


class _FlatClassifier(ClassifierMixin, _FlatEstimator):
    """A tagger as a classifier with a row for each step."""

    @property
    def classes_(self):
        return self.estimator.classes_

    @_responds("predict_proba")
    def predict_proba(self, X):
        return self._flat(self.estimator.predict_proba(X))

    @_responds("decision_function")
    def decision_function(self, X):
        return self._flat(self.estimator.decision_function(X))


class _SequenceScorer:
    """A metric of whole sequences as a scorer."""

    def __init__(self, scoring, sequence_id):
        self._scoring = scoring
        self._sequence_id = sequence_id

    def __call__(self, estimator, X, y):
        _check(self, estimator, y)
        is_table = label_layout(y, "y").layout == "long"
        return _OF_SEQUENCES[self._scoring](
            y, estimator.predict(X), sequence_ids=self._ids(X) if is_table else None
        )

    def _ids(self, X):
        """Return the sequence id of each row of a long table."""
        if self._sequence_id is None:
            raise ValueError(
                f"sequence_scorer({self._scoring!r}) must know the sequences of a long table. Give "
                "it the sequence_id that the tagger has."
            )
        lengths, ids = sequence_runs(X, self._sequence_id)
        return np.repeat(ids, lengths)

    def __repr__(self):
        more = "" if self._sequence_id is None else f", sequence_id={self._sequence_id!r}"
        return f"sequence_scorer({self._scoring!r}{more})"

    def _accept_sample_weight(self):
        """Return whether searches may pass weights; scikit-learn 1.8 and later call it."""
        return False
