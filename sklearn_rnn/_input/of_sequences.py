"""Values of whole sequences: one for each; of a long table one for each row, or one by id."""

import numpy as np

from .._compat import num_samples
from .arrays import as_array, depth, format_value


def read_of_sequences(values, sequences, name, read):
    """Return one value for each sequence, (S, ...).

    Parameters
    ----------
    values : array-like or dict
    sequences : Sequences
    name : str
        The name of the argument in messages.
    read : callable
        ``read(values, n, unit)`` reads one value for each of n rows or sequences.
    """
    n_sequences, n_rows = sequences.n_sequences, int(sequences.lengths.sum())
    if sequences.layout == "wide":
        _check_rows(values, n_sequences, name)
    if sequences.layout != "long":
        return read(values, n_sequences, "sequence")
    if _is_by_id(values, sequences, name):
        return read(_in_order(values, sequences, name), n_sequences, "sequence")
    if hasattr(values, "__len__") and num_samples(values) == n_sequences != n_rows:
        raise ValueError(
            f"{name} has {n_sequences} entries, one for each sequence, but {sequences.name} has "
            f"{n_rows} rows. Pass one for each row, or a dict or pandas Series by sequence id."
        )
    rows = read(values, n_rows, "row")
    return one_of_each(rows, sequences.lengths, sequences.ids, name)


def _check_rows(values, n_rows, name):
    """Refuse values that do not fit a wide table, which may be meant as another layout."""
    if hasattr(values, "__len__") and depth(values) and num_samples(values) != n_rows:
        raise ValueError(
            f"{name} has {num_samples(values)} entries, but X has {n_rows} sequences: a row of a "
            "2-D X is a sequence. If X is one sequence, pass X[None]. If a row is a step, set "
            "sequence_id to the column that tells sequences apart."
        )


def one_of_each(rows, lengths, ids, name, remedy=""):
    """Return the value of each sequence, (S, ...), of rows (N, ...) that are equal within each."""
    starts = np.cumsum(lengths) - lengths
    differs = rows != np.repeat(rows[starts], lengths, axis=0)
    differs = differs.reshape(len(rows), -1).any(axis=1)
    if differs.any():
        row = int(np.argmax(differs))
        sequence = format_value(ids[np.searchsorted(starts, row, side="right") - 1])
        raise ValueError(
            f"{name} changes within sequence {sequence}, to {format_value(rows[row])} at row "
            f"{row}. It must be the same in all rows of a sequence{remedy}."
        )
    return rows[starts]


def _is_by_id(values, sequences, name):
    """Return whether the values are a dict, or a pandas Series or DataFrame, by sequence id."""
    if isinstance(values, dict):
        return True
    if not hasattr(values, "iloc") or len(values) != sequences.n_sequences:
        return False
    n_rows = sequences.lengths.sum()
    if len(values) < n_rows:
        return True
    # as many sequences as rows
    keys, ids = _keys(values.index), _keys(sequences.ids)
    if keys != ids and set(keys) == set(ids):
        raise ValueError(
            f"{name} has an index of sequence ids in another order than the rows of "
            f"{sequences.name}. Pass a dict if they are ids, or {name}.to_numpy() if not."
        )
    return False


def _in_order(values, sequences, name):
    """Return values by id in the order of the sequences."""
    is_dict = isinstance(values, dict)
    keys = _keys(as_array(list(values), name) if is_dict else values.index)
    position = {key: i for i, key in enumerate(keys)}
    if len(position) < len(keys):
        again = next(key for i, key in enumerate(keys) if position[key] != i)
        raise ValueError(f"{name} has more than one entry for sequence {format_value(again)}.")
    ids = _keys(sequences.ids)
    for known, given, other in ((position, ids, name), (set(ids), keys, sequences.name)):
        absent = [key for key in given if key not in known]
        if absent:
            raise ValueError(
                f"{other} has no sequence {format_value(absent[0])}. {name} by id must have one "
                f"entry for each sequence of {sequences.name}, and no others."
            )
    order = [position[key] for key in ids]
    return list(map(list(values.values()).__getitem__, order)) if is_dict else values.iloc[order]


def _keys(ids):
    """Return ids as a list of values that are equal, and hash alike, where the ids are equal."""
    ids = np.asarray(ids)
    return (ids.astype("M8[ns]") if ids.dtype.kind == "M" else ids).tolist()
