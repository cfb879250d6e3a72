"""What the estimators that predict labels share: the classifier's and the taggers' mixins."""

from functools import partial

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import ClassifierTags

from . import _targets
from ._cells import log_softmax
from ._validation import read_long_table


def binary_margin(Z):
    """Logits as a `decision_function` gives them: of two classes one value, not two."""
    return Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z


class LabelMixin:
    """What the classifier and the taggers share; they say how to `_read_labels`."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on from the present weights with a batch of labelled sequences.

        For data that come in batches, or do not fit into memory. At most 20 iterations of L-BFGS
        (of "trust-ncg", if `solver` is that) minimise the mean loss over the batch plus a pull to
        the present weights, which grows with the weight of all that was seen before, as that of a
        Gaussian prior does. So a batch counts for its share of the data, and it is better to pass
        batches of some dozens of sequences than single ones. The batches should be drawn at random:
        one class after the other is not learnt, each makes the network forget the last.

        The first call starts as `fit` does; calls after `fit` go on from there. `n_init`,
        `max_iter` and `warm_start` do not matter; callbacks are not called. `loss_curve_` and
        `n_iter_` run on over all calls.

        Parameters
        ----------
        X : array-like
            A batch of sequences, in any of the layouts of `fit`.
        y : array-like
            Labels, as in `fit`.
        classes : array-like of shape (K,), optional
            All labels there will be, for the first call; without it those of its y.
        sample_weight : array-like, optional
            Weights, as in `fit`.

        Returns
        -------
        self : object
            The fitted estimator. If `partial_fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed or holds a label that is not among the classes, or if
            `early_stopping` is True or `class_weight` "balanced".
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def _score_logits(self, codes, Z, weight):
        return accuracy_score(codes, Z.argmax(axis=1), sample_weight=weight)

    def _fit_targets(self, sequences, y, sample_weight, progress):
        labels = self._read_labels(y, sequences)
        weight = self._read_weight(sample_weight, sequences)
        classes, codes = _targets.encode_labels(labels, partial(self._place, sequences))
        if self.warm_start and hasattr(self, "classes_"):
            if not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"warm_start=True continues with the classes of the last fit, "
                    f"{self.classes_}, but y has {classes}. Fit with warm_start=False."
                )
        self.classes_ = classes
        factors = _targets.class_factors(self.class_weight, classes, codes, weight)
        strata = None if self._per_step else codes
        weight = weight * factors[codes]
        return self._train(sequences, codes, weight, len(classes), progress, strata)

    def _partial_fit_targets(self, sequences, y, sample_weight, classes):
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit cannot tell what class_weight='balanced' is, as it does not see all "
                "labels. Pass the weights as a dict, or in sample_weight."
            )
        labels = self._read_labels(y, sequences)
        weight = self._read_weight(sample_weight, sequences)
        place = partial(self._place, sequences)
        if classes is not None:
            classes = _targets.read_classes(classes)
        if not self._is_fitted():
            self.classes_ = _targets.encode_labels(labels, place)[0] if classes is None else classes
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes must be those of the first call, {self.classes_}, got {classes}. Leave "
                "it out."
            )
        codes = _targets.encode_known(
            labels,
            self.classes_,
            place,
            source="the first call",
            alternative=", or begin anew and pass all classes then",
        )
        factors = _targets.class_factors(self.class_weight, self.classes_, codes, weight)
        self._train_on_batch(sequences, codes, weight * factors[codes], len(self.classes_))

    def _accuracy(self, X, y, sample_weight):
        """What `score` does."""
        sequences = self._read_fitted(X)
        _targets.require_y(self, y)
        labels = self._read_labels(y, sequences)
        weight = self._read_weight(sample_weight, sequences)
        _targets.check_known(
            labels,
            self.classes_,
            partial(self._place, sequences),
            alternative=", or score with a metric of sklearn.metrics, which counts unknown labels "
            "as errors",
        )
        predicted = self._predict(sequences)
        return accuracy_score(labels, predicted, sample_weight=weight)

    def _predict(self, sequences):
        """The label of each step or each sequence, in the order of the sequences."""
        return self.classes_[self._logits(sequences).argmax(axis=1)]


class TaggerMixin(LabelMixin):
    """A label at each step: `fit` and what follows from the logits."""

    _per_step = True
    _read_table = staticmethod(read_long_table)
    _read_labels = staticmethod(_targets.read_step_labels)
    _read_weight = staticmethod(_targets.read_step_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags()
        if self.sequence_id is not None:
            # only there y is 1-D, as scikit-learn's tools for classifiers want it
            tags.estimator_type = "classifier"
        return tags

    def fit(self, X, y, sample_weight=None):
        """Train on sequences with a label at each step.

        Parameters
        ----------
        X : array-like
            S sequences, N steps in all, D features. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays or CSR matrices (T_i, D);
            - a table (N, D), a row a step: one sequence, or several that `sequence_id` tells apart.
        y : array-like
            A label for each step: (S, T); or a list or object array of S arrays or lists (T_i,);
            or, for a table, (N,).
        sample_weight : array-like, optional
            A weight for each step, in the layouts of y, or for each sequence, (S,).

        Returns
        -------
        self : object
            The fitted estimator. If `fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed; the message names the sequence and the step.
        """
        return self._fit(X, y, sample_weight)

    def predict(self, X):
        """Most probable label of each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            (S, T) for a 3-D array, (N,) for a table, else an object array of S arrays (T_i,).
        """
        sequences = self._read_fitted(X)
        return sequences.give_back(self._predict(sequences))

    def predict_proba(self, X):
        """Probability of each class at each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            (S, T, K) for a 3-D array, (N, K) for a table, else an object array of S arrays
            (T_i, K); classes in the order of `classes_`.
        """
        sequences = self._read_fitted(X)
        return sequences.give_back(self._logits(sequences, self._loss.inverse_link))

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class at each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            In the layout of `predict_proba`.
        """
        sequences = self._read_fitted(X)
        return sequences.give_back(self._logits(sequences, log_softmax))

    def score(self, X, y, sample_weight=None):
        """Accuracy over all steps.

        Parameters
        ----------
        X, y, sample_weight : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        float
            Weighted share of the steps whose predicted label is the true one.

        Raises
        ------
        ValueError
            If y holds a label that was not seen in `fit`.
        """
        return self._accuracy(X, y, sample_weight)
