"""Memory that is used again, shard after shard."""

import threading

import numpy as np

ALIGNMENT = 64  # bytes, a line of the cache


class Scratch(threading.local):
    """Room for the arrays of one shard at a time, for each thread its own.

    Fresh memory of some megabytes comes from the operating system page by page, which can take a
    quarter of the time of a loss and gradient.
    """

    def __init__(self):
        self._block = np.empty(0, np.uint8)
        self._end = 0

    def begin(self):
        """Start anew: what `empty` gave before may be overwritten from now on."""
        if self._end > len(self._block):
            self._block = np.empty(self._end, np.uint8)
        self._end = 0
        return self.empty

    def empty(self, shape, dtype):
        """Like `np.empty`; the array lasts until `begin`."""
        dtype = np.dtype(dtype)
        start = -(-self._end // ALIGNMENT) * ALIGNMENT
        self._end = start + int(np.prod(shape)) * dtype.itemsize
        if self._end > len(self._block):
            return np.empty(shape, dtype)
        return self._block[start : self._end].view(dtype).reshape(shape)
