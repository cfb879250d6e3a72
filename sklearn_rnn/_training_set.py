"""What is trained on: sequences, targets and weights, standardised, in shards or minibatches."""

from functools import cached_property, partial

import numpy as np
from scipy import sparse

from ._sharding import Deferred, pack, share_out
from ._standardisation import standardisation

# Shards are kept if the steps of all members take no more bytes; else each is packed when its turn
# comes, which costs a few per cent of the time.
KEPT = 2**26


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
    sequence_weight, target_weight : float
        What the weights of the members summed to: of its sequences, each being the mean over its
        steps, and of its targets.
    scaling : Standardisation
    """

    def __init__(self, X, lengths, y, weight, per_step, n_outputs, members):
        self.X, self.lengths, self.members = X, lengths, members
        self.with_targets = y.ndim == 2
        starts = np.cumsum(lengths) - lengths
        with np.errstate(over="ignore"):
            of_sequence = np.add.reduceat(weight, starts) if per_step else weight
            self.target_weight = of_sequence[members].sum()
        if not np.isfinite(self.target_weight):
            raise ValueError(
                "The sum of the weights overflows. Scale sample_weight, or class_weight, down."
            )
        self.sequence_weight = (of_sequence / lengths if per_step else of_sequence)[members].sum()
        self._pack = partial(pack, X, starts, lengths, per_step, y, weight / self.target_weight)
        raw = [Deferred(self._pack, part) for part in share_out(lengths, members)]
        self.scaling = standardisation(raw, n_outputs, per_step, self.with_targets)

    @property
    def is_sparse(self):
        return sparse.issparse(self.X)

    @cached_property
    def shards(self):
        """The members, each a `Shard` or a `Deferred`."""
        return self.cut(self.members)

    def pack(self, sequences):
        """One shard of some sequences, members or not."""
        shard = self._pack(sequences)
        self.scaling.apply(shard, self.with_targets)
        return shard

    def cut(self, sequences):
        """All shards of some sequences, members or not, each a `Shard` or a `Deferred`."""
        deferred = [Deferred(self.pack, part) for part in share_out(self.lengths, sequences)]
        entries = self.X.data if self.is_sparse else self.X
        size = entries.nbytes * (self.lengths[sequences].sum() / self.lengths.sum())
        return [shard.load() for shard in deferred] if size <= KEPT else deferred
