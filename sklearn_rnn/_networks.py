"""The recurrence patterns: forward, vjp and jvp on packed sequences.

In the names of parameters the digit is the layer, counted from 0. `Network` says what the others
ask of a pattern.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import sparse

from ._cells import Cell, log_softmax, softmax, softmax_product
from ._decoding import log_marginals
from ._packing import Packing
from ._parameters import Parameters, Shapes, orthogonal
from ._pooling import Pooled
from ._sharding import Shard


class Network(Protocol):
    """What a pattern is to the objective, to training and to the estimators.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter. Names of weights start with W, and W_out and c are the
        output layer.
    independent_steps : bool
        Whether the steps of a sequence are independent given what the network is given, so that
        each counts as an observation; otherwise each sequence does.
    """

    shapes: Shapes
    independent_steps: bool

    def initial(self, rng: np.random.RandomState, start: "Start") -> Parameters:
        """Where training starts; the output layer is zero."""

    def forward(self, p: Parameters, shard: Shard) -> tuple[np.ndarray, Any]:
        """The logits Z, a row a step, or a row a sequence if it pools; and a cache.

        The cache tells by ``features`` what the output layer sees.
        """

    def vjp(self, p: Parameters, cache: Any, dZ: np.ndarray) -> Parameters:
        """J' dZ. It may overwrite dZ."""

    def jvp(self, p: Parameters, cache: Any, v: Parameters) -> np.ndarray:
        """J v for a direction v."""

    def infer(self, p: Parameters, shard: Shard) -> np.ndarray:
        """The logits to predict from."""


class Start(NamedTuple):
    """How large the weights are from which training starts.

    Attributes
    ----------
    gain : float
        Of the first layer's input weights: what the standard deviation of a preactivation is, if
        the features have unit variance.
    radius : float
        Spectral radius of W_rec, and standard deviation of W_fb.
    """

    gain: float
    radius: float


# Rich dynamics that forget slowly, to which an output layer can be fitted as they are (Jaeger 2001;
# Lukosevicius 2012).
RESERVOIR = Start(gain=1.0, radius=0.9)
# Near zero, where features are learnt instead of drawn (Chizat, Oyallon, Bach 2019).
SMALL = Start(gain=0.1, radius=0.1)


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
            "W_in": _random_inputs(rng, start.gain * self.cell.input_scale, self.shapes["W_in"]),
            "W_rec": np.stack([radius * orthogonal(n_units, rng) for _ in range(n_directions)]),
            "b": rng.normal(0, 0.2, self.shapes["b"]),
        }

    def _directions(self, *arrays, packing):
        """Steps and column blocks of the arrays for each direction."""
        walks = (packing.steps, packing.steps_back)[: self.n_directions]
        blocks = (np.split(array, self.n_directions, axis=1) for array in arrays)
        return zip(walks, *blocks)

    def forward(self, p, X, packing):
        A = X @ p["W_in"]
        A += p["b"]
        for (steps, A_d), W_rec in zip(self._directions(A, packing=packing), p["W_rec"]):
            for now, linked, before in steps:
                A_d[linked] += A_d[before] @ W_rec
                self.cell.apply(A_d[now])
        return A

    def vjp(self, p, X, A, packing, D):
        """Gradients from D = dl/dh, which becomes dl/da in place."""
        F = self.cell.derivative(A)
        dW_rec = np.empty_like(D, shape=p["W_rec"].shape)
        directions = self._directions(A, F, D, packing=packing)
        for d, (steps, A_d, F_d, D_d) in enumerate(directions):
            for now, linked, before in reversed(steps):
                D_d[now] *= F_d[now]
                D_d[before] += D_d[linked] @ p["W_rec"][d].T
            linked, before = _links(packing, d)
            dW_rec[d] = A_d[before].T @ D_d[linked]
        return {"W_in": X.T @ D, "W_rec": dW_rec, "b": D.sum(axis=0)}

    def jvp(self, p, X, A, packing, v, dX):
        F = self.cell.derivative(A)
        dA = X @ v["W_in"]
        dA += v["b"]
        if dX is not None:
            dA += dX @ p["W_in"]
        directions = self._directions(A, F, dA, packing=packing)
        for d, (steps, A_d, F_d, dA_d) in enumerate(directions):
            linked, before = _links(packing, d)
            dA_d[linked] += A_d[before] @ v["W_rec"][d]
            for now, linked, before in steps:
                dA_d[linked] += dA_d[before] @ p["W_rec"][d]
                dA_d[now] *= F_d[now]
        return dA


def _random_inputs(rng, gain, shape):
    """Input weights which give preactivations of the standard deviation ``gain``."""
    return rng.normal(0, gain / np.sqrt(shape[0]), shape)


def _links(packing, direction):
    """All linked rows and the rows each is linked to, forward (0) or back (1) in time."""
    links = packing.successors, packing.predecessors
    return links if direction == 0 else links[::-1]


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

    def forward(self, p, shard):
        states = [shard.X]
        for i, layer in enumerate(self.layers):
            states.append(layer.forward(_layer(p, layer, i), states[-1], shard.packing))
        pooled, features = None, states[-1]
        if self.pooling:
            pooled = Pooled(self.pooling, features, shard.packing, self.bidirectional)
            features = pooled.push(features)
        Z = features @ p["W_out"]
        Z += p["c"]
        return Z, _HiddenCache(shard.packing, states, pooled, features)

    def infer(self, p, shard):
        return self.forward(p, shard)[0]

    def vjp(self, p, cache, dZ):
        gradients = {"W_out": cache.features.T @ dZ, "c": dZ.sum(axis=0)}
        D = dZ @ p["W_out"].T if self.layers else None
        if cache.pooled is not None:
            D = cache.pooled.pull(D)
        for i, layer in reversed(list(enumerate(self.layers))):
            X, A = cache.states[i : i + 2]
            of_layer = layer.vjp(_layer(p, layer, i), X, A, cache.packing, D)
            gradients |= {f"{name}{i}": gradient for name, gradient in of_layer.items()}
            if i:
                D = D @ p[f"W_in{i}"].T
        return gradients

    def jvp(self, p, cache, v):
        dX = None
        for i, layer in enumerate(self.layers):
            X, A = cache.states[i : i + 2]
            p_i, v_i = _layer(p, layer, i), _layer(v, layer, i)
            dX = layer.jvp(p_i, X, A, cache.packing, v_i, dX)
        if cache.pooled is not None:
            dX = cache.pooled.push(dX)
        dZ = cache.features @ v["W_out"]
        dZ += v["c"]
        return dZ if dX is None else dZ + dX @ p["W_out"]


def _layer(p, layer, i):
    """The parameters of layer i, by the names that the layer gives them."""
    return {name: p[f"{name}{i}"] for name in layer.shapes}


class _OutputCache(NamedTuple):
    packing: Packing
    states: list  # X, then the states of each layer
    feedback: np.ndarray | sparse.csr_array  # what W_fb is multiplied by
    Z: np.ndarray

    @property
    def features(self):
        return self.states[-1]  # what the output layer sees


class _OutputFeedback:
    """h_t = f(x_t W_in + o_{t-1} W_fb + b) and z_t = h_t W_out + c, with o_t = softmax(z_t).

    W_fb is (K + 1, H): its last row stands for "nothing yet", the feedback of the first step.
    Layers above the first are feed-forward: h_t of layer i is f(h_t of layer i - 1, W_in + b).

    Parameters
    ----------
    n_features, n_outputs : int
        D and K.
    hidden_layer_sizes : sequence of int
        Units of each layer.
    cell : Cell
    """

    def __init__(self, n_features, hidden_layer_sizes, n_outputs, cell):
        self.cell = cell
        self.n_layers = len(hidden_layer_sizes)
        self.n_outputs = n_outputs
        sizes = [n_features, *hidden_layer_sizes]
        self.shapes = {}
        for i, shape in enumerate(zip(sizes, sizes[1:])):
            self.shapes |= {f"W_in{i}": shape, f"b{i}": shape[1:]}
        self.shapes |= {
            "W_fb": (n_outputs + 1, sizes[1]),
            "W_out": (sizes[-1], n_outputs),
            "c": (n_outputs,),
        }

    def initial(self, rng, start):
        p = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        gains = [start.gain] + [1.0] * (self.n_layers - 1)
        scale = self.cell.input_scale
        for i, gain in enumerate(gains):
            shape = self.shapes[f"W_in{i}"]
            p[f"W_in{i}"] = _random_inputs(rng, gain * scale, shape)
            p[f"b{i}"] = rng.normal(0, 0.2, shape[1])
        p["W_fb"] = rng.normal(0, start.radius * scale, self.shapes["W_fb"])
        return p

    def _without_feedback(self, p, X):
        """The part of the first layer's preactivations that needs no time step: x_t W_in + b."""
        A = X @ p["W_in0"]
        A += p["b0"]
        return A

    def _states_above(self, p, A):
        """Room for the states of the layers above the first, whose rows are those of A."""
        return [np.empty_like(A, shape=(len(A), len(p[f"b{i}"]))) for i in range(1, self.n_layers)]

    def _activate(self, p, A, above):
        """Logits from the first layer's preactivations; A and above become the states in place."""
        self.cell.apply(A)
        for i, A_i in enumerate(above, start=1):
            np.matmul(A, p[f"W_in{i}"], out=A_i)
            A_i += p[f"b{i}"]
            self.cell.apply(A_i)
            A = A_i
        Z = A @ p["W_out"]
        Z += p["c"]
        return Z

    def _backward(self, p, states, dZ):
        """dl/da of each layer from dl/dz and the layers' states, all at the same rows."""
        D = [dZ @ p["W_out"].T]
        for i in reversed(range(self.n_layers)):
            D[0] *= self.cell.derivative(states[i])
            if i:
                D.insert(0, D[0] @ p[f"W_in{i}"].T)
        return D

    def _gradients(self, cache, D, dZ):
        """Gradients by parameter name, one product each, from dl/da of each layer and dl/dz."""
        gradients = {"W_fb": cache.feedback.T @ D[0]}
        for i, D_i in enumerate(D):
            gradients |= {f"W_in{i}": cache.states[i].T @ D_i, f"b{i}": D_i.sum(axis=0)}
        return gradients | {"W_out": cache.features.T @ dZ, "c": dZ.sum(axis=0)}

    def _direct(self, cache, v):
        """The first layer's dA, as far as it needs no time step, in the direction v."""
        dA = cache.states[0] @ v["W_in0"]
        dA += cache.feedback @ v["W_fb"]
        dA += v["b0"]
        return dA

    def _forward_tangent(self, p, cache, v, dA, rows):
        """dZ at the given rows from the first layer's dA there."""
        states = [state[rows] for state in cache.states[1:]]
        dH = dA * self.cell.derivative(states[0])
        for i in range(1, self.n_layers):
            dH = dH @ p[f"W_in{i}"] + states[i - 1] @ v[f"W_in{i}"] + v[f"b{i}"]
            dH *= self.cell.derivative(states[i])
        return dH @ p["W_out"] + states[-1] @ v["W_out"] + v["c"]


class TeacherForced(_OutputFeedback):
    """o_{t-1} is the true previous label, one-hot: no loop over time, all rows at once."""

    independent_steps = True

    def forward(self, p, shard):
        A = self._without_feedback(p, shard.X)
        above = self._states_above(p, A)
        feedback = previous_labels(shard.y, shard.packing, self.n_outputs, shard.X.dtype)
        A += feedback @ p["W_fb"]
        Z = self._activate(p, A, above)
        return Z, _OutputCache(shard.packing, [shard.X, A, *above], feedback, Z)

    def vjp(self, p, cache, dZ):
        return self._gradients(cache, self._backward(p, cache.states[1:], dZ), dZ)

    def jvp(self, p, cache, v):
        return self._forward_tangent(p, cache, v, self._direct(cache, v), slice(None))

    def infer(self, p, shard):
        """Log-marginals, which are logits of themselves."""
        return log_marginals(*self.log_transitions(p, shard), shard.packing)

    def log_transitions(self, p, shard):
        """Log-probabilities of every label given every previous label.

        Returns
        -------
        first : ndarray of shape (S, K)
            log p(y_1 | x_1).
        transitions : callable
            ``transitions(rows)`` gives log p(y_t = k | x_t, y_{t-1} = j) at the packed rows (a
            slice), as (rows, j, k): K evaluations of the hidden layers a row.
        """
        K = self.n_outputs
        W_fb = p["W_fb"]
        A = self._without_feedback(p, shard.X)

        def logits(rows, feedback):
            A_rows = (A[rows][:, None, :] + feedback).reshape(-1, W_fb.shape[1])
            Z = self._activate(p, A_rows, self._states_above(p, A_rows))
            return Z.reshape(-1, len(feedback), K)

        first = log_softmax(logits(shard.packing.first, W_fb[K:])[:, 0])
        return first, lambda rows: log_softmax(logits(rows, W_fb[:K]))


class FreeRunning(_OutputFeedback):
    """o_{t-1} is the network's own softmax output: a loop over time, differentiated through it."""

    independent_steps = False

    def forward(self, p, shard):
        packing, K = shard.packing, self.n_outputs
        A = self._without_feedback(p, shard.X)
        above = self._states_above(p, A)
        Z = np.empty_like(A, shape=(packing.n_rows, K))
        feedback = np.zeros_like(A, shape=(packing.n_rows, K + 1))
        feedback[packing.first, K] = 1.0
        for now, linked, before in packing.steps:
            feedback[linked, :K] = softmax(Z[before])
            A[now] += feedback[now] @ p["W_fb"]
            Z[now] = self._activate(p, A[now], [A_i[now] for A_i in above])
        return Z, _OutputCache(packing, [shard.X, A, *above], feedback, Z)

    def infer(self, p, shard):
        return self.forward(p, shard)[0]

    def vjp(self, p, cache, dZ):
        K = self.n_outputs
        output = softmax(cache.Z)
        D = [np.empty_like(A) for A in cache.states[1:]]
        for now, linked, before in reversed(cache.packing.steps):
            D_now = self._backward(p, [A[now] for A in cache.states[1:]], dZ[now])
            for D_i, D_i_now in zip(D, D_now):
                D_i[now] = D_i_now
            dO = D[0][linked] @ p["W_fb"][:K].T
            dZ[before] += softmax_product(output[before], dO)
        return self._gradients(cache, D, dZ)

    def jvp(self, p, cache, v):
        K = self.n_outputs
        output = softmax(cache.Z)
        dA = self._direct(cache, v)
        dZ = np.empty_like(dA, shape=cache.Z.shape)
        for now, linked, before in cache.packing.steps:
            dO = softmax_product(output[before], dZ[before])
            dA[linked] += dO @ p["W_fb"][:K]
            dZ[now] = self._forward_tangent(p, cache, v, dA[now], now)
        return dZ


def previous_labels(y, packing, n_labels, dtype):
    """The previous label of every packed row as a one-hot CSR matrix (N, K + 1).

    The last column stands for the first step, which has no previous label.
    """
    previous = np.full(packing.n_rows, n_labels)
    previous[packing.successors] = y[packing.predecessors]
    ones, ends = np.ones(packing.n_rows, dtype=dtype), np.arange(packing.n_rows + 1)
    return sparse.csr_array((ones, previous, ends), shape=(packing.n_rows, n_labels + 1))
