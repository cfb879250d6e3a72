"""What parameters may be, beyond what scikit-learn's constraints tell."""

from math import isfinite
from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

_MOST = 2**31 - 1  # what NumPy can count to, wherever it is


class Number(Interval):
    """A finite number; neither True, which Python takes for 1, nor a duration, as NumPy takes it.

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
    """A whole number from the least on."""
    return Number(Integral, least, _MOST)


COUNT = at_least(1)
NOT_NEGATIVE = Number(Real, 0, None)
# a number of jobs counts forwards or, below zero, backwards from that of the cores
JOBS = (COUNT, Number(Integral, -_MOST, -1))
# the name or the position of a column
COLUMN = (str, at_least(-_MOST))
