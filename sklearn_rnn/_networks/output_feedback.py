"""Pattern 3, the output feeds back: with teacher forcing, or running free.

In the names of parameters the digit is the layer, counted from 0.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from .activations import ACTIVATIONS
from .chains import (
    DECODERS,
    log_marginals,
    most_probable,
    most_probable_sequences,
    pair_marginals,
    pass_on,
    sample,
)
from .label_feedback import Contexts, FedBackLabels
from .label_sequences import LabelSequences
from .layers import random_inputs
from .network import infer_logits
from .outputs import Output, Softmax, log_softmax, softmax, softmax_product
from .packing import Packing
from .parameters import Role
from .products import column_sums, rows_times
from .transitions import Transitions


class OutputCache(NamedTuple):
    packing: Packing
    states: list  # X, then the states of each layer
    feedback: np.ndarray | sparse.csr_array  # what W_fb is multiplied by
    Z: np.ndarray

    @property
    def features(self):
        return self.states[-1]  # what the output layer sees


class OutputFeedback:
    """h_t = f(x_t W_in + o_{t-1} W_fb + b) and z_t = h_t W_out + c, with o_t = softmax(z_t).

    W_fb is (K + 1, H): its last row stands for "nothing yet", the feedback of the first step.
    Layers above the first are feed-forward: h_t of layer i is f(h_t of layer i - 1, W_in + b).

    Parameters
    ----------
    n_features, n_outputs : int
        D and K.
    hidden_layer_sizes : sequence of int
        Units of each layer.
    activation : str
        A key of `ACTIVATIONS`.
    n_fed_back : int, optional
        Rows of W_fb; by default K + 1.
    """

    n_directions = 1
    hidden_feedback = False
    cell = "elman"
    output_only = False
    warm_up_steps = None
    input_biases = {"W_in0": "b0"}
    feedback_biases: dict[str, str] = {}  # labels fed back are not standardised
    output_terms: tuple[str, ...] = ("W_out",)
    output_levels: tuple[str, ...] = ("c",)
    output: Output = Softmax()
    transitions: Transitions | None = None

    def __init__(self, n_features, hidden_layer_sizes, n_outputs, activation, n_fed_back=None):
        n_fed_back = n_outputs + 1 if n_fed_back is None else n_fed_back
        self.activation = ACTIVATIONS[activation]
        self.n_features = n_features
        self.n_layers = len(hidden_layer_sizes)
        self.n_outputs = n_outputs
        sizes = [n_features, *hidden_layer_sizes]
        self.shapes = {}
        for i, shape in enumerate(zip(sizes, sizes[1:])):
            self.shapes |= {f"W_in{i}": shape, f"b{i}": shape[1:]}
        self.shapes |= {
            "W_fb": (n_fed_back, sizes[1]),
            "W_out": (sizes[-1], n_outputs),
            "c": (n_outputs,),
        }
        self.roles = {
            name: Role.HIDDEN if name.startswith("W") else Role.BIAS for name in self.shapes
        } | {"W_in0": Role.INPUT, "W_out": Role.OUTPUT}

    def initial(self, rng, start):
        p = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        gains = [start.gain] + [1.0] * (self.n_layers - 1)
        scale = self.activation.input_scale
        for i, gain in enumerate(gains):
            shape = self.shapes[f"W_in{i}"]
            p[f"W_in{i}"] = random_inputs(rng, gain * scale, shape)
            p[f"b{i}"] = rng.normal(0, 0.2, shape[1])
        p["W_fb"] = rng.normal(0, start.radius * scale, self.shapes["W_fb"])
        return p

    def without_feedback(self, p, shard):
        """The part of the first layer's preactivations that needs no time step: x_t W_in + b."""
        A = rows_times(shard.X, p["W_in0"], shard.packing.empty)
        A += p["b0"]
        return A

    def _states_above(self, p, A):
        """Arrays for the states of the layers above the first, at the rows of A."""
        return [np.empty_like(A, shape=(len(A), len(p[f"b{i}"]))) for i in range(1, self.n_layers)]

    def _activate(self, p, A, above):
        """Logits from the first layer's preactivations; A and above become the states in place."""
        self.activation.apply(A)
        for i, A_i in enumerate(above, start=1):
            np.matmul(A, p[f"W_in{i}"], out=A_i)
            A_i += p[f"b{i}"]
            self.activation.apply(A_i)
            A = A_i
        Z = A @ p["W_out"]
        Z += p["c"]
        return Z

    def logits(self, p, A):
        """Logits (..., K) from the first layer's preactivations A (..., H), which it overwrites."""
        A_rows = A.reshape(-1, A.shape[-1])
        Z = self._activate(p, A_rows, self._states_above(p, A_rows))
        return Z.reshape(*A.shape[:-1], -1)

    def _backward(self, p, states, dZ):
        """dl/da of each layer from dl/dz and the layers' states, all at the same rows."""
        D = [dZ @ p["W_out"].T]
        for i in reversed(range(self.n_layers)):
            self.activation.chain(D[0], states[i])
            if i:
                D.insert(0, D[0] @ p[f"W_in{i}"].T)
        return D

    def _gradients(self, cache, D, dZ):
        """Gradients by parameter name, one product each, from dl/da of each layer and dl/dz."""
        gradients = {"W_fb": cache.feedback.T @ D[0]}
        for i, D_i in enumerate(D):
            gradients |= {f"W_in{i}": cache.states[i].T @ D_i, f"b{i}": column_sums(D_i)}
        return gradients | {"W_out": cache.features.T @ dZ, "c": column_sums(dZ)}

    def _direct(self, cache, v):
        """The first layer's dA, as far as it needs no time step, in the direction v."""
        dA = cache.states[0] @ v["W_in0"]
        dA += cache.feedback @ v["W_fb"]
        dA += v["b0"]
        return dA

    def _forward_tangent(self, p, cache, v, dA, rows):
        """dZ at the given rows from the first layer's dA there."""
        states = [state[rows] for state in cache.states[1:]]
        dH = dA.copy()
        self.activation.chain(dH, states[0])
        for i in range(1, self.n_layers):
            dH = dH @ p[f"W_in{i}"] + states[i - 1] @ v[f"W_in{i}"] + v[f"b{i}"]
            self.activation.chain(dH, states[i])
        return dH @ p["W_out"] + states[-1] @ v["W_out"] + v["c"]

    def _first_step(self, p, X):
        """x W_in + b of a single step, where `rows_times` would cost more than the product."""
        A = X @ p["W_in0"]
        A += p["b0"]
        return A

    def attributes(self, p):
        layers = range(self.n_layers)
        return {
            "input_weights_": [p[f"W_in{i}"] for i in layers],
            "hidden_biases_": [p[f"b{i}"] for i in layers],
            **self._feedback_attributes(p),
            "output_weights_": p["W_out"],
            "output_biases_": p["c"],
        }

    def parameters(self, attributes):
        p = {
            **self._feedback_parameters(attributes),
            "W_out": attributes["output_weights_"],
            "c": attributes["output_biases_"],
        }
        for i in range(self.n_layers):
            p[f"W_in{i}"] = attributes["input_weights_"][i]
            p[f"b{i}"] = attributes["hidden_biases_"][i]
        return p

    def _feedback_attributes(self, p):
        return {"feedback_weights_": p["W_fb"][:-1], "initial_feedback_": p["W_fb"][-1]}

    def _feedback_parameters(self, attributes):
        W_fb = np.vstack([attributes["feedback_weights_"], attributes["initial_feedback_"]])
        return {"W_fb": W_fb}


class TeacherForced(OutputFeedback):
    """o_{t-1} is the true previous label, one-hot: no loop over time, all rows at once.

    Parameters
    ----------
    n_features, hidden_layer_sizes, n_outputs, activation
        See `OutputFeedback`.
    transitions : Transitions, optional
        What is forbidden has probability zero. After each label, and at the start, one must be
        allowed that may end the sequence.
    """

    output: Output = FedBackLabels()

    def __init__(self, n_features, hidden_layer_sizes, n_outputs, activation, transitions=None):
        super().__init__(n_features, hidden_layer_sizes, n_outputs, activation)
        self.transitions = transitions

    def exclude(self, Z, previous, is_last=None):
        """Set the logits (..., K) of labels to -inf that must not follow ``previous`` (...).

        K stands for no label before. ``is_last`` is whether each row is a last step, None for no.
        """
        if self.transitions is None:
            return
        between, start, end = self.transitions.astype(Z.real.dtype)
        Z += np.vstack([between, start])[previous]
        if is_last is not None:
            Z[is_last] += end

    def forward(self, p, shard):
        """Return the logits Z given the label before; where that is unknown, given every label.

        Then Z has more rows than X: those of `Contexts`.
        """
        A, X, is_last = self.without_feedback(p, shard), shard.X, shard.packing.is_last
        contexts = Contexts.of(shard.y, shard.packing, self.n_outputs)
        if contexts.is_open.any():
            A, X, is_last = A[contexts.row], X[contexts.row], is_last[contexts.row]
        above = self._states_above(p, A)
        feedback = one_hot(contexts.previous, self.n_outputs + 1, X.dtype)
        A += feedback @ p["W_fb"]
        Z = self._activate(p, A, above)
        self.exclude(Z, contexts.previous, is_last)
        return Z, OutputCache(shard.packing, [X, A, *above], feedback, Z)

    def vjp(self, p, cache, dZ):
        return self._gradients(cache, self._backward(p, cache.states[1:], dZ), dZ)

    def jvp(self, p, cache, v):
        return self._forward_tangent(p, cache, v, self._direct(cache, v), slice(None))

    def infer(self, p, shard):
        """Return log-marginals, which are normalised: their softmax is their exponential."""
        return log_marginals(_LabelChain(self, p, shard))

    def begin(self, p, n):
        return None

    def step(self, p, state, X):
        """Take one step of the recursion of `log_marginals`; the state is log alpha and alpha."""
        A = self._first_step(p, X)
        if state is None:
            Z = self.logits(p, A + p["W_fb"][-1])
            self.exclude(Z, self.n_outputs)
            log_alpha = log_softmax(Z)
            return log_alpha, (log_alpha, np.exp(log_alpha))
        tables = self.logits(p, A[:, None, :] + p["W_fb"][:-1])
        self.exclude(tables, np.arange(self.n_outputs))
        log_alpha, alpha = pass_on(*state, tables)
        return log_alpha, (log_alpha, alpha)

    def decode(self, p, shard, decoding):
        """Return labels (N,) by one of `DECODERS`, -1 where nothing is finite."""
        return DECODERS[decoding](_LabelChain(self, p, shard))

    def log_proba(self, p, shard):
        """Return a term for each row; those of a sequence sum to log p(y | x)."""
        Z, _ = self.forward(p, shard)
        return self.output.log_proba(p, Z, shard.y, shard.packing)

    def sample(self, p, shard, U):
        """Return labels (N, n_samples) from uniform random numbers of that shape."""
        return sample(_LabelChain(self, p, shard), U)

    def pairs(self, p, shard):
        """Return p(y_{t-1}, y_t | x), zero at first steps: (N, K, K)."""
        return pair_marginals(_LabelChain(self, p, shard))

    def n_best(self, p, shard, n):
        """Return the n most probable sequences of labels, (N, n) of dtype `BEST`."""
        return most_probable_sequences(_LabelChain(self, p, shard), n)


class _LabelChain:
    """The chain p(y_t | x_t, y_{t-1}) that a network with teacher forcing has learnt: a `Chain`."""

    def __init__(self, network, p, shard):
        self.packing = shard.packing
        self._network = network
        self._p = p
        self._A = network.without_feedback(p, shard)
        self._W_fb, start = p["W_fb"][:-1], p["W_fb"][-1]
        self.first = network.logits(p, self._A[self.packing.first] + start)
        is_last = self.packing.is_last[self.packing.first]
        network.exclude(self.first, network.n_outputs, is_last)

    def tables(self, rows):
        return self.given(rows, np.arange(self._network.n_outputs)[None])

    def given(self, rows, previous):
        Z = self._network.logits(self._p, self._A[rows][:, None, :] + self._W_fb[previous])
        self._network.exclude(Z, previous, self.packing.is_last[rows])
        return Z


class FreeRunning(LabelSequences, OutputFeedback):
    """o_{t-1} is the network's own softmax output: a loop over time, differentiated through it."""

    def forward(self, p, shard):
        packing, K = shard.packing, self.n_outputs
        A = self.without_feedback(p, shard)
        above = self._states_above(p, A)
        Z = np.empty_like(A, shape=(packing.n_rows, K))
        feedback = np.zeros_like(A, shape=(packing.n_rows, K + 1))
        feedback[packing.first, K] = 1.0
        for now, linked, before in packing.steps:
            feedback[linked, :K] = softmax(Z[before])
            A[now] += feedback[now] @ p["W_fb"]
            Z[now] = self._activate(p, A[now], [A_i[now] for A_i in above])
        return Z, OutputCache(packing, [shard.X, A, *above], feedback, Z)

    def infer(self, p, shard):
        return self.forward(p, shard)[0]

    def begin(self, p, n):
        return p["W_fb"][-1]

    def step(self, p, state, X):
        """The state is the part of the fed-back output in the first layer's preactivations."""
        Z = self.logits(p, self._first_step(p, X) + state)
        return Z, softmax(Z) @ p["W_fb"][:-1]

    def decode(self, p, shard, decoding):
        """Return labels (N,): given x they are independent, so that all decodings agree."""
        return most_probable(infer_logits(self, p, shard))

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


def one_hot(codes, n_codes, dtype):
    """Return codes (M,) as a one-hot CSR matrix (M, n_codes)."""
    ones, ends = np.ones(len(codes), dtype=dtype), np.arange(len(codes) + 1)
    return sparse.csr_array((ones, codes, ends), shape=(len(codes), n_codes))
