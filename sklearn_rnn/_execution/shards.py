"""Shards: groups of whole sequences, packed, that threads work on one by one.

The partition depends on the lengths alone, and results are summed in the order of the shards, so
results do not depend on the number of threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import sparse

from .._networks.packing import Packing
from .workspace import Workspace

# Enough sequences that the work of one time step outweighs the overhead of its NumPy calls. Shards
# of 75 are 5 % slower on one thread, shards of 500 no faster (benchmarks/README.md).
SEQUENCES_PER_SHARD = 150
# Short sequences: more per shard, since a shard of fewer rows costs more in overhead than in work.
MIN_ROWS_PER_SHARD = 4096
# Long sequences: fewer per shard, so that the states of a shard at 100 units take 40 MB at most.
MAX_ROWS_PER_SHARD = 50_000


@dataclass(frozen=True)
class Data:
    """Sequences with their targets and weights, one sequence after the other.

    Attributes
    ----------
    X : ndarray or csr_array of shape (N, D)
    lengths : ndarray of int, shape (S,)
        Steps of each sequence.
    y, weight : ndarray of shape (N, ...) or (S, ...), or None
        Targets and their weights.
    per_step : bool
        Whether there is one target per step; otherwise one per sequence.
    starts : ndarray of int, shape (S,), optional
        First row of each sequence; by default they follow one another. Pieces of long sequences may
        overlap.
    cores : ndarray of int, shape (S, 2), optional
        First step of each sequence whose target counts, and the first that does not any more; by
        default all count.
    n_indicators : int
        So many of the last features say which values are missing.
    """

    X: np.ndarray | sparse.csr_array
    lengths: np.ndarray
    y: np.ndarray | None
    weight: np.ndarray | None
    per_step: bool
    starts: np.ndarray | None = None
    cores: np.ndarray | None = None
    n_indicators: int = 0

    def __post_init__(self):
        if self.starts is None:
            object.__setattr__(self, "starts", np.cumsum(self.lengths) - self.lengths)

    def __sizeof__(self):
        return object.__sizeof__(self) + n_bytes(self.X) + n_bytes(self.y)


@dataclass(frozen=True)
class Shard:
    """Some sequences, packed, with their targets and weights.

    Attributes
    ----------
    X : ndarray or csr_array of shape (n, D)
        Packed steps.
    packing : Packing
    y : ndarray or None
        Targets, in the order of the packed rows or of the sequences.
    weight : ndarray or None
        Weight of each target.
    targets : ndarray of int
        Index of each target in the data.
    workspace : Workspace or None
        Memory behind ``packing.empty`` while the shard is evaluated within ``with workspace:``.
    """

    X: np.ndarray | sparse.csr_array
    packing: Packing
    y: np.ndarray | None
    weight: np.ndarray | None
    targets: np.ndarray
    workspace: Workspace | None = None

    def __sizeof__(self):
        return object.__sizeof__(self) + n_bytes(self.X) + n_bytes(self.y)

    def load(self):
        """Return self; mirrors `LazyShard.load`."""
        return self


@dataclass(frozen=True)
class LazyShard:
    """A shard that is packed each time it is needed, so that not all are in memory at once.

    Attributes
    ----------
    pack : callable
        ``pack(sequences)`` returns a `Shard`.
    sequences : ndarray of int
    """

    pack: Callable[[np.ndarray], Shard]
    sequences: np.ndarray

    def load(self):
        """Pack and return the shard."""
        return self.pack(self.sequences)


def n_bytes(array):
    """Return the bytes of an array or of the entries of a sparse one; by them Dask spills."""
    if array is None:
        return 0
    return array.data.nbytes + array.indices.nbytes if sparse.issparse(array) else array.nbytes


class Shards(list):
    """Shards in this process, and how functions run on them.

    Parameters
    ----------
    shards : list
        Of `Shard` or `LazyShard`, or what a function has returned for each.
    map : callable
        Maps a function over them, in their order.
    """

    def __init__(self, shards, map=map):
        super().__init__(shards)
        self._map = map

    @property
    def dtype(self):
        """The precision of the features."""
        return self[0].load().X.dtype

    def addends(self, function: Callable):
        """Return an iterator of the addends of a sum over all shards, in a fixed order.

        They are arrays or numbers, or tuples of these, as ``function(shard)`` returns them.
        """
        return self._map(function, self)

    def keep(self, function: Callable):
        """Return the results of ``function(shard)`` as `Shards`."""
        return Shards(self._map(function, self), self._map)


def pack(data: Data, sequences: np.ndarray, workspace: Workspace | None = None, like=None) -> Shard:
    """Pack the given sequences into one shard, whose arrays are copies.

    ``workspace`` provides the memory for work on the shard; by default NumPy does. ``like`` is the
    `Packing` of another shard with the same workspace, which is used again if it fits: then its
    slices are not made anew.
    """
    sequences = _longest_first(data.lengths, sequences)
    packing = like
    if like is None or not np.array_equal(like.lengths, data.lengths[sequences]):
        empty = np.empty if workspace is None else workspace.empty
        packing = Packing(data.lengths[sequences], empty)
    rows = packing.rows(data.starts[sequences])
    targets = rows if data.per_step else sequences
    return Shard(
        data.X[rows] if sparse.issparse(data.X) else np.take(data.X, rows, axis=0),
        packing,
        None if data.y is None else data.y[targets],
        _weights(data, sequences, packing, targets),
        targets,
        workspace,
    )


def _weights(data, sequences, packing, targets):
    """Weights of the targets, zero outside of the cores."""
    if data.weight is None or data.cores is None:
        return None if data.weight is None else data.weight[targets]
    first, end = data.cores[sequences[packing.sequence]].T
    step = np.repeat(np.arange(len(packing.running)), packing.running)
    return data.weight[targets] * ((first <= step) & (step < end))


def partition_into_shards(lengths, sequences=None):
    """Return the sequences of each shard, a list of arrays; all sequences by default.

    Sequences of similar length share a shard, the longest come first.
    """
    sequences = np.arange(len(lengths)) if sequences is None else sequences
    if len(sequences) == 1:  # what follows takes a tenth of the time of one short prediction
        return [sequences]
    order = _longest_first(lengths, sequences)
    lengths = lengths[order]
    per_shard = np.clip(
        SEQUENCES_PER_SHARD,
        MIN_ROWS_PER_SHARD // lengths,
        np.maximum(1, MAX_ROWS_PER_SHARD // lengths),
    )
    n_shards = ceil((1.0 / per_shard).sum() - 1e-9)
    if n_shards == 1:
        return [order]
    # An even number, so that two threads get the same number of shards.
    n_shards += n_shards % 2
    # All shards get about the same number of rows, as threads wait for the largest. Cut the rows
    # into equal parts; a sequence belongs to the part that contains its middle row, so that no
    # shard deviates from the mean by more than one sequence.
    middles = np.cumsum(lengths) - 0.5 * lengths
    bounds = np.searchsorted(middles, lengths.sum() * np.arange(1, n_shards) / n_shards)
    return [part for part in np.split(order, bounds) if len(part)]


def _longest_first(lengths, sequences):
    """Sort sequences by falling length, as the packed layout requires; ties keep their order."""
    return sequences[np.argsort(-lengths[sequences], kind="stable")]
