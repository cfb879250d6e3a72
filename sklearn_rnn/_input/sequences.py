"""The layout that every X is read into, and values that have an entry for each of its steps."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.utils import column_or_1d

from .._compat import num_samples
from .arrays import as_array, check_dense, concatenate, depth, format_value, object_array


@dataclass(frozen=True)
class Sequences:
    """S sequences with N steps of D features in all; positions in messages count from 0.

    Attributes
    ----------
    rows : ndarray or csr_array of shape (N, D)
        Steps, one sequence after the other.
    lengths : ndarray of int, shape (S,)
        Number of steps of each sequence.
    layout : {"3-D", "ragged", "wide", "long"}
        The layout in which the user passed them.
    ids : ndarray of shape (S,) or None
        The sequence ids of a long table.
    gaps : ndarray of bool, shape (N, D), or None
        Which values are missing, if there are any.
    name : str
        The name of the argument in messages.
    """

    rows: np.ndarray | sparse.csr_array
    lengths: np.ndarray
    layout: str
    ids: np.ndarray | None = None
    gaps: np.ndarray | None = None
    name: str = "X"

    @property
    def n_sequences(self):
        return len(self.lengths)

    @property
    def n_features(self):
        return self.rows.shape[1]

    @property
    def starts(self):
        """Row of each sequence's first step, shape (S,)."""
        return np.cumsum(self.lengths) - self.lengths

    def describe_position(self, row):
        """Return where a row is, in the terms of the layout."""
        ends = np.cumsum(self.lengths)
        sequence = int(np.searchsorted(ends, row, side="right"))
        step = int(row - (ends[sequence] - self.lengths[sequence]))
        if self.layout == "long":
            name = "" if self.ids is None else f", sequence {format_value(self.ids[sequence])}"
            return f"row {row}{name}, step {step}"
        return f"sequence {sequence}, step {step}"

    def describe_target(self, i, per_step):
        """Return where target i is: that of step i of all, or that of sequence i."""
        if per_step:
            return self.describe_position(i)
        return f"sequence {i if self.ids is None else format_value(self.ids[i])}"

    def split(self, values):
        """Return values of all rows as an object array with those of each sequence."""
        ends = np.cumsum(self.lengths)
        starts = ends - self.lengths
        bounds = zip(starts.tolist(), ends.tolist())
        return object_array([values[start:end] for start, end in bounds])

    def give_back(self, values):
        """Return values for each row, (N, ...), in the layout in which the user passed X."""
        if self.layout == "3-D":
            return values.reshape(self.n_sequences, -1, *values.shape[1:])
        return values if self.layout == "long" else self.split(values)

    def give_back_of_sequences(self, values):
        """Return values for each sequence, (S, ...); of a long table one for each row, (N, ...)."""
        return np.repeat(values, self.lengths, axis=0) if self.layout == "long" else values

    def after(self, n_steps):
        """Return these sequences after so many steps of zeros, and which rows are not these."""
        is_given = np.ones(self.rows.shape[0] + n_steps * self.n_sequences, bool)
        lengths = self.lengths + n_steps
        is_given[(np.cumsum(lengths) - lengths)[:, None] + np.arange(n_steps)] = False
        if sparse.issparse(self.rows):
            counts = np.zeros(len(is_given), int)
            counts[is_given] = np.diff(self.rows.indptr)
            entries = self.rows.data, self.rows.indices, np.concatenate([[0], np.cumsum(counts)])
            rows = sparse.csr_array(entries, shape=(len(is_given), self.n_features))
        else:
            rows = np.zeros((len(is_given), self.n_features), self.rows.dtype)
            rows[is_given] = self.rows
        return replace(self, rows=rows, lengths=lengths), is_given


def read_step_values(values, sequences, name):
    """Read a value for each step, in any layout, as one flat array (N,).

    Parameters
    ----------
    values : array-like
        (N,) for a long table; else one array-like of shape (T_i,) for each sequence.
    sequences : Sequences
    name : str
        The name of the argument in messages.

    Raises
    ------
    ValueError, TypeError
        If the values do not fit the sequences.
    """
    lengths = sequences.lengths
    if sequences.layout == "long":
        return read_1d(values, name, lengths.sum(), "row", sequences.name)
    check_dense(values, name)
    if depth(values) == 0:
        given, of = format_value(values), sequences.name
        raise ValueError(f"{name} must hold one array for each sequence of {of}, got {given}.")
    if hasattr(values, "columns"):
        values = np.asarray(values)
    check_count(values, len(lengths), name, "sequence", sequences.name)
    parts = [as_array(part, f"{name}[{i}]") for i, part in enumerate(values)]
    for i, (part, length) in enumerate(zip(parts, lengths)):
        if part.shape != (length,):
            raise ValueError(
                f"{name}[{i}] has shape {part.shape}, but sequence {i} of {sequences.name} has "
                f"{length} steps."
            )
    return concatenate(parts, name)


def refuse_nested(y, sequences):
    """Refuse y if it has a list for each of several sequences, but X is a table of one."""
    shape = y.shape if hasattr(y, "shape") else _nested_shape(y)
    if sequences.ids is not None or len(shape) < 2 or shape[1] == 1:
        return
    remedy = "set sequence_id to the column that tells sequences apart"
    if shape == sequences.rows.shape:
        remedy = "and each step has one feature, pass X[..., None]"
    elif shape[0] == 1:
        remedy = "and X is one of them, pass X[None]"
    raise ValueError(
        "y must hold one value for each row of X, not lists: a 2-D X is a table of the steps of "
        f"one sequence. If y has a row for each sequence, {remedy}."
    )


def _nested_shape(y):
    """Return the lengths of a list and of its first element, if that is a list."""
    is_nested = isinstance(y, list | tuple) and y and depth(y[0]) > 0
    return (len(y), num_samples(y[0])) if is_nested else ()


def read_1d(values, name, n, unit, of):
    """Read one value for each of the n units (rows or sequences) of an argument, (n,)."""
    if isinstance(values, list | tuple) and any(depth(value) > 0 for value in values):
        raise ValueError(f"{name} must hold one value for each {unit} of {of}, not lists.")
    if isinstance(values, list | tuple) or hasattr(values, "columns"):
        values = as_array(values, name)
    check_dense(values, name)
    values = column_or_1d(values, warn=True)
    check_count(values, n, name, unit, of)
    return values


def check_count(values, expected, name, unit, of):
    """Refuse values that have not one entry for each unit of the argument `of`."""
    given = num_samples(values)
    if given != expected:
        raise ValueError(f"{name} has {given} entries, but {of} has {expected} {unit}s.")
