"""Elementwise hidden units, their derivatives, and the softmax output.

Everything here is analytic (no abs, no conj; relu looks at the real part), so that a complex step
differentiates it exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cell:
    """An elementwise hidden unit h = f(a).

    Attributes
    ----------
    apply : callable
        Turns the array a into h in place.
    derivative : callable
        f'(a), told from the state h alone.
    input_scale, recurrent_scale : float
        What the starting weights of a tanh unit are multiplied by for this unit.
    """

    apply: Callable[[np.ndarray], None]
    derivative: Callable[[np.ndarray], np.ndarray]
    input_scale: float = 1.0
    recurrent_scale: float = 1.0


def _tanh(a):
    np.tanh(a, out=a)


def _logistic(a):
    # through tanh: no overflow, and defined for complex a
    a *= 0.5
    np.tanh(a, out=a)
    a += 1.0
    a *= 0.5


def _relu(a):
    # complex numbers compare by their real parts first
    np.maximum(a, 0.0, out=a)


def _identity(a):
    pass


# logistic(a) = (1 + tanh(a / 2)) / 2, so twice the input and four times the recurrent weights give
# the dynamics that a tanh unit has.
CELLS = {
    "tanh": Cell(_tanh, lambda h: 1.0 - h * h),
    "logistic": Cell(_logistic, lambda h: h * (1.0 - h), input_scale=2.0, recurrent_scale=4.0),
    "relu": Cell(_relu, lambda h: (h.real > 0).astype(h.real.dtype)),
    "identity": Cell(_identity, lambda h: np.ones_like(h.real)),
}


def log_softmax(Z):
    """Logarithm of the softmax over the last axis; large logits do not overflow."""
    Z = Z - Z.real.max(axis=-1, keepdims=True)
    Z -= np.log(np.exp(Z).sum(axis=-1, keepdims=True))
    return Z


def softmax(Z):
    """Softmax over the last axis: positive, summing to one."""
    E = np.exp(Z - Z.real.max(axis=-1, keepdims=True))
    E /= E.sum(axis=-1, keepdims=True)
    return E


def softmax_product(output, V):
    """The softmax's Jacobian, a symmetric matrix for each row of its output, times V."""
    product = output * V
    product -= output * product.sum(axis=-1, keepdims=True)
    return product
