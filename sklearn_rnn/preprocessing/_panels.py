"""Sequences as aeon and sktime have them, turned into the layouts of this package."""

import numpy as np

from .._input.arrays import as_array, depth, format_value, object_array
from .._input.layouts import no_steps


def from_numpy3d(X):
    """Turn the axes of sequences that have their channels first, as in aeon and sktime.

    Read with the axes as they are, times would be features and channels steps.

    Parameters
    ----------
    X : array-like
        An array (n_cases, n_channels, n_timepoints), "numpy3D"; or, for unequal lengths, a list of
        arrays (n_channels, n_timepoints_i), "np-list".

    Returns
    -------
    ndarray of shape (S, T, D), or ndarray of object, shape (S,)
        The same values with the steps before the features; of a list arrays (T_i, D). Arrays share
        the memory of X.

    Raises
    ------
    ValueError
        If X has another number of dimensions.

    See Also
    --------
    from_nested : The same for a DataFrame with a series in each cell.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.preprocessing import from_numpy3d
    >>> X = np.zeros((40, 6, 100))  # 40 cases of 6 channels at 100 times
    >>> from_numpy3d(X).shape
    (40, 100, 6)
    """
    if isinstance(X, list | tuple) or depth(X) == 1:
        parts = [as_array(x, f"X[{i}]") for i, x in enumerate(X)]
        for i, part in enumerate(parts):
            if part.ndim != 2:
                raise ValueError(
                    f"X[{i}] has shape {part.shape}, but must have two axes: (n_channels, "
                    "n_timepoints)."
                )
        return object_array([part.T for part in parts])
    X = as_array(X, "X")
    if X.ndim != 3:
        raise ValueError(
            f"X has shape {X.shape}, but must have three axes: (n_cases, n_channels, n_timepoints)."
        )
    return X.transpose(0, 2, 1)


def from_nested(X):
    """Turn a DataFrame with a series in each cell into sequences.

    Older versions of sktime, and readers of the UCR archive, call this "nested_univ".

    Parameters
    ----------
    X : DataFrame of shape (S, D)
        A row a sequence, a column a feature; each cell has the values of all steps, as a pandas
        Series, an array or a list. The cells of a row must be of one length.

    Returns
    -------
    ndarray of object, shape (S,)
        An array (T_i, D) for each row.

    Raises
    ------
    ValueError, TypeError
        If a cell holds no series, or the cells of a row have different lengths.

    See Also
    --------
    from_numpy3d : The same for arrays with their channels first.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_rnn.preprocessing import from_nested
    >>> X = pd.DataFrame({"a": [[1, 2, 3], [4, 5]], "b": [[6, 7, 8], [9, 0]]})
    >>> from_nested(X)[1].tolist()
    [[4, 9], [5, 0]]
    """
    if not hasattr(X, "columns"):
        raise TypeError(
            f"X must be a DataFrame with a series in each cell, not {type(X).__name__}."
        )
    names = list(X.columns)
    rows = zip(*(X[name] for name in names))
    return object_array([_sequence(row, names, i) for i, row in enumerate(rows)])


def _sequence(row, names, i):
    cells = []
    for name, cell in zip(names, row):
        if depth(cell) != 1:
            raise TypeError(
                f"Column {format_value(name)} of X holds no series at row {i}, but "
                f"{format_value(cell)}."
            )
        cells.append(np.asarray(cell))
    lengths = dict(zip(names, map(len, cells)))
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The series of row {i} of X have different lengths: {lengths}.")
    if not len(cells[0]):
        raise no_steps(i)
    return np.column_stack(cells)
