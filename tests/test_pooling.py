"""Pools against naive ones, and their two directions against each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_rnn._packing import Packing
from sklearn_rnn._pooling import POOLS, Pooled

LENGTHS = np.array([9, 4, 4, 2, 1, 1])
H = 4
NAIVE = {
    "last": lambda states: states[-1],
    "mean": lambda states: states.mean(axis=0),
    "max": lambda states: states.max(axis=0),
}


def packed_states(rng, lengths=LENGTHS):
    packing = Packing(lengths)
    return rng.standard_normal((packing.n_rows, H)), packing


def of_each_sequence(A, packing):
    return [A[packing.sequence == s] for s in range(packing.n_sequences)]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("names", [("last",), ("mean",), ("max",), ("last", "mean", "max")])
@pytest.mark.parametrize("lengths", [LENGTHS, np.full(3, 5), np.ones(2, int)], ids=str)
def test_push_and_pull_are_adjoint(names, bidirectional, lengths, rng):
    A, packing = packed_states(rng, lengths)
    pooled = Pooled(names, A, packing, bidirectional)
    tangent = rng.standard_normal(A.shape)
    R = rng.standard_normal((packing.n_sequences, H * len(names)))
    assert_allclose(np.vdot(R, pooled.push(tangent)), np.vdot(pooled.pull(R), tangent), rtol=1e-12)


@pytest.mark.parametrize("name", POOLS)
def test_naive_value(name, rng):
    A, packing = packed_states(rng)
    expected = [NAIVE[name](states) for states in of_each_sequence(A, packing)]
    assert_allclose(Pooled((name,), A, packing, False).push(A), expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["mean", "max"])
def test_order_of_time_does_not_matter(name, rng):
    A, packing = packed_states(rng)
    one_way, both_ways = (Pooled((name,), A, packing, both).push(A) for both in (False, True))
    assert_array_equal(one_way, both_ways)


def test_last_of_both_directions(rng):
    A, packing = packed_states(rng)
    expected = [
        np.concatenate([states[-1, : H // 2], states[0, H // 2 :]])
        for states in of_each_sequence(A, packing)
    ]
    assert_array_equal(Pooled(("last",), A, packing, True).push(A), expected)


def test_pools_stand_side_by_side(rng):
    A, packing = packed_states(rng)
    parts = [Pooled((name,), A, packing, False).push(A) for name in POOLS]
    assert_array_equal(Pooled(tuple(POOLS), A, packing, False).push(A), np.hstack(parts))


def test_of_equal_values_the_earliest_wins():
    packing = Packing(LENGTHS)
    A = np.zeros((packing.n_rows, H))
    dA = Pooled(("max",), A, packing, False).pull(np.ones((packing.n_sequences, H)))
    assert_array_equal(dA[packing.first], 1.0)
    assert_array_equal(dA[packing.n_sequences :], 0.0)


@pytest.mark.parametrize("name", POOLS)
def test_precision_is_kept(name, rng):
    A, packing = packed_states(rng)
    A = A.astype(np.float32)
    pooled = Pooled((name,), A, packing, False)
    Q = pooled.push(A)
    assert Q.dtype == pooled.pull(Q).dtype == np.float32
