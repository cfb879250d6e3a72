"""Recurrent layers: from the rows of a packed batch to states, and their derivatives.

A layer is the one place where its recurrence is written: for whole packed sequences (`forward`,
`vjp`, `jvp`) and one step at a time (`begin`, `step`).
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from .activations import Activation
from .packing import Packing
from .parameters import Parameters, Shapes
from .products import column_sums, cross_product, rows_times


class Layer(Protocol):
    """What `HiddenFeedback` asks of a layer.

    N packed rows, D inputs, H outputs. Arrays that last no longer than the evaluation of a shard
    are taken from ``packing.empty``.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter.
    input_biases : dict of str to str
        Name of each weight that multiplies the inputs, and of the bias that is added to the
        product.
    biases : tuple of str
        Names of all biases.
    n_inputs, n_outputs : int
        D, and H of all directions.
    """

    shapes: Shapes
    input_biases: dict[str, str]
    biases: tuple[str, ...]
    n_inputs: int
    n_outputs: int

    def initial(self, rng: np.random.RandomState, start) -> Parameters:
        """Return random parameters of the size that ``start.gain`` and ``start.radius`` give."""

    def begin(self, p: Parameters, n: int) -> Any:
        """Return the state of n sequences before their first step."""

    def step(self, p: Parameters, state: Any, X: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return the outputs (n, H) of one step X (n, D), and the state there; nothing in place."""

    def forward(self, p: Parameters, X, packing: Packing) -> tuple[np.ndarray, Any]:
        """Return the outputs (N, H), and a cache for the derivatives."""

    def vjp(self, p, cache, dH, needs_dX: bool) -> tuple[Parameters, np.ndarray | None]:
        """Return the gradients in p, and in X if needed, given dH, which may be overwritten."""

    def jvp(self, p, cache, v: Parameters, dX: np.ndarray | None) -> np.ndarray:
        """Return dH in the direction v of the parameters, and dX of X (None for no change)."""


class _ElmanCache(NamedTuple):
    X: Any
    H: np.ndarray
    packing: Packing


class ElmanLayer:
    """h_t = f(x_t W_in + h_{t-1} W_rec + b), with h_0 = 0 (Elman 1990).

    With two directions, half of the units read the sequence from its end. W_in (D, C H) and b
    (C H,) hold the directions side by side, W_rec is (C, H, H).

    Parameters
    ----------
    n_inputs, n_units : int
        D, and H of each direction.
    activation : Activation
    n_directions : {1, 2}
        C.
    """

    input_biases = {"W_in": "b"}
    biases = ("b",)

    def __init__(self, n_inputs: int, n_units: int, activation: Activation, n_directions: int = 1):
        self.activation = activation
        self.n_directions = n_directions
        self.n_inputs = n_inputs
        self.n_outputs = n_directions * n_units
        self.shapes = {
            "W_in": (n_inputs, self.n_outputs),
            "W_rec": (n_directions, n_units, n_units),
            "b": (self.n_outputs,),
        }

    def initial(self, rng, start):
        gain = start.gain * self.activation.input_scale
        radius = start.radius * self.activation.recurrent_scale
        n_units = self.shapes["W_rec"][1]
        return {
            "W_in": random_inputs(rng, gain, self.shapes["W_in"]),
            "W_rec": np.stack(
                [radius * orthogonal(n_units, rng) for _ in range(self.n_directions)]
            ),
            "b": rng.normal(0, 0.2, self.shapes["b"]),
        }

    def begin(self, p, n):
        return np.zeros_like(p["b"], shape=(n, self.n_outputs))

    def step(self, p, state, X):
        A = X @ p["W_in"]
        A += p["b"]
        A += state @ p["W_rec"][0]
        self.activation.apply(A)
        return A, A

    def forward(self, p, X, packing):
        A = rows_times(X, p["W_in"], packing.empty)
        A += p["b"]
        for (steps, A_d), W_rec in zip(self._directions(packing, A), p["W_rec"]):
            for now, linked, before in steps:
                A_linked = A_d[linked]
                A_linked += A_d[before] @ W_rec
                self.activation.apply(A_d[now])
        return A, _ElmanCache(X, A, packing)

    def vjp(self, p, cache, dH, needs_dX):
        X, H, packing = cache
        D = dH  # dl/dh becomes dl/da in place
        dW_rec = np.zeros_like(D, shape=p["W_rec"].shape)
        for d, (steps, H_d, D_d) in enumerate(self._directions(packing, H, D)):
            # a copy, since BLAS is slow to multiply by small transposed matrices
            W_rec_T = p["W_rec"][d].T.copy()
            for now, linked, before in reversed(steps):
                self.activation.chain(D_d[now], H_d[now])
                D_before = D_d[before]
                D_before += D_d[linked] @ W_rec_T
            for linked, before in _links(packing, d):
                dW_rec[d] += cross_product(H_d[before], D_d[linked])
        gradients = {"W_in": cross_product(X, D), "W_rec": dW_rec, "b": column_sums(D)}
        dX = rows_times(D, p["W_in"].T.copy(), packing.empty) if needs_dX else None
        return gradients, dX

    def jvp(self, p, cache, v, dX):
        X, H, packing = cache
        dA = rows_times(X, v["W_in"])
        dA += v["b"]
        if dX is not None:
            dA += rows_times(dX, p["W_in"])
        for d, (steps, H_d, dA_d) in enumerate(self._directions(packing, H, dA)):
            for linked, before in _links(packing, d):
                dA_linked = dA_d[linked]
                dA_linked += rows_times(H_d[before], v["W_rec"][d])
            for now, linked, before in steps:
                dA_linked = dA_d[linked]
                dA_linked += dA_d[before] @ p["W_rec"][d]
                self.activation.chain(dA_d[now], H_d[now])
        return dA

    def _directions(self, packing, *arrays):
        """Steps and column blocks of the arrays for each direction."""
        walks = (packing.steps, packing.steps_back)[: self.n_directions]
        blocks = (np.split(array, self.n_directions, axis=1) for array in arrays)
        return zip(walks, *blocks)


def _links(packing, direction):
    """Linked rows and the rows each is linked to, forward (0) or back (1) in time."""
    return packing.links if direction == 0 else [link[::-1] for link in packing.links]


def random_inputs(rng, gain, shape):
    """Return input weights that give preactivations of standard deviation ``gain``."""
    return rng.normal(0, gain / np.sqrt(shape[0]), shape)


def orthogonal(n, rng):
    """Return a random orthogonal (n, n) matrix, uniformly distributed."""
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return Q * np.sign(np.diag(R))
