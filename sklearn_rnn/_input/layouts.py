"""X in any layout, read into `Sequences`."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .arrays import (
    as_array,
    as_numeric_array,
    depth,
    is_float_array,
    reading,
    refuse_mask,
)
from .long_tables import as_table, check_no_levels, check_time, runs, split_off_id, warn_of_ids
from .missing import refuse_padding
from .names import (
    check_columns,
    check_same_columns,
    check_step_major,
    column_names,
    forget_names,
    without,
)
from .sequences import Sequences


@dataclass(frozen=True)
class WideTable:
    """2-D X in which a row is a sequence: all features of its first step, then of its second.

    Attributes
    ----------
    features_per_step : int
    """

    features_per_step: Integral

    def read(self, estimator, X, reset):
        """Read X into `Sequences`; the estimator gets or checks the names of its columns."""
        features_per_step = self.features_per_step
        check_step_major(X, features_per_step)
        if reset:
            warn_of_ids(X)
        X = _read_table(estimator, X, reset)
        S, n_columns = X.shape
        if n_columns % features_per_step:
            raise ValueError(
                f"X has {n_columns} columns, which is not a multiple of {features_per_step=}."
            )
        n_steps = n_columns // features_per_step
        rows = X.reshape(S * n_steps, features_per_step)
        rows = rows.tocsr() if sparse.issparse(rows) else rows
        return Sequences(rows, np.full(S, n_steps), "wide")

    def of_steps(self, estimator):
        """None: the columns have names of their own for each step."""


@dataclass(frozen=True)
class LongTable:
    """2-D X in which a row is a time step.

    Attributes
    ----------
    sequence_id : str, int or None
        The column that tells sequences apart; with None there is one sequence.
    """

    sequence_id: str | Integral | None

    def read(self, estimator, X, reset):
        """Read X into `Sequences`; the estimator gets or checks the names of its columns."""
        if self.sequence_id is None:
            if reset:
                check_no_levels(X)
                warn_of_ids(X)
            rows = _read_table(estimator, X, reset)
            return Sequences(rows, np.array([rows.shape[0]]), "long")
        X = as_table(X)
        if reset or estimator._fitted_on_table:
            check_columns(estimator, X, reset)
        steps, column = split_off_id(X, self.sequence_id)
        if not reset and not estimator._fitted_on_table and _both_have_names(estimator, steps):
            check_columns(estimator, steps, reset=False)
        rows = _read_rows(steps)
        lengths, ids = runs(column)
        sequences = Sequences(rows, lengths, "long", ids)
        check_time(X, self.sequence_id, sequences)
        return sequences

    def of_steps(self, estimator):
        """Return the estimator as if it had been fitted to the columns of a step alone."""
        return without(estimator, self.sequence_id)


def restored_table(fields):
    """Return the table of a saved estimator by its fields."""
    return (LongTable if "sequence_id" in fields else WideTable)(**fields)


def read_sequences(estimator, X, table, *, reset, n_features=None, ensure_all_finite=True):
    """Read X into `Sequences` and check it.

    Parameters
    ----------
    estimator : estimator
        With ``reset`` it gets ``n_features_in_``, ``feature_names_in_`` (of a table with column
        names) and ``_fitted_on_table``; without, a table is checked against these.
    X : array-like
    table : WideTable or LongTable
        What a 2-D X is.
    reset : bool
        True in `fit`.
    n_features : int, optional
        Number of features that each step must have.
    ensure_all_finite : bool or "allow-nan", default=True
        Whether to refuse NaN and infinity, or infinity alone.

    Raises
    ------
    ValueError, TypeError
        If X is none of the layouts, is empty, or holds values that are no finite numbers.
    """
    sequences = _read_layout(estimator, X, table, reset)
    sequences = replace(sequences, rows=_canonical(sequences.rows))
    if reset:
        estimator._fitted_on_table = sequences.layout in ("wide", "long")
        if not estimator._fitted_on_table:
            estimator.n_features_in_ = sequences.n_features
    if ensure_all_finite:
        sequences = _with_gaps(sequences, ensure_all_finite == "allow-nan")
    if n_features not in (None, sequences.n_features):
        _refuse_features(sequences, n_features)
    return sequences


def _refuse_features(sequences, n_features):
    remedy = ""
    if sequences.layout == "3-D" and sequences.lengths[0] == n_features:
        remedy = (
            " If its axes are (n_sequences, n_features, n_steps), as aeon and sktime have them, "
            "pass sklearn_rnn.preprocessing.from_numpy3d(X), here and to fit."
        )
    raise ValueError(
        f"X has {sequences.n_features} features at each step, but fit saw {n_features}.{remedy}"
    )


def _read_layout(estimator, X, table, reset):
    _check_container(X)
    if isinstance(X, list | tuple) or depth(X) == 1:
        X = _as_ragged(X)
    if not isinstance(X, list) and depth(X) <= 2:
        return table.read(estimator, X, reset)
    if isinstance(X, list):
        sequences = read_ragged(X)
        _check_columns_of_list(estimator, X, table, reset)
    else:
        sequences = read_3d(X)
        if reset:
            forget_names(estimator)
    return replace(sequences, rows=_read_rows(sequences.rows))


def _check_container(X):
    """Refuse what holds sequences in no order, only once, or in a way that NumPy does not read."""
    kind = type(X).__name__
    library = type(X).__module__.partition(".")[0]
    if isinstance(X, Mapping | Set | Iterator) and not sparse.issparse(X):
        values = "X.values()" if isinstance(X, Mapping) else "X"
        raise TypeError(
            f"X is a {kind}. Pass a list of arrays (n_steps, n_features), for instance "
            f"list({values})."
        )
    if library in ("awkward", "pyarrow"):
        raise TypeError(
            f"X is a {kind} of {library}. Pass a list of arrays (n_steps, n_features), or a table "
            "of pandas or polars."
        )


def _check_columns_of_list(estimator, X, table, reset):
    """Set or check the names of the columns of sequences that are tables."""
    has_names = column_names(X[0]) is not None
    if reset:
        forget_names(estimator)
        if has_names:
            check_columns(estimator, X[0], reset)
    elif estimator._fitted_on_table:
        of_steps = table.of_steps(estimator)
        if has_names and of_steps is not None:
            check_columns(of_steps, X[0], reset)
    elif has_names or hasattr(estimator, "feature_names_in_"):
        check_columns(estimator, X[0], reset)


def _as_ragged(X):
    """Return a list of sequences; of numbers, or of equally long rows of a table, an array."""
    if _are_alike(X):
        return list(X)
    depths = {depth(x) for x in X}
    if depths == {0}:
        return as_array(X, "X")
    if depths == {1} and isinstance(X, list | tuple) and not any(map(sparse.issparse, X)):
        if len({len(x) for x in X}) == 1:
            return as_array(X, "X")
    return list(X)


def read_ragged(X):
    """Read a list of arrays or sparse matrices of any dtype into `Sequences`."""
    if not X:
        raise ValueError("X holds no sequences. Pass at least one.")
    parts = X if _are_alike(X) else _read_parts(X)
    lengths = np.array([part.shape[0] for part in parts])
    if sparse.issparse(parts[0]):
        return Sequences(sparse.csr_array(sparse.vstack(parts, format="csr")), lengths, "ragged")
    with reading("X", "one array"):
        return Sequences(np.concatenate(parts), lengths, "ragged")


def _are_alike(X):
    """Return whether all sequences are plain arrays that need no reading one by one.

    This takes a fifth of the time of `_read_parts`, which counts where there are many.
    """
    if set(map(type, X)) != {np.ndarray}:
        return False
    first = X[0]
    if first.ndim != 2 or first.dtype.kind not in "fiub":
        return False
    dtype, width = first.dtype, first.shape[1]
    return all(x.ndim == 2 and x.shape[1] == width and len(x) and x.dtype == dtype for x in X)


def _read_parts(X):
    """Return the sequences of a list as arrays or sparse matrices that agree with one another."""
    check_same_columns(X)
    parts = [_read_sequence(x, i) for i, x in enumerate(X)]
    first = parts[0]
    for i, part in enumerate(parts):
        if _describe(part) != _describe(first):
            raise ValueError(
                f"sequence {i} of X has {_describe(part)}, but sequence 0 has {_describe(first)}."
            )
    return parts


def _describe(part):
    """Return in what all sequences must agree."""
    kind = "sparse" if sparse.issparse(part) else "dense"
    return f"{part.shape[1]} features, {kind}{' dates' if part.dtype.kind in 'mM' else ''}"


def _read_sequence(x, i):
    """Return one sequence of a ragged X as a 2-D array or sparse matrix."""
    x = x if sparse.issparse(x) else as_array(x, f"sequence {i} of X")
    if x.shape and x.shape[0] == 0:
        raise no_steps(i)
    if len(x.shape) != 2:
        remedy = "If it has one feature, use x.reshape(-1, 1)."
        if len(x.shape) == 3:
            remedy = (
                "If these are several inputs of the same sequences, concatenate them along the "
                "features."
            )
        raise ValueError(
            f"sequence {i} of X has shape {x.shape}, not (n_steps, n_features). {remedy}"
        )
    return x


def no_steps(i):
    """Return the error of an empty sequence i."""
    return ValueError(f"sequence {i} of X has no steps. Leave it out.")


def read_3d(X):
    """Read an array (S, T, D) of any dtype into `Sequences`."""
    if sparse.issparse(X):
        raise TypeError("Sparse X must be a list of matrices (n_steps, n_features), or a table.")
    refuse_mask(X, "X")
    X = np.asarray(X)
    if X.ndim > 3:
        raise ValueError(
            f"X has {X.ndim} dimensions. Pass three, (n_sequences, n_steps, n_features), or a list "
            "of arrays (n_steps, n_features), or a table."
        )
    S, T, D = X.shape
    if 0 in X.shape:
        raise ValueError(f"X is empty: it has {S} sequences of {T} steps with {D} features.")
    return Sequences(X.reshape(S * T, D), np.full(S, T), "3-D")


def _both_have_names(estimator, X):
    return hasattr(estimator, "feature_names_in_") and column_names(X) is not None


def _read_table(estimator, X, reset):
    rows = _read_rows(X, " If a column tells sequences apart, name it by sequence_id.")
    if reset or estimator._fitted_on_table:
        check_columns(estimator, X, reset)
    return rows


def _read_rows(rows, remedy=""):
    """Return rows as a 2-D array or CSR array of float32 or float64."""
    if is_float_array(rows) and rows.ndim == 2 and 0 not in rows.shape:
        return (
            rows  # nothing to convert or refuse; `check_array` takes longer than a short sequence
        )
    rows = as_numeric_array(rows, "X", accept_sparse="csr", remedy=remedy)
    rows = check_array(rows, accept_sparse=True, ensure_all_finite=False, input_name="X")
    # sums over a matrix have two dimensions, and its * is a product
    return sparse.csr_array(rows) if sparse.issparse(rows) else rows


def _canonical(rows):
    """Return rows in which equal CSR matrices have equal bits; the user's stay as they are."""
    if sparse.issparse(rows) and not (rows.has_canonical_format and rows.data.all()):
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def _with_gaps(sequences, allow_nan):
    """Return the sequences, which know where dense rows have NaN; refuse what is not finite."""
    rows = sequences.rows
    is_sparse = sparse.issparse(rows)
    values = rows.data if is_sparse else rows
    is_finite = np.isfinite(values)
    if is_finite.all():
        return sequences
    gaps = np.isnan(values)
    if allow_nan and not is_sparse and (gaps | is_finite).all():
        # one NaN, so that equal rows have equal bits
        rows = np.where(gaps, rows.dtype.type(np.nan), rows)
        sequences = replace(sequences, rows=rows, gaps=gaps)
        if sequences.layout in ("3-D", "wide"):
            refuse_padding(sequences)
        return sequences
    is_refused = ~(is_finite | gaps) if allow_nan and not is_sparse else ~is_finite
    first = int(np.argmax(is_refused))
    if is_sparse:
        rows = rows.tocoo()
        row, feature = rows.row[first], rows.col[first]
    else:
        row, feature = np.unravel_index(first, rows.shape)
    kind = "NaN" if gaps.flat[first] else "infinity"
    remedy = "Fill it in (for instance with sklearn.impute.SimpleImputer) or leave it out."
    if kind == "infinity":
        remedy = "Make it finite, or leave it out."
    elif is_sparse and allow_nan:
        remedy = "X is sparse; of dense X missing values are filled: call its toarray()."
    elif sequences.layout == "3-D":
        remedy += " If it is padding, pass a list of arrays without it."
    position = sequences.describe_position(row)
    raise ValueError(f"X holds {kind} at {position}, feature {feature}. {remedy}")
