"""Shards: which sequences stand together, and the threads they run on."""

import os
import threading

import numpy as np
import pytest
from derivatives import cut
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from tasks import blas_threads
from threadpoolctl import threadpool_limits

from sklearn_rnn import _blas, _sharding
from sklearn_rnn._blas import OneBlasThread
from sklearn_rnn._sharding import Deferred, pack, shard_map, share_out

some_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(np.array)


@pytest.fixture(autouse=True, scope="module")
def fine_cut():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sharding, "SEQUENCES", 3)
        patch.setattr(_sharding, "FEW_ROWS", 60)
        patch.setattr(_sharding, "MANY_ROWS", 90)
        yield


def owner(lengths):
    """Sequence and step of every row, one sequence after the other."""
    return np.repeat(np.arange(len(lengths)), lengths), np.concatenate([*map(np.arange, lengths)])


def cut_numbered(lengths, per_step, among=None):
    """Shards of data that tell where they come from."""
    sequence, step = owner(lengths)
    y = np.arange(len(sequence) if per_step else len(lengths))
    return cut(np.stack([sequence, step], axis=1), lengths, per_step, y, y + 0.5, among)


@pytest.mark.parametrize("per_step", [False, True])
@given(lengths=some_lengths)
def test_every_target_comes_once(per_step, lengths):
    shards = cut_numbered(lengths, per_step)
    targets = np.concatenate([shard.targets for shard in shards])
    assert_array_equal(np.sort(targets), np.arange(len(targets)))
    assert len(targets) == (lengths.sum() if per_step else len(lengths))
    for shard in shards:
        assert_array_equal(shard.y, shard.targets)
        assert_array_equal(shard.weight, shard.targets + 0.5)


@given(lengths=some_lengths)
def test_rows_stand_as_the_packing_says(lengths):
    for shard in cut_numbered(lengths, False):
        step = np.repeat(np.arange(len(shard.packing.running)), shard.packing.running)
        assert_array_equal(shard.X[:, 0], shard.targets[shard.packing.sequence])
        assert_array_equal(shard.X[:, 1], step)
    for shard in cut_numbered(lengths, True):
        starts = np.cumsum(lengths) - lengths
        assert_array_equal(shard.targets, starts[shard.X[:, 0]] + shard.X[:, 1])


@given(lengths=some_lengths)
def test_shards_are_neighbours_in_length(lengths):
    parts = share_out(lengths)
    # of equal length in the order they came
    assert_array_equal(np.concatenate(parts), np.argsort(-lengths, kind="stable"))
    for shard, part in zip(cut_numbered(lengths, False), parts, strict=True):
        assert_array_equal(shard.targets, part)
        assert_array_equal(shard.packing.lengths, lengths[part])


@given(lengths=some_lengths)
def test_shards_are_equally_full_and_for_two_threads(lengths):
    # three sequences, of short ones as many as have 60 rows, of long ones as many as have 90
    n_shards = np.ceil((1 / np.clip(3, 60 // lengths, 90 // lengths)).sum() - 1e-9)
    n_shards += n_shards % 2 if n_shards > 1 else 0
    n_rows = [lengths[part].sum() for part in share_out(lengths)]
    assert max(n_rows) - min(n_rows) <= 2 * lengths.max()
    # one sequence may be longer than a share
    assert len(n_rows) == n_shards or lengths.max() > lengths.sum() / n_shards


@pytest.mark.parametrize("per_step", [False, True])
@given(lengths=some_lengths, data=st.data())
def test_among(per_step, lengths, data):
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True))
    shards = cut_numbered(lengths, per_step, np.array(chosen))
    targets = np.concatenate([shard.targets for shard in shards])
    sequence = owner(lengths)[0]
    expected = np.flatnonzero(np.isin(sequence, chosen)) if per_step else np.sort(chosen)
    assert_array_equal(np.sort(targets), expected)
    assert set(np.concatenate([shard.X[:, 0] for shard in shards])) == set(chosen)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_shards_are_copies(kind, rng):
    X = kind(rng.standard_normal((6, 2)))
    y, weight = rng.standard_normal((2, 6))
    X_before, y_before, weight_before = X.copy(), y.copy(), weight.copy()
    for shard in cut(X, np.array([2, 4]), True, y, weight):
        assert type(shard.X) is type(X)
        values = shard.X.data if sparse.issparse(shard.X) else shard.X
        for array in (values, shard.y, shard.weight):
            array[...] = 0
    assert abs(X - X_before).max() == 0
    assert_array_equal((y, weight), (y_before, weight_before))


def test_to_predict_takes_neither_targets_nor_weights():
    (shard,) = cut(np.ones((3, 1)), np.array([1, 2]), True)
    assert shard.y is None and shard.weight is None


def test_deferred_is_packed_when_it_is_loaded():
    asked = []
    deferred = Deferred(lambda part: asked.append(part) or "shard", np.array([1, 2]))
    assert not asked
    assert deferred.load() == "shard"
    assert_array_equal(asked, [[1, 2]])
    (shard,) = cut_numbered(np.array([2, 1]), True)
    assert shard.load() is shard


@pytest.mark.parametrize("per_step", [False, True])
def test_pack(per_step):
    lengths = np.array([2, 5, 1, 5])
    sequence, step = owner(lengths)
    X, y = np.stack([sequence, step], axis=1), np.arange(13 if per_step else 4)
    starts = np.cumsum(lengths) - lengths
    shard = pack(X, starts, lengths, per_step, y, y + 0.5, np.array([2, 3, 1]))
    # longest first, of equal length in the order they came
    assert_array_equal(shard.packing.lengths, [5, 5, 1])
    assert_array_equal(shard.X[:3], [[3, 0], [1, 0], [2, 0]])
    assert_array_equal(shard.X[3:], [[s, t] for t in range(1, 5) for s in (3, 1)])
    rows = starts[shard.X[:, 0]] + shard.X[:, 1]
    assert_array_equal(shard.targets, rows if per_step else [3, 1, 2])
    assert_array_equal(shard.y, shard.targets)
    assert_array_equal(shard.weight, shard.targets + 0.5)


@pytest.fixture
def two_blas_threads():
    with threadpool_limits(limits=2, user_api="blas"):
        if set(blas_threads()) != {2}:
            pytest.skip("this BLAS cannot be told its threads")
        yield


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_map_holds_blas_to_one_thread(n_jobs, two_blas_threads):
    with shard_map(n_jobs) as map_:
        assert set(blas_threads()) == {1}
        assert list(map_(lambda a, b: a - b, range(9), range(9))) == [0] * 9
        assert list(map_(str, range(50))) == [str(i) for i in range(50)]
    assert set(blas_threads()) == {2}


def test_blas_has_its_threads_back_when_the_last_context_is_closed(two_blas_threads):
    one, other = OneBlasThread(), OneBlasThread()
    with one:
        other.__enter__()
    assert set(blas_threads()) == {1}
    # by a thread that did not open the first
    thread = threading.Thread(target=other.__exit__)
    thread.start()
    thread.join()
    assert set(blas_threads()) == {2}


def test_an_interrupt_of_the_closing_is_made_up_for(two_blas_threads, monkeypatch):
    context = OneBlasThread()
    context.__enter__()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_blas, "_set", interrupted)
        context.__exit__()
    del context
    assert set(blas_threads()) == {2}


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_an_exception_passes_through(n_jobs, two_blas_threads):
    with pytest.raises(ZeroDivisionError), shard_map(n_jobs) as map_:
        list(map_(lambda i: 1 / i, range(3)))
    assert set(blas_threads()) == {2}


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="threads cannot be kept to cores, or there is one",
)
def test_threads_keep_to_cores_of_their_own():
    cores = os.sched_getaffinity(0)
    barrier = threading.Barrier(2)
    with shard_map(2) as map_:
        one, other = map_(lambda _: barrier.wait() * 0 or os.sched_getaffinity(0), range(2))
    assert one and other and not one & other
    assert one | other == cores == os.sched_getaffinity(0)
