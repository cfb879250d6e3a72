"""What a network is trained on: standardised sequences, in shards or minibatches."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import sparse

from .._execution.shards import Data, LazyShard, pack, partition_into_shards
from .._execution.workspace import Workspace
from .standardisation import standardisation

# Shards are kept in memory if all rows take no more bytes; otherwise each is packed when its turn
# comes, which costs a few per cent of the time.
MAX_BYTES_KEPT = 2**26


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

    Attributes
    ----------
    shards : list of Shard or LazyShard
        The members.
    sequence_weight, target_weight : float
        Sum of the members' weights: over sequences, where that of a sequence is the mean over its
        steps; and over targets.
    scaling : Standardisation
    dtype
        The data's precision.
    is_sparse, per_step : bool
    """

    def __init__(self, data: Data, members: np.ndarray, with_targets: bool):
        self.members = members
        self.per_step = data.per_step
        self.is_sparse = sparse.issparse(data.X)
        self.dtype = data.X.dtype
        self._with_targets = with_targets
        with np.errstate(over="ignore"):
            weight = data.weight
            by_sequence = np.add.reduceat(weight, data.starts) if data.per_step else weight
            self.target_weight = by_sequence[members].sum()
        if not np.isfinite(self.target_weight):
            raise ValueError(
                "The sum of the weights overflows. Scale sample_weight, or class_weight, down."
            )
        mean_weight = by_sequence / data.lengths if data.per_step else by_sequence
        self.sequence_weight = mean_weight[members].sum()
        self._data = replace(data, weight=weight / self.target_weight)
        self._workspace = Workspace()
        raw = self._cut(members, partial(pack, self._data, workspace=self._workspace))
        self.scaling = standardisation(raw, data.per_step, with_targets)
        self.shards = self._standardised(raw)

    def pack(self, sequences):
        """Return one standardised shard of some sequences, members or not."""
        shard = pack(self._data, sequences, self._workspace)
        self.scaling.apply(shard, self._with_targets)
        return shard

    def cut(self, sequences):
        """Return all standardised shards of some sequences, members or not."""
        return self._cut(sequences, self.pack)

    def _cut(self, sequences, pack):
        lengths = self._data.lengths
        shards = [LazyShard(pack, part) for part in partition_into_shards(lengths, sequences)]
        entries = self._data.X.data if self.is_sparse else self._data.X
        n_bytes = entries.nbytes * (lengths[sequences].sum() / lengths.sum())
        return [shard.load() for shard in shards] if n_bytes <= MAX_BYTES_KEPT else shards

    def _standardised(self, raw):
        """Return the same shards standardised: in place where they are kept in memory."""
        shards = []
        for shard in raw:
            if isinstance(shard, LazyShard):
                shards.append(LazyShard(self.pack, shard.sequences))
            else:
                self.scaling.apply(shard, self._with_targets)
                shards.append(shard)
        return shards
