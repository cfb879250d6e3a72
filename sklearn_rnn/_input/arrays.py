"""Arrays of any kind read without loss, or refused with a message that names the argument."""

from contextlib import contextmanager

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

_LONGEST_QUOTE = 80  # characters of a value in a message
_LONGEST_REASON = 200  # characters of another library's message in ours
# A fixed-width array takes 4 bytes a character for every item; longer strings stay objects.
_LONGEST_FIXED_WIDTH = 64

# The dtypes that values are computed in; others are converted to the first.
FLOATS = (np.float64, np.float32)

# for scikit-learn's `check_array`
_EMPTY = {"ensure_min_samples": 0, "ensure_min_features": 0}
_ANY_SHAPE = {"ensure_all_finite": False, "ensure_2d": False, "allow_nd": True, **_EMPTY}


def format_value(value):
    """Return a value as a user would write it, cut to the length that a message can bear."""
    if isinstance(value, tuple):
        text = f"({', '.join(map(format_value, value))}{',' if len(value) == 1 else ''})"
    else:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    return _cut(text, _LONGEST_QUOTE)


def _cut(text, length):
    return text if len(text) <= length else f"{text[: length - 3]}..."


def is_missing(value):
    """Return whether an id or label is None, NaN or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA is neither equal to itself nor unequal
        return depth(value) == 0
    except ArithmeticError:  # a signaling NaN
        return True
    except ValueError:  # an array is neither true nor false
        return False


def is_float_array(x):
    """Return whether x is a plain array of numbers in a precision that we compute in."""
    return type(x) is np.ndarray and x.dtype in FLOATS


def depth(x):
    """Return the number of dimensions; of nested lists that of their first elements."""
    if isinstance(x, str):
        return 0
    if isinstance(x, list | tuple):
        return 1 + (depth(x[0]) if len(x) else 0)
    return len(x.shape) if hasattr(x, "shape") else np.asarray(x).ndim


def object_array(items):
    """Return a 1-D object array; np.array would make items of equal length a 2-D array."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@contextmanager
def reading(name, kind, remedy=""):
    """Turn the errors of NumPy and scikit-learn into errors that name the argument."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        error_type = TypeError if isinstance(error, TypeError) else ValueError
        reason = _cut(str(error).rstrip("."), _LONGEST_REASON)
        raise error_type(f"{name} could not be read as {kind}: {reason}. {remedy}") from error


def as_array(values, name):
    """Return `np.asarray(values)`, but refuse or keep what NumPy would lose without a word."""
    if type(values) is np.ndarray:
        return values
    check_dense(values, name)
    kinds = set(map(type, values)) if isinstance(values, list | tuple) else set()
    if any(issubclass(kind, str) for kind in kinds):
        return _as_text_array(values, kinds)
    with reading(name, "an array"):
        array = np.asarray(values)
        if array.dtype.kind == "U" and kinds:  # nested lists
            objects = np.asarray(values, dtype=object)
            return array if all(isinstance(item, str) for item in objects.flat) else objects
    return array


def _as_text_array(values, kinds):
    """Return items of which some are strings; NumPy would make all of them strings."""
    if not all(issubclass(kind, str) for kind in kinds):
        return object_array(values)
    if kinds != {str}:
        # NumPy takes a subclass, such as an Enum, by its __str__, cut to the length of its value
        values = list(map(str.__str__, values))
    is_long = max(map(len, values)) > _LONGEST_FIXED_WIDTH
    return object_array(values) if is_long else np.asarray(values)


def concatenate(parts, name):
    """Return 1-D parts as one array, in which numbers and strings stay what they are."""
    is_text = [part.dtype.kind in "US" for part in parts if part.dtype != object]
    mixed = any(is_text) and not all(is_text)
    if mixed or any(part.dtype.itemsize > 4 * _LONGEST_FIXED_WIDTH for part in parts):
        parts = [part.astype(object) for part in parts]
    with reading(name, "one array"):
        return np.concatenate(parts)


def as_numeric_array(x, name, *, dtype=FLOATS, accept_sparse=False, remedy=""):
    """Return x as an array of real numbers; values of no given dtype are converted to the first.

    Neither the number of dimensions nor whether values are finite is checked. ``remedy`` is what
    one can do with strings other than to encode them.
    """
    refuse_mask(x, name)
    with reading(name, "real numbers"):
        x = np.asarray(x) if isinstance(x, list | tuple) else x
    refuse_dates(x, name)
    with reading(name, "real numbers", f"Encode strings, for instance with OneHotEncoder.{remedy}"):
        # scikit-learn knows the types of pandas' columns alone
        x = np.asarray(x) if hasattr(x, "columns") and not hasattr(x, "iloc") else x
        x = check_array(
            _native(x), accept_sparse=accept_sparse, dtype=dtype, input_name=name, **_ANY_SHAPE
        )
    return _native(x)  # of a DataFrame the columns may have another byte order


def _native(x):
    """Return an array in the machine's byte order: in another, float32 would become float64."""
    if not isinstance(getattr(x, "dtype", None), np.dtype) or x.dtype.isnative:
        return x
    return x.astype(x.dtype.newbyteorder("="))


def _parts(x):
    return x if isinstance(x, list | tuple) else [x]


def _any_is(items, kinds):
    return any(issubclass(kind, kinds) for kind in set(map(type, items)))


def check_dense(x, name):
    """Refuse sparse matrices and masked arrays, or a list of such."""
    if _any_is(_parts(x), (sparse.sparray, sparse.spmatrix)):
        raise TypeError(f"{name} is sparse or holds sparse matrices. Pass arrays: call toarray().")
    refuse_mask(x, name)


def refuse_mask(x, name):
    """Refuse a masked array, or a list of such, whose mask would be ignored."""
    if _any_is(_parts(x), np.ma.MaskedArray) and any(map(np.ma.is_masked, _parts(x))):
        raise ValueError(f"{name} is a masked array or holds one. Leave out what is masked.")


def refuse_dates(x, name):
    """Refuse dates and durations, which NumPy would convert to numbers of some unit of time."""
    for column, values in zip(x.columns, x.dtypes) if hasattr(x, "columns") else [(None, x)]:
        if _is_time(values):
            place = "" if column is None else f" in column {format_value(column)}"
            raise TypeError(
                f"{name} holds dates or durations{place}. Pass numbers, for instance of seconds."
            )


def _is_time(x):
    """Return whether a dtype, or an array, is one of dates or durations, or holds some."""
    if hasattr(x, "is_temporal"):  # a dtype of polars
        return x.is_temporal()
    if isinstance(x, np.ndarray) and x.dtype == object:
        return _any_is(x.flat, (np.datetime64, np.timedelta64))
    return getattr(getattr(x, "dtype", x), "kind", "O") in "mM"
