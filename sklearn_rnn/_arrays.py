"""What users pass as arrays: read as such, or refused in words that name the argument."""

import re
from contextlib import contextmanager

import numpy as np
from scipy import sparse


def shown(value):
    """A value as a user would write it, not as NumPy shows its scalars."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))}{',' if len(value) == 1 else ''})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def is_missing(value):
    """Whether an id or label is None, NaN or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA is neither equal to itself nor unequal
        return depth(value) == 0
    except ArithmeticError:  # a signaling NaN
        return True
    except ValueError:  # an array is neither true nor false
        return False


def depth(x):
    """Dimensions of an array-like; of nested lists, told from their first elements."""
    if isinstance(x, list | tuple):
        return 1 + (depth(x[0]) if len(x) else 0)
    return len(x.shape) if hasattr(x, "shape") else np.asarray(x).ndim


def object_array(items):
    """A 1-D object array; np.array would make a 2-D array of items that agree in length."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def as_array(values, name):
    """What np.asarray gives, but that nothing is lost, ignored or made into something else."""
    if type(values) is np.ndarray:
        return values
    check_dense(values, name)
    with only_numbers(name):
        array = np.asarray(values)
    if array.dtype.kind == "U" and isinstance(values, list | tuple):
        items = values if array.ndim == 1 else np.asarray(values, dtype=object).ravel().tolist()
        if not all(issubclass(kind, str) for kind in set(map(type, items))):
            return np.asarray(values, dtype=object)  # NumPy makes strings of numbers beside strings
    return array


def _parts(x):
    return x if isinstance(x, list | tuple) else [x]


def _holds(x, kinds):
    """Whether x, or an item of a list x, is of one of the kinds."""
    return any(issubclass(kind, kinds) for kind in set(map(type, _parts(x))))


def check_dense(values, name):
    """Refuse what is sparse, and masks, which would be ignored."""
    if _holds(values, (sparse.sparray, sparse.spmatrix)):
        raise TypeError(f"{name} is sparse or holds what is. Pass arrays: call toarray().")
    refuse_mask(values, name)


def refuse_mask(x, name):
    """Refuse a masked array, or a list of such, whose mask would be ignored."""
    if _holds(x, np.ma.MaskedArray) and any(map(np.ma.is_masked, _parts(x))):
        raise ValueError(
            f"{name} is a masked array or holds one, whose mask would be ignored. Leave out what "
            "is masked, and pass ordinary arrays."
        )


def refuse_dates(x, name):
    """Refuse dates and durations, which NumPy would make numbers of some unit of time."""
    place = next(_dates(x), None)
    if place is not None:
        raise TypeError(
            f"{name} holds dates or durations{place}, which are no numbers. Leave them out, or "
            "pass how many days or seconds they are from some start."
        )


def _dates(x):
    """Where there are dates or durations in an array or table."""
    if hasattr(x, "columns"):
        of_time = (c for c, dtype in zip(x.columns, x.dtypes) if _is_of_time(dtype))
        yield from (f" in column {column!r}" for column in of_time)
    elif isinstance(x, np.ndarray) and x.dtype == object:
        yield from ("" for value in x.flat if isinstance(value, np.datetime64 | np.timedelta64))
    elif hasattr(x, "dtype") and _is_of_time(x.dtype):
        yield ""


def _is_of_time(dtype):
    if hasattr(dtype, "is_temporal"):  # polars
        return dtype.is_temporal()
    return getattr(dtype, "kind", "O") in "mM"


@contextmanager
def only_numbers(name):
    """Say of which argument it is that NumPy could not make an array of numbers."""
    try:
        yield
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ValueError(f"{name} holds lists of unequal length.") from None
        if "setting an array element" in str(error):
            raise ValueError(f"{name} holds arrays where it must hold numbers.") from None
        if "could not convert" not in str(error):
            raise
        *_, value = str(error).partition(": ")
        value = re.sub(r"^np\.\w+\((.*)\)$", r"\1", value)
        raise ValueError(
            f"{name} must hold numbers, but holds {value}. Encode strings first, for instance with "
            "sklearn.preprocessing.OneHotEncoder."
        ) from None
    except TypeError as error:
        if "promoted" in str(error):
            raise TypeError(
                f"{name} mixes numbers with dates or other values that are no numbers."
            ) from None
        if "argument must be a string" not in str(error):
            raise
        raise TypeError(f"{name} must hold numbers: {error}.") from None
    except OverflowError:
        raise ValueError(f"{name} holds a number that is too large for a float.") from None
