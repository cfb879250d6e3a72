"""A gated layer (GRU), which shows that the contract `Layer` does not depend on Elman layers."""

from typing import NamedTuple

import numpy as np

from sklearn_rnn._networks.activations import ACTIVATIONS
from sklearn_rnn._networks.layers import orthogonal, random_inputs
from sklearn_rnn._networks.products import column_sums, cross_product, rows_times

LOGISTIC, TANH = ACTIVATIONS["logistic"], ACTIVATIONS["tanh"]


class _Cache(NamedTuple):
    X: object
    H: np.ndarray  # states
    before: np.ndarray  # the state before each row, zero at first steps
    gates: np.ndarray  # r, z and n, side by side
    U_n: np.ndarray  # h_{t-1} U_n + d, which r multiplies
    packing: object


class GRULayer:
    """Gated recurrent units (Cho et al. 2014); the reset follows the product, as in PyTorch.

    r, z = logistic(x_t W + h_{t-1} U + b), n = tanh(x_t W_n + b_n + r * (h_{t-1} U_n + d)) and
    h_t = (1 - z) n + z h_{t-1}. W_in (D, 3 H), W_rec (H, 3 H) and b (3 H,) hold r, z and n side by
    side.
    """

    input_biases = {"W_in": "b"}
    biases = ("b", "d")

    def __init__(self, n_inputs, n_units):
        self.n_inputs, self.n_outputs = n_inputs, n_units
        self.shapes = {
            "W_in": (n_inputs, 3 * n_units),
            "W_rec": (n_units, 3 * n_units),
            "b": (3 * n_units,),
            "d": (n_units,),
        }

    def initial(self, rng, start):
        W_rec = np.hstack([start.radius * orthogonal(self.n_outputs, rng) for _ in range(3)])
        p = {"W_in": random_inputs(rng, start.gain, self.shapes["W_in"]), "W_rec": W_rec}
        return p | {name: rng.normal(0, 0.2, self.shapes[name]) for name in self.biases}

    def begin(self, p, n):
        return np.zeros_like(p["b"], shape=(n, self.n_outputs))

    def step(self, p, state, X):
        H, _, _ = self._step(p, X @ p["W_in"] + p["b"], state)
        return H, H

    def _step(self, p, A, H):
        """States, gates and h_{t-1} U_n + d, from the part A of the input and the states before."""
        R = H @ p["W_rec"]
        rz, A_n, U_n = A[:, : -len(p["d"])], A[:, -len(p["d"]) :], R[:, -len(p["d"]) :] + p["d"]
        rz = rz + R[:, : rz.shape[1]]
        LOGISTIC.apply(rz)
        r, z = np.hsplit(rz, 2)
        n = A_n + r * U_n
        TANH.apply(n)
        return n + z * (H - n), np.hstack([rz, n]), U_n

    def forward(self, p, X, packing):
        A = rows_times(X, p["W_in"], packing.empty)
        A += p["b"]
        H, U_n = (np.empty_like(A, shape=(len(A), self.n_outputs)) for _ in range(2))
        before = np.zeros_like(H)
        for now, linked, rows in packing.steps:
            before[linked] = H[rows]
            H[now], A[now], U_n[now] = self._step(p, A[now], before[now])
        return H, _Cache(X, H, before, A, U_n, packing)

    def vjp(self, p, cache, dH, needs_dX):
        D = np.empty_like(cache.gates)  # in the preactivations
        D_rec = np.empty_like(D)  # in h_{t-1} W_rec
        for now, _, rows in reversed(cache.packing.steps):
            r, z, n = np.hsplit(cache.gates[now], 3)
            dz, dn = dH[now] * (cache.before[now] - n), dH[now] * (1 - z)
            TANH.chain(dn, n)
            dr = dn * cache.U_n[now]
            LOGISTIC.chain(dr, r)
            LOGISTIC.chain(dz, z)
            D[now] = np.hstack([dr, dz, dn])
            D_rec[now] = np.hstack([dr, dz, dn * r])
            dH_before = dH[now] * z + D_rec[now] @ p["W_rec"].T
            dH[rows] += dH_before[: rows.stop - rows.start]
        gradients = {
            "W_in": cross_product(cache.X, D),
            "W_rec": cross_product(cache.before, D_rec),
            "b": column_sums(D),
            "d": column_sums(D_rec[:, -self.n_outputs :]),
        }
        return gradients, rows_times(D, p["W_in"].T.copy()) if needs_dX else None

    def jvp(self, p, cache, v, dX):
        dA = rows_times(cache.X, v["W_in"]) + v["b"]
        if dX is not None:
            dA += rows_times(dX, p["W_in"])
        dR = rows_times(cache.before, v["W_rec"])
        dR[:, -self.n_outputs :] += v["d"]
        dH, dH_before = np.empty_like(cache.H), np.zeros_like(cache.H)
        for now, linked, rows in cache.packing.steps:
            dH_before[linked] = dH[rows]
            r, z, n = np.hsplit(cache.gates[now], 3)
            dr, dz, dU_n = np.hsplit(dR[now] + dH_before[now] @ p["W_rec"], 3)
            dr, dz, dn = (part + d for part, d in zip(np.hsplit(dA[now], 3), (dr, dz, 0.0)))
            LOGISTIC.chain(dr, r)
            LOGISTIC.chain(dz, z)
            dn += dr * cache.U_n[now] + r * dU_n
            TANH.chain(dn, n)
            dH[now] = dn + dz * (cache.before[now] - n) + z * (dH_before[now] - dn)
        return dH
