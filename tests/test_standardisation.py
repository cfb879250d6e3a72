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
    build,
    cut,
    is_per_step,
    make_shards,
    random_data,
    random_parameters,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn._execution import shards
from sklearn_rnn._execution.shards import Data
from sklearn_rnn._networks.parameters import ravel, views
from sklearn_rnn._training.standardisation import standardisation

parametrize_cases = pytest.mark.parametrize(("name", "output"), CASES)


@pytest.fixture(autouse=True)
def fine_cut(monkeypatch):
    """Several shards, since moments are merged over shards."""
    monkeypatch.setattr(shards, "SEQUENCES_PER_SHARD", 2)
    monkeypatch.setattr(shards, "MIN_ROWS_PER_SHARD", 4)


def data_off_scale(network, rng):
    X, y, weight = random_data(network, rng)
    X = X * np.logspace(-2, 3, D) + 10 * np.arange(D)
    is_number = network.output.standardises_targets
    return X, y * np.arange(1, K + 1) - 7.0 if is_number else y, weight


def scaling_of(shards, network):
    return standardisation(shards, is_per_step(network), network.output.standardises_targets)


def apply(scaling, shards, with_targets):
    for shard in shards:
        scaling.apply(shard, with_targets)


def step_weights(network, weight):
    return weight if is_per_step(network) else np.repeat(weight, LENGTHS)


@parametrize_cases
def test_moments(name, output, rng):
    network = build(name, output)
    X, y, weight = data_off_scale(network, rng)
    scaling = scaling_of(make_shards(network, X, y, weight), network)
    expected = [(X, step_weights(network, weight), scaling.x_mean, scaling.x_scale)]
    if network.output.standardises_targets:
        expected.append((y, weight, scaling.y_mean, scaling.y_scale))
    else:
        assert_array_equal((scaling.y_mean, scaling.y_scale), [[0.0], [1.0]])
    for rows, weight, mean, scale in expected:
        average = np.average(rows, axis=0, weights=weight)
        deviation = np.sqrt(np.average((rows - average) ** 2, axis=0, weights=weight))
        assert_allclose(mean, average, rtol=1e-12)
        assert_allclose(scale, deviation, rtol=1e-12)


@parametrize_cases
def test_standardised_data_have_standard_moments(name, output, rng):
    network = build(name, output)
    shards = make_shards(network, *data_off_scale(network, rng))
    labels = np.concatenate([shard.y for shard in shards])
    with_targets = network.output.standardises_targets
    apply(scaling_of(shards, network), shards, with_targets)
    again = scaling_of(shards, network)
    assert_allclose(again.x_mean, 0.0, atol=1e-12)
    assert_allclose(again.x_scale, 1.0, rtol=1e-12)
    assert_allclose(again.y_mean, 0.0, atol=1e-12)
    assert_allclose(again.y_scale, 1.0, rtol=1e-12)
    if not with_targets:
        assert_array_equal(np.concatenate([shard.y for shard in shards]), labels)


@parametrize_cases
def test_fold_and_unfold_are_inverse(name, output, rng):
    network = build(name, output)
    scaling = scaling_of(make_shards(network, *data_off_scale(network, rng)), network)
    w = random_parameters(network, rng)
    p, given = views(w, network.shapes), w.copy()
    for there_and_back in (
        scaling.unfold(network, scaling.fold(network, p)),
        scaling.fold(network, scaling.unfold(network, p)),
    ):
        assert there_and_back.keys() == p.keys()
        for name, value in p.items():
            assert_allclose(there_and_back[name], value, rtol=1e-10, atol=1e-10)
    assert_array_equal(w, given)


@parametrize_cases
def test_folded_weights_work_on_data_that_are_not_standardised(name, output, rng):
    network = build(name, output)
    data = data_off_scale(network, rng)
    raw, standardised = make_shards(network, *data), make_shards(network, *data)
    scaling = scaling_of(raw, network)
    apply(scaling, standardised, network.output.standardises_targets)
    p = views(random_parameters(network, rng), network.shapes)
    folded = scaling.fold(network, p)
    for logits in (lambda *a: network.forward(*a)[0], network.infer):
        for here, there in zip(raw, standardised):
            Z = logits(p, there)
            assert_close(logits(folded, here), Z * scaling.y_scale + scaling.y_mean)


@pytest.mark.parametrize("name", NETWORKS)
def test_sparse_data_are_not_standardised(name, rng):
    network = NETWORKS[name]()
    data = data_off_scale(network, rng)
    shards, untouched = (make_shards(network, *data, csr=True) for _ in range(2))
    scaling = standardisation(shards, is_per_step(network), False)
    apply(scaling, shards, False)
    for shard, before in zip(shards, untouched):
        assert_array_equal(shard.X.toarray(), before.X.toarray())
    p = views(random_parameters(network, rng), network.shapes)
    for name, value in scaling.fold(network, p).items():
        assert_array_equal(value, p[name])


def test_targets_of_sparse_data(rng):
    network = NETWORKS["classifier"](output="squared")
    data = data_off_scale(network, rng)
    of_dense, of_csr = (
        scaling_of(make_shards(network, *data, csr=csr), network) for csr in (False, True)
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
    scaling = scaling_of(shards, network)
    assert scaling.x_scale[1] == 1.0
    assert_array_equal(scaling.x_is_constant, np.arange(D) == 1)
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
    assert_array_equal(scaling_of(shards, network).x_scale, 1.0)


def test_nearly_constant_columns_are_not_constant(rng):
    network = NETWORKS["tagger"]()
    X, y, weight = random_data(network, rng)
    X[:, 1] = 1.0 + 1e-8 * X[:, 0]
    scaling = scaling_of(make_shards(network, X, y, weight), network)
    assert_allclose(scaling.x_scale[1], 1e-8 * scaling.x_scale[0], rtol=1e-6)


@pytest.mark.parametrize("name", ["tagger", "classifier", "simulation"])
def test_rows_without_weight_do_not_count(name, rng):
    network = NETWORKS[name](output="squared")
    X, y, weight = data_off_scale(network, rng)
    scaling = scaling_of(make_shards(network, X, y, weight), network)
    X[step_weights(network, weight) == 0] = 1e20
    y[weight == 0] = 1e20
    again = scaling_of(make_shards(network, X, y, weight), network)
    for before, after in zip(vars(scaling).values(), vars(again).values()):
        assert_array_equal(after, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_that_vary_only_where_there_is_no_weight_are_constant(dtype):
    X = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 3.0]], dtype=dtype)
    weight = np.array([0.5, 0.5, 1e-120])
    shards = cut(Data(X, np.array([1, 1, 1]), np.zeros(3, int), weight, True))
    scaling = standardisation(shards, True, False)
    assert_array_equal(scaling.x_is_constant, [True, False])
    assert_allclose(scaling.x_scale, [1.0, 0.5], rtol=1e-12)


@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_constant_features_start_at_zero(name, csr, rng):
    network = NETWORKS[name]()
    X, y, weight = random_data(network, rng)
    X[:, 1] = 0.0 if csr else 7.0  # sparse features that are absent
    scaling = scaling_of(make_shards(network, X, y, weight, csr=csr), network)
    assert_array_equal(scaling.x_is_constant, np.arange(D) == 1)
    p = views(random_parameters(network, rng), network.shapes)
    before = ravel(p, network.shapes)
    start = scaling.without_constants(network, p)
    assert_array_equal(ravel(p, network.shapes), before)
    for W in network.input_biases:
        assert not start[W][1].any()
        start[W][1] = p[W][1]
    for key, value in p.items():
        assert_array_equal(start[key], value)


@pytest.mark.parametrize("tiny", [1e-170, 1e-300])
def test_variance_that_underflows_is_warned_of(tiny, rng):
    network = NETWORKS["tagger"]()
    X, y, weight = random_data(network, rng)
    X[:, 2] *= tiny
    with pytest.warns(UserWarning, match="variance of feature 2 underflows.*Scale it"):
        scaling = scaling_of(make_shards(network, X, y, weight), network)
    assert scaling.x_is_constant[2]


def test_variance_that_overflows_is_refused(rng):
    network = NETWORKS["tagger"]()
    X, y, weight = random_data(network, rng)
    X[:, 2] *= 1e200
    with pytest.raises(ValueError, match="variance of feature 2 overflows. Scale it"):
        scaling_of(make_shards(network, X, y, weight), network)
