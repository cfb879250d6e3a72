"""Work cut into shards of whole sequences, which run on threads.

How sequences are shared out depends on their lengths alone, and results are summed in the order of
the shards, so nothing depends on how many threads there are.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from math import ceil

import joblib
import numpy as np
from scipy import sparse

from ._blas import OneBlasThread
from ._packing import Packing

# A shard has up to this many sequences, so that what is done at one step is worth the calls; of
# short ones more, up to so many rows, and of long ones fewer, lest the states fill the memory.
SEQUENCES = 150
FEW_ROWS, MANY_ROWS = 4096, 50_000


@dataclass(frozen=True)
class Shard:
    """Some sequences, packed, with their targets and weights.

    Attributes
    ----------
    X : ndarray or csr_array of shape (n, D)
        Packed steps.
    packing : Packing
    y : ndarray or None
        Targets, in the order of the packed rows, or of the sequences where a network pools.
    weight : ndarray or None
        Normalised weight of each target.
    targets : ndarray of int
        Where the targets stand in the data that were cut.
    """

    X: np.ndarray | sparse.csr_array
    packing: Packing
    y: np.ndarray | None
    weight: np.ndarray | None
    targets: np.ndarray

    def load(self):
        """Itself, as of `Deferred`."""
        return self


@dataclass(frozen=True)
class Deferred:
    """A shard that is packed when it is needed, so that not all are in memory at once.

    Attributes
    ----------
    pack : callable
        ``pack(sequences)`` is the shard.
    sequences : ndarray of int
    """

    pack: Callable[[np.ndarray], Shard]
    sequences: np.ndarray

    def load(self):
        return self.pack(self.sequences)


def pack(X, starts, lengths, per_step, y, weight, sequences):
    """Pack some sequences into one shard, whose arrays are copies.

    Parameters
    ----------
    X : ndarray or csr_array of shape (N, D)
        One sequence after the other.
    starts, lengths : ndarray of int, shape (S,)
        First row of each sequence, and its number of rows.
    per_step : bool
        Whether there is a target for each step, or for each sequence.
    y, weight : ndarray of shape (N, ...) or (S, ...), or None
        Targets and their weights.
    sequences : ndarray of int
        Which to pack.

    Returns
    -------
    Shard
    """
    sequences = _longest_first(lengths, sequences)
    packing = Packing(lengths[sequences])
    rows = packing.rows(starts[sequences])
    targets = rows if per_step else sequences
    return Shard(
        X[rows] if sparse.issparse(X) else np.take(X, rows, axis=0),
        packing,
        None if y is None else y[targets],
        None if weight is None else weight[targets],
        targets,
    )


def share_out(lengths, sequences=None):
    """The sequences of each shard, neighbours in length, longest first; all sequences by default.

    All shards have about as many rows, and their number is even, for two threads.
    """
    sequences = np.arange(len(lengths)) if sequences is None else sequences
    order = _longest_first(lengths, sequences)
    lengths = lengths[order]
    room = np.clip(SEQUENCES, FEW_ROWS // lengths, np.maximum(1, MANY_ROWS // lengths))
    n_shards = ceil((1.0 / room).sum() - 1e-9)
    n_shards += n_shards % 2 if n_shards > 1 else 0
    # a sequence goes where its middle falls
    middles = np.cumsum(lengths) - 0.5 * lengths
    bounds = np.searchsorted(middles, lengths.sum() * np.arange(1, n_shards) / n_shards)
    return [part for part in np.split(order, bounds) if len(part)]


def _longest_first(lengths, sequences):
    return sequences[np.argsort(-lengths[sequences], kind="stable")]


@contextmanager
def shard_map(n_jobs):
    """A function like `map`, on ``n_jobs`` threads (as joblib counts them).

    BLAS is held to one thread meanwhile: threads of its own would compete with these.
    """
    n_threads = _n_threads(n_jobs)
    with OneBlasThread():
        if n_threads == 1:
            yield map
        else:
            apart = {"initializer": _keep_apart, "initargs": (count(), n_threads)}
            with ThreadPoolExecutor(n_threads, **apart) as pool:
                # one shard alone is quicker where it is
                yield lambda f, *parts: (map if len(parts[0]) == 1 else pool.map)(f, *parts)


def _keep_apart(numbers, n_threads):
    """Keep the calling thread, one of a pool, to cores of its own.

    The threads wake each other hundreds of times for each shard, as they hand over Python's lock.
    Linux takes what wakes each other for best kept together, and puts them on one core.
    """
    number = next(numbers)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        with suppress(OSError):  # of none, or where it is forbidden
            os.sched_setaffinity(0, cores[number::n_threads])


def _n_threads(n_jobs):
    backend, _ = joblib.parallel.get_active_backend()
    # a worker of joblib's has a share of the cores already
    return 1 if backend.nesting_level else joblib.effective_n_jobs(n_jobs)
