"""The public methods of the estimators that give numbers to each step."""

import warnings

import numpy as np
from sklearn.utils import RegressorTags

from .._execution.dask import is_collection
from .._input.constraints import COLUMN
from .base import read_fitted
from .lazy import by_partition
from .quantiles import fitted_targets
from .scores import score_numbers
from .targets import STEP, NumberTargets


class StepNumbersMixin:
    """Numbers at each step: `fit`, and predictions in the layout of X."""

    _parameter_constraints = {"sequence_id": [*COLUMN, None]}
    _targets = NumberTargets(STEP)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.regressor_tags = RegressorTags()
        if self.sequence_id is not None:
            # only there y has a row a row of X, as scikit-learn's tools for regressors want it
            tags.estimator_type = "regressor"
        return tags

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train on sequences with one or several numbers at each step.

        Parameters
        ----------
        X : array-like
            S sequences, N steps in all, D features. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays or CSR matrices (T_i, D);
            - a table (N, D), a row a step: one sequence, or several that `sequence_id` tells apart;
            - a Dask collection of these, see the user guide.
        y : array-like
            A number for each step: (S, T); or a list or object array of S arrays (T_i,); or, for a
            table, (N,). Or a row of K numbers for each step: (S, T, K), arrays (T_i, K), or (N, K).
        sample_weight : array-like, optional
            A weight for each step, laid out as y with one number, or for each sequence, (S,).
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
        if self.sequence_id is None and not is_collection(X):
            _warn_of_rows(X, y)
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def partial_fit(self, X, y, sample_weight=None):
        """Go on from the present weights with a batch of sequences.

        For data that come in batches, or do not fit into memory. At most 20 iterations of L-BFGS
        (of "trust-ncg", if `solver` is that) minimise the mean loss over the batch plus a pull to
        the present weights, which grows with the weight of all that was seen before, as that of a
        Gaussian prior does. So a batch counts for its share of the data, and it is better to pass
        batches of some dozens of sequences than single ones.

        The first call starts as `fit` does; calls after `fit` go on from there. `n_init`,
        `max_iter` and `warm_start` do not matter; callbacks are not called. `loss_curve_` and
        `n_iter_` run on over all calls.

        Parameters
        ----------
        X : array-like
            A batch of sequences, in any of the layouts of `fit`.
        y : array-like
            Numbers for each step, as in `fit`.
        sample_weight : array-like, optional
            Weights, as in `fit`.

        Returns
        -------
        self : object
            The fitted estimator. If `partial_fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed, or if `early_stopping` is True.
        """
        if self.sequence_id is None:
            _warn_of_rows(X, y)
        return self._partial_fit(X, y, sample_weight)

    @by_partition
    def predict(self, X):
        """Numbers at each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            As y was in `fit`: (S, T) or (S, T, K) for a 3-D array, (N,) or (N, K) for a table, else
            an object array of S arrays (T_i,) or (T_i, K). Several quantiles are a further axis,
            the last.
        """
        model, sequences = read_fitted(self, X)
        return self._give_back(model, sequences, model.infer(sequences, self.n_jobs))

    def _give_back(self, model, sequences, predictions):
        """Return finite predictions (N, K) in the layouts of X and of y in `fit`."""
        model.check_overflow(sequences, np.isfinite(predictions).all(axis=1))
        return sequences.give_back(model.shaped(predictions))

    def _read_targets(self, model, sequences, y, sample_weight=None):
        """Return targets to compare with, of which there are as many as in `fit`."""
        targets = fitted_targets(STEP, model.network).read(sequences, y, sample_weight)
        if targets.n_outputs != model.network.n_outputs:
            raise ValueError(
                f"y has {targets.n_outputs} targets, but fit saw {model.network.n_outputs}."
            )
        return targets

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination over all steps, R^2; of quantiles D^2.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As for `fit`.

        Returns
        -------
        float
            1 for predictions without error, 0 for those that are no better than the mean of y;
            averaged over the targets. With loss="quantile" D^2: the pinball loss instead of the
            squared error, and the quantile of y instead of its mean, averaged over the levels
            (:func:`sklearn.metrics.d2_pinball_score`).

        Raises
        ------
        ValueError
            If y or the weights do not fit X, or y holds other numbers of targets than in `fit`.
        """
        return score_numbers(self, X, y, sample_weight)

    def _outcomes(self, X, y, sample_weight):
        """Return the targets' kind, true and predicted numbers, and their weights."""
        model, sequences = read_fitted(self, X)
        targets = self._read_targets(model, sequences, y, sample_weight)
        kind = fitted_targets(STEP, model.network)
        return kind, targets.y, model.infer(sequences, self.n_jobs), targets.weight


def _warn_of_rows(X, y):
    """Warn if X and y are alike, so that their rows may be meant as sequences."""
    shape = getattr(X, "shape", ())
    if len(shape) == 2 and shape == getattr(y, "shape", ()) and min(shape) > 1:
        warnings.warn(
            f"X and y are read as one sequence of {shape[0]} steps with {shape[1]} features and as "
            f"many targets each. If they are {shape[0]} sequences of {shape[1]} steps, pass "
            "X[..., None]; if not, this warning is of no concern.",
            stacklevel=3,
        )
