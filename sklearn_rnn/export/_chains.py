"""Exact inference in chains of labels as operators: forward, backward, Viterbi.

A chain has ``first(A, is_last)``, the scores (S, K) of the labels at the first step, and
``tables(A, is_last)``, those (S, K, K) of the label before (first) and the label (last) at the
others. A is what the network says of the step, and ``is_last`` (S, 1) whether it is the last one,
None for no. Arrays of all steps are time-major. All recursions are in logarithms.
"""

from .._networks.transitions import Transitions

# The term of what is forbidden: of probability zero, but its sums are finite.
FORBIDDEN = -1e30


def finite(transitions):
    """Return the terms of allowed transitions as finite numbers, zeros from None."""
    if transitions is None:
        return Transitions(0.0, 0.0, 0.0)
    return Transitions(*(terms.clip(min=FORBIDDEN) for terms in transitions))


class CRFChain:
    """The chain of a conditional random field on the logits Z (S, K) of each step."""

    def __init__(self, output, p):
        terms = finite(output.transitions)
        self.A = p["A"] + terms.between
        self.start, self.end = p["start"] + terms.start, p["end"] + terms.end
        self.n_labels = len(self.end)

    def first(self, Z, is_last):
        return Z + self.start

    def tables(self, Z, is_last):
        # Z has the scores of the end already
        return self.A + Z.insert_axis(1)

    def outputs(self, Z, steps, decoding):
        """Return the marginals (T, S, K) and the codes of labels (T, S)."""
        Z = Z + Z.graph.constant(self.end).where(steps.is_last, 0.0)
        marginals = (forward(self, Z, steps) + self._backward(Z, steps)).softmax()
        codes = viterbi(self, Z, steps) if decoding == "viterbi" else marginals.argmax(-1)
        return marginals, codes

    def _backward(self, Z, steps):
        """beta_t(j) = sum_k exp(A[j, k]) gamma_{t+1}(k), gamma_t(k) = exp(z_t[k]) beta_t(k)."""
        graph = Z.graph

        def step(states, parts):
            (log_gamma,), (Z, is_last) = states, parts
            log_beta = (log_gamma.insert_axis(1) + self.A).log_sum_exp(2)
            log_beta = graph.constant(0.0).where(is_last, log_beta)
            return [(Z + log_beta).log_softmax()], [log_beta]

        start = graph.zeros(steps.n_sequences, self.n_labels)
        _, (log_beta,) = graph.scan(step, [start], [Z, steps.is_last], from_end=True)
        return log_beta


def advance(chain, log_alpha, A, is_first, is_last=None):
    """alpha_t(k) = sum_j alpha_{t-1}(j) exp(table[j, k]), normalised, in logarithms."""
    passed = (log_alpha.insert_axis(2) + chain.tables(A, is_last)).log_sum_exp(1)
    return chain.first(A, is_last).where(is_first, passed).log_softmax()


def forward(chain, A, steps):
    """Return log alpha of all steps, (T, S, K)."""

    def step(states, parts):
        log_alpha = advance(chain, *states, *parts)
        return [log_alpha], [log_alpha]

    start = A.graph.zeros(steps.n_sequences, chain.n_labels)
    return A.graph.scan(step, [start], [A, steps.is_first, steps.is_last])[1][0]


def viterbi(chain, A, steps):
    """Return the most probable sequence of labels, (T, S)."""
    graph = A.graph

    def step(states, parts):
        (delta,), (A, is_first, is_last, is_real) = states, parts
        paths = delta.insert_axis(2) + chain.tables(A, is_last)
        now = chain.first(A, is_last).where(is_first, paths.max(1))
        # relative to the maximum, since digits would be lost in long sequences
        now = now - now.max(-1, keepdims=True)
        return [now.where(is_real, delta)], [paths.argmax(1)]

    start = graph.zeros(steps.n_sequences, chain.n_labels)
    sequences = [A, steps.is_first, steps.is_last, steps.is_real]
    (delta,), (best_previous,) = graph.scan(step, [start], sequences)
    best = delta.argmax(-1).insert_axis(1)

    def step_back(states, parts):
        (previous,), (best_previous, is_last) = states, parts
        code = best.where(is_last, previous)
        return [best_previous.take_along(code, 1)], [code]

    sequences = [best_previous, steps.is_last]
    _, (codes,) = graph.scan(step_back, [best], sequences, from_end=True)
    return codes.drop_axis(2)
