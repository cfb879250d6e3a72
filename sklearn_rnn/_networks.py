"""What a network is, and patterns 1 and 2: forward, vjp and jvp on packed sequences.

In the names of parameters the digit is the layer, counted from 0. `Network` says what the others
ask of a pattern; pattern 3 is in `_output_feedback.py`.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from ._cells import Cell
from ._packing import Packing
from ._parameters import Parameters, Shapes
from ._pooling import Pooled
from ._products import column_sums, cross_product, rows_times
from ._sharding import Shard
from ._start import Start, orthogonal, random_inputs

# Whoever runs a network looks for what is not finite, and says what to do; warnings would only come
# before.
QUIET = np.errstate(over="ignore", invalid="ignore")


class Network(Protocol):
    """What a pattern is to the objective, to training and to the estimators.

    ``empty`` is where large arrays go that are needed no longer than the shard, see `Scratch`.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter. Names of weights start with W, and W_out and c are the
        output layer.
    independent_steps : bool
        Whether the steps of a sequence are independent given the outputs that are fed back, so
        that the penalty counts each as an observation; otherwise it counts sequences.
    """

    shapes: Shapes
    independent_steps: bool

    def initial(self, rng: np.random.RandomState, start: Start) -> Parameters:
        """Where training starts; the output layer is zero."""

    def forward(self, p: Parameters, shard: Shard, empty=np.empty) -> tuple[np.ndarray, Any]:
        """The logits Z, a row a step, or a row a sequence if it pools; and a cache.

        The cache tells by ``features`` what the output layer sees.
        """

    def vjp(self, p: Parameters, cache: Any, dZ: np.ndarray, empty=np.empty) -> Parameters:
        """J' dZ. It may overwrite dZ."""

    def jvp(self, p: Parameters, cache: Any, v: Parameters) -> np.ndarray:
        """J v for a direction v."""

    def infer(self, p: Parameters, shard: Shard) -> np.ndarray:
        """The logits to predict from."""


@QUIET
def infer(network, p, shard, link=None):
    """Logits to predict from, or what the link makes of them; NaN where they overflow."""
    Z = network.infer(p, shard)
    if not np.isfinite(Z.sum()):
        Z[~np.isfinite(Z)] = np.nan
    return Z if link is None else link(Z)


class _Recurrence:
    """One layer, h_t = f(x_t W_in + h_{t-1} W_rec + b), with h_0 = 0.

    With two directions, half of the units read the sequence from its end. W_in (D, C H) and b
    (C H,) hold the directions side by side, W_rec is (C, H, H).
    """

    def __init__(self, n_inputs: int, n_units: int, cell: Cell, n_directions: int):
        self.cell = cell
        self.n_directions = n_directions
        self.n_outputs = n_directions * n_units
        self.shapes = {
            "W_in": (n_inputs, self.n_outputs),
            "W_rec": (n_directions, n_units, n_units),
            "b": (self.n_outputs,),
        }

    def initial(self, rng, start):
        n_directions, n_units, _ = self.shapes["W_rec"]
        radius = start.radius * self.cell.recurrent_scale
        return {
            "W_in": random_inputs(rng, start.gain * self.cell.input_scale, self.shapes["W_in"]),
            "W_rec": np.stack([radius * orthogonal(n_units, rng) for _ in range(n_directions)]),
            "b": rng.normal(0, 0.2, self.shapes["b"]),
        }

    def _directions(self, *arrays, packing):
        """Steps and column blocks of the arrays for each direction."""
        walks = (packing.steps, packing.steps_back)[: self.n_directions]
        blocks = (np.split(array, self.n_directions, axis=1) for array in arrays)
        return zip(walks, *blocks)

    def forward(self, p, X, packing, empty):
        A = rows_times(X, p["W_in"], empty)
        A += p["b"]
        for (steps, A_d), W_rec in zip(self._directions(A, packing=packing), p["W_rec"]):
            for now, linked, before in steps:
                A_linked = A_d[linked]
                A_linked += A_d[before] @ W_rec
                self.cell.apply(A_d[now])
        return A

    def vjp(self, p, X, A, packing, D):
        """Gradients from D = dl/dh, which becomes dl/da in place."""
        dW_rec = np.zeros_like(D, shape=p["W_rec"].shape)
        for d, (steps, A_d, D_d) in enumerate(self._directions(A, D, packing=packing)):
            # a copy, for BLAS is slow to multiply by small transposed matrices
            W_rec_T = p["W_rec"][d].T.copy()
            for now, linked, before in reversed(steps):
                self.cell.chain(D_d[now], A_d[now])
                D_before = D_d[before]
                D_before += D_d[linked] @ W_rec_T
            for linked, before in _links(packing, d):
                dW_rec[d] += cross_product(A_d[before], D_d[linked])
        return {"W_in": cross_product(X, D), "W_rec": dW_rec, "b": column_sums(D)}

    def jvp(self, p, X, A, packing, v, dX):
        dA = rows_times(X, v["W_in"])
        dA += v["b"]
        if dX is not None:
            dA += rows_times(dX, p["W_in"])
        for d, (steps, A_d, dA_d) in enumerate(self._directions(A, dA, packing=packing)):
            for linked, before in _links(packing, d):
                dA_linked = dA_d[linked]
                dA_linked += rows_times(A_d[before], v["W_rec"][d])
            for now, linked, before in steps:
                dA_linked = dA_d[linked]
                dA_linked += dA_d[before] @ p["W_rec"][d]
                self.cell.chain(dA_d[now], A_d[now])
        return dA


def _links(packing, direction):
    """Linked rows and the rows each is linked to, forward (0) or back (1) in time."""
    return packing.links if direction == 0 else [link[::-1] for link in packing.links]


class _HiddenCache(NamedTuple):
    packing: Packing
    states: list  # X, then the states of each layer
    pooled: Pooled | None
    features: np.ndarray  # what the output layer sees


class HiddenFeedback:
    """Patterns 1 and 2: the hidden units are recurrent.

    In every layer h_t = f(x_t W_in + h_{t-1} W_rec + b), where x_t is what the layer below puts out
    (of both directions, if there are two). Pattern 1 puts out z_t = h_t W_out + c at each step,
    pattern 2 z = pool(h_1..h_T) W_out + c for each sequence. With neither layer nor pool it is a
    linear model.

    Parameters
    ----------
    n_features, n_outputs : int
        D and K.
    hidden_layer_sizes : sequence of int
        Units of each layer (of each direction).
    cell : Cell
    bidirectional : bool
    pooling : sequence of str
        Keys of `POOLS`; empty for an output at each step.
    """

    independent_steps = False

    def __init__(self, n_features, hidden_layer_sizes, n_outputs, cell, bidirectional, pooling):
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.layers = []
        for n_units in hidden_layer_sizes:
            layer = _Recurrence(n_features, n_units, cell, 1 + bidirectional)
            self.layers.append(layer)
            n_features = layer.n_outputs
        self.shapes = {
            f"{name}{i}": shape
            for i, layer in enumerate(self.layers)
            for name, shape in layer.shapes.items()
        }
        n_features *= max(len(pooling), 1)
        self.shapes |= {"W_out": (n_features, n_outputs), "c": (n_outputs,)}

    def initial(self, rng, start):
        p = {}
        for i, layer in enumerate(self.layers):
            p |= {f"{name}{i}": value for name, value in layer.initial(rng, start).items()}
            start = start._replace(gain=1.0)
        p["W_out"] = np.zeros(self.shapes["W_out"])
        p["c"] = np.zeros(self.shapes["c"])
        return p

    def forward(self, p, shard, empty=np.empty):
        states = [shard.X]
        for i, layer in enumerate(self.layers):
            p_i = _layer(p, layer, i)
            states.append(layer.forward(p_i, states[-1], shard.packing, empty))
        pooled, features = None, states[-1]
        if self.pooling:
            pooled = Pooled(self.pooling, features, shard.packing, self.bidirectional)
            features = pooled.push(features)
        # columns contiguous: the loss reduces over few outputs and many rows
        Z = np.asfortranarray(rows_times(features, p["W_out"]))
        Z += p["c"]
        return Z, _HiddenCache(shard.packing, states, pooled, features)

    def infer(self, p, shard):
        return self.forward(p, shard)[0]

    def vjp(self, p, cache, dZ, empty=np.empty):
        gradients = {"W_out": cross_product(cache.features, dZ), "c": column_sums(dZ)}
        D = rows_times(dZ, p["W_out"].T.copy(), empty) if self.layers else None
        if cache.pooled is not None:
            D = cache.pooled.pull(D, empty)
        for i, layer in reversed(list(enumerate(self.layers))):
            X, A = cache.states[i : i + 2]
            of_layer = layer.vjp(_layer(p, layer, i), X, A, cache.packing, D)
            gradients |= {f"{name}{i}": gradient for name, gradient in of_layer.items()}
            if i:
                D = rows_times(D, p[f"W_in{i}"].T.copy(), empty)
        return gradients

    def jvp(self, p, cache, v):
        dX = None
        for i, layer in enumerate(self.layers):
            X, A = cache.states[i : i + 2]
            p_i, v_i = _layer(p, layer, i), _layer(v, layer, i)
            dX = layer.jvp(p_i, X, A, cache.packing, v_i, dX)
        if cache.pooled is not None:
            dX = cache.pooled.push(dX)
        dZ = rows_times(cache.features, v["W_out"])
        dZ += v["c"]
        if dX is not None:
            dZ += rows_times(dX, p["W_out"])
        return np.asfortranarray(dZ)


def _layer(p, layer, i):
    """The parameters of layer i, by the names that the layer gives them."""
    return {name: p[f"{name}{i}"] for name in layer.shapes}
