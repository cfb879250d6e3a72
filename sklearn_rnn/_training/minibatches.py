"""The objective, estimated on random minibatches of whole sequences."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .._execution.shards import Shard
from .._networks.network import IGNORE_OVERFLOW, Network
from .._networks.parameters import Parameters
from .penalty import Penalty
from .recipe import MINIBATCH_SEQUENCES
from .training_set import TrainingSet


@dataclass(frozen=True)
class Minibatch:
    """An objective, estimated on one minibatch.

    The estimate is unbiased, but that weights of sparse features are penalised only where these
    features occur, so that those of rare ones are penalised less.

    Attributes
    ----------
    network, penalty
        See `Objective`.
    shard : Shard
        The sequences. Of sparse X only the features that occur, as columns of X.
    rows : dict of str to ndarray of int
        The rows that the minibatch uses of parameters that it does not use as a whole: of input
        weights the features that occur in sparse X.
    """

    network: Network
    penalty: Penalty
    shard: Shard
    rows: dict[str, np.ndarray]

    def used(self, p: Parameters) -> Parameters:
        """Return what the minibatch uses of all parameters, or of arrays of their shapes."""
        return {
            name: array[self.rows[name]] if name in self.rows else array
            for name, array in p.items()
        }

    @IGNORE_OVERFLOW
    def loss_gradient(self, p: Parameters) -> tuple[float, Parameters]:
        """Return the loss without the penalty, and the gradients with it, of what is `used`."""
        p, centre = self.used(p), self.used(self.penalty.centre)
        with self.shard.workspace or nullcontext():
            Z, cache = self.network.forward(p, self.shard)
            value, dZ, gradients = self.network.output.loss_gradient(p, Z, self.shard)
            gradients = self.network.vjp(p, cache, dZ) | gradients
        for name, strength in self.penalty.strength.items():
            gradients[name] += strength * (p[name] - centre[name])
        return value, gradients


class MinibatchObjective:
    """An objective that is estimated on minibatches.

    Parameters
    ----------
    network : Network
    data : TrainingSet
    penalty : Penalty
    seed : int
        Determines the order of the sequences.

    Attributes
    ----------
    dtype
        The data's precision, in which all is computed.
    n_minibatches : int
        Of an epoch.
    """

    def __init__(self, network: Network, data: TrainingSet, penalty: Penalty, seed: int):
        self.network = network
        self.data = data
        self.dtype = data.dtype
        self.penalty = penalty
        self._penalty = penalty.astype(self.dtype)
        self.seed = seed
        self.n_minibatches = -(-data.n_sequences // MINIBATCH_SEQUENCES)

    def minibatches(self, epoch: int) -> Iterator[Minibatch]:
        """Yield every sequence (or piece) once, in a random order of each epoch's own."""
        order = self.data.permutation(np.random.default_rng([self.seed, epoch]))
        for sequences in np.array_split(order, self.n_minibatches):
            shard = self.data.pack(sequences)
            shard = replace(shard, weight=shard.weight * (len(order) / len(sequences)))
            yield self._minibatch(shard)

    def _minibatch(self, shard):
        rows = {}
        if sparse.issparse(shard.X):
            features, columns = np.unique(shard.X.indices, return_inverse=True)
            shape = shard.X.shape[0], len(features)
            X = sparse.csr_array((shard.X.data, columns, shard.X.indptr), shape=shape)
            shard = replace(shard, X=X)
            rows = dict.fromkeys(self.network.input_biases, features)
        return Minibatch(self.network, self._penalty, shard, rows)
