"""What a network is trained on where the sequences are in partitions of Dask."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._execution.dask import PartitionedShards, Partitions
from .._execution.shards import Data, pack, partition_into_shards
from .._execution.workspace import Workspace
from .standardisation import merged, shard_moments
from .training_set import check_sum, sums_of_weights

# Of all partitions on a worker: each of its threads works on one shard at a time.
_workspace = Workspace()


class PartitionedExamples(NamedTuple):
    """Sequences in partitions, and which of them to train on.

    Attributes
    ----------
    partitions : Partitions
        Of `Examples`. They are released when the training set has been made.
    data : Data
        What the data of all partitions are, without any sequence.
    """

    partitions: Partitions
    data: Data

    @property
    def members(self):
        """None: they are not here."""
        return np.zeros(0, int)

    def training_set(self, with_targets, cut):
        """Return the `PartitionedTrainingSet`, of pieces if the members are cut."""
        return PartitionedTrainingSet(*self, with_targets, cut)


class PartitionedTrainingSet:
    """Sequences in partitions, standardised, their weights summing to one; see `TrainingSet`.

    Only sums, moments and gradients leave the partitions, each taken in their order. So results
    depend on the partitions, and not on where these are.
    """

    in_memory = False

    def __init__(self, partitions: Partitions, data: Data, with_targets: bool, cut=None):
        self.per_step = data.per_step
        self.is_sparse = sparse.issparse(data.X)
        self.dtype = data.X.dtype
        self._with_targets = with_targets
        n_sequences, target_weights, observation_weights = zip(*partitions.gather(_sums))
        self.n_sequences = sum(n_sequences)
        self.target_weight, self.observation_weight = sum(target_weights), sum(observation_weights)
        check_sum(self.target_weight)
        packed = partial(_packed, self.target_weight, cut)
        moments = partial(shard_moments, data.per_step, with_targets)
        moments = partitions.gather(partial(_moments, packed, moments))
        self.scaling = merged([of_shard for of_shards in moments for of_shard in of_shards])
        shards = partitions.keep(partial(_standardised, packed, self.scaling, with_targets))
        partitions.release()
        self._shards = PartitionedShards(shards, self.dtype)

    def shards_on(self, map_):
        """Return the shards, on which functions run where they are."""
        return self._shards

    def whole(self, sequences, data):
        """Return the standardised shards of data in memory."""
        parts = partition_into_shards(data.lengths)
        return _standardise([pack(data, part) for part in parts], self.scaling, self._with_targets)


def _sums(examples):
    return len(examples.members), *sums_of_weights(*examples)


def _packed(target_weight, cut, examples):
    """Return the shards of a partition as they are."""
    data, members = examples
    data = replace(data, weight=data.weight / target_weight)
    if cut is not None:
        data, members = cut(data, members)
    return [pack(data, part, _workspace) for part in partition_into_shards(data.lengths, members)]


def _moments(packed, moments, examples):
    return list(map(moments, packed(examples)))


def _standardised(packed, scaling, with_targets, examples):
    return _standardise(packed(examples), scaling, with_targets)


def _standardise(shards, scaling, with_targets):
    for shard in shards:
        scaling.apply(shard, with_targets)
    return shards
