"""The L2 penalty: output weights are shrunk towards zero, hidden weights towards their start."""

from dataclasses import dataclass, replace

import numpy as np

from .._networks.network import Network
from .._networks.parameters import Parameters, Role, Shapes, views


@dataclass(frozen=True)
class Penalty:
    """sum_W strength_W ||W - centre_W||^2 / 2 over the weights W; biases are free.

    A Gaussian prior around the start (L2-SP: Li, Grandvalet, Davoine 2018): weights on which the
    data say nothing stay as they were, in particular the dynamics of a reservoir.

    Attributes
    ----------
    shapes : dict of str to tuple
        Of all parameters.
    strength : dict of str to float
        Of the parameters that are penalised.
    centre : dict of str to ndarray
        Where the penalty vanishes.
    """

    shapes: Shapes
    strength: dict[str, float]
    centre: Parameters

    @classmethod
    def around_start(
        cls, network: Network, start: Parameters, alpha: float, stiffness: float, sparse_input: bool
    ):
        """Return the penalty of training that starts at ``start``.

        The output weights are shrunk towards zero by alpha, the hidden weights towards the start by
        stiffness * alpha. Input weights of sparse features, which are not standardised, are shrunk
        by alpha alone: with more, nothing would be learnt from a rare feature.
        """
        strengths = {
            Role.OUTPUT: alpha,
            Role.HIDDEN: stiffness * alpha,
            Role.INPUT: alpha if sparse_input else stiffness * alpha,
        }
        strength, centre = {}, {}
        for name, role in network.roles.items():
            if role in strengths:
                strength[name] = strengths[role]
                centre[name] = np.zeros_like(start[name]) if role is Role.OUTPUT else start[name]
        return cls(network.shapes, strength, centre)

    def holding(self, present: Parameters, memory: float):
        """Return a penalty that also holds all parameters, biases too, to their present values.

        The sum of two pulls is one pull of their summed strength to their weighted mean.
        """
        strength = dict.fromkeys(self.shapes, memory)
        centre = dict(present)
        for name, pull in self.strength.items():
            strength[name] += pull
            centre[name] = (memory * present[name] + pull * self.centre[name]) / strength[name]
        return Penalty(self.shapes, strength, centre)

    def astype(self, dtype):
        """Return the same penalty with its centre in another precision."""
        centre = {name: array.astype(dtype, copy=False) for name, array in self.centre.items()}
        return replace(self, centre=centre)

    def loss_gradient(self, w):
        """Return the value at w (P,) and the gradient (P,)."""
        gradient = np.zeros_like(w)
        p, g = views(w, self.shapes), views(gradient, self.shapes)
        value = 0.0
        for name, strength in self.strength.items():
            offset = np.subtract(p[name], self.centre[name], out=g[name])
            value += 0.5 * strength * np.dot(offset.ravel(), offset.ravel())
            offset *= strength
        return value, gradient

    def value(self, p):
        """Return the value at named parameters."""
        value = 0.0
        for name, strength in self.strength.items():
            offset = (p[name] - self.centre[name]).ravel()
            value += 0.5 * strength * np.dot(offset, offset)
        return value

    def product(self, v):
        """Return the Hessian times v (P,)."""
        product = np.zeros_like(v)
        u, p = views(v, self.shapes), views(product, self.shapes)
        for name, strength in self.strength.items():
            np.multiply(u[name], strength, out=p[name])
        return product
