"""Constraints of parameters, in addition to those of scikit-learn."""

from math import isfinite
from numbers import Integral, Real

from .._compat import Interval
from .arrays import format_value

_MOST = 2**31 - 1  # NumPy takes larger sizes on some platforms only


class Number(Interval):
    """A finite number; not True, which is 1 to Python, nor a duration, which is one to NumPy.

    Parameters
    ----------
    kind : Integral or Real
    least : int
        The smallest that is allowed.
    most : int or None
        The largest.
    """

    def __init__(self, kind, least, most):
        super().__init__(kind, least, most, closed="left" if most is None else "both")

    def is_satisfied_by(self, val):
        try:
            return not isinstance(val, bool) and isfinite(val) and super().is_satisfied_by(val)
        except (TypeError, ValueError, OverflowError):  # no number, or one too large for a float
            return False


def at_least(least):
    """Return the constraint to integers from the least on."""
    return Number(Integral, least, _MOST)


COUNT = at_least(1)
NOT_NEGATIVE = Number(Real, 0, None)
# below zero, a number of jobs counts back from the number of cores
JOBS = (COUNT, Number(Integral, -_MOST, -1))
# the name or the position of a column
COLUMN = (str, at_least(-_MOST))


def layer_sizes(hidden_layer_sizes):
    """Return `hidden_layer_sizes` as a tuple of int, checked."""
    sizes = hidden_layer_sizes
    sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
    if not sizes or not all(map(COUNT.is_satisfied_by, sizes)):
        raise ValueError(
            f"hidden_layer_sizes must be a positive int or a non-empty tuple of them, got "
            f"{format_value(hidden_layer_sizes)}."
        )
    return tuple(map(int, sizes))
