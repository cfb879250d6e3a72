"""Exact inference in chains of labels as operators: forward, backward, Viterbi.

A chain has ``first(A)``, the scores (S, K) of the labels at the first step, and ``tables(A)``,
those (S, K, K) of the label before (first) and the label (last) at the others, where A is what the
network says of the step. Arrays of all steps are time-major. All recursions are in logarithms.
"""


class CRFChain:
    """The chain of a conditional random field on the logits Z (S, K) of each step."""

    def __init__(self, p):
        self.A, self.start, self.end = p["A"], p["start"], p["end"]
        self.n_labels = len(self.end)

    def first(self, Z):
        return Z + self.start

    def tables(self, Z):
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


def advance(chain, log_alpha, A, is_first):
    """alpha_t(k) = sum_j alpha_{t-1}(j) exp(table[j, k]), normalised, in logarithms."""
    passed = (log_alpha.insert_axis(2) + chain.tables(A)).log_sum_exp(1)
    return chain.first(A).where(is_first, passed).log_softmax()


def forward(chain, A, steps):
    """Return log alpha of all steps, (T, S, K)."""

    def step(states, parts):
        log_alpha = advance(chain, *states, *parts)
        return [log_alpha], [log_alpha]

    start = A.graph.zeros(steps.n_sequences, chain.n_labels)
    return A.graph.scan(step, [start], [A, steps.is_first])[1][0]


def viterbi(chain, A, steps):
    """Return the most probable sequence of labels, (T, S)."""
    graph = A.graph

    def step(states, parts):
        (delta,), (A, is_first, is_real) = states, parts
        paths = delta.insert_axis(2) + chain.tables(A)
        now = chain.first(A).where(is_first, paths.max(1))
        # relative to the maximum, since digits would be lost in long sequences
        now = now - now.max(-1, keepdims=True)
        return [now.where(is_real, delta)], [paths.argmax(1)]

    start = graph.zeros(steps.n_sequences, chain.n_labels)
    (delta,), (best_previous,) = graph.scan(step, [start], [A, steps.is_first, steps.is_real])
    best = delta.argmax(-1).insert_axis(1)

    def step_back(states, parts):
        (previous,), (best_previous, is_last) = states, parts
        code = best.where(is_last, previous)
        return [best_previous.take_along(code, 1)], [code]

    sequences = [best_previous, steps.is_last]
    _, (codes,) = graph.scan(step_back, [best], sequences, from_end=True)
    return codes.drop_axis(2)
