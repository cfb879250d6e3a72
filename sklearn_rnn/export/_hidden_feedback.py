"""Patterns 1 and 2 as operators: recurrent layers, pools, a direct term and the logits."""

from .._networks.crf import CRF
from .._networks.direct import PositionDirect, StepDirect
from .._networks.outputs import Softmax, Squares
from ._cells import directions_of, is_known
from ._chains import CRFChain
from ._pools import POOLS


class HiddenFeedbackGraph:
    """The logits of a `HiddenFeedback` network.

    Parameters
    ----------
    network : HiddenFeedback
    p : dict of str to ndarray
        Its parameters.
    """

    def __init__(self, network, p):
        self.network, self.p = network, p
        self.layers = [
            directions_of(layer, {name: p[f"{name}{i}"] for name in layer.shapes})
            for i, layer in enumerate(network.layers)
        ]
        self.pools = [POOLS[name] for name in network.pooling]

    @staticmethod
    def missing(network):
        """Return the part of a network that has no form in operators, None if all have."""
        if not all(map(is_known, network.layers)):
            return f"cell={network.cell!r}"
        if not POOLS.keys() >= set(network.pooling):
            return f"pooling={network.pooling!r}"
        others = (CRF, Softmax, Squares), (StepDirect, PositionDirect, type(None))
        for part, known in zip((network.output, network.direct), others):
            if not isinstance(part, known):
                return type(part).__name__
        return None

    def outputs(self, X, steps, decoding):
        """Return probabilities and codes of labels, or numbers and None, of X (T, S, D)."""
        Z, output = self._logits(X, steps), self.network.output
        if isinstance(output, CRF):
            return CRFChain(output, self.p).outputs(Z, steps, decoding)
        if isinstance(output, Squares):
            return Z, None
        return Z.softmax(), Z.argmax(-1)

    def _logits(self, X, steps):
        """Return the logits of all steps, (T, S, K), or with pools (S, K)."""
        H = X
        for units in self.layers:
            parts = [_run(cell, H, steps, bool(d)) for d, cell in enumerate(units)]
            H = X.graph.concatenate(parts)
        if self.pools:
            n_units = self.network.layers[-1].n_outputs
            n_directions = self.network.n_directions
            parts = [pool.all(H, steps, n_directions, n_units) for pool in self.pools]
            H = X.graph.concatenate(parts)
        Z = H @ self.p["W_out"] + self.p["c"]
        match self.network.direct:
            case StepDirect():
                Z = Z + X @ self.p["W_dir"]
            case PositionDirect():
                Z = Z + self._direct_of_all(X, steps)
        return Z

    def _direct_of_all(self, X, steps):
        """sum_t x_t W_dir_t + b_dir_t, one product over the values of all positions."""
        T, _, K = self.p["W_dir"].shape
        n = steps.n_steps.minimum(T)
        W, b = (X.graph.constant(self.p[name]).first(n) for name in ("W_dir", "b_dir"))
        # (S, n D), where X is zero in the padding; the bias goes with the steps that there are
        flat = X.first(n).transpose(1, 0, 2).flatten()
        biases = b.insert_axis(1).where(steps.is_real.first(n), 0.0).sum(0)
        return flat @ W.reshape(-1, K) + biases

    @property
    def sizes(self):
        """Columns of the states of the step form."""
        n_units, K = self.network.layers[-1].n_outputs, self.network.n_outputs
        of_layers = [size for (cell,) in self.layers for size in cell.sizes]
        of_pools = [n_units] * sum(pool.n_states for pool in self.pools)
        of_direct = [K] * isinstance(self.network.direct, PositionDirect)
        return of_layers + of_pools + of_direct

    def step(self, x, states, n, is_first):
        """Return the logits (S, K) after a step, the n-th of each sequence, and the states."""
        states, after, h = list(states), [], x
        for (cell,) in self.layers:
            before = [states.pop(0) for _ in cell.sizes]
            now = cell.step(cell.inputs(h), before)
            after += now
            h = now[0]
        if self.pools:
            pooled = []
            for pool in self.pools:
                before = [states.pop(0) for _ in range(pool.n_states)]
                Q, now = pool.step(h, before, n, is_first)
                pooled.append(Q)
                after += now
            h = x.graph.concatenate(pooled)
        Z = h @ self.p["W_out"] + self.p["c"]
        match self.network.direct:
            case StepDirect():
                Z = Z + x @ self.p["W_dir"]
            case PositionDirect():
                direct = states.pop(0) + self._direct_of_step(x, n)
                after.append(direct)
                Z = Z + direct
        return Z, after

    def _direct_of_step(self, x, n):
        """x_t W_dir_t + b_dir_t of each sequence's position, zero beyond the last."""
        T = len(self.p["W_dir"])
        position = (n - 1).minimum(T - 1).cast("int64").drop_axis(1)
        W, b = (x.graph.constant(self.p[name]).take(position) for name in ("W_dir", "b_dir"))
        term = (x.insert_axis(1) @ W).drop_axis(1) + b
        return term.where((n - 1) < T, 0.0)


def _run(cell, X, steps, from_end):
    """Return the outputs of a cell at all steps, (T, S, H)."""
    graph = X.graph
    states = [graph.zeros(steps.n_sequences, size) for size in cell.sizes]
    sequences = [cell.inputs(X)]
    # what reads from the end comes from the padding with zeros for a state
    if from_end and steps.is_padded:
        sequences.append(steps.is_real)

    def step(states, parts):
        states = cell.step(parts[0], states)
        if len(parts) > 1:
            states = [state.where(parts[1], 0.0) for state in states]
        return states, states[:1]

    _, (H,) = graph.scan(step, states, sequences, from_end)
    return H
