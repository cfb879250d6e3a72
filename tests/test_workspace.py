"""Memory that is reused from shard to shard."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_array_equal

from sklearn_rnn._execution.workspace import ALIGNMENT_BYTES, Workspace

SHAPES = [((3, 5), np.float64), ((7,), np.float32), ((2, 2), np.complex128), ((4, 0), float)]


def fill(workspace):
    with workspace:
        arrays = [workspace.empty(shape, dtype) for shape, dtype in SHAPES]
        for i, array in enumerate(arrays):
            array.fill(i)
    return arrays


def share_memory(arrays, others):
    return any(np.shares_memory(a, b) for a in arrays for b in others)


def test_arrays_have_their_shape_and_do_not_overlap():
    workspace = Workspace()
    for _ in range(3):
        arrays = fill(workspace)
        for i, (array, (shape, dtype)) in enumerate(zip(arrays, SHAPES)):
            assert (array.shape, array.dtype) == (shape, dtype)
            assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned
            assert_array_equal(array, np.full(shape, i, dtype))


def test_memory_is_reused_after_the_first_evaluation():
    workspace = Workspace()
    fill(workspace)
    before = fill(workspace)
    after = fill(workspace)
    for one, other in zip(before[:3], after):
        assert np.shares_memory(one, other)
    starts = [array.ctypes.data for array in after[:3]]
    assert all((start - starts[0]) % ALIGNMENT_BYTES == 0 for start in starts)


def test_threads_do_not_share_memory():
    workspace = Workspace()
    for _ in range(2):
        fill(workspace)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            theirs = pool.submit(fill, workspace).result()
    assert not share_memory(fill(workspace), theirs)


def test_arrays_outside_an_evaluation_are_kept():
    workspace = Workspace()
    for _ in range(2):
        fill(workspace)
    kept = [workspace.empty(shape, dtype) for shape, dtype in SHAPES]
    again = [workspace.empty(shape, dtype) for shape, dtype in SHAPES]
    assert not share_memory(kept, again + fill(workspace))


def test_an_error_ends_the_evaluation():
    workspace = Workspace()
    fill(workspace)
    try:
        with workspace:
            raise ValueError
    except ValueError:
        pass
    assert not share_memory([workspace.empty((3, 5), float)], fill(workspace))


def test_pickle_gives_a_new_workspace():
    workspace = Workspace()
    fill(workspace)
    other = pickle.loads(pickle.dumps(workspace))
    assert not share_memory(fill(workspace), fill(other))
