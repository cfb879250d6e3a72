"""Memory that is reused from shard to shard."""

import math
import threading

import numpy as np

ALIGNMENT_BYTES = 64  # a cache line


class Workspace(threading.local):
    """A block of memory per thread, for the temporary arrays of one shard at a time.

    The operating system provides fresh memory of some megabytes page by page. Without reuse this
    takes 5 to 30 % of the time of a loss and gradient (benchmarks/README.md).
    """

    def __init__(self):
        self._block = np.empty(0, np.uint8)
        self._used_bytes = 0
        self._in_evaluation = False

    def __enter__(self):
        """Start the evaluation of a shard in this thread: memory of the last one is reused."""
        # The block grows here, to what the last evaluation asked for. It cannot grow in between,
        # when arrays point into it. So the first evaluation allocates as usual.
        if self._used_bytes > len(self._block):
            self._block = np.empty(self._used_bytes, np.uint8)
        self._used_bytes = 0
        self._in_evaluation = True
        return self

    def __exit__(self, *_):
        self._in_evaluation = False

    def empty(self, shape, dtype):
        """Return an uninitialised array like `np.empty`.

        Within ``with workspace:`` it is valid until the end of the block. Outside, where results
        are to be kept (the states of a Gauss-Newton matrix), it is an array of its own.
        """
        if not self._in_evaluation:
            return np.empty(shape, dtype)
        dtype = np.dtype(dtype)
        start = -(-self._used_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        self._used_bytes = start + math.prod(shape) * dtype.itemsize
        if self._used_bytes > len(self._block):
            return np.empty(shape, dtype)
        return self._block[start : self._used_bytes].view(dtype).reshape(shape)

    def __reduce__(self):
        """Pickle as a new workspace, since memory belongs to threads of this process."""
        return Workspace, ()
