"""Outputs: losses and predictions against plain formulas and complex steps."""

from decimal import Decimal, localcontext
from types import SimpleNamespace

import numpy as np
import pytest
from derivatives import OUTPUTS, along, assert_close
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax as sp_log_softmax
from scipy.special import softmax as sp_softmax
from sklearn.metrics import log_loss, mean_pinball_loss

from sklearn_rnn._networks.outputs import log_softmax, softmax, softmax_product
from sklearn_rnn._networks.quantiles import SMOOTHING

N, K = 12, 6
LEVELS = np.array([0.1, 0.5, 0.9] * 2)  # of two targets
EXTREME = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4], [1e4, 1e4 - 1, 1.0]])
NAIVE = {
    "softmax": lambda y, Z, weight: log_loss(
        y, sp_softmax(Z, axis=1), sample_weight=weight, labels=range(K)
    ),
    "squared": lambda y, Z, weight: sum(
        w * np.sum((z - target) ** 2) / 2 for target, z, w in zip(y, Z, weight)
    ),
    "quantile": lambda y, Z, weight: (
        weight @ (SMOOTHING * np.logaddexp(0, (Z - y) / SMOOTHING) - LEVELS * (Z - y)).sum(axis=1)
    ),
}


def problem(name, rng):
    y = rng.integers(K, size=N) if name == "softmax" else rng.standard_normal((N, K))
    weight = rng.random(N)
    weight[::5] = 0.0
    return y, 2 * rng.standard_normal((N, K)), weight / weight.sum()


def loss_gradient(name, y, Z, weight):
    value, dZ, gradients = OUTPUTS[name].loss_gradient({}, Z, SimpleNamespace(y=y, weight=weight))
    assert gradients == OUTPUTS[name].shapes == {}  # pointwise outputs have no parameters
    return value, dZ


def hessp(name, y, Z, weight, dZ):
    shard = SimpleNamespace(y=y, weight=weight)
    product, gradients = OUTPUTS[name].hessp({}, Z, shard, dZ, {})
    assert gradients == {}
    return product


@pytest.mark.parametrize("name", OUTPUTS)
def test_value(name, rng):
    y, Z, weight = problem(name, rng)
    assert_allclose(loss_gradient(name, y, Z, weight)[0], NAIVE[name](y, Z, weight))


@pytest.mark.parametrize("name", OUTPUTS)
def test_gradient(name, rng):
    y, Z, weight = problem(name, rng)
    gradient = loss_gradient(name, y, Z, weight)[1]
    for n, k in np.ndindex(Z.shape):
        unit = np.zeros_like(Z)
        unit[n, k] = 1.0
        expected = along(lambda Z: loss_gradient(name, y, Z, weight)[0], Z, unit)
        assert_allclose(gradient[n, k], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", OUTPUTS)
def test_hessian_product(name, rng):
    y, Z, weight = problem(name, rng)
    dZ = rng.standard_normal(Z.shape)
    expected = along(lambda Z: loss_gradient(name, y, Z, weight)[1], Z, dZ)
    product = hessp(name, y, Z, weight, dZ)
    assert_close(product, expected, 1e-12)
    assert np.vdot(dZ, product) >= 0


@pytest.mark.parametrize("name", OUTPUTS)
def test_arguments_are_not_changed(name, rng):
    given = problem(name, rng)
    y, Z, weight = (array.copy() for array in given)
    loss_gradient(name, y, Z, weight)
    hessp(name, y, Z, weight, Z)
    for array, before in zip((y, Z, weight), given):
        assert_array_equal(array, before)


@pytest.mark.parametrize("name", OUTPUTS)
def test_float32_sums_in_float64(name, rng):
    y, Z, weight = problem(name, rng)
    Z32 = Z.astype(np.float32)
    value, gradient = loss_gradient(name, y, Z32, weight)
    assert value.dtype == np.float64
    assert gradient.dtype == hessp(name, y, Z32, weight, Z32).dtype == np.float32
    assert_allclose(value, loss_gradient(name, y, Z, weight)[0], rtol=1e-6)


def test_predictions(rng):
    Z = rng.standard_normal((N, K))
    assert_allclose(OUTPUTS["softmax"].predict({}, Z), sp_softmax(Z, axis=1), rtol=1e-13)
    log_P = OUTPUTS["softmax"].predict_log({}, Z)
    assert_allclose(log_P, sp_log_softmax(Z, axis=1), rtol=1e-12, atol=1e-14)
    assert_array_equal(OUTPUTS["squared"].predict({}, Z), Z)


def test_quantile_loss_is_nearly_the_pinball_loss(rng):
    y, Z, weight = problem("quantile", rng)
    columns = zip(y.T, Z.T, LEVELS)
    exact = sum(mean_pinball_loss(a, b, sample_weight=weight, alpha=q) for a, b, q in columns)
    difference = loss_gradient("quantile", y, Z, weight)[0] - exact
    assert 0 <= difference <= K * SMOOTHING * np.log(2)


def test_quantile_loss_of_far_predictions():
    Z = np.array([[1e300, -1e300, 1e300]])
    value, gradient = loss_gradient("quantile", np.zeros_like(Z), Z, np.ones(1))
    assert_allclose(value, (0.9 + 0.5 + 0.1) * 1e300)
    assert_allclose(gradient, [[0.9, -0.5, 0.1]])


def test_quantiles_do_not_cross():
    Z = np.array([[3.0, 1.0, 2.0, -1.0, -3.0, -2.0]])
    assert_array_equal(OUTPUTS["quantile"].predict({}, Z), [[1, 2, 3, -3, -2, -1]])


def test_which_targets_are_standardised():
    assert OUTPUTS["squared"].standardises_targets and OUTPUTS["quantile"].standardises_targets
    assert not OUTPUTS["softmax"].standardises_targets


def test_loss_of_extreme_logits():
    Z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    y, weight = np.array([0, 0]), np.array([0.25, 0.75])
    value, gradient = loss_gradient("softmax", y, Z, weight)
    # the first row is certain and right, the second certain and wrong
    assert_allclose(value, 0.75 * 2e4)
    assert_allclose(gradient, [[0, 0, 0], [-0.75, 0.75, 0]], atol=1e-300)
    assert_allclose(hessp("softmax", y, Z, weight, np.ones_like(Z)), 0.0, atol=1e-300)


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
    value, gradient = loss_gradient("softmax", y, Z, weight)
    expected_value, expected = exact(y, Z, weight)
    assert_allclose(value, expected_value, rtol=1e-14)
    # probabilities are off by eps of a logit, and of one where they are taken from one
    assert_allclose(gradient, expected, rtol=4e-16 * scale + 1e-13, atol=4e-16)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (4, 2, 5)])
def test_softmax(shape, rng):
    Z = 3 * rng.standard_normal(shape)
    given = Z.copy()
    assert_allclose(softmax(Z), sp_softmax(Z, axis=-1), rtol=1e-13)
    assert_allclose(log_softmax(Z), sp_log_softmax(Z, axis=-1), rtol=1e-12, atol=1e-14)
    assert_array_equal(Z, given)


def test_softmax_of_extreme_logits():
    assert_allclose(softmax(EXTREME), sp_softmax(EXTREME, axis=-1), rtol=1e-13)
    assert_allclose(log_softmax(EXTREME), sp_log_softmax(EXTREME, axis=-1), rtol=1e-13)
    assert_allclose(softmax(EXTREME).sum(axis=-1), 1.0)


def test_softmax_product_is_the_jacobian(rng):
    Z, V = rng.standard_normal((2, 6, 4))
    O = softmax(Z)  # noqa: E741
    jacobians = O[:, :, None] * np.eye(4) - O[:, :, None] * O[:, None, :]
    assert_close(softmax_product(O, V), np.einsum("nij,nj->ni", jacobians, V), 1e-13)
    assert_close(softmax_product(O, V), along(softmax, Z, V), 1e-13)
