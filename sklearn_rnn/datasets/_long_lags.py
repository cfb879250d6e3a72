"""The classic long-lag tasks."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from .._compat import Options, validate_params
from .._input.constraints import COUNT, at_least

# Codes of the memorization task after the bits 0 and 1; the cue is never a label.
_BLANK, _CUE = 2, 3

_SYMBOLS = np.array(list("ABcdef"))
# Where each relevant symbol of the temporal order task lies, in tenths of the sequence.
_RELEVANT_TENTHS = {2: ((1, 2), (4, 5)), 3: ((1, 2), (3, 4), (6, 7))}
_MARKED_TENTHS = ((0, 1), (1, 5))

# A parameter means the same in every function below; those a function lacks are ignored.
_CONSTRAINTS = {
    "n_sequences": [COUNT],
    "length": [at_least(10)],
    "n_relevant": [Options(Integral, set(_RELEVANT_TENTHS))],
    "delay": [at_least(0)],
    "n_bits": [COUNT],
    "random_state": ["random_state"],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_adding(n_sequences=1000, length=100, *, random_state=None):
    """Generate the adding problem: the sum of the two marked values of a sequence.

    At each step the first feature is a value drawn evenly from [0, 1) and the second a mark, 1
    at two steps and 0 elsewhere. Counting steps from 0, the first marked step is drawn evenly
    from [0, length / 10), the second from [length / 10, length / 2), so that the sum must be
    kept for at least half of the sequence. Always predicting 1 gives a mean squared error of
    1/6, about 0.167. A sequence is often called solved if the error is below 0.04 [1]_.

    Parameters
    ----------
    n_sequences : int, default=1000
        The number of sequences.
    length : int, default=100
        The number of time steps of every sequence, at least 10.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same sequences at each call.

    Returns
    -------
    X : ndarray of shape (n_sequences, length, 2)
        The values and the marks.
    y : ndarray of shape (n_sequences,)
        The sums of the marked values.

    Raises
    ------
    ValueError
        If `length` is below 10: a tenth of the sequence must hold a step.

    See Also
    --------
    make_multiplication : The product instead of the sum.

    Notes
    -----
    The values and the places of the marks are those of [2]_ and [3]_. In [1]_ the values come
    from [-1, 1], the sum is scaled to [0, 1], the first and last step bear the mark -1, and the
    marks lie among the first 10 and the first ``length / 2 - 1`` steps. In all three the length
    varies by a tenth; here it is fixed.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber (1997). Long short-term memory. Neural Computation 9(8).
       Section 5.4.
    .. [2] J. Martens, I. Sutskever (2011). Learning recurrent neural networks with Hessian-free
       optimization. ICML. Section 4.1.
    .. [3] R. Pascanu, T. Mikolov, Y. Bengio (2013). On the difficulty of training recurrent
       neural networks. ICML. Section 4.1 and supplement.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.datasets import make_adding
    >>> X, y = make_adding(50, length=30, random_state=0)
    >>> X.shape, y.shape
    ((50, 30, 2), (50,))
    >>> values, marks = X[..., 0], X[..., 1]
    >>> np.allclose(y, np.sum(values * marks, axis=1))
    True
    """
    X, marked = _marked_values(n_sequences, length, random_state)
    return X, marked.sum(axis=1)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_multiplication(n_sequences=1000, length=100, *, random_state=None):
    """Generate the multiplication problem: the product of the two marked values of a sequence.

    The sequences are those of :func:`make_adding`, to the last bit if `random_state` is the same
    integer; the target is the product. Always predicting its mean, 1/4, gives a mean squared
    error of 7/144, about 0.049.

    Parameters
    ----------
    n_sequences : int, default=1000
        The number of sequences.
    length : int, default=100
        The number of time steps of every sequence, at least 10.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same sequences at each call.

    Returns
    -------
    X : ndarray of shape (n_sequences, length, 2)
        The values and the marks.
    y : ndarray of shape (n_sequences,)
        The products of the marked values.

    Raises
    ------
    ValueError
        If `length` is below 10: a tenth of the sequence must hold a step.

    See Also
    --------
    make_adding : The sum instead of the product; its notes tell the set-up from the papers'.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber (1997). Long short-term memory. Neural Computation 9(8).
       Section 5.5.

    Examples
    --------
    >>> from sklearn_rnn.datasets import make_multiplication
    >>> X, y = make_multiplication(50, length=30, random_state=0)
    >>> X.shape, y.shape
    ((50, 30, 2), (50,))
    """
    X, marked = _marked_values(n_sequences, length, random_state)
    return X, marked.prod(axis=1)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_temporal_order(n_sequences=1000, length=100, *, n_relevant=2, random_state=None):
    """Generate the temporal order problem: which relevant symbols came, in which order.

    A sequence is made of the symbols A, B, c, d, e and f, one-hot in this order. A few steps
    hold a relevant symbol, A or B with equal chance; all others hold a distractor, drawn evenly
    from c, d, e and f. The class is the string of the relevant symbols in their order, and all
    classes are equally likely. Counting steps from 0, with T for `length`, the relevant steps
    are drawn evenly from [T/10, 2T/10) and [4T/10, 5T/10), which gives 4 classes, or, if there
    are three, from [T/10, 2T/10), [3T/10, 4T/10) and [6T/10, 7T/10), which gives 8.

    Parameters
    ----------
    n_sequences : int, default=1000
        The number of sequences.
    length : int, default=100
        The number of time steps of every sequence, at least 10.
    n_relevant : {2, 3}, default=2
        The number of relevant symbols in every sequence.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same sequences at each call.

    Returns
    -------
    X : ndarray of shape (n_sequences, length, 6)
        The one-hot symbols.
    y : ndarray of shape (n_sequences,)
        The relevant symbols in their order, strings such as "AB".

    Raises
    ------
    ValueError
        If `length` is below 10: a tenth of the sequence must hold a step.

    Notes
    -----
    This is the set-up of [2]_, whose published code, however, draws the second of two relevant
    steps from [5T/10, 6T/10), as [1]_ does. In [1]_ the length varies by a tenth and two further
    symbols mark the first and the last step.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber (1997). Long short-term memory. Neural Computation 9(8).
       Section 5.6.
    .. [2] R. Pascanu, T. Mikolov, Y. Bengio (2013). On the difficulty of training recurrent
       neural networks. ICML. Section 4.1 and supplement.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.datasets import make_temporal_order
    >>> X, y = make_temporal_order(50, length=30, random_state=0)
    >>> X.shape
    (50, 30, 6)
    >>> print(*np.unique(y))
    AA AB BA BB
    """
    rng = check_random_state(random_state)
    steps = _draw_steps(rng, n_sequences, length, _RELEVANT_TENTHS[n_relevant])
    relevant = rng.randint(2, size=steps.shape)
    symbols = rng.randint(2, len(_SYMBOLS), size=(n_sequences, length))
    np.put_along_axis(symbols, steps, relevant, axis=1)
    X = np.eye(len(_SYMBOLS))[symbols]
    return X, np.array(["".join(word) for word in _SYMBOLS[relevant]])


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_memorization(n_sequences=1000, delay=100, *, n_bits=5, random_state=None):
    """Generate noiseless memorization: repeat the bits at the start after a long delay.

    The first `n_bits` steps show one random bit each; `delay` blank steps follow, then a cue,
    then ``n_bits - 1`` blank steps. The label of the last `n_bits` steps, from the cue on, is
    the bit shown that many steps into the sequence; that of all earlier steps is blank::

        input  1 0 1 1 0 - - ... - ! - - - -
        label  - - - - - - - ... - 1 0 1 1 0

    Parameters
    ----------
    n_sequences : int, default=1000
        The number of sequences.
    delay : int, default=100
        The number of blank steps between the last bit and the cue.
    n_bits : int, default=5
        The number of bits to be remembered.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same sequences at each call.

    Returns
    -------
    X : ndarray of shape (n_sequences, delay + 2 * n_bits, 4)
        One-hot inputs: bit 0, bit 1, blank, cue.
    y : ndarray of shape (n_sequences, delay + 2 * n_bits)
        The label of each step: 0 or 1 for a recalled bit, 2 for blank.

    Notes
    -----
    There are only ``2 ** n_bits`` distinct sequences, 32 by default, and they are drawn with
    replacement, so training and test sets overlap: the task is one of optimisation, not of
    generalisation. Always answering blank is right at ``delay + n_bits`` of
    ``delay + 2 * n_bits`` steps, hence score the last `n_bits` steps alone.

    References
    ----------
    .. [1] J. Martens, I. Sutskever (2011). Learning recurrent neural networks with Hessian-free
       optimization. ICML. Section 4.1.
    .. [2] R. Pascanu, T. Mikolov, Y. Bengio (2013). On the difficulty of training recurrent
       neural networks. ICML. Section 4.1 and supplement.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn.datasets import make_memorization
    >>> X, y = make_memorization(32, delay=20, random_state=0)
    >>> X.shape, y.shape
    ((32, 30, 4), (32, 30))
    >>> np.array_equal(X[:, :5].argmax(axis=2), y[:, -5:])
    True
    """
    rng = check_random_state(random_state)
    bits = rng.randint(2, size=(n_sequences, n_bits))
    y = np.full((n_sequences, delay + 2 * n_bits), _BLANK)
    symbols = y.copy()
    symbols[:, :n_bits] = y[:, -n_bits:] = bits
    symbols[:, -n_bits] = _CUE
    return np.eye(_CUE + 1)[symbols], y


def _marked_values(n_sequences, length, random_state):
    """Sequences of values and marks (S, T, 2), and the values that are marked (S, 2)."""
    rng = check_random_state(random_state)
    steps = _draw_steps(rng, n_sequences, length, _MARKED_TENTHS)
    X = np.zeros((n_sequences, length, 2))
    values, marks = X[..., 0], X[..., 1]
    values[:] = rng.uniform(size=values.shape)
    np.put_along_axis(marks, steps, 1, axis=1)
    return X, np.take_along_axis(values, steps, axis=1)


def _draw_steps(rng, n_sequences, length, tenths):
    """One step a sequence from each span (first tenth, last tenth + 1): (S, number of spans)."""
    first, last = np.array(tenths).T * length // 10
    return rng.randint(first, last, size=(n_sequences, len(tenths)))
