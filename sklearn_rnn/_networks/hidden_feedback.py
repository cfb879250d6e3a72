"""Patterns 1 and 2, the hidden units feed back: recurrent layers, pools and an output.

In the names of parameters the digit is the layer, counted from 0.
"""

from typing import Any, NamedTuple

import numpy as np

from .activations import ACTIVATIONS
from .cells import CellLayer
from .diagonal import DiagonalCell
from .direct import Direct
from .gates import GRUCell, LSTMCell
from .label_sequences import LabelSequences
from .layers import ElmanLayer, Layer, LeakyLayer
from .outputs import Output
from .packing import Packing
from .parameters import Role, size
from .pooling import POOLS
from .products import column_blocks, column_sums, cross_product, rows_times

# D inputs, H units, their activation f and C directions make a layer.
CELLS = {
    "elman": ElmanLayer,
    "gru": lambda D, H, f, C: CellLayer(GRUCell(D, H), C),
    "lstm": lambda D, H, f, C: CellLayer(LSTMCell(D, H), C),
    "diagonal": lambda D, H, f, C: CellLayer(DiagonalCell(D, H, f), C),
}
# Their logistic gates and tanh are fixed.
GATED_CELLS = ("gru", "lstm")


# Of derivatives that are computed at once for a Jacobian: 16 MB.
NUMBERS_PER_BLOCK = 2_000_000
# A Jacobian of steps is computed forward if there are no more parameters for each step.
FORWARD_PER_STEP = 1.5


class _Cache(NamedTuple):
    X: Any
    packing: Packing
    layers: list  # the cache of each layer
    pools: list  # the cache of each pool
    features: np.ndarray  # what the output layer sees


class _State(NamedTuple):
    n_steps: int
    layers: list  # the state of each layer
    pools: list  # what each pool has gathered (n, H)
    direct: Any  # the direct term so far


class HiddenFeedback(LabelSequences):
    """Recurrent layers, each on the outputs of the one below, and an output layer.

    Pattern 1 gives the logits z_t = h_t W_out + c at each step, pattern 2 the logits
    z = pool(h_1..h_T) W_out + c for each sequence. A direct term is added to the logits: a linear
    model of the inputs.

    Parameters
    ----------
    layers : sequence of Layer
    n_outputs : int
        K.
    output : Output
    pooling : sequence of str
        Keys of `POOLS`; empty for an output at each step.
    n_directions : {1, 2}
        With 2, the second half of each layer's units reads the sequence from its end.
    direct : Direct, optional
    cell : str
        The key of `CELLS` that the layers are of.
    output_only : bool
        Whether the hidden units are meant to stay as they are drawn, a reservoir under the output
        layer and the direct term, so that they start as one.
    """

    hidden_feedback = True
    feedback_biases: dict[str, str] = {}
    output_levels = ("c",)
    transitions = None

    def __init__(
        self,
        layers,
        n_outputs,
        output: Output,
        pooling=(),
        n_directions=1,
        direct: Direct | None = None,
        cell="elman",
        output_only=False,
    ):
        self.layers: list[Layer] = list(layers)
        self.output = output
        self.n_outputs = n_outputs
        self.pooling = tuple(pooling)
        self.n_directions = n_directions
        self.direct = direct
        self.cell = cell
        self.output_only = output_only
        # an output that couples the steps needs whole sequences
        self.warm_up_steps = None if output.couples_steps else 0
        self.n_features = self.layers[0].n_inputs
        n_features = self.layers[-1].n_outputs * max(len(self.pooling), 1)
        self.shapes, self.roles = {}, {}
        for i, layer in enumerate(self.layers):
            self.shapes |= _numbered(layer.shapes, i)
            self.roles |= _numbered(dict.fromkeys(layer.shapes, Role.HIDDEN), i)
            self.roles |= _numbered(dict.fromkeys(layer.biases, Role.BIAS), i)
        self.input_biases = {f"{W}0": f"{b}0" for W, b in self.layers[0].input_biases.items()}
        self.roles |= dict.fromkeys(self.input_biases, Role.INPUT)
        self.output_terms = ("W_out",)
        self.shapes |= {"W_out": (n_features, n_outputs), "c": (n_outputs,)} | output.shapes
        if direct:
            self.shapes |= direct.shapes
            self.roles |= direct.roles
            self.input_biases |= direct.input_biases
            self.output_terms += tuple(direct.shapes)
        self.roles |= {"W_out": Role.OUTPUT, "c": Role.BIAS} | output.roles

    def initial(self, rng, start):
        p = {}
        for i, layer in enumerate(self.layers):
            p |= _numbered(layer.initial(rng, start), i)
            start = start._replace(gain=1.0)  # what a layer puts out is of order one
        return p | {name: np.zeros(self.shapes[name]) for name in self.shapes if name not in p}

    def forward(self, p, shard):
        H, layer_caches = shard.X, []
        for i, layer in enumerate(self.layers):
            H, cache = layer.forward(_of_layer(p, layer, i), H, shard.packing)
            layer_caches.append(cache)
        pool_caches = []
        if self.pooling:
            pools = [POOLS[name] for name in self.pooling]
            pooled = [pool.forward(H, shard.packing, self.n_directions) for pool in pools]
            pool_caches = [cache for _, cache in pooled]
            H = np.hstack([Q for Q, _ in pooled])
        Z = self.readout(p, H)
        if self.direct:
            self.direct.add(p, shard.X, shard.packing, Z)
        return Z, _Cache(shard.X, shard.packing, layer_caches, pool_caches, H)

    def infer(self, p, shard):
        return self.forward(p, shard)[0]

    def vjp(self, p, cache, dZ):
        gradients = self.readout_vjp(cache.features, dZ)
        if self.direct:
            gradients |= self.direct.vjp(cache.X, cache.packing, dZ)
        D = rows_times(dZ, p["W_out"].T.copy(), cache.packing.empty)
        if cache.pools:
            D = self._unpool(cache, D)
        for i, layer in reversed(list(enumerate(self.layers))):
            of_layer, D = layer.vjp(_of_layer(p, layer, i), cache.layers[i], D, needs_dX=i > 0)
            gradients |= _numbered(of_layer, i)
        return gradients

    def jvp(self, p, cache, v):
        dH = None
        for i, layer in enumerate(self.layers):
            p_i, v_i = _of_layer(p, layer, i), _of_layer(v, layer, i)
            dH = layer.jvp(p_i, cache.layers[i], v_i, dH)
        if cache.pools:
            pools = zip(self.pooling, cache.pools)
            dH = np.hstack([POOLS[name].jvp(pool_cache, dH) for name, pool_cache in pools])
        dZ = rows_times(cache.features, v["W_out"])
        dZ += v["c"]
        dZ += rows_times(dH, p["W_out"])
        if self.direct:
            self.direct.add(v, cache.X, cache.packing, dZ)
        return np.asfortranarray(dZ)

    def jacobian(self, p, shard):
        """Return the logits Z, and an iterator over J by blocks: (n, K, P), and the n rows of Z.

        A block may be overwritten. J is exact, of Elman layers only: of steps it is computed
        forward, for all parameters at once, or, where these are many, back from each logit by
        itself, which takes time that grows with the square of the steps.
        """
        Z, cache = self.forward(p, shard)
        return Z, self._jacobian(p, cache)

    def _jacobian(self, p, cache):
        if self.pooling:
            yield self._jacobian_of_pools(p, cache), np.arange(len(cache.features))
            return
        packing, n_parameters = cache.packing, size(self.shapes)
        n_steps = len(packing.running)
        if self.n_directions == 1 and n_parameters < FORWARD_PER_STEP * n_steps:
            yield from self._forward_jacobian(p, cache)
            return
        numbers_per_step = packing.n_rows * self.n_outputs * self.layers[-1].n_outputs
        n_at_once = max(1, NUMBERS_PER_BLOCK // numbers_per_step)
        for first in range(0, n_steps, n_at_once):
            end = min(first + n_at_once, n_steps)
            yield self._jacobian_of_steps(p, cache, first, end)

    def _forward_jacobian(self, p, cache):
        """Yield J of the logits of all steps by forward derivatives, in few blocks of rows."""
        tangents, n_hidden = None, 0
        for i, layer in enumerate(self.layers):
            p_i = _of_layer(p, layer, i)
            tangents = layer.jvp_each(p_i, cache.layers[i], tangents, n_hidden)
            n_hidden += size(layer.shapes)
        N, K, n_parameters = len(cache.features), self.n_outputs, size(self.shapes)
        n_at_once = max(cache.packing.n_sequences, NUMBERS_PER_BLOCK // (K * n_parameters))
        J = np.empty((n_at_once, K, n_parameters), p["c"].dtype)
        first = 0
        for (now, _, _), dH in zip(cache.packing.steps, tangents):
            if now.stop - first > n_at_once:
                rows = np.arange(first, now.start)
                yield self._with_output(J[: len(rows)], cache, rows), rows
                first = now.start
            J_now = J[now.start - first : now.stop - first, :, :n_hidden]
            np.matmul(p["W_out"].T, dH.swapaxes(1, 2), out=J_now)
        rows = np.arange(first, N)
        yield self._with_output(J[: len(rows)], cache, rows), rows

    def _with_output(self, J, cache, rows):
        """Set the columns of J of the output layer and the direct term, which come last."""
        of_output = self._output_jacobian(cache, rows)
        columns = np.concatenate([M.reshape(*J.shape[:2], -1) for M in of_output.values()], axis=2)
        J[:, :, -columns.shape[2] :] = columns
        return J

    def _output_jacobian(self, cache, rows):
        """The Jacobian in the parameters of the output layer and the direct term, (n, K, ...)."""
        of_output = np.eye(self.n_outputs, dtype=cache.features.dtype)[:, None]
        J = {
            "W_out": cache.features[rows][:, None, :, None] * of_output,
            "c": np.tile(of_output, (len(rows), 1, 1, 1)),
        }
        if self.direct:
            J["W_dir"] = cache.X[rows][:, None, :, None] * of_output
        return J

    def _jacobian_of_pools(self, p, cache):
        S, K = len(cache.features), self.n_outputs
        dH = [self._unpool(cache, np.tile(p["W_out"][:, k], (S, 1))) for k in range(K)]
        return self._jacobian_of(p, cache, np.stack(dH, axis=1), cache.packing, np.arange(S))

    def _jacobian_of_steps(self, p, cache, first, end):
        """The rows of J of the logits of some steps."""
        K, H = self.n_outputs, self.layers[-1].n_outputs
        # only units that read back see what comes later
        packing = cache.packing if self.n_directions == 2 else cache.packing.until(end)
        steps = np.arange(first, end)
        dH = np.zeros((packing.n_rows, len(steps), K, H), p["c"].dtype)
        for t in steps:
            dH[packing.steps[t].now, t - first] = p["W_out"].T
        has_step = steps < packing.lengths[:, None]
        rows = packing.offsets[steps] + np.arange(packing.n_sequences)[:, None]
        rows = np.where(has_step, rows, 0)
        J = self._jacobian_of(p, cache, dH.reshape(packing.n_rows, -1, H), packing, rows.ravel())
        return J[has_step.ravel()], rows[has_step]

    def _jacobian_of(self, p, cache, dH, packing, rows):
        """J of the logits of ``rows`` (n, K, P), given their gradients in the states.

        dH (N, B, H) is for B logits of each sequence.
        """
        J = self._output_jacobian(cache, rows)
        for i, layer in reversed(list(enumerate(self.layers))):
            p_i = _of_layer(p, layer, i)
            of_layer, dH = layer.vjp_each(p_i, cache.layers[i], dH, packing, needs_dX=i > 0)
            J |= _numbered(of_layer, i)
        parts = [J[name].reshape(len(rows), self.n_outputs, -1) for name in self.shapes]
        return np.concatenate(parts, axis=2)

    def readout(self, p, features):
        """Return the logits Z (n, K) of the output layer from what it sees (n, H)."""
        # columns contiguous: the loss reduces over few outputs and many rows
        Z = np.asfortranarray(rows_times(features, p["W_out"]))
        Z += p["c"]
        return Z

    def readout_vjp(self, features, dZ):
        """Return the gradients in the output layer's parameters."""
        return {"W_out": cross_product(features, dZ), "c": column_sums(dZ)}

    def _unpool(self, cache, dQ):
        """Spread dQ (S, H * number of pools) over the rows (N, H)."""
        parts = column_blocks(dQ, len(self.pooling))
        dH = cache.packing.empty((cache.packing.n_rows, parts[0].shape[1]), dQ.dtype)
        dH.fill(0)
        for name, pool_cache, part in zip(self.pooling, cache.pools, parts):
            POOLS[name].vjp(pool_cache, part, dH)
        return dH

    def begin(self, p, n):
        states = [layer.begin(_of_layer(p, layer, i), n) for i, layer in enumerate(self.layers)]
        shape, dtype = (n, self.layers[-1].n_outputs), p["c"].dtype
        pools = [POOLS[name].begin(shape, dtype) for name in self.pooling]
        return _State(0, states, pools, np.zeros((n, self.n_outputs), dtype))

    def step(self, p, state, X):
        """Return the logits after one more step; with pools, as if the sequences ended there."""
        layers, n_steps, H = [], state.n_steps + 1, X
        for i, (layer, before) in enumerate(zip(self.layers, state.layers)):
            H, now = layer.step(_of_layer(p, layer, i), before, H)
            layers.append(now)
        pools = [POOLS[name] for name in self.pooling]
        gathered = [pool.update(before, H) for pool, before in zip(pools, state.pools)]
        if pools:
            parts = [pool.finish(part, n_steps) for pool, part in zip(pools, gathered)]
            H = np.concatenate(parts, axis=1)
        Z = H @ p["W_out"]
        Z += p["c"]
        direct = state.direct
        if self.direct:
            direct = self.direct.step(p, direct, state.n_steps, X)
            Z += direct
        return Z, _State(n_steps, layers, gathered, direct)

    def attributes(self, p):
        public = {}
        for name, attribute in self.layers[0].public_names.items():
            of_layers = [p[f"{name}{i}"] for i in range(len(self.layers))]
            if name == "W_rec":
                of_layers = [W[0] if len(W) == 1 else W for W in of_layers]
            public[attribute] = of_layers
        return public | {a: p[name] for name, a in self._public_names.items()}

    def parameters(self, attributes: dict[str, Any]):
        p = {}
        for i, layer in enumerate(self.layers):
            for name, attribute in layer.public_names.items():
                W = attributes[attribute][i]
                p[f"{name}{i}"] = W.reshape(-1, *W.shape[-2:]) if name == "W_rec" else W
        return p | {name: attributes[a] for name, a in self._public_names.items()}

    @property
    def _public_names(self):
        """The fitted attributes of the parameters above the layers."""
        of_readout = {"W_out": "output_weights_", "c": "output_biases_"}
        of_direct = self.direct.public_names if self.direct else {}
        return of_readout | self.output.public_names | of_direct


def recurrent_network(
    n_features,
    sizes,
    n_outputs,
    output,
    activation,
    pooling=(),
    n_directions=1,
    direct=None,
    leaks=(),
    cell="elman",
):
    """Return patterns 1 and 2 with layers of these sizes, or a reservoir of leaky units.

    Parameters
    ----------
    n_features, n_outputs : int
        D and K.
    sizes : sequence of int
        Units of each layer (of each direction, and each block of leaky units).
    output : Output
    activation : str
        A key of `ACTIVATIONS`.
    pooling, n_directions, direct
        See `HiddenFeedback`.
    leaks : sequence of float
        Of the blocks of a reservoir; none for layers that are trained.
    cell : str
        A key of `CELLS`; leaky units are Elman's.
    """
    layers, f = [], ACTIVATIONS[activation]
    for n_units in sizes:
        if leaks:
            layer = LeakyLayer(n_features, n_units, f, leaks, n_directions)
        else:
            layer = CELLS[cell](n_features, n_units, f, n_directions)
        layers.append(layer)
        n_features = layer.n_outputs
    return HiddenFeedback(
        layers, n_outputs, output, pooling, n_directions, direct, cell, bool(leaks)
    )


def _of_layer(p, layer, i):
    """The parameters of layer i by the names that the layer gives them."""
    return {name: p[f"{name}{i}"] for name in layer.shapes}


def _numbered(named, i):
    """The same values by the names that the network gives the parameters of layer i."""
    return {f"{name}{i}": value for name, value in named.items()}
