"""Losses against naive formulas and complex steps."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from derivatives import LOSSES, along, assert_close
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.metrics import log_loss

N, K = 12, 4
NAIVE = {
    "softmax": lambda y, Z, weight: log_loss(
        y, softmax(Z, axis=1), sample_weight=weight, labels=range(K)
    ),
    "squared": lambda y, Z, weight: sum(
        w * np.sum((z - target) ** 2) / 2 for target, z, w in zip(y, Z, weight)
    ),
}


def problem(name, rng):
    y = rng.integers(K, size=N) if name == "softmax" else rng.standard_normal((N, K))
    weight = rng.random(N)
    weight[::5] = 0.0
    return y, 2 * rng.standard_normal((N, K)), weight / weight.sum()


@pytest.mark.parametrize("name", LOSSES)
def test_value(name, rng):
    y, Z, weight = problem(name, rng)
    assert_allclose(LOSSES[name].loss_gradient(y, Z, weight)[0], NAIVE[name](y, Z, weight))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient(name, rng):
    y, Z, weight = problem(name, rng)
    loss = LOSSES[name]
    gradient = loss.loss_gradient(y, Z, weight)[1]
    for n, k in np.ndindex(Z.shape):
        unit = np.zeros_like(Z)
        unit[n, k] = 1.0
        expected = along(lambda Z: loss.loss_gradient(y, Z, weight)[0], Z, unit)
        assert_allclose(gradient[n, k], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_hessian_product(name, rng):
    y, Z, weight = problem(name, rng)
    loss = LOSSES[name]
    dZ = rng.standard_normal(Z.shape)
    expected = along(lambda Z: loss.loss_gradient(y, Z, weight)[1], Z, dZ)
    product = loss.hessp(y, Z, weight, dZ)
    assert_close(product, expected, 1e-12)
    assert np.vdot(dZ, product) >= 0


@pytest.mark.parametrize("name", LOSSES)
def test_data_are_left_alone(name, rng):
    given = problem(name, rng)
    y, Z, weight = (array.copy() for array in given)
    LOSSES[name].loss_gradient(y, Z, weight)
    LOSSES[name].hessp(y, Z, weight, Z)
    for array, before in zip((y, Z, weight), given):
        assert_array_equal(array, before)


@pytest.mark.parametrize("name", LOSSES)
def test_float32_sums_in_float64(name, rng):
    y, Z, weight = problem(name, rng)
    loss, Z32 = LOSSES[name], Z.astype(np.float32)
    value, gradient = loss.loss_gradient(y, Z32, weight)
    assert value.dtype == np.float64
    assert gradient.dtype == loss.hessp(y, Z32, weight, Z32).dtype == np.float32
    assert_allclose(value, loss.loss_gradient(y, Z, weight)[0], rtol=1e-6)


def test_inverse_link(rng):
    Z = rng.standard_normal((N, K))
    assert_allclose(LOSSES["softmax"].inverse_link(Z), softmax(Z, axis=1), rtol=1e-13)
    assert_array_equal(LOSSES["squared"].inverse_link(Z), Z)


def test_softmax_of_extreme_logits():
    Z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    y, weight = np.array([0, 0]), np.array([0.25, 0.75])
    value, gradient = LOSSES["softmax"].loss_gradient(y, Z, weight)
    # the first row is certain and right, the second certain and wrong
    assert_allclose(value, 0.75 * 2e4)
    assert_allclose(gradient, [[0, 0, 0], [-0.75, 0.75, 0]], atol=1e-300)
    assert_allclose(LOSSES["softmax"].hessp(y, Z, weight, np.ones_like(Z)), 0.0, atol=1e-300)


def exact(y, Z, weight):
    """Cross-entropy and its gradient in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        loss, gradient = Decimal(0), []
        for label, row, w in zip(y.tolist(), Z.tolist(), weight.tolist()):
            powers = [Decimal(z).exp() for z in row]
            total = sum(powers)
            loss += Decimal(w) * (total.ln() - Decimal(row[label]))
            P = [power / total - (k == label) for k, power in enumerate(powers)]
            gradient.append([float(Decimal(w) * p) for p in P])
        return float(loss), np.array(gradient)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_cross_entropy_is_exact_at_logits_of_any_size(scale, rng):
    y, Z, weight = problem("softmax", rng)
    Z = scale * np.clip(Z, -1, 1)
    Z[:, 1] = Z[:, 0] + rng.standard_normal(N)  # not all of them certain
    value, gradient = LOSSES["softmax"].loss_gradient(y, Z, weight)
    expected_value, expected = exact(y, Z, weight)
    assert_allclose(value, expected_value, rtol=1e-14)
    # probabilities are off by eps of a logit, and of one where they are taken from one
    assert_allclose(gradient, expected, rtol=4e-16 * scale + 1e-13, atol=4e-16)
