"""How bad input must be refused, and the good data that bad ones are made of."""

import re

import numpy as np
import pytest

S, T, D = 6, 4, 3
X = np.random.default_rng(0).normal(size=(S, T, D))
Y = np.arange(S) % 2
Y_STEPS = (X[..., 0] > 0).astype(int)
IDS = np.repeat([7, -3, 5, 2, 9, 4], T)
ROWS = X.reshape(-1, D)
LONG = np.c_[IDS, ROWS]

# What only NumPy or Python say: none of it tells a user where to look.
FOREIGN = re.compile(
    r"could not convert|inhomogeneous|setting an array|could not broadcast|zero-size|unpack"
    r"|object is not|unhashable|not supported between|np\.\w+\(|must be real|integer is required"
    r"|out of bounds|positional argument|be broadcast together|be promoted"
    r"|too large to convert|is ambiguous"
)


def assert_refuses(call, error, words):
    """The call must fail with an error of this type, and with these words in its message."""
    with pytest.raises(error) as info:
        call()
    message = str(info.value)
    for word in words:
        assert word in message
    assert not FOREIGN.search(message)


def put(array, index, value):
    """A copy with one entry changed."""
    array = np.array(array, dtype=np.result_type(array, type(value)))
    array[index] = value
    return array
