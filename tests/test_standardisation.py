"""Standardised data and folded weights."""

import numpy as np
import pytest
from derivatives import (
    CASES,
    LENGTHS,
    NETWORKS,
    D,
    K,
    assert_close,
    cut,
    is_per_step,
    make_shards,
    random_data,
    random_parameters,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn import _sharding
from sklearn_rnn._parameters import views
from sklearn_rnn._standardisation import standardisation

parametrize_cases = pytest.mark.parametrize(("name", "loss"), CASES)


@pytest.fixture(autouse=True)
def fine_cut(monkeypatch):
    """Moments are sums over shards, so let there be some."""
    monkeypatch.setattr(_sharding, "SEQUENCES", 2)
    monkeypatch.setattr(_sharding, "FEW_ROWS", 4)


def data_off_scale(network, rng, loss):
    X, y, weight = random_data(network, rng, loss=loss)
    X = X * np.logspace(-2, 3, D) + 10 * np.arange(D)
    return X, y * np.arange(1, K + 1) - 7.0 if loss == "squared" else y, weight


def scaling_of(shards, network, loss):
    return standardisation(shards, K, is_per_step(network), loss == "squared")


def apply(scaling, shards, with_targets):
    for shard in shards:
        scaling.apply(shard, with_targets)


def step_weights(network, weight):
    return weight if is_per_step(network) else np.repeat(weight, LENGTHS)


@parametrize_cases
def test_moments(name, loss, rng):
    network = NETWORKS[name]()
    X, y, weight = data_off_scale(network, rng, loss)
    scaling = scaling_of(make_shards(network, X, y, weight), network, loss)
    expected = [(X, step_weights(network, weight), scaling.x_mean, scaling.x_scale)]
    if loss == "squared":
        expected.append((y, weight, scaling.y_mean, scaling.y_scale))
    else:
        assert_array_equal((scaling.y_mean, scaling.y_scale), np.eye(2)[:, :1].repeat(K, 1)[::-1])
    for rows, weight, mean, scale in expected:
        average = np.average(rows, axis=0, weights=weight)
        deviation = np.sqrt(np.average((rows - average) ** 2, axis=0, weights=weight))
        assert_allclose(mean, average, rtol=1e-12)
        assert_allclose(scale, deviation, rtol=1e-12)


@parametrize_cases
def test_applied(name, loss, rng):
    network = NETWORKS[name]()
    shards = make_shards(network, *data_off_scale(network, rng, loss))
    labels = np.concatenate([shard.y for shard in shards])
    apply(scaling_of(shards, network, loss), shards, loss == "squared")
    again = scaling_of(shards, network, loss)
    assert_allclose(again.x_mean, 0.0, atol=1e-12)
    assert_allclose(again.x_scale, 1.0, rtol=1e-12)
    assert_allclose(again.y_mean, 0.0, atol=1e-12)
    assert_allclose(again.y_scale, 1.0, rtol=1e-12)
    if loss == "softmax":
        assert_array_equal(np.concatenate([shard.y for shard in shards]), labels)


@parametrize_cases
def test_fold_and_unfold_are_inverse(name, loss, rng):
    network = NETWORKS[name]()
    scaling = scaling_of(make_shards(network, *data_off_scale(network, rng, loss)), network, loss)
    w = random_parameters(network, rng)
    p, given = views(w, network.shapes), w.copy()
    for there_and_back in (scaling.unfold(scaling.fold(p)), scaling.fold(scaling.unfold(p))):
        assert there_and_back.keys() == p.keys()
        for name, value in p.items():
            assert_allclose(there_and_back[name], value, rtol=1e-10, atol=1e-10)
    assert_array_equal(w, given)


@parametrize_cases
def test_folded_weights_take_and_give_data_as_they_are(name, loss, rng):
    network = NETWORKS[name]()
    data = data_off_scale(network, rng, loss)
    raw, standardised = make_shards(network, *data), make_shards(network, *data)
    scaling = scaling_of(raw, network, loss)
    apply(scaling, standardised, loss == "squared")
    p = views(random_parameters(network, rng), network.shapes)
    folded = scaling.fold(p)
    for verb in (lambda *a: network.forward(*a)[0], network.infer):
        for here, there in zip(raw, standardised):
            Z = verb(p, there)
            assert_close(verb(folded, here), Z * scaling.y_scale + scaling.y_mean)


@pytest.mark.parametrize("name", NETWORKS)
def test_sparse_data_are_left_alone(name, rng):
    network = NETWORKS[name]()
    data = data_off_scale(network, rng, "softmax")
    shards, untouched = (make_shards(network, *data, csr=True) for _ in range(2))
    scaling = scaling_of(shards, network, "softmax")
    apply(scaling, shards, False)
    for shard, before in zip(shards, untouched):
        assert_array_equal(shard.X.toarray(), before.X.toarray())
    p = views(random_parameters(network, rng), network.shapes)
    for name, value in scaling.fold(p).items():
        assert_array_equal(value, p[name])


def test_targets_of_sparse_data(rng):
    network = NETWORKS["classifier"]()
    data = data_off_scale(network, rng, "squared")
    of_dense, of_csr = (
        scaling_of(make_shards(network, *data, csr=csr), network, "squared")
        for csr in (False, True)
    )
    assert_array_equal(of_csr.y_mean, of_dense.y_mean)
    assert_array_equal(of_csr.y_scale, of_dense.y_scale)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [0.0, 0.1, -1e6])
def test_constant_columns(constant, dtype, rng):
    network = NETWORKS["tagger"]()
    X, y, weight = random_data(network, rng)
    X[:, 1] = constant
    shards = make_shards(network, X, y, weight, dtype=dtype)
    scaling = scaling_of(shards, network, "softmax")
    assert scaling.x_scale[1] == 1.0
    apply(scaling, shards, False)
    eps = np.finfo(dtype).eps
    for shard in shards:
        assert shard.X.dtype == dtype
        assert_allclose(shard.X[:, 1], 0.0, atol=10 * eps * abs(constant))


@pytest.mark.parametrize("n_rows", [1000, 10**5])
def test_constant_columns_of_many_rows(n_rows):
    network = NETWORKS["tagger"]()
    X, y, weight = np.full((n_rows, D), 0.1), np.zeros(n_rows, int), np.full(n_rows, 1 / n_rows)
    shards = make_shards(network, X, y, weight, np.array([n_rows]))
    assert_array_equal(scaling_of(shards, network, "softmax").x_scale, 1.0)


def test_nearly_constant_columns_are_not_constant(rng):
    network = NETWORKS["tagger"]()
    X, y, weight = random_data(network, rng)
    X[:, 1] = 1.0 + 1e-8 * X[:, 0]
    scaling = scaling_of(make_shards(network, X, y, weight), network, "softmax")
    assert_allclose(scaling.x_scale[1], 1e-8 * scaling.x_scale[0], rtol=1e-6)


@pytest.mark.parametrize("name", ["tagger", "classifier"])
def test_rows_without_weight_do_not_count(name, rng):
    network = NETWORKS[name]()
    X, y, weight = data_off_scale(network, rng, "squared")
    scaling = scaling_of(make_shards(network, X, y, weight), network, "squared")
    X[step_weights(network, weight) == 0] = 1e20
    y[weight == 0] = 1e20
    again = scaling_of(make_shards(network, X, y, weight), network, "squared")
    for before, after in zip(vars(scaling).values(), vars(again).values()):
        assert_array_equal(after, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_column_that_varies_only_where_there_is_no_weight_keeps_its_scale(dtype):
    X = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 3.0]], dtype=dtype)
    shards = cut(X, np.array([1, 1, 1]), True, np.zeros(3, int), np.array([0.5, 0.5, 1e-120]))
    scaling = standardisation(shards, 2, True, False)
    assert_allclose(scaling.x_scale, [1.0, 0.5], rtol=1e-12)
