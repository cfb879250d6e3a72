"""What training minimises: the penalised mean loss, as a function of one flat vector."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import numpy as np
from scipy.linalg import get_blas_funcs

from .._execution.shards import LazyShard, Shard, Shards
from .._networks.network import IGNORE_OVERFLOW, Network
from .._networks.parameters import Parameters, ravel, size, views
from .penalty import Penalty


class Objective:
    """g(w) = sum_n weight_n l(y_n, z_n(w)) + penalty(w).

    Stateless in w: every method is a function of its arguments alone. Symbols: P parameters.

    Parameters
    ----------
    network : Network
    shards : Shards
        With targets and weights, the weights summing to one.
    penalty : Penalty

    Attributes
    ----------
    dtype
        The data's precision, in which all but the sums over shards is computed.
    """

    def __init__(self, network: Network, shards: Shards, penalty: Penalty):
        self.network = network
        self.shards = shards
        self.penalty = penalty
        self.dtype = shards.dtype

    def parameters(self, w):
        """Return named views into w, or into a copy in the data's precision."""
        w = w if np.iscomplexobj(w) else w.astype(self.dtype, copy=False)
        return views(w, self.network.shapes)

    def loss_gradient(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the objective and its gradient at w (P,): a number and an array of shape (P,).

        They are not finite where the network overflows, which the caller has to test.
        """
        value, gradient = self.penalty.loss_gradient(w)
        part = partial(shard_loss_gradient, self.network, self.parameters(w))
        for shard_loss, shard_gradient in self.shards.addends(part):
            value += shard_loss
            gradient += shard_gradient
        return value, gradient

    def gauss_newton(self, w: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return the Gauss-Newton matrix at w, J' H J + penalty, as a function ``product(v)``.

        J is the Jacobian of the logits, H the Hessian of the loss with respect to them: positive
        semidefinite, since the losses are convex in the logits (Schraudolph 2002, sec. 3; Martens
        2010, sec. 4.2).
        """
        network, p = self.network, self.parameters(w)
        linearised = self.shards.keep(partial(_linearise, network, p))

        def product(v):
            total = self.penalty.product(v)
            part = partial(_shard_product, network, p, self.parameters(v))
            for shard_product in linearised.addends(part):
                total += shard_product
            return total

        return product

    def loss(self, w: np.ndarray) -> float:
        """Return the objective at w (P,) alone."""
        part = partial(_shard_loss, self.network, self.parameters(w))
        return self.penalty.value(views(w, self.network.shapes)) + sum(self.shards.addends(part))

    def normal_equations(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient (P,) and the Gauss-Newton matrix (P, P) at w, for squared loss.

        J' r and J' J, r the residuals, summed over blocks of rows of J, and what the penalty adds.
        Only the upper triangle of the matrix is set.
        """
        _, gradient = self.penalty.loss_gradient(w)
        matrix = np.diag(self.penalty.product(np.ones_like(w)))
        part = partial(_shard_normal_equations, self.network, self.parameters(w))
        for shard_gradient, shard_matrix in self.shards.addends(part):
            gradient += shard_gradient
            matrix += shard_matrix
        return gradient, matrix


@IGNORE_OVERFLOW
def shard_loss_gradient(network: Network, p: Parameters, shard: Shard | LazyShard):
    """Return the loss of one shard and its gradient (P,)."""
    shard = shard.load()
    with shard.workspace or nullcontext():
        Z, cache = network.forward(p, shard)
        value, dZ, gradients = network.output.loss_gradient(p, Z, shard)
        return value, ravel(network.vjp(p, cache, dZ) | gradients, network.shapes)


@IGNORE_OVERFLOW
def _shard_loss(network, p, shard):
    shard = shard.load()
    with shard.workspace or nullcontext():
        Z, _ = network.forward(p, shard)
        return network.output.loss_gradient(p, Z, shard)[0]


@IGNORE_OVERFLOW
def _shard_normal_equations(network, p, shard):
    shard = shard.load()
    n_parameters = size(network.shapes)
    gradient = np.zeros(n_parameters, shard.X.dtype)
    matrix = np.zeros_like(gradient, shape=(n_parameters, n_parameters), order="F")
    (syrk,) = get_blas_funcs(["syrk"], [matrix])
    Z, blocks = network.jacobian(p, shard)
    _, dZ, _ = network.output.loss_gradient(p, Z, shard)
    for J, rows in blocks:
        flat = J.reshape(-1, n_parameters)
        gradient += dZ[rows].ravel() @ flat
        J *= np.sqrt(shard.weight[rows]).astype(J.dtype)[:, None, None]
        matrix = syrk(1.0, flat.T, beta=1.0, c=matrix, overwrite_c=True)
    return gradient, matrix


@IGNORE_OVERFLOW
def _linearise(network, p, shard):
    # outside of the workspace, since the caches of all shards are kept
    shard = shard.load()
    return shard, *network.forward(p, shard)


@IGNORE_OVERFLOW
def _shard_product(network, p, v, linearised):
    shard, Z, cache = linearised
    with shard.workspace or nullcontext():
        dZ = network.jvp(p, cache, v)
        HdZ, gradients = network.output.hessp(p, Z, shard, dZ, v)
        return ravel(network.vjp(p, cache, HdZ) | gradients, network.shapes)
