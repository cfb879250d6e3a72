"""Losses on logits: value, gradient, Hessian product, and the link back to predictions.

``weight`` (n,) is normalised (it sums to one over all data), with sample and class weights already
multiplied. Formulas are for one row; n rows are summed.
"""

from typing import Protocol

import numpy as np

from ._cells import softmax, softmax_product


class Loss(Protocol):
    """What `Objective` asks of a loss; Z and dZ are (n, K)."""

    def loss_gradient(self, y, Z, weight) -> tuple[float, np.ndarray]:
        """Weighted loss and its gradient with respect to Z."""

    def hessp(self, y, Z, weight, dZ) -> np.ndarray:
        """Weighted Hessian with respect to Z, times dZ."""

    def inverse_link(self, Z) -> np.ndarray:
        """Predictions from Z."""


class SoftmaxCrossEntropy:
    """l = -log softmax(z)_y, for a label y in 0..K-1."""

    def loss_gradient(self, y, Z, weight):
        rows = np.arange(len(y))
        Z = Z - Z.real.max(axis=1, keepdims=True)
        z_y = Z[rows, y]
        E = np.exp(Z, out=Z)
        total = E.sum(axis=1)
        # float64 whatever Z is: a line search compares sums that hardly differ
        losses = (np.log(total) - z_y).astype(np.result_type(Z, np.float64))
        dZ, weight_z = E, weight.astype(Z.real.dtype)
        dZ *= (weight_z / total)[:, None]
        dZ[rows, y] -= weight_z
        return np.dot(losses, weight), dZ

    def hessp(self, y, Z, weight, dZ):
        return softmax_product(softmax(Z), dZ) * weight.astype(Z.real.dtype)[:, None]

    def inverse_link(self, Z):
        return softmax(Z)


class SquaredError:
    """l = ||z - y||^2 / 2, for targets y (K,)."""

    def loss_gradient(self, y, Z, weight):
        R = Z - y.astype(Z.real.dtype)
        loss = 0.5 * np.dot((R * R).sum(axis=1, dtype=np.result_type(Z, np.float64)), weight)
        R *= weight.astype(Z.real.dtype)[:, None]
        return loss, R

    def hessp(self, y, Z, weight, dZ):
        return dZ * weight.astype(Z.real.dtype)[:, None]

    def inverse_link(self, Z):
        return Z
