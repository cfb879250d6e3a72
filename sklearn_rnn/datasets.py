"""Sequence data: two real sets that need no download, and the classic long-lag tasks."""

from importlib.resources import files
from numbers import Integral

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import Bunch, check_random_state

from ._compat import Options, StrOptions, validate_params
from ._input.constraints import COUNT, at_least

__all__ = [
    "load_digit_sequences",
    "load_japanese_vowels",
    "make_adding",
    "make_conversations",
    "make_memorization",
    "make_multiplication",
    "make_temporal_order",
]

_INTEGERS_PER_UNIT = 10_000
_N_SPEAKERS = 9

# Codes of the memorization task after the bits 0 and 1; the cue is never a label.
_BLANK, _CUE = 2, 3

_SYMBOLS = np.array(list("ABcdef"))
# Where each relevant symbol of the temporal order task lies, in tenths of the sequence.
_RELEVANT_TENTHS = {2: ((1, 2), (4, 5)), 3: ((1, 2), (3, 4), (6, 7))}
_MARKED_TENTHS = ((0, 1), (1, 5))

# A parameter means the same in every function below; those a function lacks are ignored.
_CONSTRAINTS = {
    "subset": [StrOptions({"train", "test", "all"})],
    "return_X_y": ["boolean"],
    "n_conversations": [COUNT],
    "n_turns": [COUNT],
    "n_sequences": [COUNT],
    "length": [at_least(10)],
    "n_relevant": [Options(Integral, set(_RELEVANT_TENTHS))],
    "delay": [at_least(0)],
    "n_bits": [COUNT],
    "random_state": ["random_state"],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def load_japanese_vowels(*, subset="all", return_X_y=False):
    """Load the Japanese vowels, utterances to be classified by speaker.

    Nine male speakers uttered the vowels /ae/; an utterance is a series of 12 LPC cepstrum
    coefficients at each of 7 to 29 time steps. Each speaker has 30 training utterances and 24 to
    88 test utterances. The data ship with the package, rounded to multiples of 1e-4 (they were
    published with six decimals).

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="all"
        Which part of the standard split to load: S = 270 training utterances, S = 370 test
        utterances, or S = 640, first those for training and then those for test.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With `data`, the utterances, an object array of shape (S,) of float64 arrays of shape
        (T_i, 12); `target`, their speakers, an integer array of shape (S,) with values from 1
        to 9; `split`, an array of shape (S,) of "train" or "test"; `feature_names`, a list of
        12 str; `target_names`, the nine speakers; and `DESCR`, the description, source, licence
        (CC BY 4.0) and changes.
    (data, target) : tuple if ``return_X_y`` is True
        The arrays `data` and `target` of the Bunch.

    See Also
    --------
    make_conversations : Several of these utterances strung together, to tag each step.

    References
    ----------
    .. [1] M. Kudo, J. Toyama, M. Shimbo (1999). Multidimensional curve classification using
       passing-through regions. Pattern Recognition Letters 20(11-13), 1103-1111. Data:
       https://doi.org/10.24432/C5NS47

    Examples
    --------
    >>> from sklearn_rnn.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(subset="train", return_X_y=True)
    >>> X.shape, X[0].shape, int(y[0])
    ((270,), (20, 12), 1)
    """
    folder = files(__package__) / "data"
    with (
        (folder / "japanese_vowels.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        rows = archive["rows"] / _INTEGERS_PER_UNIT
        lengths, speaker, is_test = archive["lengths"], archive["speaker"], archive["is_test"]

    ends = np.cumsum(lengths, dtype=np.intp)
    utterances = np.fromiter(np.split(rows, ends[:-1]), dtype=object)
    split = np.where(is_test, "test", "train")
    wanted = (split == subset) | (subset == "all")
    data, target = utterances[wanted], speaker[wanted].astype(np.intp)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=[f"lpc_cepstrum_{i + 1}" for i in range(rows.shape[1])],
        target_names=np.arange(1, _N_SPEAKERS + 1),
        split=split[wanted],
        DESCR=(folder / "ATTRIBUTION.md").read_text(encoding="utf-8"),
    )


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def load_digit_sequences(*, return_X_y=False):
    """Load scikit-learn's handwritten digits as sequences, images read row by row.

    Each image of 8 by 8 pixels becomes a sequence of 8 steps, the rows from top to bottom, of 8
    features, the pixels from left to right. The pixels, 0 to 16 in
    :func:`sklearn.datasets.load_digits`, are divided by 16, so that 0 is white and 1 is black.

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With `data`, the images, an array of shape (1797, 8, 8): sequence, row, column;
        `target`, the digits, an integer array of shape (1797,); `feature_names`, a list of 8
        str; `target_names`, the ten digits; and `DESCR`, the description and source.
    (data, target) : tuple if ``return_X_y`` is True
        The arrays `data` and `target` of the Bunch.

    See Also
    --------
    sklearn.datasets.load_digits : The same images in a flat table, and their source.

    Examples
    --------
    >>> from sklearn_rnn.datasets import load_digit_sequences
    >>> X, y = load_digit_sequences(return_X_y=True)
    >>> X.shape, int(y[0])
    ((1797, 8, 8), 0)
    """
    digits = load_digits()
    data = digits.images / 16
    if return_X_y:
        return data, digits.target
    return Bunch(
        data=data,
        target=digits.target,
        feature_names=[f"column_{i}" for i in range(data.shape[2])],
        target_names=digits.target_names,
        DESCR=f"The images below, read row by row and scaled to [0, 1].\n\n{digits.DESCR}",
    )


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_conversations(n_conversations=100, *, n_turns=5, subset="all", random_state=None):
    """String utterances of the Japanese vowels together, to tag each step with its speaker.

    A conversation is `n_turns` whole utterances, one after the other without a pause, and
    consecutive turns are by different speakers. The first speaker is drawn evenly from all
    nine, each later one evenly from the other eight, and each turn evenly, with replacement,
    from its speaker's utterances in `subset`.

    Parameters
    ----------
    n_conversations : int, default=100
        The number of conversations.
    n_turns : int, default=5
        The number of utterances in each conversation.
    subset : {"train", "test", "all"}, default="all"
        The utterances to draw from, see :func:`load_japanese_vowels`. Conversations made from
        "train" and from "test" have no utterance in common.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same conversations at each call.

    Returns
    -------
    X : ndarray of shape (n_conversations,), dtype object
        The conversations, each a float64 array of shape (T_i, 12).
    y : ndarray of shape (n_conversations,), dtype object
        The speaker of each time step, for each conversation an integer array of shape (T_i,)
        with values from 1 to 9.

    See Also
    --------
    load_japanese_vowels : The utterances, one speaker each, and their source.

    Examples
    --------
    >>> from sklearn_rnn.datasets import make_conversations
    >>> X, y = make_conversations(20, n_turns=3, subset="train", random_state=0)
    >>> X.shape, y.shape
    ((20,), (20,))
    >>> len(X[0]) == len(y[0])
    True
    """
    utterances, speaker = load_japanese_vowels(subset=subset, return_X_y=True)
    rng = check_random_state(random_state)
    # A step of 1 to 8 around the circle of nine speakers never ends where it began.
    steps = rng.randint(1, _N_SPEAKERS, size=(n_conversations, n_turns))
    steps[:, 0] = rng.randint(_N_SPEAKERS, size=n_conversations)
    turns = steps.cumsum(axis=1) % _N_SPEAKERS + 1

    candidates = {s: np.flatnonzero(speaker == s) for s in range(1, _N_SPEAKERS + 1)}
    drawn = [[rng.choice(candidates[s]) for s in conversation] for conversation in turns]
    lengths = np.array([len(utterance) for utterance in utterances])
    # Not np.array: it would stack conversations that happen to agree in length.
    X = np.fromiter((np.concatenate(utterances[i]) for i in drawn), dtype=object)
    y = np.fromiter((np.repeat(speaker[i], lengths[i]) for i in drawn), dtype=object)
    return X, y


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
