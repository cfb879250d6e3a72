"""Real sets that need no download, and conversations made of them."""

from importlib.resources import files

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import Bunch, check_random_state

from .._compat import StrOptions, validate_params
from .._input.constraints import COUNT

_INTEGERS_PER_UNIT = 10_000
_N_SPEAKERS = 9

# A parameter means the same in every function below; those a function lacks are ignored.
_CONSTRAINTS = {
    "subset": [StrOptions({"train", "test", "all"})],
    "return_X_y": ["boolean"],
    "n_conversations": [COUNT],
    "n_turns": [COUNT],
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
    folder = files("sklearn_rnn") / "data"
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
