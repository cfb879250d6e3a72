"""Features of neighbouring steps, added to those of each step."""

from copy import copy

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._compat import check_feature_names_in
from .._input.constraints import COLUMN, at_least
from .._input.layouts import LongTable, read_sequences
from .._input.long_tables import as_table, position_of_id
from ._output import refuse_containers, with_ids


class ContextWindow(TransformerMixin, BaseEstimator):
    """Add to each step the features of the steps before and after it.

    With ``before=2`` and ``after=1`` what was x_t becomes (x_{t-2}, x_{t-1}, x_t, x_{t+1}). Beyond
    the ends of a sequence the features are zero; neighbours in other sequences are never looked at.
    Zero is the mean of features that were standardised, and sparse features are zero where nothing
    was seen, so that nothing more marks the ends.

    Parameters
    ----------
    before : int, default=1
        How many steps before each step to look at.
    after : int, default=1
        How many steps after each step to look at.
    sequence_id : str or int, default=None
        In a 2-D X, the column (name or position), or the name of the pandas index level, that tells
        sequences apart; the rows of a sequence must be contiguous. It stays where it is. Without
        it, a 2-D X is one sequence.

    Attributes
    ----------
    n_features_in_ : int
        Features of a step; of a table, its columns.
    feature_names_in_ : ndarray of str
        Column names of a table that has them.

    See Also
    --------
    PerStepTransformer : Applies any transformer to the steps of sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.preprocessing import ContextWindow
    >>> X = [np.array([[1.0], [2.0], [3.0]]), np.array([[4.0]])]
    >>> window = ContextWindow(before=1, after=1).fit(X)
    >>> window.transform(X)[0]
    array([[0., 1., 2.],
           [1., 2., 3.],
           [2., 3., 0.]])
    >>> window.get_feature_names_out()
    array(['x0[t-1]', 'x0', 'x0[t+1]'], dtype=object)
    """

    _parameter_constraints = {
        "before": [at_least(0)],
        "after": [at_least(0)],
        "sequence_id": [*COLUMN, None],
    }

    def __init__(self, before=1, after=1, *, sequence_id=None):
        self.before = before
        self.after = after
        self.sequence_id = sequence_id

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X, y=None):
        """Learn the features of a step, and where in a table the sequences' ids are.

        Parameters
        ----------
        X : array-like
            S sequences, N steps in all, D features. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays or CSR matrices (T_i, D);
            - a table (N, D), a row a step: one sequence, or several that `sequence_id` tells apart.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed; the message names the sequence and the step.
        """
        self._validate_params()
        trial = copy(self)  # a fit that fails changes nothing
        sequences = read_sequences(trial, X, self._table(), reset=True, ensure_all_finite=False)
        trial._n_step_features = sequences.n_features
        trial._id_position = None
        if self._has_ids(sequences):
            trial._id_position = position_of_id(as_table(X), self.sequence_id)
        self.__dict__ = trial.__dict__
        return self

    def transform(self, X):
        """Add the neighbours' features.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray, CSR matrix or DataFrame
            In the layout of X: with K = D (before + 1 + after), (S, T, K) for a 3-D array; for a
            list an object array of S arrays or CSR matrices (T_i, K); for a table (N, K) and the
            column of ids, as a DataFrame if `sequence_id` is a name.
        """
        check_is_fitted(self)
        n_features = self._n_step_features
        sequences = read_sequences(
            self, X, self._table(), reset=False, n_features=n_features, ensure_all_finite=False
        )
        if sequences.layout != "long":
            refuse_containers(self)
        rows = _with_neighbours(sequences, self.before, self.after)
        if self._has_ids(sequences):
            return self._with_ids(as_table(X), rows)
        return sequences.give_back(rows)

    def get_feature_names_out(self, input_features=None):
        """Names of the features that come out.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the features that go in.

        Returns
        -------
        ndarray of str
            ``x0[t-1]`` is feature ``x0`` one step before, ``x0`` that of the step itself.
        """
        check_is_fitted(self)
        return self._names_out(check_feature_names_in(self, input_features), self._id_position)

    def _names_out(self, names, position):
        """Return names of the output from those of the input and the position of the ids."""
        features = names if position is None else np.delete(names, position)
        shifted = np.array(
            [
                f"{name}[t{shift:+}]" if shift else name
                for shift in range(-self.before, self.after + 1)
                for name in features
            ],
            dtype=object,
        )
        if position is None:
            return shifted
        return np.insert(shifted, self._position_out(position, len(shifted)), names[position])

    def _table(self):
        return LongTable(self.sequence_id)

    def _has_ids(self, sequences):
        return self.sequence_id is not None and sequences.layout == "long"

    def _position_out(self, position, n_features):
        """Return the position of the column of ids in the output, where `sequence_id` finds it."""
        counts_back = not isinstance(self.sequence_id, str) and self.sequence_id < 0
        return n_features + 1 + self.sequence_id if counts_back else position

    def _with_ids(self, X, rows):
        """Return the rows as a table with the ids of X."""
        position, names = position_of_id(X, self.sequence_id), None
        at = None if position is None else self._position_out(position, rows.shape[1])
        if hasattr(X, "columns"):
            names = self._names_out(np.array(X.columns, dtype=object), position)
        return with_ids(self, X, rows, names, position, at)


def _with_neighbours(sequences, before, after):
    """Return rows (N, D (before + 1 + after)) of neighbours' features, zeros beyond the ends."""
    rows, lengths = sequences.rows, sequences.lengths
    D = rows.shape[1]
    n_steps = np.repeat(lengths, lengths)
    step = np.arange(len(n_steps)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    reach = lengths.max() - 1
    near = range(-min(before, reach), min(after, reach) + 1)
    blocks = [_zeros(rows, (before + near.start) * D)]
    for shift in near:
        inside = np.flatnonzero((step + shift >= 0) & (step + shift < n_steps))
        blocks.append(_moved(rows, inside + shift, inside))
    blocks.append(_zeros(rows, (after + 1 - near.stop) * D))
    return sparse.hstack(blocks, format="csr") if sparse.issparse(rows) else np.hstack(blocks)


def _zeros(rows, n_columns):
    shape = (rows.shape[0], n_columns)
    is_sparse = sparse.issparse(rows)
    return sparse.csr_array(shape, dtype=rows.dtype) if is_sparse else np.zeros(shape, rows.dtype)


def _moved(rows, source, target):
    """Return an array with the source rows at the target positions, zeros elsewhere."""
    if sparse.issparse(rows):
        N = rows.shape[0]
        ones = np.ones(len(source), dtype=rows.dtype)
        return sparse.csr_array((ones, (target, source)), shape=(N, N)) @ rows
    moved = np.zeros_like(rows)
    moved[target] = rows[source]
    return moved
