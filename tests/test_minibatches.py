"""The objective on minibatches, against the objective on the whole."""

from dataclasses import replace

import numpy as np
import pytest
from derivatives import (
    CASES,
    LENGTHS,
    NETWORKS,
    D,
    assert_close,
    build,
    is_per_step,
    minibatch_objective,
    random_data,
    random_parameters,
    whole_objective,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_rnn._networks.parameters import ravel, views
from sklearn_rnn._training.minibatches import MINIBATCH_SEQUENCES

ALPHA = 0.1
MANY = np.tile(LENGTHS, 7)
# not all sequences, in an order of their own, and not a multiple of the size of a minibatch
MEMBERS = np.random.default_rng(0).permutation(len(MANY))[:37]
N_MINIBATCHES = 3

parametrize_cases = pytest.mark.parametrize(("name", "output"), CASES)
parametrize_networks = pytest.mark.parametrize("name", NETWORKS)
parametrize_csr = pytest.mark.parametrize("csr", [False, True])


def make_objective(network, rng, csr=False, alpha=ALPHA, seed=5, data=None):
    X, y, weight = random_data(network, rng, MANY) if data is None else data
    X = 3 * X + 1 if not csr else sparse.csr_array(X)
    return minibatch_objective(network, X, y, weight, MANY, alpha, MEMBERS, seed)


def rows_of(objective, sequences):
    """Indices of the targets of some sequences."""
    if not is_per_step(objective.network):
        return sequences
    starts = np.cumsum(MANY) - MANY
    return np.concatenate([np.arange(MANY[s]) + starts[s] for s in sequences])


def targets(objective, epoch):
    return [minibatch.shard.targets for minibatch in objective.minibatches(epoch)]


@parametrize_csr
@parametrize_networks
def test_minibatches_are_a_partition_of_the_members(name, csr, rng):
    objective = make_objective(NETWORKS[name](), rng, csr)
    minibatches = list(objective.minibatches(0))
    assert len(minibatches) == objective.n_minibatches == N_MINIBATCHES
    counts = [len(minibatch.shard.packing.lengths) for minibatch in minibatches]
    assert sum(counts) == len(MEMBERS)
    assert max(counts) <= MINIBATCH_SEQUENCES and max(counts) - min(counts) <= 1
    assert_array_equal(
        np.sort(np.concatenate([minibatch.shard.targets for minibatch in minibatches])),
        np.sort(rows_of(objective, MEMBERS)),
    )


def test_order_depends_on_seed_and_epoch(rng):
    network = NETWORKS["classifier"]()
    data = random_data(network, rng, MANY)
    objective, same, other = (
        make_objective(network, rng, seed=seed, data=data) for seed in (5, 5, 6)
    )
    first = np.concatenate(targets(objective, 0))
    assert_array_equal(np.concatenate(targets(same, 0)), first)
    # after other epochs, too
    targets(objective, 1)
    assert_array_equal(np.concatenate(targets(objective, 0)), first)
    for different in (targets(objective, 1), targets(other, 0)):
        together = np.concatenate(different)
        assert not np.array_equal(together, first)
        # not only the order of the minibatches differs, but which sequences share one
        assert {frozenset(t) for t in different} != {frozenset(t) for t in targets(objective, 0)}


@parametrize_csr
@parametrize_networks
def test_minibatches_have_the_data_of_the_shards(name, csr, rng):
    objective = make_objective(NETWORKS[name](), rng, csr)
    whole = {}
    for shard in objective.data.shards:
        X = shard.X.toarray() if csr else shard.X
        whole |= row_by_row(objective, shard, X, shard.weight)
    found = {}
    for minibatch in objective.minibatches(2):
        shard = minibatch.shard
        X = shard.X
        if csr:
            X = np.zeros((shard.X.shape[0], D))
            X[:, minibatch.rows["W_in0"]] = shard.X.toarray()
        share = len(shard.packing.lengths) / len(MEMBERS)
        found |= row_by_row(objective, shard, X, shard.weight * share)
    assert found.keys() == whole.keys()
    for key, row in found.items():
        assert_allclose(row, whole[key], rtol=1e-12, atol=1e-15)


def row_by_row(objective, shard, X, weight):
    """Features, target and weight of every row by (where its target stands, its step)."""
    targets = (
        shard.targets if is_per_step(objective.network) else shard.targets[shard.packing.sequence]
    )
    y, weight = (
        a if is_per_step(objective.network) else a[shard.packing.sequence]
        for a in (shard.y, weight)
    )
    step = np.repeat(np.arange(len(shard.packing.running)), shard.packing.running)
    rows = np.column_stack([X, y, weight])
    return {(int(t), int(s)): row for t, s, row in zip(targets, step, rows)}


def whole_gradient(minibatch, gradients, shapes):
    """The gradients of a minibatch, with zeros in the rows that it does not use."""
    whole = views(np.zeros(sum(map(np.prod, shapes.values()))), shapes)
    for name, gradient in gradients.items():
        whole[name][minibatch.rows.get(name, slice(None))] = gradient
    return ravel(whole, shapes)


def mean_of_minibatches(objective, w, epoch):
    """Loss and gradient at w, the mean over an epoch by the sequences in each minibatch."""
    p = views(w, objective.network.shapes)
    value, gradient = 0.0, np.zeros_like(w)
    for minibatch in objective.minibatches(epoch):
        share = len(minibatch.shard.packing.lengths) / len(MEMBERS)
        loss, gradients = minibatch.loss_gradient(p)
        value += share * loss
        gradient += share * whole_gradient(minibatch, gradients, objective.network.shapes)
    return value, gradient


@pytest.mark.parametrize("epoch", [0, 3])
@parametrize_cases
def test_mean_over_the_minibatches_is_the_whole(name, output, epoch, rng):
    network = build(name, output)
    objective = make_objective(network, rng)
    w = random_parameters(network, rng)
    value, gradient = mean_of_minibatches(objective, w, epoch)
    expected, expected_gradient = whole_objective(objective).loss_gradient(w)
    assert_close(gradient, expected_gradient)
    # the value of a minibatch does not contain the penalty
    assert_allclose(value + objective.penalty.loss_gradient(w)[0], expected, rtol=1e-12)


@parametrize_cases
def test_mean_over_the_minibatches_of_sparse_data_is_the_whole(name, output, rng):
    network = build(name, output)
    objective = make_objective(network, rng, csr=True, alpha=0.0)
    w = random_parameters(network, rng)
    value, gradient = mean_of_minibatches(objective, w, 0)
    expected, expected_gradient = whole_objective(objective).loss_gradient(w)
    assert_close(gradient, expected_gradient)
    assert_allclose(value, expected, rtol=1e-12)


@parametrize_networks
def test_sparse_and_dense_agree(name, rng):
    network = NETWORKS[name]()
    objective = make_objective(network, rng, csr=True)
    p = views(random_parameters(network, rng), network.shapes)
    for minibatch in objective.minibatches(0):
        shard, features = minibatch.shard, minibatch.rows["W_in0"]
        X = np.zeros((shard.X.shape[0], D))
        X[:, features] = shard.X.toarray()
        dense = replace(minibatch, shard=replace(shard, X=X), rows={})
        (value, gradients), (expected, of_dense) = (m.loss_gradient(p) for m in (minibatch, dense))
        assert_allclose(value, expected, rtol=1e-12)
        for key, gradient in gradients.items():
            assert_close(gradient, of_dense[key][minibatch.rows.get(key, slice(None))])


def rare_features(rng):
    """CSR data with a feature that occurs in one of MANY sequences, and one that never does."""
    X = np.zeros((MANY.sum(), D))
    X[:, 0] = rng.standard_normal(len(X))
    X[(np.cumsum(MANY) - MANY)[MEMBERS[0]], 2] = 1.0
    return X


@parametrize_networks
def test_a_minibatch_uses_the_sparse_features_that_occur(name, rng):
    network = NETWORKS[name]()
    _, y, weight = random_data(network, rng, MANY)
    objective = make_objective(network, rng, True, data=(rare_features(rng), y, weight))
    p = views(random_parameters(network, rng), network.shapes)
    rows = []
    for minibatch in objective.minibatches(0):
        assert minibatch.rows.keys() == network.input_biases.keys()
        rows.append(minibatch.rows["W_in0"].tolist())
        used = minibatch.used(p)
        for key in network.input_biases:
            assert_array_equal(used[key], p[key][rows[-1]])
        for key in p.keys() - network.input_biases.keys():
            assert used[key] is p[key]
        _, gradients = minibatch.loss_gradient(p)
        assert {key: g.shape for key, g in gradients.items()} == {
            key: value.shape for key, value in used.items()
        }
    assert sorted(rows) == [[0], [0], [0, 2]]


def test_a_minibatch_uses_all_dense_features(rng):
    network = NETWORKS["tagger"]()
    objective = make_objective(network, rng)
    p = views(random_parameters(network, rng), network.shapes)
    for minibatch in objective.minibatches(0):
        assert minibatch.rows == {}
        assert all(value is p[key] for key, value in minibatch.used(p).items())


@parametrize_networks
def test_sparse_features_are_penalised_where_they_occur(name, rng):
    network = NETWORKS[name]()
    _, y, weight = random_data(network, rng, MANY)
    data = rare_features(rng), y, weight
    free, held = (make_objective(network, rng, True, alpha=a, data=data) for a in (0.0, ALPHA))
    w = random_parameters(network, rng)
    difference = mean_of_minibatches(held, w, 0)[1] - mean_of_minibatches(free, w, 0)[1]
    expected = views(held.penalty.loss_gradient(w)[1], network.shapes)
    sizes = [len(minibatch.shard.packing.lengths) for minibatch in held.minibatches(0)]
    (i,) = [i for i, m in enumerate(held.minibatches(0)) if 2 in m.rows["W_in0"]]
    for W in network.input_biases:
        expected[W] *= np.array([1.0, 0.0, sizes[i] / len(MEMBERS), 0.0])[:, None]
    assert_allclose(difference, ravel(expected, network.shapes), rtol=1e-8, atol=1e-10)


@parametrize_csr
def test_data_are_not_changed(csr, rng):
    network = NETWORKS["tagger"]()
    objective = make_objective(network, rng, csr)
    shards = objective.data.shards
    arrays = [shard.X.data for shard in shards] if csr else [shard.X for shard in shards]
    arrays += [array for shard in shards for array in (shard.y, shard.weight)]
    before = [np.array(array) for array in arrays]
    w = random_parameters(network, rng)
    given = w.copy()
    mean_of_minibatches(objective, w, 0)
    assert_array_equal(w, given)
    for array, copy in zip(arrays, before):
        assert_array_equal(array, copy)


def test_fewer_sequences_than_a_minibatch_holds(rng):
    network = NETWORKS["classifier"]()
    objective = minibatch_objective(network, *random_data(network, rng), LENGTHS)
    (minibatch,) = objective.minibatches(0)
    w = random_parameters(network, rng)
    gradients = minibatch.loss_gradient(views(w, network.shapes))[1]
    assert_close(ravel(gradients, network.shapes), whole_objective(objective).loss_gradient(w)[1])
