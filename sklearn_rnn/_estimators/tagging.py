"""The public methods of the estimators that give a label to each step."""

from functools import partial

import numpy as np
from sklearn.utils import ClassifierTags, check_random_state

from .._compat import StrOptions, validate_parameter_constraints
from .._input.constraints import COLUMN, COUNT
from .._input.labels import require_y
from .._networks.network import IGNORE_OVERFLOW, infer_log
from .base import read_fitted
from .label_rules import LabelRulesMixin
from .lazy import by_partition
from .scores import score_labels

_ARGUMENTS = {"n": [COUNT], "n_samples": [COUNT], "random_state": ["random_state"]}


class TaggerMixin(LabelRulesMixin):
    """A label at each step: `fit`, and predictions in the layout of X."""

    _parameter_constraints = {
        **LabelRulesMixin._parameter_constraints,
        "sequence_id": [*COLUMN, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _STRUCTURE_BEFORE = {"direct": False, "allowed_transitions": None}

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
            - a table (N, D), a row a step: one sequence, or several that `sequence_id` tells apart;
            - a Dask collection of these, see the user guide.
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

    @by_partition
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

    @by_partition
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

    @by_partition
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

    def sequence_log_proba(self, X, y):
        """Log-probability of whole sequences of labels, log p(y_1, ..., y_T | x_1, ..., x_T).

        The probabilities of all label sequences that a sequence of X can have sum to one. With the
        softmax output, and without teacher forcing, the labels are independent given X: it is the
        sum of their log-probabilities.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.
        y : array-like
            A label for each step, in any of the layouts of `fit`. Steps that `unlabeled` declares
            to have none are summed out: it is the log-probability of the other labels.

        Returns
        -------
        ndarray of shape (S,)
            One for each sequence, whatever the layout; those of a table in the order of its rows.
            It is -inf for labels that `allowed_transitions` forbids.

        Raises
        ------
        ValueError
            If y holds a label that was not seen in `fit`, of which nothing is known.
        """
        model, sequences = read_fitted(self, X)
        require_y(self, y)
        codes = self._targets.read_codes(sequences, y, model.classes)
        terms = model.map_sequences(sequences, self.n_jobs, _log_proba, codes)
        model.check_overflow(sequences, ~np.isnan(terms))
        return np.add.reduceat(terms, sequences.starts)

    def sample(self, X, n_samples=1, random_state=None):
        """Draw sequences of labels from p(y_1, ..., y_T | x_1, ..., x_T), exactly.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.
        n_samples : int, default=1
            How many sequences of labels to draw for each sequence of X.
        random_state : int, RandomState instance or None, default=None
            Determines what is drawn. Pass an int for the same at each call.

        Returns
        -------
        ndarray
            (n_samples, S, T) for a 3-D array, (n_samples, N) for a table, else an object array
            (n_samples, S) of arrays (T_i,). Each ``sample[i]`` is like what `predict` returns.
        """
        self._check_arguments("sample", n_samples=n_samples, random_state=random_state)
        model, sequences = read_fitted(self, X)
        shape = sequences.rows.shape[0], n_samples
        U = check_random_state(random_state).random_sample(shape)
        codes = model.map_sequences(sequences, self.n_jobs, _sample, U)
        model.check_overflow(sequences, (codes >= 0).all(axis=1))
        return _several(sequences, model.classes[codes])

    def predict_pair_proba(self, X):
        """Probability of each pair of classes at successive steps, p(y_{t-1}, y_t | x).

        Exact, given the whole sequence. The sum over the class before is `predict_proba` at the
        step; so the sum over all steps is the expected number of each transition.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            (S, T, K, K) for a 3-D array, (N, K, K) for a table, else an object array of S arrays
            (T_i, K, K). Entry [j, k] of step t is the probability that ``classes_[j]`` is the label
            of step t - 1 and ``classes_[k]`` that of step t. It is 0 at the first step of a
            sequence, which has no step before.
        """
        model, sequences = read_fitted(self, X)
        return sequences.give_back(model.infer(sequences, self.n_jobs, _pairs))

    def predict_n_best(self, X, n):
        """The n most probable sequences of labels, with their log-probabilities.

        Exact, by the list Viterbi algorithm (Seshadri & Sundberg 1994, IEEE Transactions on
        Communications 42), in time of order n N K^2 beside that of `decoding="viterbi"`, whose
        sequence is the first. Of sequences of equal probability that one comes first whose class
        comes first in `classes_` at the last step at which they differ.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.
        n : int
            How many sequences of labels for each sequence of X.

        Returns
        -------
        labels : ndarray
            (n, S, T) for a 3-D array, (n, N) for a table, else an object array (n, S) of arrays
            (T_i,). Each ``labels[i]`` is like what `predict` returns.
        log_proba : ndarray of shape (n, S)
            Values of log p(y_1, ..., y_T | x_1, ..., x_T), falling; -inf where there is no sequence
            of labels any more: T steps have K^T, fewer if `allowed_transitions` forbids some. The
            labels are then those of the best.

        Examples
        --------
        >>> from sklearn_rnn import SequenceTagger
        >>> from sklearn_rnn.datasets import make_conversations
        >>> X, y = make_conversations(40, random_state=0)
        >>> tagger = SequenceTagger(output="crf", random_state=0).fit(X, y)
        >>> labels, log_proba = tagger.predict_n_best(X[:5], 3)
        >>> labels.shape, log_proba.shape
        ((3, 5), (3, 5))
        >>> second = tagger.sequence_log_proba(X[:5], labels[1])
        >>> bool(abs(second - log_proba[1]).max() < 1e-10)
        True
        """
        self._check_arguments("predict_n_best", n=n)
        model, sequences = read_fitted(self, X)
        best = model.map_sequences(sequences, self.n_jobs, partial(_n_best, n))
        model.check_overflow(sequences, ~np.isnan(best["log_proba"][:, 0]))
        labels = _several(sequences, model.classes[best["label"]])
        return labels, best["log_proba"][sequences.starts].T.copy()

    def _check_arguments(self, method, **arguments):
        name = f"{type(self).__name__}.{method}"
        validate_parameter_constraints(_ARGUMENTS, arguments, name)

    def score(self, X, y, sample_weight=None):
        """Accuracy over all steps that have a label.

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
        return score_labels(self, X, y, sample_weight)

    def _outcomes(self, X, y, sample_weight):
        """Return true and predicted labels of steps that have one, and their weights."""
        model, sequences = read_fitted(self, X)
        is_known, labels, weight = self._targets.read_known(
            sequences, y, sample_weight, model.classes
        )
        predicted = model.labels(sequences, self.n_jobs, self._predictor())
        return labels, predicted[is_known], weight


def _several(sequences, labels):
    """Return n labels for each step, (N, n), as an array with n predictions in the layout of X."""
    return np.stack([sequences.give_back(one) for one in labels.T])


@IGNORE_OVERFLOW
def _log_proba(network, p, shard):
    return network.log_proba(p, shard)


@IGNORE_OVERFLOW
def _sample(network, p, shard):
    # the random numbers stand for targets
    return network.sample(p, shard, shard.y)


@IGNORE_OVERFLOW
def _pairs(network, p, shard):
    return network.pairs(p, shard)


@IGNORE_OVERFLOW
def _n_best(n, network, p, shard):
    return network.n_best(p, shard, n)
