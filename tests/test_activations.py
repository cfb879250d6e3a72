"""Activations against NumPy, SciPy and complex steps."""

import numpy as np
import pytest
from derivatives import along
from numpy.testing import assert_allclose
from scipy import special

from sklearn_rnn._networks.activations import ACTIVATIONS

REFERENCES = {
    "tanh": np.tanh,
    "logistic": special.expit,
    "relu": lambda a: np.where(a > 0, a, 0.0),
    "identity": lambda a: a,
}


def applied(name, a):
    h = a.copy()
    ACTIVATIONS[name].apply(h)
    return h


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_apply(name, dtype, rng):
    a = np.concatenate([5 * rng.standard_normal(50), [0.0, -1e4, 1e4]]).astype(dtype)
    h = applied(name, a)
    assert h.dtype == dtype
    assert_allclose(h, REFERENCES[name](a), rtol=10 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def derivative(name, a):
    """f'(a), computed from the state."""
    D = np.ones_like(a)
    ACTIVATIONS[name].chain(D, applied(name, a))
    return D


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative(name, rng):
    a = 3 * rng.standard_normal(50)
    exact = along(lambda a: applied(name, a), a, 1.0)
    assert_allclose(derivative(name, a), exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_chain_multiplies_in_place(name, rng):
    a, D = rng.standard_normal((2, 50))
    expected = D * derivative(name, a)
    ACTIVATIONS[name].chain(D, applied(name, a))
    assert_allclose(D, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative_is_finite_where_units_saturate(name):
    saturated = derivative(name, np.array([-1e4, 0.0, 1e4]))
    assert ((saturated >= 0) & (saturated <= 1)).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative_keeps_the_precision(name):
    assert derivative(name, np.ones(2, np.float32)).dtype == np.float32


def test_logistic_has_the_dynamics_of_tanh(rng):
    # h' = (1 + tanh) / 2 turns one recurrence into the other, up to a constant input
    tanh, logistic = ACTIVATIONS["tanh"], ACTIVATIONS["logistic"]
    assert (tanh.input_scale, tanh.recurrent_scale) == (1.0, 1.0)
    x, h, w = rng.standard_normal((3, 20))
    scaled = logistic.input_scale * x + logistic.recurrent_scale * w * ((1 + h) / 2 - 0.5)
    assert_allclose(2 * applied("logistic", scaled) - 1, np.tanh(x + w * h), atol=1e-14)
