"""Gated cells: LSTM and GRU.

Within, the preactivations of gates are kept with the sign changed, and those of tanh doubled too,
since logistic(a) = 1 / (1 + exp(-a)) and tanh(a) = 2 logistic(2 a) - 1: so one exponential over
contiguous memory serves all gates of a step, and the factors go into copies of the weights.
"""

from typing import Any, NamedTuple

import numpy as np

from .activations import ACTIVATIONS
from .cells import Walk
from .layers import orthogonal, random_inputs
from .products import column_sums, cross_product, rows_times

TANH = ACTIVATIONS["tanh"]


class _LSTMCache(NamedTuple):
    X: Any
    S: np.ndarray  # logistic of all gates (N, 4 H), where g = 2 S - 1
    C: np.ndarray
    T: np.ndarray  # tanh(C)
    H: np.ndarray
    walk: Walk


class LSTMCell:
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate by Gers et al. 2000).

    i, f, o = logistic(x_t W_in + h_{t-1} W_rec + b), g = tanh(...), c_t = f c_{t-1} + i g and
    h_t = o tanh(c_t). W_in (D, 4 H), W_rec (H, 4 H) and b (4 H,) have i, f, g and o side by side.

    Parameters
    ----------
    n_inputs, n_units : int
        D and H.
    """

    biases = ("b",)
    public_names = {
        "W_in": "input_weights_",
        "W_rec": "recurrent_weights_",
        "b": "hidden_biases_",
    }

    def __init__(self, n_inputs, n_units):
        self.n_inputs, self.n_units = n_inputs, n_units
        self.shapes = {
            "W_in": (n_inputs, 4 * n_units),
            "W_rec": (n_units, 4 * n_units),
            "b": (4 * n_units,),
        }
        self._factors = -np.repeat([1.0, 1.0, 2.0, 1.0], n_units)

    def initial(self, rng, start):
        p = {
            "W_in": random_inputs(rng, start.gain, self.shapes["W_in"]),
            "W_rec": np.hstack([start.radius * orthogonal(self.n_units, rng) for _ in range(4)]),
            "b": rng.normal(0, 0.2, self.shapes["b"]),
        }
        # what is in the memory stays there at first (Gers et al. 2000; Jozefowicz et al. 2015)
        p["b"][self.n_units : 2 * self.n_units] += 1.0
        return p

    def begin(self, p, n):
        return np.zeros_like(p["b"], shape=(n, 2 * self.n_units))

    def step(self, p, state, X):
        H_before, C_before = np.hsplit(state, 2)
        S = X @ p["W_in"]
        S += H_before @ p["W_rec"]
        S += p["b"]
        S *= self._factors.astype(S.dtype)
        C, T, H = np.empty((3, len(S), self.n_units), S.dtype)
        self._advance(S, C, C_before, T, H)
        return H, np.hstack([H, C])

    def forward(self, p, X, walk):
        factors = self._factors.astype(p["b"].dtype)
        W_rec = p["W_rec"] * factors
        S = rows_times(X, p["W_in"] * factors, walk.empty)
        S += p["b"] * factors
        C, T, H = (walk.empty((len(S), self.n_units), S.dtype) for _ in range(3))
        for now, linked, before in walk.steps:
            S_linked = S[linked]
            S_linked += H[before] @ W_rec
            self._advance(S[now], C[now], C[before], T[now], H[now])
        return H, _LSTMCache(X, S, C, T, H, walk)

    def _advance(self, S, C, C_before, T, H):
        """From scaled preactivations to gates in place; set c, tanh(c) and h of the step.

        The first rows have the memory C_before.
        """
        _logistic_of_negative(S)
        i, f, s, o = self._gates(S)
        np.multiply(s, 2.0, out=T)
        T -= 1.0
        np.multiply(i, T, out=C)
        n = len(C_before)
        C[:n] += f[:n] * C_before
        T[:] = C
        TANH.apply(T)
        np.multiply(o, T, out=H)

    def vjp(self, p, cache, dH, needs_dX):
        X, S, C, T, H, walk = cache
        D = walk.empty(S.shape, dH.dtype)  # dl/da
        dC = walk.empty(dH.shape, dH.dtype)
        dC.fill(0)
        W_rec_T = p["W_rec"].T.copy()
        for now, linked, before in reversed(walk.steps):
            D_now, S_now, T_now, dC_now, dH_now = D[now], S[now], T[now], dC[now], dH[now]
            i, f, s, o = self._gates(S_now)
            D_i, D_f, D_g, D_o = self._gates(D_now)
            np.multiply(dH_now, T_now, out=D_o)
            via_tanh = dH_now * o
            TANH.chain(via_tanh, T_now)
            dC_now += via_tanh
            np.multiply(dC_now, i, out=D_g)
            D_g *= 4.0  # tanh'(a) = 4 logistic'(2 a)
            np.multiply(s, 2.0, out=D_i)
            D_i -= 1.0
            D_i *= dC_now
            n = before.stop - before.start
            np.multiply(dC_now[:n], C[before], out=D_f[:n])
            D_f[n:] = 0.0
            np.multiply(dC_now[:n], f[:n], out=dC[before])
            D_now *= S_now
            D_now -= D_now * S_now
            dH_before = dH[before]
            dH_before += D[linked] @ W_rec_T
        return _gradients(p, X, H, D, walk, needs_dX)

    def jvp(self, p, cache, v, dX):
        X, S, C, T, H, walk = cache
        dA = _input_tangent(p, v, X, dX)
        for linked, before in walk.links:
            dA_linked = dA[linked]
            dA_linked += rows_times(H[before], v["W_rec"])
        dC, dH = (np.empty_like(dA, shape=H.shape) for _ in range(2))
        for now, linked, before in walk.steps:
            dA_linked = dA[linked]
            dA_linked += dH[before] @ p["W_rec"]
            dS, S_now, dC_now, dH_now = dA[now], S[now], dC[now], dH[now]
            dS *= S_now
            dS -= dS * S_now
            i, f, s, o = self._gates(S_now)
            di, df, ds, do = self._gates(dS)
            n = before.stop - before.start
            dC_now[:] = di * (2.0 * s - 1.0) + 4.0 * i * ds
            dC_now[:n] += df[:n] * C[before] + f[:n] * dC[before]
            dH_now[:] = o * dC_now
            TANH.chain(dH_now, T[now])
            dH_now += do * T[now]
        return dH

    def _gates(self, A):
        """The columns of i, f, g and o."""
        H = self.n_units
        return A[:, :H], A[:, H : 2 * H], A[:, 2 * H : 3 * H], A[:, 3 * H :]


class _GRUCache(NamedTuple):
    X: Any
    S: np.ndarray  # logistic of the gates r and z (N, 2 H)
    G: np.ndarray  # the candidates n (N, H)
    U: np.ndarray  # h_{t-1} W_rec_n + d (N, H)
    H: np.ndarray
    walk: Walk


class GRUCell:
    """Gated recurrent units (Cho et al. 2014); the reset follows the product, as in PyTorch.

    r, z = logistic(x_t W_in + h_{t-1} W_rec + b), n = tanh(x_t W_in_n + b_n + r (h_{t-1} W_rec_n +
    d)) and h_t = (1 - z) n + z h_{t-1}. W_in (D, 3 H), W_rec (H, 3 H) and b (3 H,) have r, z and n
    side by side.

    Parameters
    ----------
    n_inputs, n_units : int
        D and H.
    """

    biases = ("b", "d")
    public_names = {
        "W_in": "input_weights_",
        "W_rec": "recurrent_weights_",
        "b": "hidden_biases_",
        "d": "recurrent_biases_",
    }

    def __init__(self, n_inputs, n_units):
        self.n_inputs, self.n_units = n_inputs, n_units
        self.shapes = {
            "W_in": (n_inputs, 3 * n_units),
            "W_rec": (n_units, 3 * n_units),
            "b": (3 * n_units,),
            "d": (n_units,),
        }

    def initial(self, rng, start):
        return {
            "W_in": random_inputs(rng, start.gain, self.shapes["W_in"]),
            "W_rec": np.hstack([start.radius * orthogonal(self.n_units, rng) for _ in range(3)]),
            "b": rng.normal(0, 0.2, self.shapes["b"]),
            "d": rng.normal(0, 0.2, self.shapes["d"]),
        }

    def begin(self, p, n):
        return np.zeros_like(p["b"], shape=(n, self.n_units))

    def step(self, p, state, X):
        A = X @ p["W_in"]
        A += p["b"]
        S, G = -A[:, : 2 * self.n_units], A[:, 2 * self.n_units :]
        H, U = np.empty_like(G), np.empty_like(G)
        self._advance(p["W_rec"] * self._signs(p), p["d"], S, G, U, state, H)
        return H, H

    def forward(self, p, X, walk):
        gates = 2 * self.n_units
        S = rows_times(X, -p["W_in"][:, :gates], walk.empty)
        S -= p["b"][:gates]
        G = rows_times(X, p["W_in"][:, gates:], walk.empty)
        G += p["b"][gates:]
        U, H = (walk.empty(G.shape, G.dtype) for _ in range(2))
        W_rec = p["W_rec"] * self._signs(p)
        for now, _, before in walk.steps:
            self._advance(W_rec, p["d"], S[now], G[now], U[now], H[before], H[now])
        return H, _GRUCache(X, S, G, U, H, walk)

    def _signs(self, p):
        return np.repeat([-1.0, -1.0, 1.0], self.n_units).astype(p["b"].dtype)

    def _advance(self, W_rec, d, S, G, U, H_before, H):
        """From preactivations to gates in place; set h_{t-1} W_rec_n + d and h of the step.

        The first rows have the state H_before.
        """
        n, gates = len(H_before), 2 * self.n_units
        R = H_before @ W_rec
        S[:n] += R[:, :gates]
        _logistic_of_negative(S)
        U[:] = d
        U[:n] += R[:, gates:]
        r, z = self._gates(S)
        G += r * U
        TANH.apply(G)
        np.multiply(z, G, out=H)
        np.subtract(G, H, out=H)
        H[:n] += z[:n] * H_before

    def vjp(self, p, cache, dH, needs_dX):
        X, S, G, U, H, walk = cache
        gates = 2 * self.n_units
        D_rec = walk.empty((len(S), 3 * self.n_units), dH.dtype)  # in h_{t-1} W_rec + d
        D_n = walk.empty(dH.shape, dH.dtype)  # in the preactivation of n
        W_rec_T = p["W_rec"].T.copy()
        for now, _, before in reversed(walk.steps):
            S_now, G_now, D_now, D_n_now, dH_now = S[now], G[now], D_rec[now], D_n[now], dH[now]
            r, z = self._gates(S_now)
            D_s, D_r, D_z, D_u = D_now[:, :gates], *self._gates(D_now), D_now[:, gates:]
            n = before.stop - before.start
            H_before, dH_before = H[before], dH[before]
            np.negative(G_now, out=D_z)
            D_z[:n] += H_before
            D_z *= dH_now
            dH_z = dH_now * z
            np.subtract(dH_now, dH_z, out=D_n_now)
            TANH.chain(D_n_now, G_now)
            np.multiply(D_n_now, U[now], out=D_r)
            np.multiply(D_n_now, r, out=D_u)
            D_s *= S_now
            D_s -= D_s * S_now
            dH_before += dH_z[:n]
            dH_before += D_now[:n] @ W_rec_T
        dW_rec = np.zeros_like(D_rec, shape=p["W_rec"].shape)
        for linked, before in walk.links:
            dW_rec += cross_product(H[before], D_rec[linked])
        D_s = D_rec[:, :gates]
        gradients = {
            "W_in": np.hstack([cross_product(X, D_s), cross_product(X, D_n)]),
            "W_rec": dW_rec,
            "b": np.concatenate([column_sums(D_s), column_sums(D_n)]),
            "d": column_sums(D_rec[:, gates:]),
        }
        dX = None
        if needs_dX:
            dX = rows_times(D_s, p["W_in"][:, :gates].T.copy(), walk.empty)
            dX += rows_times(D_n, p["W_in"][:, gates:].T.copy())
        return gradients, dX

    def jvp(self, p, cache, v, dX):
        X, S, G, U, H, walk = cache
        gates = 2 * self.n_units
        dA = _input_tangent(p, v, X, dX)
        dS, dG = dA[:, :gates], dA[:, gates:]
        dR = np.zeros_like(dA)
        for linked, before in walk.links:
            dR[linked] = rows_times(H[before], v["W_rec"])
        dR[:, gates:] += v["d"]
        dH = np.empty_like(dA, shape=H.shape)
        for now, linked, before in walk.steps:
            dR_linked = dR[linked]
            dR_linked += dH[before] @ p["W_rec"]
            r, z = self._gates(S[now])
            dS_now, dG_now, dR_now, dH_now = dS[now], dG[now], dR[now], dH[now]
            dS_now += dR_now[:, :gates]
            dS_now *= S[now]
            dS_now -= dS_now * S[now]
            dr, dz = self._gates(dS_now)
            dG_now += dr * U[now] + r * dR_now[:, gates:]
            TANH.chain(dG_now, G[now])
            n = before.stop - before.start
            dH_now[:] = dG_now - z * dG_now - dz * G[now]
            dH_now[:n] += dz[:n] * H[before] + z[:n] * dH[before]
        return dH

    def _gates(self, A):
        """The columns of r and z."""
        return A[:, : self.n_units], A[:, self.n_units : 2 * self.n_units]


def _logistic_of_negative(A):
    """1 / (1 + exp(A)) in place; where exp overflows, it is 0."""
    np.exp(A, out=A)
    A += 1.0
    np.divide(1.0, A, out=A)


def _input_tangent(p, v, X, dX):
    """The tangent of x_t W_in + b."""
    dA = rows_times(X, v["W_in"])
    dA += v["b"]
    if dX is not None:
        dA += rows_times(dX, p["W_in"])
    return dA


def _gradients(p, X, H, D, walk, needs_dX):
    """Return the gradients in p, and in X if needed, given D in x_t W_in + h_{t-1} W_rec + b."""
    dW_rec = np.zeros_like(D, shape=p["W_rec"].shape)
    for linked, before in walk.links:
        dW_rec += cross_product(H[before], D[linked])
    gradients = {"W_in": cross_product(X, D), "W_rec": dW_rec, "b": column_sums(D)}
    return gradients, rows_times(D, p["W_in"].T.copy(), walk.empty) if needs_dX else None
