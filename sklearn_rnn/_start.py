"""The random weights from which training starts."""

from typing import NamedTuple

import numpy as np


class Start(NamedTuple):
    """How large the weights are from which training starts, and how firmly it holds to them.

    Attributes
    ----------
    gain : float
        Of the first layer's input weights: what the standard deviation of a preactivation is, if
        the features have unit variance.
    radius : float
        Spectral radius of W_rec, and standard deviation of W_fb.
    stiffness : float
        How much more the hidden weights are held to the start than the output layer is to zero.
        All three were chosen by cross-validation on the training parts of ten sets; within a
        factor of three of these, little changes.
    """

    gain: float
    radius: float
    stiffness: float


# Rich dynamics that forget slowly, to which an output layer can be fitted as they are (Jaeger 2001;
# Lukosevicius 2012).
RESERVOIR = Start(gain=1.0, radius=0.9, stiffness=30.0)
# Near zero, where features are learnt instead of drawn (Chizat, Oyallon, Bach 2019).
SMALL = Start(gain=0.1, radius=0.1, stiffness=100.0)
# The same for sparse features, whose input weights the output layer's penalty holds already.
SPARSE = SMALL._replace(stiffness=30.0)
# The same for output feedback, where the penalty counts every step.
FEEDBACK = SMALL._replace(stiffness=3.0)


def random_inputs(rng, gain, shape):
    """Input weights which give preactivations of the standard deviation ``gain``."""
    return rng.normal(0, gain / np.sqrt(shape[0]), shape)


def orthogonal(n, rng):
    """A random orthogonal (n, n) matrix, uniformly distributed."""
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return Q * np.sign(np.diag(R))
