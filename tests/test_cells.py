"""Hidden units and the softmax output, against complex steps and SciPy."""

import numpy as np
import pytest
from derivatives import along, assert_close
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

from sklearn_rnn._cells import CELLS, log_softmax, softmax, softmax_product

EXTREME = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4], [1e4, 1e4 - 1, 1.0]])
REFERENCES = {
    "tanh": np.tanh,
    "logistic": special.expit,
    "relu": lambda a: np.where(a > 0, a, 0.0),
    "identity": lambda a: a,
}


def applied(name, a):
    h = a.copy()
    CELLS[name].apply(h)
    return h


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_apply(name, dtype, rng):
    a = np.concatenate([5 * rng.standard_normal(50), [0.0, -1e4, 1e4]]).astype(dtype)
    h = applied(name, a)
    assert h.dtype == dtype
    assert_allclose(h, REFERENCES[name](a), rtol=10 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def derivative(name, a):
    """f'(a), told from the state."""
    D = np.ones_like(a)
    CELLS[name].chain(D, applied(name, a))
    return D


@pytest.mark.parametrize("name", CELLS)
def test_derivative_is_told_from_the_state(name, rng):
    a = 3 * rng.standard_normal(50)
    exact = along(lambda a: applied(name, a), a, 1.0)
    assert_allclose(derivative(name, a), exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", CELLS)
def test_chain_multiplies_in_place(name, rng):
    a, D = rng.standard_normal((2, 50))
    expected = D * derivative(name, a)
    CELLS[name].chain(D, applied(name, a))
    assert_allclose(D, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", CELLS)
def test_derivative_is_finite_where_units_saturate(name):
    saturated = derivative(name, np.array([-1e4, 0.0, 1e4]))
    assert ((saturated >= 0) & (saturated <= 1)).all()


@pytest.mark.parametrize("name", CELLS)
def test_derivative_keeps_the_precision(name):
    assert derivative(name, np.ones(2, np.float32)).dtype == np.float32


def test_logistic_has_the_dynamics_of_tanh(rng):
    # h' = (1 + tanh) / 2 turns one recurrence into the other, up to a constant input
    tanh, logistic = CELLS["tanh"], CELLS["logistic"]
    assert (tanh.input_scale, tanh.recurrent_scale) == (1.0, 1.0)
    x, h, w = rng.standard_normal((3, 20))
    scaled = logistic.input_scale * x + logistic.recurrent_scale * w * ((1 + h) / 2 - 0.5)
    assert_allclose(2 * applied("logistic", scaled) - 1, np.tanh(x + w * h), atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (4, 2, 5)])
def test_softmax(shape, rng):
    Z = 3 * rng.standard_normal(shape)
    given = Z.copy()
    assert_allclose(softmax(Z), special.softmax(Z, axis=-1), rtol=1e-13)
    assert_allclose(log_softmax(Z), special.log_softmax(Z, axis=-1), rtol=1e-12, atol=1e-14)
    assert_array_equal(Z, given)


def test_softmax_of_extreme_logits():
    assert_allclose(softmax(EXTREME), special.softmax(EXTREME, axis=-1), rtol=1e-13)
    assert_allclose(log_softmax(EXTREME), special.log_softmax(EXTREME, axis=-1), rtol=1e-13)
    assert_allclose(softmax(EXTREME).sum(axis=-1), 1.0)


def test_softmax_product_is_the_jacobian(rng):
    Z, V = rng.standard_normal((2, 6, 4))
    O = softmax(Z)  # noqa: E741
    jacobians = O[:, :, None] * np.eye(4) - O[:, :, None] * O[:, None, :]
    assert_close(softmax_product(O, V), np.einsum("nij,nj->ni", jacobians, V), 1e-13)
    assert_close(softmax_product(O, V), along(softmax, Z, V), 1e-13)
