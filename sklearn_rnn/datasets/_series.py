"""Series of numbers: a system that is driven by its inputs, and one that is not."""

import numpy as np
from scipy.signal import lfilter
from sklearn.utils import check_random_state

from .._compat import validate_params
from .._input.constraints import COUNT, at_least

# The NARMA system diverges once it has passed this; while it is bounded, few outputs pass 1.
_NARMA_BOUND = 2.0
# The Mackey-Glass equation is solved in steps of 1/10, and forgets its start for 1,000 time units.
_STEPS_PER_UNIT, _UNITS_DISCARDED = 10, 1000

# A parameter means the same in every function below; those a function lacks are ignored.
_CONSTRAINTS = {
    "n_sequences": [COUNT],
    "length": [at_least(10)],
    "horizon": [COUNT],
    "tau": [COUNT],
    "random_state": ["random_state"],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_narma(n_sequences=1, length=2000, *, random_state=None):
    r"""Generate NARMA-10: the output of a nonlinear system of order 10 from its random input.

    With u_t drawn evenly from [0, 0.5), and inputs and outputs zero before the first step [1]_:

    .. math::

        y_t = 0.3 y_{t-1} + 0.05 y_{t-1} \sum_{i=1}^{10} y_{t-i} + 1.5 u_t u_{t-9} + 0.1.

    From rare inputs the system diverges: from 1.5 % of those of 2,000 steps. They are drawn anew.

    Parameters
    ----------
    n_sequences : int, default=1
        The number of sequences.
    length : int, default=2000
        The number of time steps of every sequence, at least 10.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same sequences at each call.

    Returns
    -------
    X : ndarray of shape (n_sequences, length, 1)
        The inputs u_t.
    y : ndarray of shape (n_sequences, length)
        The outputs y_t, which the paper writes as y(t + 1): the step that has the input u_t.

    References
    ----------
    .. [1] A. F. Atiya, A. G. Parlos (2000). New results on recurrent network training: unifying the
       algorithms and accelerating convergence. IEEE Transactions on Neural Networks 11(3).

    Examples
    --------
    >>> from sklearn_rnn.datasets import make_narma
    >>> X, y = make_narma(3, length=100, random_state=0)
    >>> X.shape, y.shape
    ((3, 100, 1), (3, 100))
    """
    rng = check_random_state(random_state)
    u = np.empty((n_sequences, length))
    y = np.full((n_sequences, length), np.inf)
    while (diverged := ~(y < _NARMA_BOUND).all(axis=1)).any():
        u[diverged] = rng.uniform(0, 0.5, size=(diverged.sum(), length))
        y[diverged] = _narma(u[diverged])
    return u[..., None], y


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_mackey_glass(n_sequences=1, length=2000, *, horizon=84, tau=17, random_state=None):
    r"""Generate the Mackey-Glass series, to be forecast from its past.

    The series solves the delay equation [1]_

    .. math::

        \frac{dx}{dt} = \frac{0.2\, x(t - \tau)}{1 + x(t - \tau)^{10}} - 0.1\, x(t),

    which is chaotic from a delay of about 17 on, and is sampled once in a time unit. The target of
    each step is the value `horizon` steps later; 84 is usual [2]_.

    Parameters
    ----------
    n_sequences : int, default=1
        The number of sequences, each from a start of its own: a constant past, drawn evenly from
        [0.5, 1.5), and 1,000 time units to forget it.
    length : int, default=2000
        The number of time steps of every sequence, at least 10.
    horizon : int, default=84
        How many steps ahead the targets are.
    tau : int, default=17
        The delay, in time units.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same sequences at each call.

    Returns
    -------
    X : ndarray of shape (n_sequences, length, 1)
        The values x(t).
    y : ndarray of shape (n_sequences, length)
        The values x(t + horizon).

    Notes
    -----
    Over one delay the first term is known, and the rest is a linear equation. It is solved exactly
    for a first term that is linear between points at a distance of 0.1.

    References
    ----------
    .. [1] M. C. Mackey, L. Glass (1977). Oscillation and chaos in physiological control systems.
       Science 197(4300).
    .. [2] H. Jaeger, H. Haas (2004). Harnessing nonlinearity: predicting chaotic systems and saving
       energy in wireless communication. Science 304(5667).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.datasets import make_mackey_glass
    >>> X, y = make_mackey_glass(length=500, horizon=6, random_state=0)
    >>> X.shape, y.shape
    ((1, 500, 1), (1, 500))
    >>> np.array_equal(X[:, 6:, 0], y[:, :-6])
    True
    """
    rng = check_random_state(random_state)
    start = rng.uniform(0.5, 1.5, size=(n_sequences, 1))
    x = _mackey_glass(start, _UNITS_DISCARDED + length + horizon, tau)
    x = x[:, _UNITS_DISCARDED:]
    return x[:, :length, None], x[:, horizon:]


def _narma(u):
    """The outputs (S, T) of the NARMA system; infinite or NaN where it diverges."""
    order = 10
    u = np.pad(u, ((0, 0), (order, 0)))
    y = np.zeros_like(u)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(order, u.shape[1]):
            past = y[:, t - order : t].sum(axis=1)
            y[:, t] = (0.3 + 0.05 * past) * y[:, t - 1] + 1.5 * u[:, t] * u[:, t - 9] + 0.1
    return y[:, order:]


def _mackey_glass(start, n_units, tau, steps_per_unit=_STEPS_PER_UNIT):
    """The series at each time unit (S, n_units) from a constant past (S, 1), a delay at a time."""
    h, n_delay = 1 / steps_per_unit, tau * steps_per_unit
    # x(t + h) = decay x(t) + before g(t) + after g(t + h), exact for a linear g
    decay = np.exp(-0.1 * h)
    slope = (1 - (1 - decay) / (0.1 * h)) / 0.1
    before, after = (1 - decay) / 0.1 - slope, slope
    x = [np.repeat(start, n_delay + 1, axis=1)]
    for _ in range(-(-n_units // tau)):
        delayed = x[-1]  # the last delay, with both of its ends
        g = 0.2 * delayed / (1 + delayed**10)
        driven = before * g[:, :-1] + after * g[:, 1:]
        now, _ = lfilter([1.0], [1.0, -decay], driven, zi=decay * delayed[:, -1:])
        x.append(np.hstack([delayed[:, -1:], now]))
    return np.hstack([part[:, :-1] for part in x[1:]])[:, ::steps_per_unit][:, :n_units]
