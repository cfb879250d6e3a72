"""Work cut into shards of whole sequences, which run on threads.

How sequences are shared out depends on their lengths alone, and results are summed in the order of
the shards, so nothing depends on how many threads there are.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import joblib
import numpy as np
from scipy import sparse
from threadpoolctl import ThreadpoolController

from ._packing import Packing

# A shard has this many sequences, so that a matrix product at one step is worth its call; of short
# ones more, up to this many rows, whose states still fit the cache.
SEQUENCES = 64
ROWS = 4096


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


def cut(X, lengths, per_step, y=None, weight=None, among=None):
    """Cut sequences into shards of neighbours in length; their X is a copy.

    Parameters
    ----------
    X : ndarray or csr_array of shape (N, D)
        One sequence after the other.
    lengths : ndarray of int, shape (S,)
    per_step : bool
        Whether there is a target for each step, or for each sequence.
    y, weight : ndarray of shape (N, ...) or (S, ...), optional
        Targets and their weights.
    among : ndarray of int, optional
        The sequences to take; all by default.

    Returns
    -------
    list of Shard
    """
    starts = np.cumsum(lengths) - lengths
    among = np.arange(len(lengths)) if among is None else among
    return [
        pack(X, starts, lengths, per_step, y, weight, sequences)
        for sequences in _neighbours(lengths, among)
    ]


def pack(X, starts, lengths, per_step, y, weight, sequences):
    """One shard of the given sequences; for the rest see `cut`.

    ``starts`` (S,) is the row at which each sequence of X starts.
    """
    sequences = _longest_first(lengths, sequences)
    packing = Packing(lengths[sequences])
    rows = packing.rows(starts[sequences])
    targets = rows if per_step else sequences
    return Shard(
        X[rows],
        packing,
        None if y is None else y[targets],
        None if weight is None else weight[targets],
        targets,
    )


def sequence_weight(shards, per_step):
    """Sum of the weights of all sequences; that of a sequence is the mean over its steps."""
    if not per_step:
        return sum(shard.weight.sum() for shard in shards)
    return sum(
        (shard.weight / shard.packing.lengths[shard.packing.sequence]).sum() for shard in shards
    )


def normalise_weights(shards):
    """Scale the shards' weights, in place, so that they sum to one; return what they summed to."""
    total = sum(shard.weight.sum() for shard in shards)
    for shard in shards:
        shard.weight[...] /= total
    return total


def _neighbours(lengths, sequences):
    """The sequences of each shard, longest first."""
    order = _longest_first(lengths, sequences)
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        stop = start + max(SEQUENCES, ROWS // longest)
        yield order[start:stop]
        start = stop


def _longest_first(lengths, sequences):
    return sequences[np.argsort(-lengths[sequences], kind="stable")]


@contextmanager
def shard_map(n_jobs):
    """A function like `map`, on ``n_jobs`` threads (as joblib counts them).

    BLAS is held to one thread meanwhile: threads of its own would compete with these.
    """
    n_threads = joblib.effective_n_jobs(n_jobs)
    with _controller().limit(limits=1, user_api="blas"):
        if n_threads == 1:
            yield map
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                yield pool.map


@cache
def _controller():
    """One for all calls: to look for the libraries takes milliseconds."""
    return ThreadpoolController()
