"""What is trained on: sequences, targets and weights, standardised, in shards or minibatches."""

import numpy as np
from scipy import sparse

from ._sharding import cut, normalise_weights, pack, sequence_weight
from ._standardisation import standardisation


class TrainingSet:
    """Some of the sequences, standardised, their weights summing to one.

    Parameters
    ----------
    X : ndarray or csr_array of shape (N, D)
        All sequences, one after the other. They stay as they are.
    lengths : ndarray of int, shape (S,)
    y, weight : ndarray of shape (N, ...) or (S, ...)
        Targets and their weights.
    per_step : bool
        Whether there is a target for each step, or for each sequence.
    n_outputs : int
    members : ndarray of int
        The sequences to train on.

    Attributes
    ----------
    shards : list of Shard
        The members.
    sequence_weight, target_weight : float
        What the weights of the members summed to: of its sequences, each being the mean over its
        steps, and of its targets.
    scaling : Standardisation
    """

    def __init__(self, X, lengths, y, weight, per_step, n_outputs, members):
        self.X, self.lengths, self.y, self.per_step = X, lengths, y, per_step
        self.members = members
        self.shards = cut(X, lengths, per_step, y, weight, members)
        self.with_targets = y.ndim == 2
        self.scaling = standardisation(self.shards, n_outputs, per_step, self.with_targets)
        self.scaling.apply(self.shards, self.with_targets)
        self.sequence_weight = sequence_weight(self.shards, per_step)
        self.target_weight = normalise_weights(self.shards)
        self.weight = weight / self.target_weight
        self.starts = np.cumsum(lengths) - lengths

    @property
    def is_sparse(self):
        return sparse.issparse(self.X)

    def pack(self, sequences):
        """A shard of some sequences."""
        shard = pack(
            self.X, self.starts, self.lengths, self.per_step, self.y, self.weight, sequences
        )
        self.scaling.apply([shard], self.with_targets)
        return shard

    def cut(self, sequences):
        """Shards of sequences, members or not."""
        shards = cut(self.X, self.lengths, self.per_step, self.y, self.weight, sequences)
        self.scaling.apply(shards, self.with_targets)
        return shards
