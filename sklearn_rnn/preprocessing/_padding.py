"""Conversions between padded arrays and ragged sequences."""

from functools import partial
from numbers import Integral

import numpy as np
from scipy import sparse

from .._compat import validate_params
from .._input.arrays import as_array, depth, format_value, is_missing, object_array
from .._input.layouts import no_steps
from .._input.names import check_same_columns


@validate_params(
    {"sequences": ["array-like"], "padding_value": "no_validation"},
    prefer_skip_nested_validation=True,
)
def pad(sequences, padding_value=np.nan):
    """Fill sequences up to the length of the longest, which makes them one array.

    The estimators need no padding; this is for other libraries. Labels are padded in the same way,
    with a value that is none of them.

    Parameters
    ----------
    sequences : list or ndarray of object, length S
        Arrays (T_i, ...) that agree in all but their lengths: the X (T_i, D) or the labels (T_i,)
        of each sequence.
    padding_value : scalar, default=nan
        What to fill up with. Integers become floats if it is NaN; for strings it must be a string.

    Returns
    -------
    ndarray of shape (S, T, ...)
        T is the length of the longest sequence.

    Raises
    ------
    ValueError, TypeError
        If a sequence has no steps or is unlike the first.

    See Also
    --------
    unpad : The way back.

    Examples
    --------
    >>> from sklearn_rnn.preprocessing import pad
    >>> pad([[1, 2, 3], [4]], padding_value=-1)
    array([[ 1,  2,  3],
           [ 4, -1, -1]])
    """
    _check_scalar(padding_value)
    parts = [_read_dense(x, i) for i, x in enumerate(sequences)]
    if not parts:
        raise ValueError("There are no sequences. Pass at least one.")
    check_same_columns(sequences, of="")
    for i, part in enumerate(parts):
        if part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"sequence {i} has shape {part.shape}, but sequence 0 has {parts[0].shape}."
            )
    padded = np.full(
        (len(parts), max(len(part) for part in parts), *parts[0].shape[1:]),
        padding_value,
        dtype=_padded_dtype(parts, padding_value),
    )
    for row, part in zip(padded, parts):
        row[: len(part)] = part
    return padded


def _read_dense(x, i):
    if sparse.issparse(x):
        raise TypeError(f"sequence {i} is sparse and cannot be padded. Use its toarray().")
    part = as_array(x, f"sequence {i}")
    if part.ndim == 0:
        raise ValueError(
            f"sequence {i} is a single item, {format_value(x)}. It must be an array (n_steps, ...)."
        )
    if not len(part):
        raise no_steps(i)
    return part


def _check_scalar(padding_value):
    if depth(padding_value):
        value = format_value(padding_value)
        raise ValueError(f"padding_value must be a single value, got {value}.")


def _padded_dtype(parts, padding_value):
    is_text = {part.dtype.kind in "US" for part in parts if part.dtype != object}
    if not is_text:
        return np.dtype(object)
    dtypes = [part.dtype for part in parts]
    is_object = padding_value is not None and np.asarray(padding_value).dtype == object
    try:
        if is_text == {isinstance(padding_value, str)} and not is_object:
            return np.result_type(*dtypes, _dtype_of(padding_value, dtypes))
    except TypeError:  # NumPy knows no common type
        pass
    raise ValueError(
        f"padding_value={format_value(padding_value)} cannot stand among the values, of type "
        f"{dtypes[0].name}. Strings need a string, numbers a number, dates a date."
    )


def _dtype_of(padding_value, dtypes):
    """Return the value, or a wider type if it is an integer that the type cannot hold."""
    if isinstance(padding_value, str):
        return np.asarray(padding_value)
    common = np.result_type(*dtypes)
    if common.kind in "iu" and isinstance(padding_value, Integral):
        if not np.iinfo(common).min <= padding_value <= np.iinfo(common).max:
            return np.min_scalar_type(padding_value)
    return padding_value


@validate_params(
    {
        "X": ["array-like"],
        "lengths": ["array-like", None],
        "padding_value": "no_validation",
    },
    prefer_skip_nested_validation=True,
)
def unpad(X, lengths=None, padding_value=np.nan):
    """Cut the padding off the ends of sequences of equal length.

    Only whole steps at the end are taken for padding. One inside a sequence, or one in which not
    all features are `padding_value`, is left as it is. Where real steps may end with
    `padding_value`, pass the lengths; so too for labels, which are cut as X is by
    ``unpad(y, [len(x) for x in unpad(X)])``.

    Parameters
    ----------
    X : array-like of shape (S, T, D) or (S, T)
        Padded sequences, or their labels.
    lengths : array-like of int, shape (S,), default=None
        How many steps of each sequence to keep. None finds out.
    padding_value : scalar, default=nan
        What X is padded with, where there are no lengths.

    Returns
    -------
    ndarray of object, shape (S,)
        An array (T_i, D) or (T_i,) for each sequence.

    Raises
    ------
    ValueError
        If a sequence is nothing but padding, or a length does not fit X.

    See Also
    --------
    pad : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.preprocessing import unpad
    >>> X = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])
    >>> [x.tolist() for x in unpad(X)]
    [[[1.0], [2.0]], [[3.0]]]
    """
    X = _read_padded(X)
    lengths = _find_lengths(X, padding_value) if lengths is None else _read_lengths(X, lengths)
    return object_array([x[:length] for x, length in zip(X, lengths)])


def _read_padded(X):
    X = as_array(X, "X")
    if X.ndim < 2:
        raise ValueError(f"X must be padded, (n_sequences, n_steps, ...), but has shape {X.shape}.")
    return X


def _find_lengths(X, padding_value):
    _check_scalar(padding_value)
    if is_missing(padding_value):
        is_padding = _each(is_missing, X) if X.dtype == object else X != X
    else:
        _padded_dtype([X], padding_value)  # which refuses what cannot be among the values
        equals = partial(_is_equal, padding_value)
        is_padding = _each(equals, X) if X.dtype == object else X == padding_value
    is_step = ~is_padding.reshape(*X.shape[:2], -1).all(axis=2)
    empty = np.flatnonzero(~is_step.any(axis=1))
    if len(empty):
        raise ValueError(f"sequence {empty[0]} of X is nothing but padding. Leave it out.")
    return X.shape[1] - is_step[:, ::-1].argmax(axis=1)


def _each(function, X):
    return np.vectorize(function, otypes=[bool])(X)


def _is_equal(value, item):
    try:
        return bool(item == value)
    except (TypeError, ValueError):  # NA and arrays are neither equal nor unequal
        return False


def _read_lengths(X, lengths):
    lengths = as_array(lengths, "lengths")
    S, T = X.shape[:2]
    if lengths.shape != (S,) or lengths.dtype.kind not in "iu":
        raise ValueError(f"lengths must hold an integer for each of the {S} sequences of X.")
    wrong = np.flatnonzero((lengths < 1) | (lengths > T))
    if len(wrong):
        i = wrong[0]
        raise ValueError(f"lengths[{i}] is {lengths[i]}, but the sequences of X have {T} steps.")
    return lengths
