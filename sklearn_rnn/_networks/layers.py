"""Recurrent layers: from the rows of a packed batch to states, and their derivatives.

A layer is the one place where its recurrence is written: for whole packed sequences (`forward`,
`vjp`, `jvp`) and one step at a time (`begin`, `step`).
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from .activations import Activation
from .packing import Packing
from .parameters import Parameters, Shapes
from .products import (
    column_blocks,
    column_sums,
    cross_product,
    products_by_sequence,
    rows_times,
)


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
    public_names : dict of str to str
        The fitted attribute that has each parameter, an array for each layer.
    n_inputs, n_outputs : int
        D, and H of all directions.
    """

    shapes: Shapes
    input_biases: dict[str, str]
    biases: tuple[str, ...]
    public_names: dict[str, str]
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
    public_names = {
        "W_in": "input_weights_",
        "W_rec": "recurrent_weights_",
        "b": "hidden_biases_",
    }

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
        n_blocks, n_units, _ = self.shapes["W_rec"]
        return {
            "W_in": random_inputs(rng, gain, self.shapes["W_in"]),
            "W_rec": np.stack([radius * orthogonal(n_units, rng) for _ in range(n_blocks)]),
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
        for (steps, A_d), W_rec in zip(self._blocks(packing, A), p["W_rec"]):
            for now, linked, before in steps:
                A_linked = A_d[linked]
                A_linked += A_d[before] @ W_rec
                self.activation.apply(A_d[now])
        return A, _ElmanCache(X, A, packing)

    def vjp(self, p, cache, dH, needs_dX):
        X, H, packing = cache
        D = dH  # dl/dh becomes dl/da in place
        dW_rec = np.zeros_like(D, shape=p["W_rec"].shape)
        for d, (steps, H_d, D_d) in enumerate(self._blocks(packing, H, D)):
            # a copy, since BLAS is slow to multiply by small transposed matrices
            W_rec_T = p["W_rec"][d].T.copy()
            for now, linked, before in reversed(steps):
                self.activation.chain(D_d[now], H_d[now])
                D_before = D_d[before]
                D_before += D_d[linked] @ W_rec_T
            for linked, before in _links(packing, d):
                dW_rec[d] += cross_product(H_d[before], D_d[linked])
        return self._gradients(p, X, D, dW_rec, packing, needs_dX)

    def jvp_each(self, p, cache, below, n_below):
        """Yield dH (n, P, H) of each step in the directions of P parameters, one after the other.

        First come the ``n_below`` parameters of the layers below, for which ``below`` yields dX
        (n, n_below, D), then the layer's own. What is yielded is overwritten at the next step but
        one. Real-time recurrent learning (Williams, Zipser 1989); of one direction only.
        """
        X, H, packing = cache
        n_units = H.shape[1]
        factors, slope = self._factors(X, H, packing, 0), np.ones_like(H)
        self.activation.chain(slope, H)
        # the slope goes into the factors and weights, of which there are fewer numbers than in dA
        factors = factors[:, :, None] * slope[:, None]
        n_parameters = n_below + factors.shape[1] * n_units
        states = np.zeros_like(H, shape=(2, packing.n_sequences, n_parameters, n_units))
        for t, (now, _, _) in enumerate(packing.steps):
            n = now.stop - now.start
            dH, dH_before = states[t % 2, :n], states[1 - t % 2, :n]
            np.matmul(dH_before, p["W_rec"][0] * slope[now][:, None], out=dH)
            if n_below:
                dH[:, :n_below] += next(below) @ (p["W_in"] * slope[now][:, None])
            # each parameter reaches the preactivation of one unit
            own = dH[:, n_below:].reshape(n, -1, n_units, n_units)
            diagonal = np.einsum("nfhh->nfh", own)
            diagonal += factors[now]
            yield dH

    def vjp_each(self, p, cache, dH, packing, needs_dX):
        """Return the gradients (S, B, ...) of each sequence, given B cotangents dH (N, B, H).

        What `vjp` does for all sequences together and one cotangent, and dX (N, B, D) if needed.
        ``packing`` may be that of the first steps alone; dH may be overwritten.
        """
        X, H = cache.X[: packing.n_rows], cache.H[: packing.n_rows]
        D = dH  # dl/dh becomes dl/da in place
        by_direction = []
        for d, (steps, H_d, D_d) in enumerate(self._blocks(packing, H, D)):
            W_rec_T = p["W_rec"][d].T.copy()
            for now, linked, before in reversed(steps):
                self.activation.chain(D_d[now], H_d[now][:, None])
                D_before = D_d[before]
                D_before += D_d[linked] @ W_rec_T
            factors = self._factors(X, H_d, packing, d)
            products = products_by_sequence(factors, D_d.reshape(len(X), -1), packing)
            by_direction.append(products.reshape(*products.shape[:2], *D_d.shape[1:]))
        products = np.stack(by_direction, axis=3).transpose(0, 2, 1, 3, 4)  # (S, B, ..., C, H)
        n_inputs, flat = self.n_inputs, (*products.shape[:2], -1, self.n_outputs)
        gradients = {
            "W_in": products[:, :, :n_inputs].reshape(flat),
            "W_rec": products[:, :, n_inputs:-1].swapaxes(2, 3),
            "b": products[:, :, -1],
        }
        return gradients, D @ p["W_in"].T if needs_dX else None

    def _factors(self, X, H, packing, direction):
        """What W_in, W_rec and b multiply, side by side: (N, D + H + 1)."""
        D = X.shape[1]
        factors = np.zeros_like(H, shape=(len(X), D + H.shape[1] + 1))
        factors[:, :D] = X
        for linked, before in _links(packing, direction):
            factors[linked, D:-1] = H[before]
        factors[:, -1] = 1.0
        return factors

    def jvp(self, p, cache, v, dX):
        X, H, packing = cache
        dA = self._input_tangent(p, v, X, dX)
        for d, (steps, H_d, dA_d) in enumerate(self._blocks(packing, H, dA)):
            for linked, before in _links(packing, d):
                dA_linked = dA_d[linked]
                dA_linked += rows_times(H_d[before], v["W_rec"][d])
            for now, linked, before in steps:
                dA_linked = dA_d[linked]
                dA_linked += dA_d[before] @ p["W_rec"][d]
                self.activation.chain(dA_d[now], H_d[now])
        return dA

    def _blocks(self, packing, *arrays):
        """Steps and columns of the arrays for each block of units; here a direction is a block."""
        n_blocks = self.shapes["W_rec"][0]
        directions = map(self._direction, range(n_blocks))
        walks = (packing.steps_back if back else packing.steps for back in directions)
        return zip(walks, *(column_blocks(array, n_blocks) for array in arrays))

    def _direction(self, block):
        """0 for a block that reads forward in time, 1 for one that reads back."""
        return block * self.n_directions // self.shapes["W_rec"][0]

    def _input_tangent(self, p, v, X, dX):
        """The tangent of x_t W_in + b."""
        dA = rows_times(X, v["W_in"])
        dA += v["b"]
        if dX is not None:
            dA += rows_times(dX, p["W_in"])
        return dA

    def _gradients(self, p, X, dA, dW_rec, packing, needs_dX):
        """Return the gradients in p, and in X if needed, given those in x_t W_in + b and W_rec."""
        gradients = {"W_in": cross_product(X, dA), "W_rec": dW_rec, "b": column_sums(dA)}
        return gradients, rows_times(dA, p["W_in"].T.copy(), packing.empty) if needs_dX else None


class LeakyLayer(ElmanLayer):
    """h_t = (1 - leak) h_{t-1} + leak f(x_t W_in + h_{t-1} W_rec + b) (Jaeger et al. 2007).

    The units are in independent blocks, each with a leak of its own, which is fixed: it changes its
    states about 1 / leak times as slowly as an Elman layer, which it is with a leak of 1. W_in and
    b hold the blocks side by side, W_rec is (number of blocks, H, H).

    Parameters
    ----------
    n_inputs, n_units : int
        D, and H of each block.
    activation : Activation
    leaks : sequence of float
        Above 0, at most 1. There is a block for each, in each direction.
    n_directions : {1, 2}
    """

    def __init__(self, n_inputs, n_units, activation: Activation, leaks, n_directions=1):
        self.leaks = tuple(map(float, leaks)) * n_directions
        # the parameters have the shapes of as many directions as there are blocks
        super().__init__(n_inputs, n_units, activation, len(self.leaks))
        self.n_directions = n_directions

    def initial(self, rng, start):
        p = super().initial(rng, start)
        # units that see their inputs weakly are nearly linear, the others saturate
        p["W_in"] *= np.exp(rng.uniform(np.log(start.weakest), 0.0, self.n_outputs))
        return p

    def step(self, p, state, X):
        A = X @ p["W_in"]
        A += p["b"]
        H = np.empty_like(A)
        blocks = (column_blocks(array, len(self.leaks)) for array in (A, state, H))
        for leak, W_rec, A_b, before, H_b in zip(self.leaks, p["W_rec"], *blocks):
            A_b += before @ W_rec
            self.activation.apply(A_b)
            H_b[:] = leak * A_b
            H_b += (1 - leak) * before
        return H, H

    def forward(self, p, X, packing):
        F = rows_times(X, p["W_in"], packing.empty)  # a becomes f(a) in place
        F += p["b"]
        H = packing.empty(F.shape, F.dtype)
        for b, (steps, F_b, H_b) in enumerate(self._blocks(packing, F, H)):
            for now, linked, before in steps:
                F_linked = F_b[linked]
                F_linked += H_b[before] @ p["W_rec"][b]
                self.activation.apply(F_b[now])
                self._leak(self.leaks[b], F_b, H_b, now, linked, before)
        return H, (X, F, H, packing)

    def vjp(self, p, cache, dH, needs_dX):
        X, F, H, packing = cache
        D = packing.empty(dH.shape, dH.dtype)  # dl/da
        dW_rec = np.zeros_like(D, shape=p["W_rec"].shape)
        for b, (steps, F_b, H_b, dH_b, D_b) in enumerate(self._blocks(packing, F, H, dH, D)):
            leak, W_rec_T = self.leaks[b], p["W_rec"][b].T.copy()
            for now, linked, before in reversed(steps):
                D_b[now] = leak * dH_b[now]
                self.activation.chain(D_b[now], F_b[now])
                dH_before = dH_b[before]
                dH_before += D_b[linked] @ W_rec_T
                dH_before += (1 - leak) * dH_b[linked]
            for linked, before in _links(packing, self._direction(b)):
                dW_rec[b] += cross_product(H_b[before], D_b[linked])
        return self._gradients(p, X, D, dW_rec, packing, needs_dX)

    def jvp(self, p, cache, v, dX):
        X, F, H, packing = cache
        dF = self._input_tangent(p, v, X, dX)  # da becomes df in place
        dH = np.empty_like(dF)
        for b, (steps, F_b, H_b, dF_b, dH_b) in enumerate(self._blocks(packing, F, H, dF, dH)):
            for linked, before in _links(packing, self._direction(b)):
                dF_linked = dF_b[linked]
                dF_linked += rows_times(H_b[before], v["W_rec"][b])
            for now, linked, before in steps:
                dF_linked = dF_b[linked]
                dF_linked += dH_b[before] @ p["W_rec"][b]
                self.activation.chain(dF_b[now], F_b[now])
                self._leak(self.leaks[b], dF_b, dH_b, now, linked, before)
        return dH

    def _leak(self, leak, F, H, now, linked, before):
        """Set H of this step from F of this step and H of the step before."""
        H[now] = leak * F[now]
        H_linked = H[linked]
        H_linked += (1 - leak) * H[before]


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
