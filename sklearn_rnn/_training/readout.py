"""The output layer fitted alone, the states staying as they are: a convex problem."""

from functools import partial

import numpy as np

from .._networks.network import IGNORE_OVERFLOW
from .._networks.parameters import Role, ravel, views
from .objective import Objective
from .solvers import minimise


class ReadoutObjective:
    """An objective as a function of the output layer's parameters alone.

    Parameters
    ----------
    objective : Objective
        Of a network with ``readout`` and ``readout_vjp``.
    w : ndarray of shape (P,)
        Where the other parameters stay.

    Attributes
    ----------
    shapes : dict of str to tuple
        Of the parameters of the output layer.
    """

    def __init__(self, objective: Objective, w: np.ndarray):
        network = objective.network
        self.network = network
        self.dtype = objective.dtype
        names = {*network.output_terms, "c", *network.output.shapes}
        self.shapes = {name: shape for name, shape in network.shapes.items() if name in names}
        self._alpha = {
            name: strength
            for name, strength in objective.penalty.strength.items()
            if network.roles[name] is Role.OUTPUT
        }
        self._features = objective.shards.keep(partial(_features, network, objective.parameters(w)))

    def loss_gradient(self, w):
        """Return the objective at w, and the gradient."""
        p = views(w, self.shapes)
        # the penalty of output weights is centred at zero
        value = sum(0.5 * a * np.vdot(p[name], p[name]) for name, a in self._alpha.items())
        gradient = ravel(
            {name: self._alpha.get(name, 0.0) * array for name, array in p.items()}, self.shapes
        )
        p = views(w.astype(self.dtype), self.shapes)
        part = partial(_shard_loss_gradient, self.network, self.shapes, p)
        for shard_loss, shard_gradient in self._features.addends(part):
            value += shard_loss
            gradient += shard_gradient
        return value, gradient


@IGNORE_OVERFLOW
def _shard_loss_gradient(network, shapes, p, shard_features):
    shard, features = shard_features
    Z = network.readout(p, features)
    value, dZ, gradients = network.output.loss_gradient(p, Z, shard)
    return value, ravel(network.readout_vjp(features, dZ) | gradients, shapes)


@IGNORE_OVERFLOW
def _features(network, p, shard):
    # outside of the workspace, since the features of all shards are kept
    shard = shard.load()
    _, cache = network.forward(p, shard)
    return shard, cache.features


def fit_readout(objective: Objective, w: np.ndarray, max_iter: int):
    """Fit the output layer by L-BFGS and return all parameters (P,), the others as in w.

    The rest of training then starts from a reservoir computer (Jaeger 2001; Lukosevicius 2012).
    """
    readout = ReadoutObjective(objective, w)
    p = views(w.copy(), objective.network.shapes)
    result = minimise(readout, ravel(p, readout.shapes), "lbfgs", max_iter)
    return ravel(p | views(result.x, readout.shapes), objective.network.shapes)
