"""The public methods of the estimators that give a label to each step."""

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import ClassifierTags, check_random_state

from .._compat import StrOptions
from .._input.constraints import COLUMN
from .._input.labels import require_y
from .._networks.network import infer_log
from .base import read_fitted
from .targets import STEP, LabelTargets


class TaggerMixin:
    """A label at each step: `fit`, and predictions in the layout of X."""

    _parameter_constraints = {
        "sequence_id": [*COLUMN, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _targets = LabelTargets(STEP)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags()
        if self.sequence_id is not None:
            # only there y is 1-D, as scikit-learn's tools for classifiers want it
            tags.estimator_type = "classifier"
        return tags

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
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
        X_val, y_val, sample_weight_val : array-like, optional
            A validation set of your own, in the layouts of X, y and sample_weight. Training stops
            early by the score on it, as `early_stopping` says, but holds out nothing of X.

        Returns
        -------
        self : object
            The fitted estimator. If `fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed; the message names the sequence and the step.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

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
        return self._partial_fit(X, y, sample_weight, classes)

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
        model, sequences = read_fitted(self, X)
        return sequences.give_back(model.labels(sequences, self.n_jobs, self._predictor()))

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
        model, sequences = read_fitted(self, X)
        return sequences.give_back(model.infer(sequences, self.n_jobs))

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
        model, sequences = read_fitted(self, X)
        return sequences.give_back(model.infer(sequences, self.n_jobs, infer_log))

    def score(self, X, y, sample_weight=None):
        """Accuracy over all steps.

        Not that of ``scoring="accuracy"`` in scikit-learn's tools: with two labels and y (S, T)
        that is the share of the sequences without any error. Leave `scoring` out, or take
        :func:`~sklearn_rnn.model_selection.sequence_scorer`.

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
        model, sequences = read_fitted(self, X)
        require_y(self, y)
        labels, weight = self._targets.read_known(sequences, y, sample_weight, model.classes)
        predicted = model.labels(sequences, self.n_jobs, self._predictor())
        return accuracy_score(labels, predicted, sample_weight=weight)


def sum_log_proba(estimator, X, y, function):
    """Return log p(y | x) of each sequence, (S,): the sum of ``function`` over its steps."""
    model, sequences = read_fitted(estimator, X)
    require_y(estimator, y)
    codes = LabelTargets(STEP).read_codes(sequences, y, model.classes)
    terms = model.map_sequences(sequences, estimator.n_jobs, function, codes)
    model.check_overflow(sequences, np.isfinite(terms))
    return np.add.reduceat(terms, np.cumsum(sequences.lengths) - sequences.lengths)


def draw_labels(estimator, X, n_samples, random_state, function):
    """Return samples of labels in the layout of X; ``function`` draws by uniform random numbers."""
    model, sequences = read_fitted(estimator, X)
    U = check_random_state(random_state).random_sample((sequences.rows.shape[0], n_samples))
    codes = model.map_sequences(sequences, estimator.n_jobs, function, U)
    model.check_overflow(sequences, (codes >= 0).all(axis=1))
    return np.stack([sequences.give_back(labels) for labels in model.classes[codes.T]])
