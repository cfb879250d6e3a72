"""Sequence layouts in, layouts out; what is wrong with the input, told by sequence and step.

Every layout is read into `Sequences`: the steps of all sequences as the rows of one matrix, one
sequence after the other, and the sequences' lengths. Positions in messages count from 0.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._arrays import as_array, depth, object_array, only_numbers, refuse_dates, refuse_mask, shown
from ._long_tables import as_table, runs, split_off_id

# What scikit-learn is to check. Data of neither dtype become float64; of what is not finite
# `_check_finite` can tell the sequence and the step.
_CHECKS = {
    "accept_sparse": "csr",
    "dtype": (np.float64, np.float32),
    "ensure_all_finite": False,
}


@dataclass(frozen=True)
class Sequences:
    """S sequences with N steps of D features in all.

    Attributes
    ----------
    rows : ndarray or csr_array of shape (N, D)
        Steps, one sequence after the other.
    lengths : ndarray of int, shape (S,)
        Steps of each sequence.
    layout : {"3-D", "ragged", "wide", "long"}
        How they were given.
    ids : ndarray of shape (S,) or None
        What the sequences of a long table are called there.
    name : str
        What messages call the data.
    """

    rows: np.ndarray | sparse.csr_array
    lengths: np.ndarray
    layout: str
    ids: np.ndarray | None = None
    name: str = "X"

    @property
    def n_sequences(self):
        return len(self.lengths)

    @property
    def n_features(self):
        return self.rows.shape[1]

    def place(self, row):
        """Tell where a row stands, in the words of the layout."""
        ends = np.cumsum(self.lengths)
        sequence = int(np.searchsorted(ends, row, side="right"))
        step = int(row - (ends[sequence] - self.lengths[sequence]))
        if self.layout == "long":
            name = "" if self.ids is None else f", sequence {shown(self.ids[sequence])}"
            return f"row {row}{name}, step {step}"
        return f"sequence {sequence}, step {step}"

    def split(self, values):
        """The values of each sequence, as an object array, from an array or matrix of all rows."""
        ends = np.cumsum(self.lengths)
        return object_array([values[end - n : end] for n, end in zip(self.lengths, ends)])

    def give_back(self, values):
        """Values for each row (N, ...) in the layout in which the sequences came."""
        if self.layout == "3-D":
            return values.reshape(self.n_sequences, -1, *values.shape[1:])
        return values if self.layout == "long" else self.split(values)


def read_sequences(estimator, X, read_table, *, reset):
    """Read X into `Sequences` and check it.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` (and ``feature_names_in_``, of a table with column names), or is
        asked for them.
    X : array-like
    read_table : callable
        `read_wide_table` or `read_long_table`: what the estimator takes 2-D input for.
    reset : bool
        True in `fit`; otherwise X must agree with what the estimator was fitted on.

    Raises
    ------
    ValueError, TypeError
        If X is none of the layouts, is empty, or holds NaN or infinity.
    """
    sequences = read_numbers(estimator, X, read_table, reset=reset)
    _check_finite(sequences)
    if not reset:
        check_n_features(sequences, len(estimator.input_weights_[0]))
    return sequences


def read_numbers(estimator, X, read_table, *, reset):
    """What `read_sequences` does but for what is not finite, and for the features `fit` saw."""
    with only_numbers("X"):
        if isinstance(X, list | tuple) or depth(X) == 1:
            X = _as_ragged(X)
        if isinstance(X, list):
            sequences = _with_checked_rows(read_ragged(X))
        elif depth(X) > 2:
            sequences = _with_checked_rows(read_3d(X))
        else:
            sequences = read_table(estimator, X, reset)
    if reset:
        estimator._fitted_on_table = sequences.layout in ("wide", "long")
        if not estimator._fitted_on_table:
            estimator.n_features_in_ = sequences.n_features
            vars(estimator).pop("feature_names_in_", None)
    return sequences


def check_n_features(sequences, n_features):
    """Refuse steps that have not the features that `fit` saw."""
    if sequences.n_features != n_features:
        raise ValueError(
            f"X has {sequences.n_features} features at each step, but fit saw {n_features}."
        )


def _as_ragged(X):
    """A list of sequences, or X itself if it is a list of numbers or a nested list of a table."""
    depths = {depth(x) for x in X}
    if depths == {0}:
        return as_array(X, "X")
    if depths == {1} and isinstance(X, list | tuple) and not any(map(sparse.issparse, X)):
        if len({len(x) for x in X}) == 1:
            return as_array(X, "X")
    return list(X)


def read_ragged(X):
    """Sequences from a list of arrays or sparse matrices of any dtype."""
    if not X:
        raise ValueError("X holds no sequences. Pass at least one.")
    parts = [_read_sequence(x, i) for i, x in enumerate(X)]
    if len({sparse.issparse(part) for part in parts}) > 1:
        i = next(
            i for i, part in enumerate(parts) if sparse.issparse(part) != sparse.issparse(X[0])
        )
        raise ValueError(
            f"X mixes sparse and dense sequences (sequence {i} is unlike sequence 0). Make them "
            "all sparse or all dense."
        )
    for i, part in enumerate(parts):
        if part.shape[1] != parts[0].shape[1]:
            raise ValueError(
                f"sequence {i} of X has {part.shape[1]} features, but sequence 0 has "
                f"{parts[0].shape[1]}. All steps of all sequences must have the same features."
            )
    if sparse.issparse(parts[0]):
        rows = sparse.csr_array(sparse.vstack(parts, format="csr"))
    else:
        rows = _concatenated(parts)
    return Sequences(rows, np.array([part.shape[0] for part in parts]), "ragged")


def _concatenated(parts):
    try:
        return np.concatenate(parts)
    except TypeError:  # NumPy knows no common type
        i = next(i for i, part in enumerate(parts) if part.dtype.kind != parts[0].dtype.kind)
        raise TypeError(
            f"sequence {i} of X holds values of type {parts[i].dtype}, but sequence 0 has "
            f"{parts[0].dtype}. All sequences must hold values of one type."
        ) from None


def _read_sequence(x, i):
    """One sequence of a ragged X as a 2-D array or sparse matrix."""
    if not sparse.issparse(x):
        refuse_mask(x, f"sequence {i} of X")
        try:
            x = np.asarray(x)
        except ValueError:
            raise ValueError(
                f"sequence {i} of X has steps with different numbers of features. Every sequence "
                "must be an array of shape (n_steps, n_features)."
            ) from None
    if x.shape and x.shape[0] == 0:
        raise no_steps(i)
    if len(x.shape) != 2:
        raise ValueError(
            f"sequence {i} of X has shape {x.shape}, but every sequence must be an array of shape "
            "(n_steps, n_features). If it has one feature, use x.reshape(-1, 1)."
        )
    return x


def no_steps(i):
    """The error to raise for an empty sequence i."""
    return ValueError(f"sequence {i} of X has no steps. Leave it out.")


def read_3d(X):
    """Sequences from an array (S, T, D) of any dtype."""
    if sparse.issparse(X):
        raise TypeError(
            "Sparse X must be a list of CSR matrices (n_steps, n_features), or a table."
        )
    refuse_mask(X, "X")
    X = np.asarray(X)
    if X.ndim > 3:
        raise ValueError(
            f"X has {X.ndim} dimensions. Pass an array (n_sequences, n_steps, n_features), a list "
            "of arrays (n_steps, n_features), or a table."
        )
    S, T, D = X.shape
    if 0 in X.shape:
        raise ValueError(
            f"X of shape {X.shape} is empty: it has {S} sequences of {T} steps with {D} features. "
            "Each of these must be at least 1."
        )
    return Sequences(X.reshape(S * T, D), np.full(S, T), "3-D")


def _with_checked_rows(sequences):
    return replace(sequences, rows=_check_rows(sequences.rows))


def _check_rows(rows):
    refuse_mask(rows, "X")
    refuse_dates(rows, "X")
    return check_array(rows, input_name="X", **_CHECKS)


def read_wide_table(estimator, X, reset):
    """One row is one sequence: all features of its first step, then of its second, and so on."""
    X = _check_table(estimator, X, reset)
    n_features = estimator.features_per_step
    S, n_columns = X.shape
    if n_columns % n_features:
        raise ValueError(
            f"X has {n_columns} columns, which is not a multiple of features_per_step="
            f"{n_features}. A row must hold all features of the first step, then of the second, "
            "and so on."
        )
    n_steps = n_columns // n_features
    rows = X.reshape(S * n_steps, n_features)
    if sparse.issparse(rows):
        rows = rows.tocsr()
    return Sequences(rows, np.full(S, n_steps), "wide")


def read_long_table(estimator, X, reset):
    """One row is one time step; `sequence_id` tells the sequences apart."""
    if estimator.sequence_id is None:
        X = _check_table(estimator, X, reset)
        return Sequences(X, np.array([X.shape[0]]), "long")
    if depth(X) != 2:
        return _check_rows(X)  # which refuses it, in scikit-learn's words
    X = as_table(X)
    if reset or estimator._fitted_on_table:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    X, column = split_off_id(X, estimator.sequence_id)
    X = _check_rows(X)
    lengths, ids = runs(column)
    return Sequences(X, lengths, "long", ids)


def _check_table(estimator, X, reset):
    if not (reset or estimator._fitted_on_table):
        return _check_rows(X)
    refuse_mask(X, "X")
    refuse_dates(X, "X")
    return validate_data(estimator, X, reset=reset, **_CHECKS)


def _check_finite(sequences):
    rows = sequences.rows
    values = rows.data if sparse.issparse(rows) else rows
    if np.isfinite(values).all():
        return
    if sparse.issparse(rows):
        entry = int(np.argmin(np.isfinite(values)))
        row = int(np.searchsorted(rows.indptr, entry, side="right")) - 1
        feature, value = rows.indices[entry], values[entry]
    else:
        row, feature = np.unravel_index(np.argmin(np.isfinite(values)), values.shape)
        value = values[row, feature]
    kind = "NaN" if np.isnan(value) else "infinity"
    remedy = "Fill it in (for instance with sklearn.impute.SimpleImputer) or leave it out."
    if sequences.layout == "3-D":
        remedy += " If it is padding, pass a list of arrays without it."
    raise ValueError(f"X holds {kind} at {sequences.place(row)}, feature {feature}. {remedy}")
