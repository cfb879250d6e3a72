"""Shards: which sequences share one, and how they are packed."""

import pickle

import numpy as np
import pytest
from derivatives import cut
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_rnn._execution import shards
from sklearn_rnn._execution.shards import Data, LazyShard, pack, partition_into_shards
from sklearn_rnn._execution.workspace import Workspace

some_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(np.array)


@pytest.fixture(autouse=True, scope="module")
def small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SEQUENCES_PER_SHARD", 3)
        patch.setattr(shards, "MIN_ROWS_PER_SHARD", 60)
        patch.setattr(shards, "MAX_ROWS_PER_SHARD", 90)
        yield


def sequence_and_step(lengths):
    """Return the sequence and the step of every row, one sequence after the other."""
    return np.repeat(np.arange(len(lengths)), lengths), np.concatenate([*map(np.arange, lengths)])


def make_shards(lengths, per_step, among=None):
    """Return shards of data whose entries are their own positions."""
    sequence, step = sequence_and_step(lengths)
    y = np.arange(len(sequence) if per_step else len(lengths))
    return cut(Data(np.stack([sequence, step], axis=1), lengths, y, y + 0.5, per_step), among)


@pytest.mark.parametrize("per_step", [False, True])
@given(lengths=some_lengths)
def test_every_target_is_in_one_shard(per_step, lengths):
    found = make_shards(lengths, per_step)
    targets = np.concatenate([shard.targets for shard in found])
    assert_array_equal(np.sort(targets), np.arange(len(targets)))
    assert len(targets) == (lengths.sum() if per_step else len(lengths))
    for shard in found:
        assert_array_equal(shard.y, shard.targets)
        assert_array_equal(shard.weight, shard.targets + 0.5)


@given(lengths=some_lengths)
def test_rows_follow_the_packing(lengths):
    for shard in make_shards(lengths, False):
        step = np.repeat(np.arange(len(shard.packing.running)), shard.packing.running)
        assert_array_equal(shard.X[:, 0], shard.targets[shard.packing.sequence])
        assert_array_equal(shard.X[:, 1], step)
    for shard in make_shards(lengths, True):
        starts = np.cumsum(lengths) - lengths
        assert_array_equal(shard.targets, starts[shard.X[:, 0]] + shard.X[:, 1])


@given(lengths=some_lengths)
def test_shards_hold_sequences_of_similar_length(lengths):
    parts = partition_into_shards(lengths)
    # ties keep their order
    assert_array_equal(np.concatenate(parts), np.argsort(-lengths, kind="stable"))
    for shard, part in zip(make_shards(lengths, False), parts, strict=True):
        assert_array_equal(shard.targets, part)
        assert_array_equal(shard.packing.lengths, lengths[part])


@given(lengths=some_lengths)
def test_shards_have_equal_rows_and_an_even_number(lengths):
    # three sequences per shard; of short ones as many as make 60 rows, of long ones at most 90
    n_shards = np.ceil((1 / np.clip(3, 60 // lengths, 90 // lengths)).sum() - 1e-9)
    n_shards += n_shards % 2 if n_shards > 1 else 0
    n_rows = [lengths[part].sum() for part in partition_into_shards(lengths)]
    assert max(n_rows) - min(n_rows) <= 2 * lengths.max()
    # a sequence may be longer than the rows of one shard
    assert len(n_rows) == n_shards or lengths.max() > lengths.sum() / n_shards


@pytest.mark.parametrize("per_step", [False, True])
@given(lengths=some_lengths, data=st.data())
def test_shards_of_chosen_sequences(per_step, lengths, data):
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True))
    found = make_shards(lengths, per_step, np.array(chosen))
    targets = np.concatenate([shard.targets for shard in found])
    sequence = sequence_and_step(lengths)[0]
    expected = np.flatnonzero(np.isin(sequence, chosen)) if per_step else np.sort(chosen)
    assert_array_equal(np.sort(targets), expected)
    assert set(np.concatenate([shard.X[:, 0] for shard in found])) == set(chosen)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_shards_are_copies(kind, rng):
    X = kind(rng.standard_normal((6, 2)))
    y, weight = rng.standard_normal((2, 6))
    X_before, y_before, weight_before = X.copy(), y.copy(), weight.copy()
    for shard in cut(Data(X, np.array([2, 4]), y, weight, True)):
        assert type(shard.X) is type(X)
        values = shard.X.data if sparse.issparse(shard.X) else shard.X
        for array in (values, shard.y, shard.weight):
            array[...] = 0
    assert abs(X - X_before).max() == 0
    assert_array_equal((y, weight), (y_before, weight_before))


def test_targets_and_weights_are_optional():
    (shard,) = cut(Data(np.ones((3, 1)), np.array([1, 2]), None, None, True))
    assert shard.y is None and shard.weight is None


def test_lazy_shard_is_packed_when_it_is_loaded():
    asked = []
    lazy = LazyShard(lambda part: asked.append(part) or "shard", np.array([1, 2]))
    assert not asked
    assert lazy.load() == "shard"
    assert_array_equal(asked, [[1, 2]])
    (shard,) = make_shards(np.array([2, 1]), True)
    assert shard.load() is shard


@pytest.mark.parametrize("per_step", [False, True])
def test_pack(per_step):
    lengths = np.array([2, 5, 1, 5])
    sequence, step = sequence_and_step(lengths)
    X, y = np.stack([sequence, step], axis=1), np.arange(13 if per_step else 4)
    starts = np.cumsum(lengths) - lengths
    shard = pack(Data(X, lengths, y, y + 0.5, per_step), np.array([2, 3, 1]))
    # longest first, ties keep their order
    assert_array_equal(shard.packing.lengths, [5, 5, 1])
    assert_array_equal(shard.X[:3], [[3, 0], [1, 0], [2, 0]])
    assert_array_equal(shard.X[3:], [[s, t] for t in range(1, 5) for s in (3, 1)])
    rows = starts[shard.X[:, 0]] + shard.X[:, 1]
    assert_array_equal(shard.targets, rows if per_step else [3, 1, 2])
    assert_array_equal(shard.y, shard.targets)
    assert_array_equal(shard.weight, shard.targets + 0.5)


def test_pack_uses_the_workspace():
    lengths, workspace = np.array([2, 1]), Workspace()
    data = Data(np.ones((3, 2)), lengths, None, None, True)
    assert pack(data, np.array([0, 1])).packing.empty is np.empty
    shard = pack(data, np.array([0, 1]), workspace)
    assert shard.workspace is workspace
    for _ in range(2):
        with workspace:
            array = shard.packing.empty((3, 4), float)
    assert np.shares_memory(array, workspace._block)
    # a worker process gets a workspace of its own
    other = pickle.loads(pickle.dumps(shard))
    assert_array_equal(other.X, shard.X)
    with other.workspace:
        assert other.packing.empty((3, 4), float).shape == (3, 4)
    assert other.packing.empty.__self__ is other.workspace
