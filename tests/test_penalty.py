"""The L2 penalty around the start of training."""

import numpy as np
import pytest
from derivatives import NETWORKS, along, assert_close, assert_gradient, dense, random_parameters
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn._networks.parameters import ravel, views
from sklearn_rnn._training.penalty import Penalty
from sklearn_rnn._training.recipe import FEEDBACK, RESERVOIR, SMALL

ALPHA, STIFFNESS = 0.3, 7.0
OUTPUT = {"W_out", "W_dir", "W_ar", "o_0"}

parametrize_networks = pytest.mark.parametrize("name", NETWORKS)
parametrize_input = pytest.mark.parametrize("sparse_input", [False, True])


def penalty_and_start(network, rng, sparse_input=False):
    """A penalty around a start whose output layer, unlike a real one, is not zero."""
    start = views(random_parameters(network, rng), network.shapes)
    return Penalty.around_start(network, start, ALPHA, STIFFNESS, sparse_input), start


def is_bias(name):
    return name not in OUTPUT and not name.startswith("W")


def expected_strength(name, sparse_input):
    if is_bias(name):
        return 0.0
    return ALPHA if name in OUTPUT or (name == "W_in0" and sparse_input) else STIFFNESS * ALPHA


@parametrize_input
@parametrize_networks
def test_value_is_a_sum_of_squares(name, sparse_input, rng):
    network = NETWORKS[name]()
    penalty, start = penalty_and_start(network, rng, sparse_input)
    w = random_parameters(network, rng)
    expected = 0.0
    for name, value in views(w, network.shapes).items():
        centre = 0.0 if name in OUTPUT else start[name]
        expected += expected_strength(name, sparse_input) / 2 * ((value - centre) ** 2).sum()
    assert_allclose(penalty.loss_gradient(w)[0], expected, rtol=1e-12)


def test_hidden_weights_are_penalised_more_than_output_weights():
    assert min(start.stiffness for start in (FEEDBACK, RESERVOIR, SMALL)) > 1


@parametrize_input
@parametrize_networks
def test_gradient(name, sparse_input, rng):
    network = NETWORKS[name]()
    penalty, _ = penalty_and_start(network, rng, sparse_input)
    assert_gradient(penalty.loss_gradient, random_parameters(network, rng), rng)


@parametrize_input
@parametrize_networks
def test_product_is_the_hessian(name, sparse_input, rng):
    network = NETWORKS[name]()
    penalty, _ = penalty_and_start(network, rng, sparse_input)
    w = random_parameters(network, rng)
    units = np.eye(len(w))
    hessian = [along(lambda w: penalty.loss_gradient(w)[1], w, unit) for unit in units]
    assert_close(dense(penalty.product, len(w)), np.stack(hessian, axis=1))
    strengths = {
        name: np.full(shape, expected_strength(name, sparse_input))
        for name, shape in network.shapes.items()
    }
    assert_allclose(np.diag(hessian), ravel(strengths, network.shapes), rtol=1e-12)


@parametrize_networks
@pytest.mark.parametrize("kind", [RESERVOIR, SMALL])
def test_vanishes_where_training_starts(name, kind, rng, seed):
    network = NETWORKS[name]()
    start = network.initial(np.random.RandomState(seed), kind)
    w = ravel(start, network.shapes)
    penalty = Penalty.around_start(network, start, ALPHA, STIFFNESS, sparse_input=False)
    value, gradient = penalty.loss_gradient(w)
    assert value == 0 and not gradient.any()
    # biases are free
    p = views(w, network.shapes)
    for name, value in p.items():
        if is_bias(name):
            value += rng.standard_normal(value.shape)
    value, gradient = penalty.loss_gradient(w)
    assert value == 0 and not gradient.any()


@parametrize_networks
def test_output_weights_are_shrunk_towards_zero(name, rng):
    network = NETWORKS[name]()
    penalty, start = penalty_and_start(network, rng)
    gradient = penalty.loss_gradient(ravel(start, network.shapes))[1]
    for name, value in views(gradient, network.shapes).items():
        assert_allclose(value, ALPHA * start[name] if name in OUTPUT else 0.0, rtol=1e-12)


def test_arguments_are_not_changed(rng):
    network = NETWORKS["tagger"]()
    start = views(random_parameters(network, rng), network.shapes)
    before = ravel(start, network.shapes)
    w, v = random_parameters(network, rng), random_parameters(network, rng)
    given = w.copy(), v.copy()
    penalty = Penalty.around_start(network, start, ALPHA, STIFFNESS, False)
    penalty.loss_gradient(w)
    penalty.product(v)
    assert_array_equal((w, v), given)
    assert_array_equal(ravel(start, network.shapes), before)


@parametrize_networks
def test_value_of_named_parameters(name, rng):
    network = NETWORKS[name]()
    penalty, _ = penalty_and_start(network, rng)
    w = random_parameters(network, rng)
    p = views(w, network.shapes)
    assert_allclose(penalty.value(p), penalty.loss_gradient(w)[0], rtol=1e-12)


@parametrize_networks
def test_holding_adds_a_pull_to_the_present_values(name, rng):
    network, memory = NETWORKS[name](), 0.7
    penalty, _ = penalty_and_start(network, rng)
    present, w = random_parameters(network, rng), random_parameters(network, rng)
    held = penalty.holding(views(present, network.shapes), memory)
    assert held.strength.keys() == network.shapes.keys()
    gradient = penalty.loss_gradient(w)[1] + memory * (w - present)
    assert_allclose(held.loss_gradient(w)[1], gradient, rtol=1e-10, atol=1e-12)
    product = penalty.product(w) + memory * w
    assert_allclose(held.product(w), product, rtol=1e-12)


def test_precision_of_the_centre(rng):
    network = NETWORKS["tagger"]()
    penalty, _ = penalty_and_start(network, rng)
    single = penalty.astype(np.float32)
    assert {centre.dtype.name for centre in single.centre.values()} == {"float32"}
    assert {centre.dtype.name for centre in penalty.centre.values()} == {"float64"}
    assert single.strength == penalty.strength
