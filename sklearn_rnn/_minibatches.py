"""The objective on random minibatches of whole sequences."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ._losses import Loss
from ._networks import QUIET, Network
from ._objective import Objective
from ._parameters import Parameters
from ._penalty import Penalty
from ._sharding import Shard
from ._training_set import TrainingSet

# Sequences of a minibatch. By cross-validation 32 do as well at the same cost, 64 worse.
SIZE = 16


@dataclass(frozen=True)
class Minibatch:
    """An objective, estimated on one minibatch.

    Without bias, save that weights of sparse features are penalised only where these occur: those
    of rare ones are held less.

    Attributes
    ----------
    network, loss, penalty
        See `Objective`.
    shard : Shard
        The sequences. Of sparse X only the features that occur, as columns of X.
    rows : dict of str to ndarray of int
        Of parameters that the minibatch does not see as a whole: the rows that it sees. Those of
        W_in are the features that occur in sparse X.
    """

    network: Network
    loss: Loss
    penalty: Penalty
    shard: Shard
    rows: dict[str, np.ndarray]

    def seen(self, p: Parameters) -> Parameters:
        """Of all parameters, or arrays of their shapes, what the minibatch sees."""
        return {
            name: array[self.rows[name]] if name in self.rows else array
            for name, array in p.items()
        }

    @QUIET
    def loss_gradient(self, p: Parameters) -> tuple[float, Parameters]:
        """Loss at p without the penalty, and the gradients with it, of what is `seen`."""
        p, centre = self.seen(p), self.seen(self.penalty.centre)
        Z, cache = self.network.forward(p, self.shard)
        value, dZ = self.loss.loss_gradient(self.shard.y, Z, self.shard.weight)
        gradients = self.network.vjp(p, cache, dZ)
        for name, strength in self.penalty.strength.items():
            gradients[name] += strength * (p[name] - centre[name])
        return value, gradients


class MinibatchObjective(Objective):
    """An objective that can also be estimated on minibatches.

    Parameters
    ----------
    network, loss
        See `Objective`.
    data : TrainingSet
    penalty, map
        See `Objective`.
    seed : int
        Settles the order of the sequences.
    """

    def __init__(self, network, loss, data: TrainingSet, penalty, map, seed: int):
        super().__init__(network, loss, data.shards, penalty, map)
        self.data = data
        self._penalty = penalty.astype(self.dtype)
        self.seed = seed
        self.n_minibatches = -(-len(data.members) // SIZE)

    def minibatches(self, epoch: int) -> Iterator[Minibatch]:
        """Every sequence once, in an order that is random and the epoch's own."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.data.members)
        for sequences in np.array_split(order, self.n_minibatches):
            shard = self.data.pack(sequences)
            shard = replace(shard, weight=shard.weight * (len(order) / len(sequences)))
            yield self._minibatch(shard)

    def _minibatch(self, shard):
        rows = {}
        if sparse.issparse(shard.X):
            rows["W_in0"], columns = np.unique(shard.X.indices, return_inverse=True)
            shape = shard.X.shape[0], len(rows["W_in0"])
            X = sparse.csr_array((shard.X.data, columns, shard.X.indptr), shape=shape)
            shard = replace(shard, X=X)
        return Minibatch(self.network, self.loss, self._penalty, shard, rows)
