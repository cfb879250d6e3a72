"""Memory that is used again."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_array_equal

from sklearn_rnn._scratch import ALIGNMENT, Scratch

SHAPES = [((3, 5), np.float64), ((7,), np.float32), ((2, 2), np.complex128), ((4, 0), float)]


def fill(scratch):
    empty = scratch.begin()
    arrays = [empty(shape, dtype) for shape, dtype in SHAPES]
    for i, array in enumerate(arrays):
        array.fill(i)
    return arrays


def test_arrays_are_apart_and_as_asked_for():
    scratch = Scratch()
    for _ in range(3):
        arrays = fill(scratch)
        for i, (array, (shape, dtype)) in enumerate(zip(arrays, SHAPES)):
            assert (array.shape, array.dtype) == (shape, dtype)
            assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned
            assert_array_equal(array, np.full(shape, i, dtype))


def test_memory_is_used_again_once_it_is_known_how_much_it_takes():
    scratch = Scratch()
    fill(scratch)
    fill(scratch)
    before = fill(scratch)
    after = fill(scratch)
    for one, other in zip(before[:3], after):
        assert np.shares_memory(one, other)
    starts = [array.ctypes.data for array in after[:3]]
    assert all((start - starts[0]) % ALIGNMENT == 0 for start in starts)


def test_threads_have_memory_of_their_own():
    scratch = Scratch()
    for _ in range(2):
        fill(scratch)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            theirs = pool.submit(fill, scratch).result()
    ours = fill(scratch)
    assert not any(np.shares_memory(a, b) for a in ours for b in theirs)
