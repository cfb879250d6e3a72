"""Pattern 3 for numbers, past outputs feed back: one step ahead, or through its own outputs.

Symbols: L lags, V (N, L K) the outputs that are fed back to each step, the last one first.
"""

from typing import NamedTuple

import numpy as np

from .output_feedback import OutputFeedback
from .outputs import Squares
from .packing import Packing
from .parameters import Role
from .products import column_sums, cross_product, rows_times


class _Cache(NamedTuple):
    packing: Packing
    states: list  # X, then the states of each layer
    feedback: np.ndarray  # V
    n_given: int | None  # first steps whose true outputs were fed back; None for all

    @property
    def features(self):
        return self.states[-1]


class NumberFeedback(OutputFeedback):
    """h_t = f(x_t W_in + v_t W_fb + b), z_t = h_t W_out + x_t W_dir + v_t W_ar + c.

    v_t = (o_{t-1}, ..., o_{t-L}) are the outputs of the steps before, those before the first step
    being o_0, a parameter. W_dir and W_ar are a linear model with exogenous inputs (ARX), to which
    the hidden units add. Layers above the first are feed-forward.

    Parameters
    ----------
    n_features, n_outputs : int
        D and K.
    hidden_layer_sizes : sequence of int
        Units of each layer.
    activation : str
        A key of `ACTIVATIONS`.
    n_lags : int
        L.
    """

    input_biases = {"W_in0": "b0", "W_dir": "c"}
    feedback_biases = {"W_fb": "b0", "W_ar": "c"}
    output_terms = ("W_out", "W_dir", "W_ar")
    output_levels = ("c", "o_0")
    output = Squares()
    public_names = {
        "W_fb": "feedback_weights_",
        "W_dir": "direct_weights_",
        "W_ar": "autoregressive_weights_",
        "o_0": "initial_outputs_",
    }

    def __init__(self, n_features, hidden_layer_sizes, n_outputs, activation, n_lags):
        n_fed_back = n_lags * n_outputs
        super().__init__(n_features, hidden_layer_sizes, n_outputs, activation, n_fed_back)
        self.n_lags = n_lags
        linear = {
            "W_dir": (n_features, n_outputs),
            "W_ar": (n_fed_back, n_outputs),
            "o_0": (n_outputs,),
        }
        self.shapes |= linear
        self.roles |= dict.fromkeys(linear, Role.OUTPUT)

    def initial(self, rng, start):
        p = super().initial(rng, start)
        p["W_fb"] /= np.sqrt(len(p["W_fb"]))
        return p

    def one_step(self, p, shard):
        """Return logits and cache with the true outputs fed back: no loop, all rows at once."""
        packing, y = shard.packing, shard.y.astype(shard.X.dtype, copy=False)
        V = lagged(p["o_0"], y, packing, self.n_lags)
        A = self.without_feedback(p, shard)
        A += V @ p["W_fb"]
        above = self._states_above(p, A)
        Z = self._activate(p, A, above)
        Z += rows_times(shard.X, p["W_dir"])
        Z += V @ p["W_ar"]
        return Z, _Cache(packing, [shard.X, A, *above], V, None)

    def simulate(self, p, shard, n_given=0):
        """Return logits and cache with the network's own outputs fed back.

        Of the first ``n_given`` steps the true outputs are fed back.
        """
        packing, K = shard.packing, self.n_outputs
        A = self.without_feedback(p, shard)
        above = self._states_above(p, A)
        Z = rows_times(shard.X, p["W_dir"])
        V = np.empty_like(A, shape=(packing.n_rows, self.n_lags * K))
        V[packing.first] = np.tile(p["o_0"], self.n_lags)
        for t, (now, linked, before) in enumerate(packing.steps):
            V[linked, :K] = (shard.y if 0 < t <= n_given else Z)[before]
            V[linked, K:] = V[before, :-K]
            A[now] += V[now] @ p["W_fb"]
            Z[now] += self._activate(p, A[now], [A_i[now] for A_i in above])
            Z[now] += V[now] @ p["W_ar"]
        return Z, _Cache(packing, [shard.X, A, *above], V, n_given)

    def infer(self, p, shard):
        return self.simulate(p, shard)[0]

    def begin(self, p, n):
        return np.tile(p["o_0"], (n, self.n_lags))

    def step(self, p, state, X):
        """The state is V."""
        Z = self.logits(p, self._first_step(p, X) + state @ p["W_fb"])
        Z += X @ p["W_dir"]
        Z += state @ p["W_ar"]
        return Z, np.hstack([Z, state[:, : -self.n_outputs]])

    def _gradients(self, cache, D, dZ, dV):
        """Gradients by name from dl/da of each layer, dl/dz, and dl/dv of the first steps."""
        return super()._gradients(cache, D, dZ) | {
            "W_dir": cross_product(cache.states[0], dZ),
            "W_ar": cache.feedback.T @ dZ,
            "o_0": column_sums(dV).reshape(self.n_lags, -1).sum(axis=0),
        }

    def _feedback_gradient(self, p, D, dZ):
        """dl/dv from dl/da of the first layer and dl/dz."""
        dV = D @ p["W_fb"].T
        dV += dZ @ p["W_ar"].T
        return dV

    def _linear_tangent(self, cache, v):
        """dZ of the linear model, as far as it needs no time step, in the direction v."""
        dZ = rows_times(cache.states[0], v["W_dir"])
        dZ += cache.feedback @ v["W_ar"]
        return dZ

    def _feedback_attributes(self, p):
        return {attribute: p[name] for name, attribute in self.public_names.items()}

    def _feedback_parameters(self, attributes):
        return {name: attributes[attribute] for name, attribute in self.public_names.items()}


class OneStepAhead(NumberFeedback):
    """Trained with the true outputs fed back (NARX, series-parallel): no loop over time."""

    def forward(self, p, shard):
        return self.one_step(p, shard)

    def vjp(self, p, cache, dZ):
        D = self._backward(p, cache.states[1:], dZ)
        dV = self._feedback_gradient(p, D[0], dZ)
        return self._gradients(cache, D, dZ, unlagged(dV, cache.packing, self.n_lags))

    def jvp(self, p, cache, v):
        unchanged = np.zeros_like(cache.feedback[:, : self.n_outputs])
        dV = lagged(v["o_0"], unchanged, cache.packing, self.n_lags)
        dA = self._direct(cache, v)
        dA += dV @ p["W_fb"]
        dZ = self._forward_tangent(p, cache, v, dA, slice(None))
        dZ += self._linear_tangent(cache, v)
        dZ += dV @ p["W_ar"]
        return dZ


class Simulation(NumberFeedback):
    """Trained with its own outputs fed back (NOE, parallel): differentiated through the loop.

    Of the first L steps the true outputs are fed back, so that a sequence, or a piece of one, may
    start anywhere.
    """

    @property
    def warm_up_steps(self):
        return self.n_lags

    def forward(self, p, shard):
        return self.simulate(p, shard, self.n_lags)

    def vjp(self, p, cache, dZ):
        K, steps = self.n_outputs, cache.packing.steps
        D = [np.empty_like(A) for A in cache.states[1:]]
        dV = np.zeros_like(cache.feedback)
        for t in reversed(range(len(steps))):
            now, linked, before = steps[t]
            D_now = self._backward(p, [A[now] for A in cache.states[1:]], dZ[now])
            for D_i, D_i_now in zip(D, D_now):
                D_i[now] = D_i_now
            dV[now] += self._feedback_gradient(p, D_now[0], dZ[now])
            dV[before, :-K] += dV[linked, K:]
            if t > cache.n_given:
                dZ[before] += dV[linked, :K]
        return self._gradients(cache, D, dZ, dV[cache.packing.first])

    def jvp(self, p, cache, v):
        K = self.n_outputs
        dA, dZ = self._direct(cache, v), self._linear_tangent(cache, v)
        dV = np.zeros_like(dA, shape=cache.feedback.shape)
        dV[cache.packing.first] = np.tile(v["o_0"], self.n_lags)
        for t, (now, linked, before) in enumerate(cache.packing.steps):
            if t > cache.n_given:
                dV[linked, :K] = dZ[before]
            dV[linked, K:] = dV[before, :-K]
            dA[now] += dV[now] @ p["W_fb"]
            dZ[now] += dV[now] @ p["W_ar"]
            dZ[now] += self._forward_tangent(p, cache, v, dA[now], now)
        return dZ


def lagged(first, outputs, packing, n_lags):
    """Return the outputs (N, K) of the steps before each row, (N, L K), the last one first.

    ``first`` (K,) stands for what was before the first step.
    """
    n_rows, K = outputs.shape
    V = np.empty((n_rows, n_lags, K), np.result_type(first, outputs))
    V[packing.first] = first
    for lag in range(n_lags):
        source = V[:, lag - 1] if lag else outputs
        for linked, before in packing.links:
            V[linked, lag] = source[before]
    return V.reshape(n_rows, n_lags * K)


def unlagged(dV, packing, n_lags):
    """Return dl/dv of the first steps, which all rows have taken over: the adjoint of `lagged`."""
    dV = dV.reshape(len(dV), n_lags, -1)
    for lag in reversed(range(1, n_lags)):
        for linked, before in packing.links:
            dV[before, lag - 1] += dV[linked, lag]
    return dV[packing.first].reshape(packing.n_sequences, -1)
