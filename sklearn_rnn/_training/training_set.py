"""What a network is trained on: standardised sequences, in shards or minibatches."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._execution.shards import Data, LazyShard, Shards, pack, partition_into_shards
from .._execution.workspace import Workspace
from .recipe import INDICATOR_SCALE, STEPS_PER_OBSERVATION
from .standardisation import standardisation

# Shards are kept in memory if all rows take no more bytes; otherwise each is packed when its turn
# comes, which costs a few per cent of the time.
MAX_BYTES_KEPT = 2**26


class Examples(NamedTuple):
    """Sequences in memory, and which of them to train on.

    Attributes
    ----------
    data : Data
    members : ndarray of int
        The sequences to train on, without duplicates.
    """

    data: Data
    members: np.ndarray

    def training_set(self, with_targets, cut):
        """Return the `TrainingSet`, of pieces if the members are cut."""
        return TrainingSet(*self, with_targets, cut)


class TrainingSet:
    """Some of the sequences, standardised, their weights summing to one.

    Parameters
    ----------
    data : Data
        All sequences. They stay as they are.
    members : ndarray of int
        The sequences to train on.
    with_targets : bool
        Whether the targets are standardised, too.
    cut : callable, optional
        ``cut(data, members)`` returns the data and the members in pieces.

    Attributes
    ----------
    shards : list of Shard or LazyShard
        The members, or their pieces.
    n_sequences : int
        Number of members, or of their pieces.
    target_weight, observation_weight : float
        Sum of the weights of the members' targets; and of their observations: a sequence is one, or
        one for every `STEPS_PER_OBSERVATION` steps, with the mean weight of its steps.
    scaling : Standardisation
    dtype
        The data's precision.
    is_sparse, per_step : bool
    in_memory : bool
        Whether there are shards and minibatches in this process.
    """

    in_memory = True

    def __init__(self, data: Data, members: np.ndarray, with_targets: bool, cut=None):
        self.per_step = data.per_step
        self.is_sparse = sparse.issparse(data.X)
        self.dtype = data.X.dtype
        self._with_targets = with_targets
        self.target_weight, self.observation_weight = sums_of_weights(data, members)
        check_sum(self.target_weight)
        self._whole = replace(data, weight=data.weight / self.target_weight)
        self._workspace = Workspace()
        self._latest = None
        self._data, self._members = (
            (self._whole, members) if cut is None else cut(self._whole, members)
        )
        self.n_sequences = len(self._members)
        pack_raw = partial(pack, self._data, workspace=self._workspace)
        raw = self._shards(self._data, self._members, pack_raw)
        scaling = standardisation(raw, data.per_step, with_targets)
        self.scaling = scaling.with_small(data.n_indicators, INDICATOR_SCALE)
        self.shards = self._standardised(raw)

    def shards_on(self, map_):
        """Return the shards, on which ``map_`` runs functions."""
        return Shards(self.shards, map_)

    def pack(self, sequences):
        """Return one standardised shard of some members or pieces, by their numbers."""
        shard = pack(self._data, sequences, self._workspace, self._latest)
        self._latest = shard.packing  # minibatches of sequences of one length have equal packings
        return self._standardise(shard)

    def mean_square_norm(self):
        """Return the mean squared norm of the rows of sparse X, sequences by their weights."""
        total = 0.0
        for shard in self.shards:
            shard = shard.load()
            norms = shard.X.multiply(shard.X).sum(axis=1)
            packing = shard.packing
            total += norms @ (shard.weight / packing.lengths)[packing.sequence]
        return total

    def permutation(self, rng):
        """Return the numbers of all members or pieces in a random order."""
        return rng.permutation(self._members)

    def whole(self, sequences, data=None):
        """Return the standardised shards of whole sequences, members or not.

        With other ``data``, of the same kind, all their sequences.
        """
        if data is None:
            data = self._whole
        else:
            sequences = np.arange(len(data.lengths))
        return self._shards(data, sequences, lambda part: self._standardise(pack(data, part)))

    def _standardise(self, shard):
        self.scaling.apply(shard, self._with_targets)
        return shard

    def _shards(self, data, sequences, pack):
        parts = partition_into_shards(data.lengths, sequences)
        shards = [LazyShard(pack, part) for part in parts]
        entries = data.X.data if self.is_sparse else data.X
        n_bytes = entries.nbytes * (data.lengths[sequences].sum() / data.X.shape[0])
        return [shard.load() for shard in shards] if n_bytes <= MAX_BYTES_KEPT else shards

    def _standardised(self, raw):
        """Return the same shards standardised: in place where they are kept in memory."""
        shards = []
        for shard in raw:
            if isinstance(shard, LazyShard):
                shards.append(LazyShard(self.pack, shard.sequences))
            else:
                shards.append(self._standardise(shard))
        return shards


def sums_of_weights(data, members):
    """Return the sums of the weights of the members' targets, and of their observations."""
    with np.errstate(over="ignore"):
        weight = data.weight
        by_sequence = np.add.reduceat(weight, data.starts) if data.per_step else weight
        mean_weight = by_sequence / data.lengths if data.per_step else by_sequence
        counts = np.maximum(1, data.lengths / STEPS_PER_OBSERVATION) if data.per_step else 1
        return by_sequence[members].sum(), (mean_weight * counts)[members].sum()


def check_sum(target_weight):
    """Refuse weights whose sum is not finite."""
    if not np.isfinite(target_weight):
        raise ValueError(
            "The sum of the weights overflows. Scale sample_weight, or class_weight, down."
        )
