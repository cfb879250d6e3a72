"""Steps of any kind (numbers, tokens, dicts), read from and given back in any layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from scipy import sparse

from .._compat import num_samples
from .._input.arrays import depth, format_value, refuse_mask
from .._input.layouts import no_steps, read_3d, read_ragged
from .._input.names import check_same_columns, column_names
from .._input.sequences import Sequences

# Libraries whose DataFrames are put together by their own `concat`.
FRAMES = ("pandas", "polars")


@dataclass(frozen=True)
class Steps(Sequences):
    """`Sequences` whose rows may also be a list of items, or hold strings.

    Attributes
    ----------
    of_tokens : bool
        Whether each step is one item; the rows are then a column.
    """

    of_tokens: bool = False

    @property
    def is_table(self):
        return self.layout == "long"

    def give_back(self, values):
        """Return values for each row in the layout in which the user passed X.

        Sparse values of a 3-D array, which cannot be sparse, become ragged; lists, lists of lists.
        """
        if isinstance(values, list) and not self.is_table:
            return self.split(values).tolist()
        if sparse.issparse(values) and not self.is_table:
            return self.split(values.tocsr())
        return super().give_back(values)


def read_steps(X, as_items, keep_frames=False):
    """Read X into `Steps`.

    A table, with a row for each step, is left as it is: its rows are one sequence.

    Parameters
    ----------
    X : array-like
    as_items : bool
        Whether the rows are a list with one item for each step, not a 2-D array. Steps that are
        dicts always make a list.
    keep_frames : bool, default=False
        Whether the rows of sequences that are DataFrames are one DataFrame, not an array.
    """
    refuse_mask(X, "X")
    is_object_array = depth(X) == 1 and getattr(X, "dtype", None) == np.dtype(object)
    if isinstance(X, list | tuple) or is_object_array:
        X = list(X)
        if not X:
            raise ValueError("X holds no sequences. Pass at least one.")
        return _table(X) if _is_nested_table(X) else _read_list(X, as_items, keep_frames)
    n_dimensions = depth(X)
    if n_dimensions == 0:
        raise TypeError(f"X must hold sequences, or be a table, but is a {type(X).__name__}.")
    if n_dimensions > 2:
        steps = read_3d(X)
        rows = steps.rows.tolist() if as_items else steps.rows
        return Steps(rows, steps.lengths, "3-D")
    if as_items and n_dimensions == 2 and isinstance(X, np.ndarray):
        S, T = X.shape
        return Steps(X.ravel().tolist(), np.full(S, T), "3-D")
    return _table(X)


def _table(X):
    return Steps(X, np.array([num_samples(X)]), "long")


def _is_nested_table(X):
    """Return whether a list holds rows of numbers, all of one length."""
    depths = {depth(x) for x in X}
    if depths == {0}:
        return _is_numeric(X)
    lengths = {num_samples(x) for x in X} if depths == {1} else {0}
    return len(lengths) == 1 and lengths != {0} and _is_numeric(X[0])


def _is_numeric(x):
    return np.asarray(x).dtype.kind in "biufc"


def _read_list(X, as_items, keep_frames):
    for i, x in enumerate(X):
        if depth(x) == 0:
            raise ValueError(
                f"sequence {i} of X is a single item, {format_value(x)}. Every sequence must hold "
                "its steps: an array (n_steps, n_features) or a list of tokens, dicts or the like."
            )
        if num_samples(x) == 0:
            raise no_steps(i)
        refuse_mask(x, f"sequence {i} of X")
    check_same_columns(X)
    if as_items or (depth(X[0]) == 1 and isinstance(next(iter(X[0])), Mapping)):
        items = [_as_items(x) for x in X]
        lengths = np.array([len(part) for part in items])
        return Steps([item for part in items for item in part], lengths, "ragged")
    if keep_frames and _library(X[0]) in FRAMES:
        rows = import_module(_library(X[0])).concat(X)
        return Steps(rows, np.array(list(map(len, X))), "ragged")
    steps = read_ragged([_as_rows(x) for x in X])
    return Steps(steps.rows, steps.lengths, "ragged", of_tokens=depth(X[0]) == 1)


def _library(x):
    return type(x).__module__.partition(".")[0] if column_names(x) else None


def _as_items(x):
    if sparse.issparse(x):
        return list(x.tocsr())
    return list(x) if isinstance(x, list | tuple) else np.asarray(x).tolist()


def _as_rows(x):
    """Return a sequence of tokens as a column, other lists without numbers as object arrays.

    NumPy would turn None and numbers among strings into strings.
    """
    if sparse.issparse(x) or _has_unequal_steps(x) or _is_numeric(x):
        return x
    rows = x if isinstance(x, np.ndarray) else np.asarray(x, dtype=object)
    return rows.reshape(-1, 1) if rows.ndim == 1 else rows


def _has_unequal_steps(x):
    """Return whether steps differ in their number of features, which `read_ragged` refuses."""
    return isinstance(x, list | tuple) and depth(x) > 1 and len({len(step) for step in x}) > 1
