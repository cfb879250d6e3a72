"""The column of a long table, a row a step, that tells its sequences apart."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

from ._arrays import as_array, depth, is_missing, refuse_mask, shown


def sequence_runs(X, sequence_id):
    """Length and id of each sequence of a long table, of which only the ids are looked at."""
    if depth(X) != 2:
        raise ValueError(
            f"sequence_id={shown(sequence_id)} tells the sequences of a 2-D table apart, but X is "
            "none. In a 3-D array or a list each entry is a sequence, which scikit-learn's own "
            "splitters keep whole."
        )
    column = split_off_id(as_table(X), sequence_id)[1]
    if not len(column):
        raise ValueError("X has no rows. Pass at least one.")
    return runs(column)


def as_table(X):
    """X, or what nested lists hold as an array."""
    refuse_mask(X, "X")
    X = X if hasattr(X, "shape") else as_array(X, "X")
    X = X.tocsr() if sparse.issparse(X) else X  # of others not all have rows and columns
    if len(X.shape) != 2:
        raise ValueError("X is no table: it must have rows, all with the same columns.")
    return X


def position_of_id(X, sequence_id):
    """Position of the column that tells sequences apart; None if it is a level of the index."""
    check_sequence_id(sequence_id)
    if not isinstance(sequence_id, str):
        if not -X.shape[1] <= sequence_id < X.shape[1]:
            raise ValueError(f"sequence_id={sequence_id}, but X has only {X.shape[1]} columns.")
        return sequence_id % X.shape[1]
    if not hasattr(X, "columns"):
        raise ValueError(
            f"sequence_id={shown(sequence_id)} names a column, but X is an array. Pass a "
            "DataFrame, or give the position of the column as an int."
        )
    if sequence_id in getattr(getattr(X, "index", None), "names", ()):
        return None
    columns = list(X.columns)
    if sequence_id not in columns:
        raise ValueError(
            f"X has no column sequence_id={shown(sequence_id)}. Its columns are {columns}."
        )
    return columns.index(sequence_id)


def check_sequence_id(sequence_id):
    """Refuse what is neither a name nor a position; True would be taken for 1."""
    if isinstance(sequence_id, bool) or not isinstance(sequence_id, str | Integral):
        raise TypeError(
            f"sequence_id must be the name or the position of a column, got {shown(sequence_id)}."
        )


def split_off_id(X, sequence_id):
    """The table without the column that tells sequences apart, and that column."""
    position = position_of_id(X, sequence_id)
    if position is None:
        return X, np.asarray(X.index.get_level_values(sequence_id))
    others = [i for i in range(X.shape[1]) if i != position]
    column = _safe_indexing(X, [position], axis=1)
    column = column.toarray() if sparse.issparse(column) else np.asarray(column)
    return _safe_indexing(X, others, axis=1), column.ravel()


def insert_column(rows, position, column):
    """The array or sparse matrix of rows with one more column."""
    if sparse.issparse(rows) and column.dtype.kind not in "biuf":
        raise TypeError(
            f"Sparse X does not go into one table with ids such as {shown(column[0])}. Make the "
            "ids numbers."
        )
    if column.dtype.kind not in "biuf":
        column = column.astype(object)  # not to make numbers into strings
    parts = [rows[:, :position], column[:, None], rows[:, position:]]
    if sparse.issparse(rows):
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.concatenate(parts, axis=1)


def runs(column, name="X"):
    """Length and id of each run of equal ids in the column of a long table; messages name it."""
    try:
        names, codes = np.unique(column, return_inverse=True)
    except (TypeError, ValueError, ArithmeticError):
        _check_present(column, name)
        raise TypeError(f"The sequence ids of {name} must all be of one type that sorts.") from None
    if is_missing(names[-1]):
        _check_present(column, name)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    order = codes[starts]
    if len(order) > len(names):
        seen = set()
        again = next(i for i, code in enumerate(order) if code in seen or seen.add(code))
        raise ValueError(
            f"The rows of sequence {shown(names[order[again]])} are not contiguous: it comes again "
            f"at row {starts[again]} of {name}. The table was shuffled or cut by row. Sort it by "
            "sequence and time, and split it by sequence, with SequenceKFold or train_test_split "
            "of sklearn_rnn.model_selection."
        )
    return np.diff(np.append(starts, len(codes))), names[order]


def _check_present(column, name):
    for row, value in enumerate(column):
        if is_missing(value):
            raise ValueError(f"The sequence id at row {row} of {name} is missing. Fill it in.")
