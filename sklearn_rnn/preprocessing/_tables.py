"""Conversions between long tables (a row is a step) and ragged sequences."""

from importlib import import_module

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .._compat import StrOptions, validate_params
from .._input.arrays import as_array, depth, format_value, is_missing
from .._input.constraints import COLUMN
from .._input.long_tables import as_table, insert_column, runs, split_off_id
from .._input.sequences import Sequences, read_step_values
from ._steps import read_steps

_UNCHECKED = {"accept_sparse": "csr", "dtype": None, "ensure_all_finite": False}


@validate_params(
    {
        "table": "no_validation",
        "sequence_id": [*COLUMN],
        "values": "no_validation",
        "return_ids": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def to_sequences(table, sequence_id, *values, return_ids=False):
    """Cut a long table, with a row for each step, into sequences.

    Labels and weights that have an entry for each row are cut along with it.

    Parameters
    ----------
    table : array-like of shape (N, 1 + D)
        DataFrame of pandas or polars, array or CSR matrix: sequence after sequence, each in order
        of time. The columns may hold anything.
    sequence_id : str or int
        The column (name or position), or the name of the pandas index level, that tells sequences
        apart; the rows of a sequence must be contiguous.
    *values : array-like of shape (N,)
        Labels, weights, or whatever else there is for each row.
    return_ids : bool, default=False
        Whether to return the ids, too.

    Returns
    -------
    X : ndarray of object, shape (S,)
        An array or CSR matrix (T_i, D) for each sequence, in the order of the table.
    *values : ndarray of object, shape (S,)
        For each of the values, an array (T_i,) for each sequence.
    ids : ndarray of shape (S,)
        With ``return_ids=True``: the id of each sequence, by which labels of sequences that are a
        pandas Series are ``labels.loc[ids]``.

    Raises
    ------
    ValueError
        If the rows of a sequence are not contiguous, or the values do not fit the table.

    See Also
    --------
    to_table : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.preprocessing import to_sequences
    >>> table = np.array([[7, 0.1], [7, 0.2], [3, 0.3]])
    >>> X, y = to_sequences(table, 0, ["a", "b", "a"])
    >>> X[0]
    array([[0.1],
           [0.2]])
    >>> [labels.tolist() for labels in y]
    [['a', 'b'], ['a']]
    """
    if depth(table) != 2:
        raise ValueError(
            f"table has {depth(table)} dimensions, but must have two: a row for each step."
        )
    rows, column = split_off_id(as_table(table), sequence_id)
    if not len(column):
        raise ValueError("The table has no rows. Pass at least one.")
    if not rows.shape[1]:
        raise ValueError("The table has no columns but sequence_id. Steps need features.")
    lengths, ids = runs(column)
    rows = check_array(rows, **_UNCHECKED)
    sequences = Sequences(rows, lengths, "long", ids)
    parts = [
        sequences.split(read_step_values(value, sequences, f"values[{i}]"))
        for i, value in enumerate(values)
    ]
    outcome = (sequences.split(rows), *parts, *([ids] if return_ids else []))
    return outcome if len(outcome) > 1 else outcome[0]


@validate_params(
    {
        "X": "no_validation",
        "values": "no_validation",
        "sequence_id": [*COLUMN],
        "ids": ["array-like", None],
        "columns": ["array-like", None],
        "library": [StrOptions({"pandas", "polars"})],
    },
    prefer_skip_nested_validation=True,
)
def to_table(X, *values, sequence_id=0, ids=None, columns=None, library="pandas"):
    """Lay sequences out as one long table, with a row for each step.

    Labels and weights that have an entry for each step are laid out along with it.

    Parameters
    ----------
    X : array-like
        S sequences: a 3-D array (S, T, D), a list or object array of arrays or CSR matrices
        (T_i, D), or a list of lists of tokens.
    *values : array-like
        Labels, weights, or whatever else there is for each step, in the layouts of a tagger's y.
    sequence_id : str or int, default=0
        The column that tells sequences apart. With a name the table is a DataFrame, in which it is
        the first; with a position it is an array, or a CSR matrix if X is sparse.
    ids : array-like of shape (S,), default=None
        What the sequences are called in that column, each differently. None numbers them from 0.
    columns : array-like of str, shape (D,), default=None
        Names of the other columns of a DataFrame. None calls them x0, x1, and so on.
    library : {"pandas", "polars"}, default="pandas"
        What makes the DataFrame.

    Returns
    -------
    table : ndarray, CSR matrix or DataFrame of shape (N, 1 + D)
        What a tagger with the same `sequence_id` takes.
    *values : ndarray of shape (N,)
        Each of the values, flat.

    Raises
    ------
    ValueError, TypeError
        If the sequences, ids, columns or values do not fit each other.

    See Also
    --------
    to_sequences : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.preprocessing import to_table
    >>> X = [np.array([[0.1], [0.2]]), np.array([[0.3]])]
    >>> table, y = to_table(X, [["a", "b"], ["a"]], ids=[7, 3])
    >>> table
    array([[7. , 0.1],
           [7. , 0.2],
           [3. , 0.3]])
    >>> y.tolist()
    ['a', 'b', 'a']
    """
    sequences = read_steps(X, as_items=False)
    rows = sequences.rows
    if sequences.is_table or isinstance(rows, list):
        raise ValueError(
            "X must hold sequences whose steps have the same features: a 3-D array, or a list of "
            "arrays (n_steps, n_features)."
        )
    ids = np.repeat(_read_ids(ids, sequences.n_sequences), sequences.lengths)
    parts = [read_step_values(value, sequences, f"values[{i}]") for i, value in enumerate(values)]
    if isinstance(sequence_id, str):
        names = _read_columns(columns, sequences.n_features, sequence_id)
        table = _frame(rows, names, sequence_id, ids, library)
    else:
        table = insert_column(rows, _read_position(sequence_id, sequences.n_features), ids)
    return (table, *parts) if parts else table


def _read_ids(ids, n_sequences):
    if ids is None:
        return np.arange(n_sequences)
    ids = as_array(ids, "ids")
    if ids.shape != (n_sequences,):
        raise ValueError(f"ids has shape {ids.shape}, but X has {n_sequences} sequences.")
    if any(map(is_missing, ids)):
        raise ValueError("ids holds a missing value. Pass an id for each sequence.")
    if len({isinstance(i, str) for i in ids}) > 1:
        raise TypeError("ids mixes strings and numbers. Make them all of one type.")
    try:
        names, counts = np.unique(ids, return_counts=True)
    except (TypeError, ValueError, ArithmeticError):
        raise TypeError("ids must all be of one type that sorts.") from None
    if len(names) < n_sequences:
        again = format_value(names[counts > 1][0])
        raise ValueError(f"ids holds {again} more than once. The sequences would become one.")
    return ids


def _read_position(position, n_features):
    if not -n_features - 1 <= position <= n_features:
        raise ValueError(f"sequence_id={position}, but the table has {n_features + 1} columns.")
    return position % (n_features + 1)


def _read_columns(columns, n_features, sequence_id):
    names = [f"x{i}" for i in range(n_features)] if columns is None else list(columns)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"columns must be strings, but holds {format_value(name)}.")
    if len(names) != n_features or len({sequence_id, *names}) <= n_features:
        raise ValueError(
            f"columns must name the {n_features} features of a step, each differently and none "
            f"{sequence_id!r}, but is {names}."
        )
    return names


def _frame(rows, names, sequence_id, ids, library):
    if sparse.issparse(rows):
        raise TypeError(
            "Sparse X does not go into a DataFrame. Give sequence_id as a position, which makes a "
            "CSR matrix."
        )
    columns = {sequence_id: ids, **dict(zip(names, rows.T))}
    return import_module(library).DataFrame(columns)
