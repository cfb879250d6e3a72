"""A linear-chain conditional random field on the logits (Lafferty, McCallum, Pereira 2001).

The score of labels y_1..y_T is

    s(y) = start[y_1] + sum_t z_t[y_t] + sum_{t>1} A[y_{t-1}, y_t] + end[y_T],

and p(y | x) = exp(s(y)) / sum over all y' of exp(s(y')). All sequences of a packed shard go through
the forward and backward recursions (Rabiner 1989) at once, step by step. The recursions sum
probabilities that are scaled to one at each step; where such a sum has lost digits to underflow,
it is computed again from logarithms.
"""

from typing import NamedTuple

import numpy as np

from .chains import digits_floor
from .n_best import n_best
from .outputs import PAIRS, draw, log_sum_exp, softmax
from .parameters import Role

# Steps of the complex step, so small that their squares vanish beside one.
_STEP = {np.dtype(np.float32): 1e-10, np.dtype(np.float64): 1e-30}


def _least(K, dtype):
    """Return the value below which a sum of K terms, or its imaginary part, has lost digits."""
    real = np.empty(0, dtype).real.dtype
    return digits_floor(K, real) / (1.0 if real == dtype else _STEP[real])


class CRF:
    """Negative log-likelihood of whole sequences: l = -log p(y | x), convex in all scores.

    Where a label is -1 the step is unlabelled: l = -log p(known labels | x), the rest summed out.
    Then l is not convex. The weights of the steps of a sequence must be equal, and the weights of a
    shard are those of steps, so that l is in the unit of the mean cross-entropy over steps.

    Parameters
    ----------
    n_labels : int
        K.
    transitions : Transitions, optional
        What is forbidden has probability zero.
    """

    standardises_targets = False
    couples_steps = True
    # Free of penalty. With that of the output weights fewer held-out letters of ocr_letters' fold 1
    # are recognised: .834 instead of .855, and .847 instead of .853 with two directions (mean of 3
    # random quarters of the training words, 64 units).
    roles = {"A": Role.BIAS, "start": Role.BIAS, "end": Role.BIAS}
    public_names = {"A": "transition_weights_", "start": "start_scores_", "end": "end_scores_"}

    def __init__(self, n_labels, transitions=None):
        self.transitions = transitions
        self.shapes = {"A": (n_labels, n_labels), "start": (n_labels,), "end": (n_labels,)}

    def _scores(self, p, Z, packing):
        A, start, end = p["A"], p["start"], p["end"]
        if self.transitions is not None:
            forbidden = self.transitions.astype(A.real.dtype)
            A, start, end = A + forbidden.between, start + forbidden.start, end + forbidden.end
        return _Scores.of(A, start, end, Z, packing)

    def loss_gradient(self, p, Z, shard):
        y, weight = shard.y, shard.weight
        chain = self._scores(p, Z, shard.packing)
        forward = _forward(chain)
        dZ, dA = _expected_counts(chain, forward, weight)
        if (y >= 0).all():
            terms = _log_proba_terms(chain, forward, y)
            _subtract_counts(dZ, dA, chain, y, weight)
        else:
            known = chain.given(y)
            forward_known = _forward(known)
            terms = _double(forward_known.log_scale - forward.log_scale)
            dZ_known, dA_known = _expected_counts(known, forward_known, weight)
            dZ -= dZ_known
            dA -= dA_known
        return -np.dot(terms, weight), dZ, _split(dZ, dA, shard.packing)

    def hessp(self, p, Z, shard, dZ, v):
        """Return the Hessian product of the log-partition, as a derivative by a complex step.

        It is the one of the loss where all labels are known. Expected counts are analytic in the
        scores; nothing is cancelled (Squire, Trapp 1998). What unlabelled steps add to the loss is
        concave, and is left out, so that the product is positive semidefinite.
        """
        step, packing = _STEP[Z.dtype], shard.packing
        scores = {name: p[name] + 1j * step * v[name] for name in self.shapes}
        chain = self._scores(scores, Z + 1j * step * dZ, packing)
        dZ, dA = _expected_counts(chain, _forward(chain), shard.weight)
        return dZ.imag / step, _split(dZ.imag / step, dA.imag / step, packing)

    def predict(self, p, Z, packing):
        """Return the marginals p(y_t | x_1..x_T): (N, K)."""
        return np.exp(self.predict_log(p, Z, packing))

    def predict_log(self, p, Z, packing):
        """Return the logarithm of the marginals."""
        chain = self._scores(p, Z, packing)
        log_P = _forward(chain).log_alpha + _backward(chain).log_beta
        return _normalised(log_P)[0]

    def decode(self, p, Z, packing, decoding):
        """Return labels (N,) by one of `DECODINGS`, -1 where nothing is finite."""
        if decoding == "viterbi":
            labels = _viterbi(self._scores(p, Z, packing))
        else:
            labels = self.predict_log(p, Z, packing).argmax(axis=1)
        labels[~np.isfinite(Z).all(axis=1)] = -1
        return labels

    def pairs(self, p, Z, packing):
        """Return p(y_{t-1}, y_t | x_1..x_T), zero at first steps: (N, K, K).

        They are proportional to alpha_{t-1}(j) exp(A[j, k]) exp(z_t[k]) beta_t(k).
        """
        chain, K = self._scores(p, Z, packing), Z.shape[1]
        log_alpha, log_gamma = _forward(chain).log_alpha, _backward(chain).log_gamma
        pairs = np.zeros((len(Z), K, K), chain.Z.dtype)
        for linked, before in packing.links:
            for rows, behind in _blocks(linked, before, K):
                scores = log_alpha[behind][:, :, None] + chain.A + log_gamma[rows][:, None, :]
                pairs[rows] = softmax(scores.reshape(-1, K * K)).reshape(-1, K, K)
        return pairs

    def n_best(self, p, Z, packing, n):
        """Return the n most probable sequences of labels, (N, n) of dtype `BEST`."""
        chain = self._scores(p, Z, packing)
        # so the scores of a sequence sum to log p(y | x), as the terms of `log_proba` do
        scores = chain.Z - _forward(chain).log_scale[:, None]

        def tables(rows):
            return chain.A + scores[rows][:, None, :]

        return n_best(scores[packing.first], tables, packing, n, PAIRS)

    def log_proba(self, p, Z, y, packing):
        """Return a term for each row; those of a sequence sum to log p(y | x).

        Where a label is -1, it is summed out.
        """
        chain = self._scores(p, Z, packing)
        forward = _forward(chain)
        if (y >= 0).all():
            return _log_proba_terms(chain, forward, y)
        terms = _double(_forward(chain.given(y)).log_scale - forward.log_scale)
        # no labels are allowed that agree with the known ones
        terms[np.isnan(terms) & ~np.isnan(forward.log_scale)] = -np.inf
        return terms

    def sample(self, p, Z, packing, U):
        """Return labels (N, n_samples) drawn by uniform random numbers of that shape.

        Forward filtering, backward sampling: y_T from alpha_T, then y_{t-1} given y_t with
        probabilities proportional to alpha_{t-1}(j) exp(A[j, y_t]).
        """
        chain = self._scores(p, Z, packing)
        log_alpha, to = _forward(chain).log_alpha, chain.A.T.copy()
        labels = np.empty(U.shape, dtype=int)
        ends = packing.last
        labels[ends] = draw(log_alpha[ends][:, None, :], U[ends])
        for now, _, before in reversed(packing.steps[1:]):
            for rows, ahead in _blocks(before, now, U.shape[1]):
                labels[rows] = draw(log_alpha[rows][:, None, :] + to[labels[ahead]], U[rows])
        labels[~np.isfinite(Z).all(axis=1)] = -1
        return labels


DECODINGS = ("marginal", "viterbi")


class _Scores(NamedTuple):
    """A chain's scores: of labels at each row, start and end included, and of transitions.

    ``A`` is less its largest entry, ``A_max``; ``M`` is exp(A).
    """

    Z: np.ndarray
    A: np.ndarray
    A_max: float
    M: np.ndarray
    packing: object

    @classmethod
    def of(cls, A, start, end, Z, packing):
        # rows contiguous, since the recursions read the rows of one step after the other
        Z = Z.astype(np.result_type(Z, A), order="C")
        Z[packing.first] += start
        Z[packing.last] += end
        A_max = A.real.max()
        return cls(Z, A - A_max, A_max, np.exp(A - A_max), packing)

    def given(self, y):
        """Return the chain in which only labels y (N,) have a probability; -1 stands for any."""
        Z, rows = self.Z.copy(), np.flatnonzero(y >= 0)
        Z[rows] = -np.inf
        Z[rows, y[rows]] = self.Z[rows, y[rows]]
        return self._replace(Z=Z)


class _Forward(NamedTuple):
    """log alpha, alpha (N, K), each row summing to one, and the logarithm of the scale (N,).

    alpha_t(k) is proportional to the sum of exp(s(y_1..y_t)) over all y with y_t = k; the scales of
    a sequence multiply to the sum over all y.
    """

    log_alpha: np.ndarray
    alpha: np.ndarray
    log_scale: np.ndarray


class _Backward(NamedTuple):
    """log beta (N, K), and the product of beta and exp(z), each row summing to one.

    beta_t(k) is proportional to the sum of exp(s(y_{t+1}..y_T)) over all y that go on from y_t = k.
    """

    log_beta: np.ndarray
    log_gamma: np.ndarray
    gamma: np.ndarray
    log_scale: np.ndarray  # of gamma


def _forward(chain):
    """alpha_t(k) = sum_j alpha_{t-1}(j) exp(A[j, k]) exp(z_t[k]), scaled to sum to one."""
    Z, packing = chain.Z, chain.packing
    log_alpha, alpha, log_scale = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z[:, 0])
    for now, _, before in packing.steps:
        scores = Z[now]
        if before.stop:
            passed = _log_product(log_alpha[before], alpha[before], chain.A, chain.M)
            scores = scores + passed
        log_alpha[now], alpha[now], log_scale[now] = _normalised(scores)
    return _Forward(log_alpha, alpha, log_scale)


def _backward(chain):
    """beta_{t-1}(j) = sum_k exp(A[j, k]) gamma_t(k), gamma_t(k) = exp(z_t[k]) beta_t(k), scaled."""
    Z, packing = chain.Z, chain.packing
    log_beta, log_gamma = np.zeros_like(Z), np.empty_like(Z)
    gamma, log_scale = np.empty_like(Z), np.empty_like(Z[:, 0])
    A, M = chain.A.T, chain.M.T
    for now, _, before in reversed(packing.steps):
        log_gamma[now], gamma[now], log_scale[now] = _normalised(Z[now] + log_beta[now])
        if before.stop:
            log_beta[before] = _log_product(log_gamma[now], gamma[now], A, M)
    return _Backward(log_beta, log_gamma, gamma, log_scale)


@np.errstate(divide="ignore", under="ignore", invalid="ignore")
def _log_product(log_P, P, A, M):
    """Return log(P M) for M = exp(A), by logarithms in rows where the product has lost digits."""
    product = P @ M
    logs = np.log(product)
    least = product.real.min(axis=1)
    floor = _least(len(M), P.dtype)
    if not least.min() > floor:
        lost = np.flatnonzero(~(least > floor))
        if not np.isfinite(A).all():  # what is forbidden is zero without a loss
            allowed = (log_P[lost].real > -np.inf) @ (A.real > -np.inf)
            lost = lost[(allowed & ~(product.real[lost] > floor)).any(axis=1)]
        for part in np.array_split(lost, max(1, -(-len(lost) * len(M) // PAIRS))):
            logs[part] = log_sum_exp(log_P[part][:, :, None] + A, axis=1)
    return logs


@np.errstate(under="ignore")
def _normalised(L):
    """Return log-softmax and softmax of rows, and the logarithm of what they are divided by."""
    largest = L.real.max(axis=1, keepdims=True)
    L = L - largest
    E = np.exp(L)
    total = E.sum(axis=1, keepdims=True)
    E /= total
    log_total = np.log(total)
    L -= log_total
    return L, E, (largest + log_total)[:, 0]


def _log_proba_terms(chain, forward, y):
    """The score of each row and its transition, less the logarithm of the scale; double precision.

    A_max is in neither.
    """
    Z, A = chain.Z, chain.A
    terms = Z[np.arange(len(y)), y] - forward.log_scale
    for linked, before in chain.packing.links:
        terms[linked] += A[y[before], y[linked]]
    return _double(terms)


def _double(terms):
    return terms.astype(np.result_type(terms, np.float64))


@np.errstate(under="ignore")
def _expected_counts(chain, forward, weight):
    """Return the expected counts of labels (N, K) and of transitions (K, K), weighted."""
    weight, backward = weight.astype(chain.Z.real.dtype), _backward(chain)
    _, dZ, log_sum = _normalised(forward.log_alpha + backward.log_beta)
    dZ *= weight[:, None]
    # log of the sum over j, k of alpha_{t-1}(j) exp(A[j, k]) gamma_t(k)
    log_total = log_sum + forward.log_scale - backward.log_scale
    counts = np.zeros_like(chain.M)
    dA = np.zeros_like(chain.M)
    smallest = np.log(_least(len(counts), log_total.dtype))
    for linked, before in chain.packing.links:
        lost = ~(log_total[linked].real > smallest)
        factor = np.zeros_like(log_total[linked])
        factor[~lost] = weight[linked][~lost] * np.exp(-log_total[linked][~lost])
        counts += (forward.alpha[before] * factor[:, None]).T @ backward.gamma[linked]
        for i in np.flatnonzero(lost):
            pair = forward.log_alpha[before][i][:, None] + chain.A + backward.log_gamma[linked][i]
            dA += weight[linked][i] * np.exp(pair - log_total[linked][i])
    return dZ, dA + counts * chain.M


def _subtract_counts(dZ, dA, chain, y, weight):
    """Subtract the true counts from the expected ones."""
    weight = weight.astype(chain.Z.real.dtype)
    dZ[np.arange(len(y)), y] -= weight
    for linked, before in chain.packing.links:
        np.subtract.at(dA, (y[before], y[linked]), weight[linked])


def _split(dZ, dA, packing):
    """The gradients in the parameters; start and end are added to the first and last rows."""
    first, last = dZ[packing.first], dZ[packing.last]
    return {"A": dA, "start": first.sum(axis=0), "end": last.sum(axis=0)}


def _viterbi(chain):
    """The most probable sequence of labels (N,).

    delta_t(k) = z_t[k] + max_j delta_{t-1}(j) + A[j, k], and the way back from its maximum at the
    last step (Viterbi 1967).
    """
    Z, packing, to = chain.Z, chain.packing, chain.A.T.copy()
    n, K = Z.shape
    delta = np.empty_like(Z)
    best_previous = np.empty((n, K), dtype=np.min_scalar_type(K - 1))
    delta[packing.first] = Z[packing.first]
    for now, _, before in packing.steps[1:]:
        for rows, behind in _blocks(now, before, K):
            paths = delta[behind][:, None, :] + to
            best_previous[rows] = paths.argmax(axis=2)
            best = Z[rows] + paths.max(axis=2)
            # relative to the maximum, since digits would be lost in long sequences
            delta[rows] = best - best.max(axis=1, keepdims=True)
    labels = np.empty(n, dtype=int)
    labels[packing.last] = delta[packing.last].argmax(axis=1)
    for now, _, before in reversed(packing.steps[1:]):
        labels[before] = np.take_along_axis(best_previous[now], labels[now, None], axis=1)[:, 0]
    return labels


def _blocks(rows, others, per_row):
    """Cut two slices of equal size into blocks that stay in the cache."""
    n = max(1, PAIRS // per_row)
    lag = others.start - rows.start
    for start in range(rows.start, rows.stop, n):
        stop = min(start + n, rows.stop)
        yield slice(start, stop), slice(start + lag, stop + lag)
