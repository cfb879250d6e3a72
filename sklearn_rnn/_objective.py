"""What training minimises: the penalised mean loss, as a function of one flat vector."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ._losses import Loss
from ._networks import QUIET, Network
from ._parameters import ravel, views
from ._penalty import Penalty
from ._scratch import Scratch
from ._sharding import Deferred, Shard


class Objective:
    """g(w) = sum_n weight_n l(y_n, z_n(w)) + penalty(w).

    Stateless in w: every method is a function of its arguments alone. Symbols: P parameters.

    Parameters
    ----------
    network, loss
        See `_networks` and `_losses`.
    shards : list of Shard or Deferred
        With targets and weights, the weights summing to one.

    Attributes
    ----------
    dtype
        The data's precision, in which all but the sums over shards is computed.
    penalty : Penalty
    map : callable
        Maps a function over the shards, in their order.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        shards: list[Shard | Deferred],
        penalty: Penalty,
        map=map,
    ):
        self.network = network
        self.loss = loss
        self.shards = shards
        self.penalty = penalty
        self.map = map
        self.dtype = shards[0].load().X.dtype
        self._scratch = Scratch()

    def parameters(self, w):
        """Named views into w, or into a copy in the data's precision."""
        w = w if np.iscomplexobj(w) else w.astype(self.dtype, copy=False)
        return views(w, self.network.shapes)

    def loss_gradient(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """Objective and gradient at w (P,): a number and an array of shape (P,).

        Not finite where the network overflows; the caller has to look.
        """
        value, gradient = self.penalty.loss_gradient(w)
        for loss_part, gradient_part in self.map(
            partial(self._shard_loss_gradient, self.parameters(w)), self.shards
        ):
            value += loss_part
            gradient += gradient_part
        return value, gradient

    def gauss_newton(self, w: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The Gauss-Newton matrix at w, J' H J + penalty, as a function ``product(v)``.

        J is the Jacobian of the logits, H the Hessian of the loss with respect to them: positive
        semidefinite, since the losses are convex in the logits (Schraudolph 2002, sec. 3; Martens
        2010, sec. 4.2).
        """
        p = self.parameters(w)

        @QUIET
        def linearise(shard):
            shard = shard.load()
            return shard, *self.network.forward(p, shard)

        shards, Zs, caches = zip(*self.map(linearise, self.shards))

        def product(v):
            direction = self.parameters(v)

            @QUIET
            def shard_product(shard, Z, cache):
                dZ = self.network.jvp(p, cache, direction)
                HdZ = self.loss.hessp(shard.y, Z, shard.weight, dZ)
                gradients = self.network.vjp(p, cache, HdZ, self._scratch.begin())
                return ravel(gradients, self.network.shapes)

            total = self.penalty.product(v)
            for part in self.map(shard_product, shards, Zs, caches):
                total += part
            return total

        return product

    @QUIET
    def _shard_loss_gradient(self, p, shard):
        shard = shard.load()
        empty = self._scratch.begin()
        Z, cache = self.network.forward(p, shard, empty)
        value, dZ = self.loss.loss_gradient(shard.y, Z, shard.weight)
        return value, ravel(self.network.vjp(p, cache, dZ, empty), self.network.shapes)
