"""How bad input must be refused, and what is good: data, and estimators fitted to them."""

import re
import traceback

import numpy as np
import pytest
from scipy import sparse

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

S, T, D = 6, 4, 3
X = np.random.default_rng(0).normal(size=(S, T, D))
Y = np.arange(S) % 2
Y_STEPS = (X[..., 0] > 0).astype(int)
IDS = np.repeat([7, -3, 5, 2, 9, 4], T)
ROWS = X.reshape(-1, D)
WIDE = X.reshape(S, -1)
LONG = np.c_[IDS, ROWS]

QUICK = {"hidden_layer_sizes": 2, "random_state": 0, "tol": 0.5, "n_iter_no_change": 1}
CLASSIFIER = SequenceClassifier(**QUICK).fit(X, Y)
REGRESSOR = SequenceRegressor(**QUICK).fit(X, Y)
TAGGER = SequenceTagger(**QUICK).fit(X, Y_STEPS)
LONG_TAGGER = SequenceTagger(sequence_id=0, **QUICK).fit(LONG, Y_STEPS.ravel())
FEEDBACK = OutputFeedbackTagger(**QUICK).fit(X, Y_STEPS)

# What only NumPy, SciPy or Python say: none of it tells a user where to look.
FOREIGN = re.compile(
    r"could not convert|inhomogeneous|setting an array|could not (be )?broadcast|zero-size|unpack"
    r"|object is not (iter|sub|call)|has no attribute|has no len|unhashable"
    r"|not supported between|np\.\w+\("
    r"|must be real|integer is required|out of bounds|positional argument|be broadcast together"
    r"|be promoted|too large to convert|is ambiguous|[Cc]annot compare|Seed must be"
    r"|Maximum allowed dimension|expected a sequence"
)
# Behind these words of ours another library's reason may follow.
QUOTED = "could not be read as|does not take the steps of X"


def assert_ours(error):
    """The error must have been raised by us or scikit-learn, in words that help."""
    message = str(error).partition("\n")[0]  # data may follow
    *_, last = traceback.extract_tb(error.__traceback__)
    assert message
    assert not FOREIGN.search(re.split(QUOTED, message)[0]), message
    assert "sklearn" in last.filename, f"{last.filename}: {message}"


def assert_refuses(call, words):
    """The call must fail with a ValueError or TypeError of ours that contains the words."""
    with pytest.raises((ValueError, TypeError)) as info:
        call()
    assert words in str(info.value)
    assert_ours(info.value)


def ids(cases):
    """Return names for the cases of a table: the words of the expected messages."""
    return [case[-1] for case in cases]


def csr(X):
    return [sparse.csr_array(x) for x in X]


def frame(names=None, **columns):
    """Return the long table as a DataFrame whose column "who" holds the ids."""
    pd = pytest.importorskip("pandas")
    names = np.repeat(list("fedcba"), T) if names is None else names
    return pd.DataFrame(ROWS, columns=list("abc")).assign(who=names, **columns)


def put(array, index, value):
    """A copy with one entry changed."""
    array = np.array(array, dtype=np.result_type(array, type(value)))
    array[index] = value
    return array
