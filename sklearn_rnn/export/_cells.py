"""The recurrences of the cells as operators: one step in one direction of time.

`inputs` is what needs no loop, `step` the rest. The first of the states are the outputs h.
"""

import numpy as np

from .._networks.activations import ACTIVATIONS
from .._networks.cells import CellLayer
from .._networks.diagonal import DiagonalCell, decay_and_scale
from .._networks.gates import GRUCell, LSTMCell
from .._networks.layers import ElmanLayer, LeakyLayer
from ._graph import Value

_FUNCTIONS = {
    "tanh": Value.tanh,
    "logistic": Value.logistic,
    "relu": Value.relu,
    "identity": Value.identity,
}


def function_of(activation):
    """Return the operator of an activation."""
    (name,) = [name for name, known in ACTIVATIONS.items() if known is activation]
    return _FUNCTIONS[name]


class _Units:
    """What all cells share.

    Parameters
    ----------
    description : Layer or Cell
        Of the network.
    p : dict of str to ndarray
        The parameters of one direction.
    """

    def __init__(self, description, p):
        self.description, self.p = description, p
        self.n_outputs = len(p["b"]) // self.gates
        self.sizes = [self.n_outputs] * self.n_states

    gates = 1  # blocks of columns in W_in and b
    n_states = 1

    def inputs(self, X):
        return X @ self.p["W_in"] + self.p["b"]

    def step(self, A, states):
        raise NotImplementedError


class _Elman(_Units):
    """h_t = f(a_t + h_{t-1} W_rec)."""

    def step(self, A, states):
        (h,) = states
        f = function_of(self.description.activation)
        return [f(A + h @ self.p["W_rec"][0])]


class _Leaky(_Units):
    """h_t = (1 - leak) h_{t-1} + leak f(a_t + h_{t-1} W_rec), in blocks of units."""

    def step(self, A, states):
        (h,) = states
        f = function_of(self.description.activation)
        W_rec = self.p["W_rec"]
        widths = [len(W) for W in W_rec]
        # each direction has the same leaks
        parts = zip(self.description.leaks, W_rec, A.split(widths), h.split(widths))
        blocks = [f(A_b + h_b @ W) * leak + h_b * (1 - leak) for leak, W, A_b, h_b in parts]
        return [A.graph.concatenate(blocks)]


class _GRU(_Units):
    """r, z = logistic(a + h_{t-1} W_rec), n = tanh(a_n + r (h_{t-1} W_rec_n + d))."""

    gates = 3

    def step(self, A, states):
        (h,) = states
        H = self.n_outputs
        a_gates, a_n = A.split([2 * H, H])
        h_gates, h_n = (h @ self.p["W_rec"][0]).split([2 * H, H])
        r, z = (a_gates + h_gates).logistic().split([H, H])
        n = (a_n + r * (h_n + self.p["d"])).tanh()
        return [n + z * (h - n)]


class _LSTM(_Units):
    """i, f, o = logistic(a + h_{t-1} W_rec), g = tanh(...), c_t = f c_{t-1} + i g."""

    gates, n_states = 4, 2

    def step(self, A, states):
        h, c = states
        i, f, g, o = (A + h @ self.p["W_rec"][0]).split([self.n_outputs] * 4)
        c = f.logistic() * c + i.logistic() * g.tanh()
        return [o.logistic() * c.tanh(), c]


class _Diagonal(_Units):
    """h_t = λ h_{t-1} + γ f(x_t W_in + b)."""

    def inputs(self, X):
        f = function_of(self.description.activation)
        _, scale = decay_and_scale(self.p["nu"])
        return f(super().inputs(X)) * scale

    def step(self, A, states):
        (h,) = states
        decay, _ = decay_and_scale(self.p["nu"])
        return [A + h * decay]


_UNITS = {
    ElmanLayer: _Elman,
    LeakyLayer: _Leaky,
    GRUCell: _GRU,
    LSTMCell: _LSTM,
    DiagonalCell: _Diagonal,
}


def is_known(layer):
    return type(_description(layer)) in _UNITS


def directions_of(layer, p):
    """Return the units of a layer of a network, in each direction of time."""
    description, C = _description(layer), layer.n_directions
    units = _UNITS[type(description)]
    return [units(description, _of_direction(p, d, C)) for d in range(C)]


def _description(layer):
    return layer.cell if isinstance(layer, CellLayer) else layer


def _of_direction(p, d, n_directions):
    """Return the parameters of one direction: they are side by side, of W_rec in the first axis."""
    return {
        name: np.split(W, n_directions, axis=0 if name == "W_rec" else -1)[d]
        for name, W in p.items()
    }
