"""The diagonal cell: a linear recurrence of every unit by itself, with a decay that is learnt."""

from typing import Any, NamedTuple

import numpy as np
from scipy.signal import lfilter

from .activations import Activation
from .cells import Walk
from .layers import random_inputs
from .products import column_sums, cross_product, rows_times

# Time constants at the start, log-uniform.
SHORTEST, LONGEST = 1.0, 1000.0
# Up to so many numbers a step the time is that of the calls, and a filter over time is quicker.
FEW = 256


class _Cache(NamedTuple):
    X: Any
    F: np.ndarray  # f(x_t W_in + b)
    H: np.ndarray
    walk: Walk


class DiagonalCell:
    """h_t = λ h_{t-1} + γ f(x_t W_in + b), with λ = exp(-exp(ν)) and γ = sqrt(1 - λ^2).

    Each unit is an exponential mean of a nonlinear feature of the inputs, with a time constant
    exp(-ν) of its own: stable for every ν, and of the feature's variance where that is white
    (Orvieto et al. 2023, sec. 3.3 and 3.4). W_in (D, H), b and ν (H,).

    Parameters
    ----------
    n_inputs, n_units : int
        D and H.
    activation : Activation
    """

    biases = ("b", "nu")
    public_names = {"W_in": "input_weights_", "b": "hidden_biases_", "nu": "log_decay_rates_"}

    def __init__(self, n_inputs, n_units, activation: Activation):
        self.n_inputs, self.n_units = n_inputs, n_units
        self.activation = activation
        self.shapes = {"W_in": (n_inputs, n_units), "b": (n_units,), "nu": (n_units,)}

    def initial(self, rng, start):
        gain = start.gain * self.activation.input_scale
        return {
            "W_in": random_inputs(rng, gain, self.shapes["W_in"]),
            "b": rng.normal(0, 0.2, self.shapes["b"]),
            "nu": -rng.uniform(np.log(SHORTEST), np.log(LONGEST), self.n_units),
        }

    def begin(self, p, n):
        return np.zeros_like(p["b"], shape=(n, self.n_units))

    def step(self, p, state, X):
        F = X @ p["W_in"]
        F += p["b"]
        self.activation.apply(F)
        decay, scale = decay_and_scale(p["nu"])
        F *= scale
        F += decay * state
        return F, F

    def forward(self, p, X, walk):
        F = rows_times(X, p["W_in"], walk.empty)
        F += p["b"]
        self.activation.apply(F)
        decay, scale = decay_and_scale(p["nu"])
        H = np.multiply(F, scale, out=walk.empty(F.shape, F.dtype))
        accumulate(H, decay, walk)
        return H, _Cache(X, F, H, walk)

    def vjp(self, p, cache, dH, needs_dX):
        X, F, H, walk = cache
        decay, scale = decay_and_scale(p["nu"])
        D = dH
        accumulate(D, decay, walk.reverse())
        d_decay = np.zeros_like(decay)
        for linked, before in walk.links:
            d_decay += np.einsum("nh,nh->h", D[linked], H[before])
        d_scale = np.einsum("nh,nh->h", D, F)
        D *= scale
        self.activation.chain(D, F)
        gradients = {
            "W_in": cross_product(X, D),
            "b": column_sums(D),
            "nu": _decay_tangent(p["nu"], d_decay, d_scale),
        }
        return gradients, rows_times(D, p["W_in"].T.copy(), walk.empty) if needs_dX else None

    def jvp(self, p, cache, v, dX):
        X, F, H, walk = cache
        decay, scale = decay_and_scale(p["nu"])
        dH = rows_times(X, v["W_in"])
        dH += v["b"]
        if dX is not None:
            dH += rows_times(dX, p["W_in"])
        self.activation.chain(dH, F)
        dH *= scale
        dH += _decay_tangent(p["nu"], 0.0, v["nu"]) * F
        d_decay = _decay_tangent(p["nu"], v["nu"], 0.0)
        for linked, before in walk.links:
            dH_linked = dH[linked]
            dH_linked += d_decay * H[before]
        accumulate(dH, decay, walk)
        return dH


def decay_and_scale(nu):
    """Return λ and γ."""
    rate = np.exp(nu)
    return np.exp(-rate), np.sqrt(-np.expm1(-2 * rate))


def _decay_tangent(nu, d_decay, d_scale):
    """Return dλ/dν d_decay + dγ/dν d_scale."""
    rate = np.exp(nu)
    decay, scale = decay_and_scale(nu)
    return rate * decay * (d_scale * decay / scale - d_decay)


def accumulate(A, decay, walk):
    """a_t += decay a_{t-1} in the order of the walk, in place."""
    packing = walk.packing
    if packing.n_rows * A.shape[1] <= FEW * len(packing.running):
        _filter(A, decay, walk)
        return
    for _, linked, before in walk.steps:
        A_linked = A[linked]
        A_linked += decay * A[before]


def _filter(A, decay, walk):
    """`accumulate` with the time loop inside of SciPy, one unit after the other.

    It goes from span to span of steps at which the same sequences run.
    """
    running, offsets = walk.packing.running, walk.packing.offsets
    firsts = np.flatnonzero(np.diff(running, prepend=0)).tolist()
    spans = list(zip(firsts, [*firsts[1:], len(running)]))
    order = slice(None, None, -1 if walk.from_end else 1)
    state = np.zeros((0, A.shape[1]), A.dtype)
    for first, last in spans[order]:
        n = running[first]
        block = A[offsets[first] : offsets[last]].reshape(last - first, n, -1)[order]
        carried = np.zeros((1, n, A.shape[1]), A.dtype)
        carried[0, : len(state)] = decay * state[:n]
        for j, a in enumerate(decay):
            block[..., j], _ = lfilter([1.0], [1.0, -a], block[..., j], axis=0, zi=carried[..., j])
        state = block[-1]
