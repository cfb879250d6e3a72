"""Named parameters as views into one flat vector, and the role that each plays."""

from enum import Enum
from math import prod

import numpy as np

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, np.ndarray]


class Role(Enum):
    """What a parameter does, which is all that penalty, standardisation and Adam need to know."""

    INPUT = "weights that multiply the features"
    HIDDEN = "weights between hidden units, or from the outputs back to them"
    OUTPUT = "weights of the output layer"
    BIAS = "biases"


def size(shapes: Shapes) -> int:
    """Number of parameters in arrays of these shapes."""
    return sum(prod(shape) for shape in shapes.values())


def views(w: np.ndarray, shapes: Shapes) -> Parameters:
    """Named arrays that share the memory of the flat vector w."""
    p, start = {}, 0
    for name, shape in shapes.items():
        stop = start + prod(shape)
        p[name] = w[start:stop].reshape(shape)
        start = stop
    return p


def ravel(p: Parameters, shapes: Shapes) -> np.ndarray:
    """One flat vector of the named arrays, in the order of shapes."""
    return np.concatenate([np.ravel(p[name]) for name in shapes])
