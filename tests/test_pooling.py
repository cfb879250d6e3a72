"""Pools against plain ones, their derivatives, and step by step."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.pooling import POOLS

LENGTHS = np.array([9, 4, 4, 2, 1, 1])
H = 4
NAIVE = {
    "last": lambda states: states[-1],
    "mean": lambda states: states.mean(axis=0),
    "max": lambda states: states.max(axis=0),
    "min": lambda states: states.min(axis=0),
    "std": lambda states: states.std(axis=0),
    "positive": lambda states: (states > 0).mean(axis=0),
}


def packed_states(rng, lengths=LENGTHS):
    packing = Packing(lengths)
    return rng.standard_normal((packing.n_rows, H)), packing


def of_each_sequence(A, packing):
    return [A[packing.sequence == s] for s in range(packing.n_sequences)]


def pooled(name, A, packing, n_directions=1):
    return POOLS[name].forward(A, packing, n_directions)[0]


@pytest.mark.parametrize("n_directions", [1, 2])
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("lengths", [LENGTHS, np.full(3, 5), np.ones(2, int)], ids=str)
def test_derivatives(name, n_directions, lengths, rng):
    A, packing = packed_states(rng, lengths)
    _, cache = POOLS[name].forward(A, packing, n_directions)
    tangent = rng.standard_normal(A.shape)
    dQ = POOLS[name].jvp(cache, tangent)
    shift = 1e-30j * tangent
    assert_allclose(dQ, pooled(name, A + shift, packing, n_directions).imag / 1e-30, rtol=1e-12)
    R = rng.standard_normal(dQ.shape)
    before = rng.standard_normal(A.shape)
    gradient = before.copy()
    POOLS[name].vjp(cache, R, gradient)  # adds
    assert_allclose(np.vdot(R, dQ), np.vdot(gradient - before, tangent), rtol=1e-10)


@pytest.mark.parametrize("name", POOLS)
def test_value(name, rng):
    A, packing = packed_states(rng)
    expected = [NAIVE[name](states) for states in of_each_sequence(A, packing)]
    assert_allclose(pooled(name, A, packing), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", POOLS)
def test_step_by_step(name, dtype, rng):
    pool, states = POOLS[name], rng.standard_normal((7, 3, H)).astype(dtype)
    gathered = pool.begin((3, H), dtype)
    for t, A in enumerate(states, start=1):
        given = A.copy(), gathered.copy()
        after = pool.update(gathered, A)
        assert_array_equal(A, given[0])
        assert_array_equal(gathered, given[1])
        gathered = after
        Q = pool.finish(gathered, t)
        assert Q.dtype == dtype
        expected = pooled(name, states[:t].reshape(-1, H), Packing(np.full(3, t)))
        assert_allclose(Q, expected, rtol=10 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("name", [name for name in POOLS if name != "last"])
def test_other_pools_than_the_last_do_not_depend_on_the_direction(name, rng):
    A, packing = packed_states(rng)
    assert_array_equal(pooled(name, A, packing, 1), pooled(name, A, packing, 2))


def test_last_of_both_directions(rng):
    A, packing = packed_states(rng)
    expected = [
        np.concatenate([states[-1, : H // 2], states[0, H // 2 :]])
        for states in of_each_sequence(A, packing)
    ]
    assert_array_equal(pooled("last", A, packing, 2), expected)


def test_max_of_equal_values_is_the_earliest():
    packing = Packing(LENGTHS)
    A = np.zeros((packing.n_rows, H))
    _, cache = POOLS["max"].forward(A, packing, 1)
    dA = np.zeros_like(A)
    POOLS["max"].vjp(cache, np.ones((packing.n_sequences, H)), dA)
    assert_array_equal(dA[packing.first], 1.0)
    assert_array_equal(dA[packing.n_sequences :], 0.0)


@pytest.mark.parametrize("name", POOLS)
def test_precision_is_kept(name, rng):
    A, packing = packed_states(rng)
    A = A.astype(np.float32)
    Q, cache = POOLS[name].forward(A, packing, 1)
    assert Q.dtype == POOLS[name].jvp(cache, A).dtype == np.float32


def test_a_constant_unit_has_no_deviation_and_no_gradient():
    packing = Packing(np.array([4, 2]))
    Q, cache = POOLS["std"].forward(np.full((6, H), 0.5), packing, 1)
    dA = np.zeros((6, H))
    POOLS["std"].vjp(cache, np.ones((2, H)), dA)
    assert not Q.any() and not dA.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_std_of_constant_states_has_no_gradient(dtype, rng):
    packing = Packing(LENGTHS)
    A = np.full((packing.n_rows, H), 0.1, dtype)  # the mean of nine would be rounded
    Q, cache = POOLS["std"].forward(A, packing, 1)
    assert_array_equal(Q, 0.0)
    assert_array_equal(POOLS["std"].jvp(cache, rng.standard_normal(A.shape).astype(dtype)), 0.0)
    dA = np.zeros_like(A)
    POOLS["std"].vjp(cache, np.ones_like(Q), dA)
    assert_array_equal(dA, 0.0)
