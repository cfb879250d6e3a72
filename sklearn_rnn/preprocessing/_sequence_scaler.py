"""Each sequence at zero mean and unit variance."""

from copy import copy

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._input.constraints import COLUMN, COUNT
from .._input.layouts import LongTable, WideTable, read_sequences
from .._input.long_tables import as_table, position_of_id
from ._output import refuse_containers, with_ids


class SequenceScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale each sequence by itself, feature by feature, to zero mean and unit variance.

    What is left is the shape of a series, without its level and its range, which is what matters
    where these differ between the sources of sequences: persons, sensors, places. Where level and
    range tell something, leave it out: the estimators standardise features over all sequences.

    A feature that does not vary within a sequence becomes zero there. A scaled step depends on the
    whole sequence, so that `start` of an estimator cannot follow.

    Parameters
    ----------
    with_mean : bool, default=True
        Whether to subtract the mean over the steps of the sequence.
    with_std : bool, default=True
        Whether to divide by the standard deviation over the steps of the sequence.
    sequence_id : str or int, default=None
        In a 2-D X, the column (name or position), or the name of the pandas index level, that tells
        sequences apart; the rows of a sequence must be contiguous. It stays as it is. Without it, a
        2-D X is one sequence.
    features_per_step : int, default=None
        If given, a row of a 2-D X is a sequence, in which so many columns make one step.

    Attributes
    ----------
    n_features_in_ : int
        Features of a step; of a table, its columns.
    feature_names_in_ : ndarray of str
        Column names of a table that has them.

    See Also
    --------
    PerStepTransformer : Applies any transformer to the steps of all sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.preprocessing import SequenceScaler
    >>> X = [np.array([[1.0], [3.0]]), np.array([[100.0], [300.0], [300.0], [100.0]])]
    >>> [x.ravel().tolist() for x in SequenceScaler().fit_transform(X)]
    [[-1.0, 1.0], [-1.0, 1.0, 1.0, -1.0]]
    """

    _parameter_constraints = {
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
        "sequence_id": [*COLUMN, None],
        "features_per_step": [COUNT, None],
    }

    def __init__(self, *, with_mean=True, with_std=True, sequence_id=None, features_per_step=None):
        self.with_mean = with_mean
        self.with_std = with_std
        self.sequence_id = sequence_id
        self.features_per_step = features_per_step

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X, y=None):
        """Learn the features of a step; nothing else is to be learnt.

        Parameters
        ----------
        X : array-like
            S sequences, N steps in all, D features. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays (T_i, D);
            - a table (N, D), a row a step: one sequence, or several that `sequence_id` tells apart;
            - with `features_per_step`, a table (S, T * `features_per_step`), a row a sequence.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed or sparse; the message names the sequence and the step.
        """
        self._validate_params()
        trial = copy(self)  # a fit that fails changes nothing
        trial._n_step_features = _read(trial, X, reset=True).n_features
        self.__dict__ = trial.__dict__
        return self

    def transform(self, X):
        """Scale each sequence.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray or DataFrame
            In the layout of X; a table with ids as a DataFrame if `sequence_id` is a name.
        """
        check_is_fitted(self)
        sequences = _read(self, X, reset=False, n_features=self._n_step_features)
        if sequences.layout not in ("long", "wide"):
            refuse_containers(self)
        rows = _scaled(sequences.rows, sequences.lengths, self.with_mean, self.with_std)
        if sequences.layout == "wide":
            return rows.reshape(sequences.n_sequences, -1)
        if sequences.ids is None:
            return sequences.give_back(rows)
        X = as_table(X)
        position = position_of_id(X, self.sequence_id)
        names = np.array(X.columns, dtype=object) if hasattr(X, "columns") else None
        return with_ids(self, X, rows, names, position, position)


def _read(scaler, X, **options):
    sequences = read_sequences(scaler, X, _table(scaler), **options)
    if sparse.issparse(sequences.rows):
        raise TypeError("X is sparse, which zero mean would make dense. Call its toarray().")
    return sequences


def _table(scaler):
    if scaler.features_per_step is None:
        return LongTable(scaler.sequence_id)
    if scaler.sequence_id is not None:
        raise ValueError(
            f"sequence_id={scaler.sequence_id!r} says that a row of a 2-D X is a step, and "
            f"features_per_step={scaler.features_per_step} that it is a sequence. Set one only."
        )
    return WideTable(scaler.features_per_step)


def _scaled(rows, lengths, with_mean, with_std):
    """Return rows (N, D) of which those of each sequence have mean 0 and variance 1."""
    mean = _means(rows, lengths)
    centred = rows - np.repeat(mean, lengths, axis=0)
    scale = np.ones_like(mean)
    if with_std:
        std = np.sqrt(_means(np.square(centred), lengths))
        is_constant = std <= 10 * np.finfo(rows.dtype).eps * np.abs(mean)  # but for rounding
        scale = np.where(is_constant, 1.0, std)
    outcome = (centred if with_mean else rows) / np.repeat(scale, lengths, axis=0)
    return outcome.astype(rows.dtype)


def _means(rows, lengths):
    """Return the mean of the rows of each sequence, (S, D)."""
    starts = np.cumsum(lengths) - lengths
    return np.add.reduceat(rows, starts, axis=0, dtype=np.float64) / lengths[:, None]
