"""Long tables (a row is a step), and the column that tells their sequences apart."""

import warnings
from numbers import Integral

import numpy as np
from scipy import sparse

from .._compat import safe_indexing
from .arrays import as_array, depth, format_value, is_missing, refuse_mask

# Tools such as SequentialFeatureSelector see the ids as one feature among others.
_DROPPED = (
    "If a tool that selects or makes columns has dropped it, let the tool work on the features "
    "alone, before the ids are added, or have it work on sequences: to_sequences of "
    "sklearn_rnn.preprocessing."
)


def sequence_runs(X, sequence_id):
    """Return the length and the id of each sequence of a long table, which is not checked."""
    if depth(X) != 2:
        raise ValueError(
            "X must be a 2-D table. scikit-learn's own splitters keep the sequences of 3-D arrays "
            "and lists whole."
        )
    column = split_off_id(as_table(X), sequence_id)[1]
    if not len(column):
        raise ValueError("X has no rows. Pass at least one.")
    return runs(column)


def read_times(X, time):
    """Return the sorted distinct times of a long table, and the position of each row's among them.

    ``time`` is the column, or the level of the index, that has them.
    """
    if depth(X) != 2:
        raise ValueError(
            "X must be a 2-D table with a column of times. Lay 3-D arrays and lists out by "
            "to_table of sklearn_rnn.preprocessing."
        )
    column = split_off_id(as_table(X), time, "time")[1]
    try:
        times, codes = np.unique(column, return_inverse=True)
    except (TypeError, ValueError, ArithmeticError):
        raise TypeError(f"The times of X in {time!r} must all be of one type that sorts.") from None
    if not len(times):
        raise ValueError("X has no rows. Pass at least one.")
    if is_missing(times[-1]):
        row = int(np.argmax(codes == len(times) - 1))
        raise ValueError(f"The time at row {row} of X is missing. Fill it in.")
    return times, codes


def as_table(X):
    """Return X as it is, or nested lists as an array; refuse what is not 2-D."""
    refuse_mask(X, "X")
    X = X if hasattr(X, "shape") else as_array(X, "X")
    X = X.tocsr() if sparse.issparse(X) else X  # of others not all have rows and columns
    if len(X.shape) != 2:
        raise ValueError("X is no 2D table. Reshape your data to rows with the same columns.")
    return X


def position_of_id(X, sequence_id, role="sequence_id"):
    """Return the position of the column of ids, or None if they are a level of the index.

    ``role`` is the name of the parameter in messages.
    """
    check_sequence_id(sequence_id, role)
    if not isinstance(sequence_id, str):
        if not -X.shape[1] <= sequence_id < X.shape[1]:
            raise ValueError(f"{role}={sequence_id}, but X has only {X.shape[1]} columns.")
        _check_position(X, sequence_id, role)
        return sequence_id % X.shape[1]
    if not hasattr(X, "columns"):
        raise ValueError(
            f"{role}={sequence_id!r} names a column, but X is an array. Pass a DataFrame or "
            f"a position. {_DROPPED}"
        )
    if sequence_id in getattr(getattr(X, "index", None), "names", ()):
        return None
    columns = list(X.columns)
    if sequence_id not in columns:
        names = format_value(columns)
        raise ValueError(
            f"X has no column {role}={sequence_id!r}. Its columns are {names}. {_DROPPED}"
        )
    return columns.index(sequence_id)


def _check_position(X, sequence_id, role):
    """Refuse a position that is the name of another column."""
    columns = list(getattr(X, "columns", ()))
    if sequence_id in columns and columns.index(sequence_id) != sequence_id % X.shape[1]:
        raise ValueError(
            f"{role}={sequence_id!r} is the name of column {columns.index(sequence_id)} of X and "
            f"the position of column {format_value(columns[sequence_id])}. Rename the columns, for "
            "instance X.columns = X.columns.astype(str)."
        )


def check_sequence_id(sequence_id, role):
    """Refuse all but a name or a position; True would be taken for 1."""
    if isinstance(sequence_id, bool) or not isinstance(sequence_id, str | Integral):
        raise TypeError(f"{role}={sequence_id!r} is neither the name nor the position of a column.")


def split_off_id(X, sequence_id, role="sequence_id"):
    """Return the table without its column of ids, and that column."""
    position = position_of_id(X, sequence_id, role)
    if position is None:
        return X, np.asarray(X.index.get_level_values(sequence_id))
    others = [i for i in range(X.shape[1]) if i != position]
    column = safe_indexing(X, [position], axis=1)
    column = column.toarray() if sparse.issparse(column) else np.asarray(column)
    return safe_indexing(X, others, axis=1), column.ravel()


def check_no_levels(X):
    """Refuse a pandas table with several levels in its index where no sequence_id is given."""
    index = getattr(X, "index", None)
    if getattr(index, "nlevels", 1) > 1 and index.get_level_values(0).nunique() > 1:
        raise ValueError(
            f"The index of X has the levels {format_value(list(index.names))}, but without "
            "sequence_id X is one sequence. Set sequence_id to the level that tells sequences "
            "apart, or call X.reset_index(drop=True)."
        )


def warn_of_ids(X):
    """Warn of a column that is called an id, but is read as a feature."""
    names = [name for name in getattr(X, "columns", ()) if isinstance(name, str)]
    ids = [name for name in names if name.lower() == "id" or name.lower().endswith("_id")]
    if ids:
        warnings.warn(
            f"The column {ids[0]!r} of X is read as a feature. If it tells sequences apart, set "
            f"sequence_id={ids[0]!r}; if it is none, drop it.",
            stacklevel=2,
        )


def lengths_by_id(sequences):
    """Return the number of rows of each sequence of a long table, a dict by id."""
    if sequences.ids is None:
        return {}
    return dict(zip(sequences.ids.tolist(), sequences.lengths.tolist()))


def warn_of_torn(sequences, seen):
    """Warn if a part of the first or the last sequence is in the training set, and no other is.

    So splitters leave a table that cut it into blocks of rows. ``seen`` are the lengths by id of
    the training set.
    """
    if sequences.ids is None or not seen:
        return
    ids, lengths = sequences.ids.tolist(), sequences.lengths
    ends = {0, len(ids) - 1}
    torn = [i for i in sorted(ends) if seen.get(ids[i], lengths[i]) != lengths[i]]
    others = [name for i, name in enumerate(ids) if i not in torn]
    if torn and others and not any(name in seen for name in others):
        name = ids[torn[0]]
        warnings.warn(
            f"Sequence {format_value(name)} has {lengths[torn[0]]} rows in X, and {seen[name]} "
            "were in the training set. If a splitter of rows has torn it, scores are too good: "
            "split by SequenceKFold of sklearn_rnn.model_selection.",
            stacklevel=2,
        )


def check_time(X, sequence_id, sequences):
    """Refuse a pandas table whose index has times that fall within a sequence."""
    time = _times_of_index(getattr(X, "index", None), sequence_id)
    if time is None:
        return
    with np.errstate(invalid="ignore"):
        falls = np.asarray(time[1:] < time[:-1])
    starts = np.cumsum(sequences.lengths)[:-1]
    falls[starts - 1] = False
    if falls.any():
        row = int(np.argmax(falls)) + 1
        raise ValueError(
            f"The time in the index of X falls at {sequences.describe_position(row)}: "
            f"{format_value(str(time[row]))} comes after {format_value(str(time[row - 1]))}. Sort "
            "the table, and the labels with it, by sequence and time, for instance by sort_index()."
        )


def _times_of_index(index, sequence_id):
    """Return the times of a pandas index: dates, or the one level beside the sequence ids."""
    levels = getattr(index, "nlevels", 0)
    if levels == 1:
        return index if index.dtype.kind in "mM" and index.name != sequence_id else None
    others = [i for i, name in enumerate(getattr(index, "names", ())) if name != sequence_id]
    if len(others) != 1 or levels != 2:
        return None
    time = index.get_level_values(others[0])
    return time if time.dtype.kind in "iufmM" else None


def insert_column(rows, position, column):
    """Return the array or sparse matrix of rows with one more column."""
    if sparse.issparse(rows) and column.dtype.kind not in "biuf":
        raise TypeError("Sparse X and ids that are no numbers do not go into one table.")
    if column.dtype.kind not in "biuf":
        column = column.astype(object)  # not to make numbers into strings
    parts = [rows[:, :position], column[:, None], rows[:, position:]]
    if sparse.issparse(rows):
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.concatenate(parts, axis=1)


def runs(column, name="X"):
    """Return the length and the id of each run of equal ids; ``name`` is for messages."""
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
            f"The rows of sequence {format_value(names[order[again]])} are not contiguous: it "
            f"comes again at row {starts[again]} of {name}. Sort the table by sequence and time, "
            "and split it with SequenceKFold or train_test_split of sklearn_rnn.model_selection."
        )
    return np.diff(np.append(starts, len(codes))), names[order]


def _check_present(column, name):
    for row, value in enumerate(column):
        if is_missing(value):
            raise ValueError(f"The sequence id at row {row} of {name} is missing. Fill it in.")
