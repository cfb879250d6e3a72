"""Partitions of Dask collections: functions run where the partitions are.

Dask places the partitions, keeps what is to be kept, and computes anew what a lost worker held. All
of its schedulers can do so, that of a cluster and those of this process, since only functions that
they share are called. Without Dask nothing here is called but `is_collection`.
"""

from functools import partial, reduce

from .threads import shard_map


def is_collection(X) -> bool:
    """Return whether X is a Dask collection, or a list of delayed partitions."""
    first = X[0] if isinstance(X, list | tuple) and X else X
    return hasattr(type(first), "__dask_graph__")


def partitions_of(collection, name: str) -> list:
    """Return the partitions of a Dask collection as delayed objects.

    Parameters
    ----------
    collection : dask array, DataFrame, Series or bag, or list of delayed objects
    name : str
        The name of the argument in messages.

    Raises
    ------
    TypeError, ValueError
        If it is no collection, or an array that is chunked along other axes than the first.
    """
    if not is_collection(collection):
        raise TypeError(
            f"{name} is a {type(collection).__name__}, but X is a collection of Dask. Pass {name} "
            "as one with the same partitions: a column of the same DataFrame, or an array with the "
            "chunks of X by dask.array.from_array."
        )
    from dask import delayed
    from dask.delayed import Delayed

    if isinstance(collection, list | tuple):
        others = [type(part).__name__ for part in collection if not isinstance(part, Delayed)]
        if others:
            raise TypeError(f"{name} holds a {others[0]} among delayed partitions. Delay it, too.")
        return list(collection)
    if isinstance(collection, Delayed):
        return [collection]
    if hasattr(collection, "numblocks"):
        _check_chunks(collection, name)
        return collection.to_delayed().ravel().tolist()
    parts = collection.to_delayed()
    if not hasattr(collection, "columns") and not hasattr(collection, "dtype"):
        parts = list(map(delayed(list), parts))  # of a bag they may be iterators
    return parts


def _check_chunks(array, name):
    axes = [axis for axis, n_blocks in enumerate(array.numblocks) if axis and n_blocks > 1]
    if axes:
        raise ValueError(
            f"{name} is chunked along axis {axes[0]}, but each sequence must be in one chunk. Call "
            f"{name}.rechunk({{{', '.join(f'{axis}: -1' for axis in axes)}}})."
        )


def lazy_list(function, parts) -> list:
    """Return ``function(part)`` of delayed partitions, delayed."""
    from dask import delayed

    return list(map(delayed(function, pure=False), partitions_of(parts, "X")))


def lazy_array(function, collection, tail: tuple, dtype):
    """Return a dask array of ``function(part)``, one after the other, of shape (n, *tail)."""
    from dask import array

    parts = lazy_list(function, partitions_of(collection, "X"))
    lengths = collection.chunks[0] if hasattr(collection, "chunks") else [float("nan")] * len(parts)
    blocks = [array.from_delayed(part, (n, *tail), dtype) for n, part in zip(lengths, parts)]
    return array.concatenate(blocks, allow_unknown_chunksizes=True)


class Partitions:
    """A value for each partition, held by Dask.

    Parameters
    ----------
    values : sequence of delayed objects
    """

    def __init__(self, values):
        self._values = values

    @classmethod
    def of(cls, *collections):
        """Return tuples ``(number, *parts)`` of the partitions of lists; nothing is kept yet."""
        from dask import delayed

        return cls([delayed(_tuple)(i, *parts) for i, parts in enumerate(zip(*collections))])

    def gather(self, function) -> list:
        """Return ``function(value)`` for each partition."""
        from dask import compute

        return list(compute(*self._calls(function)))

    def keep(self, function):
        """Return ``function(value)`` as `Partitions`: the results stay where they are."""
        from dask import persist

        return Partitions(persist(*self._calls(function)))

    def _calls(self, function):
        from dask import delayed

        return list(map(delayed(function, pure=False), self._values))

    def where(self, chosen):
        """Return those partitions alone for which ``chosen`` holds true."""
        return Partitions([value for value, is_chosen in zip(self._values, chosen) if is_chosen])

    def release(self):
        """Let Dask free the memory."""
        self._values = None


def _tuple(*values):
    return values


class PartitionedShards:
    """Shards in partitions, on which functions run; see `Shards`.

    Parameters
    ----------
    partitions : Partitions
        Each of a list of shards, or of what a function has returned for each.
    dtype
        The precision of the features.
    """

    def __init__(self, partitions: Partitions, dtype):
        self._partitions = partitions
        self.dtype = dtype

    def addends(self, function):
        """Return the sums of ``function(shard)`` over the shards of each partition."""
        return self._partitions.gather(partial(_total, function))

    def keep(self, function):
        """Return the results of ``function(shard)``, which stay in their partitions."""
        return PartitionedShards(self._partitions.keep(partial(_each, function)), self.dtype)


def _each(function, shards):
    # the partitions of a worker are its tasks side by side, so one thread is right for each
    with shard_map(1) as map_:
        return list(map_(function, shards))


def _total(function, shards):
    with shard_map(1) as map_:
        return reduce(_sum, map_(function, shards))


def _sum(a, b):
    return tuple(map(_sum, a, b)) if isinstance(a, tuple) else a + b
