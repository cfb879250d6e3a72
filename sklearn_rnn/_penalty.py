"""What training is held back by: an L2 penalty around the weights it starts from."""

from dataclasses import dataclass, replace

import numpy as np

from ._parameters import Parameters, Shapes, views


@dataclass(frozen=True)
class Penalty:
    """sum_W strength_W ||W - centre_W||^2 / 2 over the weights W; biases go free.

    A Gaussian prior around the start, as in Li, Grandvalet, Davoine 2018 (L2-SP): what the data do
    not speak against stays as it was, in particular the dynamics of a reservoir.

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

    def loss_gradient(self, w):
        """Value at w (P,) and gradient (P,)."""
        gradient = np.zeros_like(w)
        p, g = views(w, self.shapes), views(gradient, self.shapes)
        value = 0.0
        for name, strength in self.strength.items():
            offset = np.subtract(p[name], self.centre[name], out=g[name])
            value += 0.5 * strength * np.dot(offset.ravel(), offset.ravel())
            offset *= strength
        return value, gradient

    def astype(self, dtype):
        """The same with the centre in a precision of its own."""
        centre = {name: array.astype(dtype, copy=False) for name, array in self.centre.items()}
        return replace(self, centre=centre)

    def value(self, p):
        """Value at named parameters, without a gradient to be kept."""
        value = 0.0
        for name, strength in self.strength.items():
            offset = p[name] - self.centre[name]
            value += 0.5 * strength * np.dot(offset.ravel(), offset.ravel())
        return value

    def product(self, v):
        """The Hessian times v (P,)."""
        product = np.zeros_like(v)
        u, p = views(v, self.shapes), views(product, self.shapes)
        for name, strength in self.strength.items():
            np.multiply(u[name], strength, out=p[name])
        return product


def around(start: Parameters, shapes: Shapes, alpha: float, stiffness: float, sparse_input: bool):
    """The penalty of training that starts at ``start``.

    The output layer is held to zero by alpha, the hidden weights to the start by stiffness times
    alpha. Weights of sparse features, which are not standardised, are held by alpha alone: of a
    rare one more would leave nothing.
    """
    weights = [name for name in shapes if name.startswith("W")]
    strength = dict.fromkeys(weights, stiffness * alpha) | {"W_out": alpha}
    if sparse_input and "W_in0" in shapes:
        strength["W_in0"] = alpha
    centre = {name: start[name] for name in weights} | {"W_out": np.zeros(shapes["W_out"])}
    return Penalty(shapes, strength, centre)


def held(penalty: Penalty, present: Parameters, memory: float):
    """A penalty that also holds all parameters, biases too, to what they are at present.

    The sum of two pulls is one pull of their summed strength to their weighted mean.
    """
    strength = dict.fromkeys(penalty.shapes, memory)
    centre = dict(present)
    for name, pull in penalty.strength.items():
        strength[name] += pull
        centre[name] = (memory * present[name] + pull * penalty.centre[name]) / strength[name]
    return Penalty(penalty.shapes, strength, centre)
