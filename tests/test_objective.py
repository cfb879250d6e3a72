"""The penalised mean loss over all shards."""

import pickle
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from derivatives import (
    CASES,
    LENGTHS,
    NETWORKS,
    SHORT,
    assert_close,
    assert_gauss_newton,
    assert_gradient,
    build,
    flat_derivatives,
    hidden_feedback,
    is_per_step,
    make_shards,
    n_parameters,
    penalty_of,
    random_data,
    random_parameters,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn._execution import shards
from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._execution.threads import shard_map
from sklearn_rnn._execution.workspace import Workspace
from sklearn_rnn._networks.parameters import views
from sklearn_rnn._training.objective import Objective, shard_loss_gradient

ALPHA = 0.1

parametrize_cases = pytest.mark.parametrize(("name", "output"), CASES)
parametrize_networks = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture
def fine_cut(monkeypatch):
    """One sequence in each shard, except for the shortest."""
    monkeypatch.setattr(shards, "SEQUENCES_PER_SHARD", 1)
    monkeypatch.setattr(shards, "MIN_ROWS_PER_SHARD", 4)


def make_objective(network, data, lengths=LENGTHS, alpha=ALPHA, **options):
    shards = make_shards(network, *data, lengths, **options)
    return Objective(network, Shards(shards), penalty_of(network, alpha))


def results_of(objective, w, v):
    """All results of an objective, as one vector."""
    value, gradient = objective.loss_gradient(w)
    return np.concatenate([[value], gradient, objective.gauss_newton(w)(v)])


@parametrize_cases
def test_gradient(name, output, rng, fine_cut):
    network = build(name, output)
    objective = make_objective(network, random_data(network, rng))
    assert len(objective.shards) > 2
    assert_gradient(objective.loss_gradient, random_parameters(network, rng), rng)


@parametrize_cases
def test_gauss_newton(name, output, rng, fine_cut):
    network = build(name, output)
    data, w = random_data(network, rng, SHORT), random_parameters(network, rng)
    objective = make_objective(network, data, SHORT)
    assert len(objective.shards) > 1
    forwards = [flat_derivatives(network, shard, w)[0] for shard in objective.shards]
    y, weight = (
        np.concatenate([getattr(shard, name) for shard in objective.shards])
        for name in ("y", "weight")
    )
    assert_gauss_newton(
        objective.gauss_newton(w),
        lambda w: np.concatenate([forward(w) for forward in forwards]),
        lambda Z: network.output.loss_gradient({}, Z, SimpleNamespace(y=y, weight=weight))[1],
        w,
        penalty=objective.penalty.product(np.ones(len(w))),
    )


@parametrize_networks
def test_shards_sum_to_the_whole(name, rng, monkeypatch):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    results = []
    # the longest of the six sequences fills more than a sixth of the rows
    for n_sequences, n_shards in ((64, 1), (3, 2), (1, 4)):
        monkeypatch.setattr(shards, "SEQUENCES_PER_SHARD", n_sequences)
        monkeypatch.setattr(shards, "MIN_ROWS_PER_SHARD", 1)
        objective = make_objective(network, data)
        assert len(objective.shards) == n_shards
        results.append(results_of(objective, w, v))
    for cut_up in results[1:]:
        assert_close(cut_up, results[0], 1e-12)


@parametrize_networks
def test_results_do_not_depend_on_the_number_of_threads(name, rng, fine_cut):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    results = []
    for n_jobs in (None, 2):
        with shard_map(n_jobs) as map_:
            penalty = penalty_of(network, ALPHA)
            objective = Objective(network, Shards(make_shards(network, *data), map_), penalty)
            results.append(results_of(objective, w, v))
    assert_array_equal(*results)


@parametrize_networks
def test_penalty_is_added(name, rng):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    free, penalised = (
        results_of(make_objective(network, data, alpha=alpha), w, v) for alpha in (0, 3)
    )
    penalty = penalty_of(network, 3)
    value, gradient = penalty.loss_gradient(w)
    expected = np.concatenate([[value], gradient, penalty.product(v)])
    assert_allclose(penalised - free, expected, rtol=1e-10, atol=1e-12)


def of_sequences(data, lengths, chosen):
    """The data of chosen sequences, one after the other."""
    rows = np.concatenate([np.arange(n) + s for n, s in zip(lengths, np.cumsum(lengths) - lengths)])
    parts = np.split(rows, np.cumsum(lengths)[:-1])
    rows = np.concatenate([parts[s] for s in chosen])
    return [array[rows if len(array) == lengths.sum() else chosen] for array in data]


@parametrize_networks
@pytest.mark.parametrize("factor", [0, 2])
def test_weight_is_a_number_of_copies(name, factor, rng):
    network = NETWORKS[name]()
    X, y, weight = data = random_data(network, rng)
    w = random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    chosen = np.repeat(np.arange(len(LENGTHS)), [1, factor, 1, factor, 1, 1])
    factors = np.array([1, factor, 1, factor, 1, 1])
    scaled = weight * (np.repeat(factors, LENGTHS) if is_per_step(network) else factors)
    weighted = make_objective(network, (X, y, scaled))
    copied = make_objective(network, of_sequences(data, LENGTHS, chosen), lengths=LENGTHS[chosen])
    assert_close(results_of(weighted, w, v), results_of(copied, w, v), 1e-12)


@parametrize_networks
def test_methods_are_functions_of_their_arguments(name, rng):
    network = NETWORKS[name]()
    objective = make_objective(network, random_data(network, rng))
    w, v = random_parameters(network, rng), random_parameters(network, rng)
    given = w.copy(), v.copy()
    first = results_of(objective, w, v)
    product = objective.gauss_newton(w)
    results_of(objective, v, w)
    assert_array_equal(results_of(objective, w, v), first)
    assert_array_equal(product(v), first[1 + len(w) :])
    assert_array_equal((w, v), given)


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@parametrize_networks
def test_float32_data(name, csr, rng):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    single = make_objective(network, data, dtype=np.float32, csr=csr)
    value, gradient = single.loss_gradient(w)
    # the solver's vector is float64 for any data
    assert np.asarray(value).dtype == gradient.dtype == single.gauss_newton(w)(v).dtype == float
    assert {array.dtype.name for array in single.parameters(w).values()} == {"float32"}
    assert_close(results_of(single, w, v), results_of(make_objective(network, data), w, v), 1e-4)


@parametrize_networks
def test_shard_function_can_be_pickled(name, rng):
    """Other processes can compute the gradients of shards."""
    network = NETWORKS[name]()
    p = views(random_parameters(network, rng), network.shapes)
    for shard in make_shards(network, *random_data(network, rng)):
        shard = replace(shard, workspace=Workspace())
        function = partial(shard_loss_gradient, network, p)
        again, same_shard = pickle.loads(pickle.dumps((function, shard)))
        for one, other in zip(again(same_shard), function(shard)):
            assert_array_equal(one, other)


def test_overflow_returns_what_is_not_finite_without_a_warning(rng):
    network = hidden_feedback("identity")
    objective = make_objective(network, random_data(network, rng))
    value, gradient = objective.loss_gradient(np.full(n_parameters(objective.network), 1e100))
    assert not (np.isfinite(value) and np.isfinite(gradient).all())


@parametrize_networks
def test_gradients_are_right_at_logits_of_ten_thousand(name, rng):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    p = views(w, network.shapes)
    objective = make_objective(network, data)
    (shard,) = objective.shards
    p["W_out"] *= 1e4 / np.abs(network.forward(p, shard)[0]).max()
    assert np.abs(network.forward(p, shard)[0]).max() > 1e3
    assert_gradient(objective.loss_gradient, w, rng)
