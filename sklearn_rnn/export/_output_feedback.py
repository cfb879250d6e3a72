"""Pattern 3 as operators: the loop is over what is fed back.

`inputs` is what needs no loop, `advance` the rest; before the first step all states are zero.
"""

import numpy as np

from ._cells import function_of
from ._chains import advance, finite, forward, viterbi


class _OutputFeedback:
    """What all networks of pattern 3 share.

    Parameters
    ----------
    network : OutputFeedback
    p : dict of str to ndarray
        Its parameters.
    """

    def __init__(self, network, p):
        self.network, self.p = network, p

    @staticmethod
    def missing(network):
        return None  # all parts have a form in operators

    def inputs(self, X):
        """x_t W_in + b of the first layer."""
        return X @ self.p["W_in0"] + self.p["b0"]

    def logits(self, A):
        """Return the logits from what the first layer's units get."""
        f, p = function_of(self.network.activation), self.p
        h = f(A)
        for i in range(1, self.network.n_layers):
            h = f(h @ p[f"W_in{i}"] + p[f"b{i}"])
        return h @ p["W_out"] + p["c"]


class TeacherForcedGraph(_OutputFeedback):
    """A chain, see `_chains`, of p(y_t | x_t, y_{t-1}); the state is log alpha."""

    @property
    def n_labels(self):
        return self.network.n_outputs

    @property
    def sizes(self):
        return [self.n_labels]

    def first(self, A, is_last):
        Z = self.logits(A + self.p["W_fb"][-1])
        return self._exclude(Z, self._terms.start, is_last).log_softmax()

    def tables(self, A, is_last):
        Z = self.logits(A.insert_axis(1) + self.p["W_fb"][:-1])
        is_last = is_last and is_last.insert_axis(2)
        return self._exclude(Z, self._terms.between, is_last).log_softmax()

    @property
    def _terms(self):
        return finite(self.network.transitions)

    def _exclude(self, Z, terms, is_last):
        """Return the logits with the terms of what may not follow the label before, or end."""
        if self.network.transitions is None:
            return Z
        Z = Z + terms
        return Z + Z.graph.constant(self._terms.end).where(is_last, 0.0) if is_last else Z

    def step(self, x, states, n, is_first):
        log_alpha = advance(self, *states, self.inputs(x), is_first)
        return log_alpha, [log_alpha]

    def outputs(self, X, steps, decoding):
        """Return the marginals (T, S, K) and the codes of labels (T, S)."""
        A = self.inputs(X)
        log_alpha = forward(self, A, steps)
        if decoding == "viterbi":
            codes = viterbi(self, A, steps)
        elif decoding == "greedy":
            codes = self._greedy(A, steps)
        else:
            codes = log_alpha.argmax(-1)
        return log_alpha.softmax(), codes

    def _greedy(self, A, steps):
        """Return at each step the most probable label given the one chosen before."""
        graph = A.graph
        W_fb, follows = graph.constant(self.p["W_fb"]), 0.0
        if self.network.transitions is not None:
            follows = graph.constant(np.vstack([self._terms.between, self._terms.start]))

        def step(states, parts):
            (previous,), (A, is_last) = states, parts
            previous = previous.drop_axis(1)
            Z = self.logits(A + W_fb.take(previous))
            terms = follows and follows.take(previous)
            code = self._exclude(Z, terms, is_last).argmax(-1).insert_axis(1)
            return [code], [code]

        nothing_yet = graph.zeros(steps.n_sequences, 1, np.int64) + self.n_labels
        return graph.scan(step, [nothing_yet], [A, steps.is_last])[1][0].drop_axis(2)


class FreeRunningGraph(_OutputFeedback):
    """The state is the softmax output."""

    @property
    def sizes(self):
        return [self.network.n_outputs]

    def advance(self, A, states, is_first):
        W_fb = self.p["W_fb"]
        fed_back = A.graph.constant(W_fb[-1]).where(is_first, states[0] @ W_fb[:-1])
        Z = self.logits(A + fed_back)
        return Z, [Z.softmax()]

    def step(self, x, states, n, is_first):
        return self.advance(self.inputs(x), states, is_first)

    def outputs(self, X, steps, decoding):
        """Return the probabilities (T, S, K) and the codes of labels (T, S)."""

        def step(states, parts):
            Z, states = self.advance(parts[0], states, parts[1])
            return states, [Z]

        graph = X.graph
        start = graph.zeros(steps.n_sequences, self.network.n_outputs)
        _, (Z,) = graph.scan(step, [start], [self.inputs(X), steps.is_first])
        return Z.softmax(), Z.argmax(-1)


class NumberFeedbackGraph(_OutputFeedback):
    """The state is v_t, the last outputs, the last one first."""

    @property
    def sizes(self):
        return [self.network.n_lags * self.network.n_outputs]

    @property
    def _before_first(self):
        return np.tile(self.p["o_0"], self.network.n_lags)

    def advance(self, A, Z_direct, V):
        """Return the numbers, and v of the next step."""
        p, K = self.p, self.network.n_outputs
        Z = self.logits(A + V @ p["W_fb"]) + Z_direct + V @ p["W_ar"]
        kept = [V.split([self.sizes[0] - K, K])[0]] if self.network.n_lags > 1 else []
        return Z, A.graph.concatenate([Z, *kept])

    def step(self, x, states, n, is_first):
        V = x.graph.constant(self._before_first).where(is_first, states[0])
        Z, V = self.advance(self.inputs(x), x @ self.p["W_dir"], V)
        return Z, [V]

    def outputs(self, X, steps, decoding, y_past=None):
        """Return the numbers (T, S, K), and None for codes.

        ``y_past`` (S, L, K) are the outputs before the first step, NaN where they are not known.
        """
        graph = X.graph
        V = graph.zeros(steps.n_sequences, self.sizes[0]) + self._before_first
        if y_past is not None:
            last_first = y_past.take(np.arange(self.network.n_lags)[::-1], axis=1).flatten()
            V = V.where(last_first.is_nan(), last_first)

        def step(states, parts):
            Z, V = self.advance(*parts, *states)
            return [V], [Z]

        _, (Z,) = graph.scan(step, [V], [self.inputs(X), X @ self.p["W_dir"]])
        return Z, None
