"""Outputs: what stands on the logits. Predictions, loss, gradient and Hessian product.

Formulas are for one row; n rows are summed. The weights of a shard are normalised (they sum to one
over all data), with sample and class weights already multiplied.
"""

from typing import Protocol

import numpy as np

from .n_best import n_best
from .packing import Packing
from .parameters import Parameters, Role, Shapes
from .transitions import Transitions

# Pairs of a row and a previous label whose scores are computed at once: their tables stay in the
# cache at usual K and H.
PAIRS = 2048


class Output(Protocol):
    """What a network asks of its output; Z and dZ are (n, K), packed rows or sequences.

    A shard has ``y`` and ``weight`` for each row of Z, and its ``packing``. A pointwise output
    looks at each row by itself; others (a chain of labels) may couple the rows of a sequence and
    have parameters of their own.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of the parameters that the output has of its own, none if it is pointwise.
    roles : dict of str to Role
        What each of these parameters does.
    public_names : dict of str to str
        The fitted attribute that has each of these parameters.
    couples_steps : bool
        Whether predictions for a step depend on the whole sequence, and its weight is one number.
    transitions : Transitions or None
        Which labels may follow which, where the output looks at whole sequences.
    standardises_targets : bool
        Whether targets are brought to zero mean and unit variance for training.
    """

    shapes: Shapes
    roles: dict[str, Role]
    public_names: dict[str, str]
    couples_steps: bool
    transitions: Transitions | None
    standardises_targets: bool

    def loss_gradient(self, p: Parameters, Z, shard) -> tuple[float, np.ndarray, Parameters]:
        """Return the weighted loss, its gradient in Z and those in the output's parameters."""

    def hessp(self, p: Parameters, Z, shard, dZ, v: Parameters) -> tuple[np.ndarray, Parameters]:
        """Return the weighted Hessian times (dZ, v), split like the gradient."""

    def predict(self, p: Parameters, Z: np.ndarray, packing: Packing | None) -> np.ndarray:
        """Return predictions: probabilities, or numbers."""


class Pointwise:
    """An output without parameters that looks at each row by itself."""

    shapes: Shapes = {}
    roles: dict[str, Role] = {}
    public_names: dict[str, str] = {}
    couples_steps = False
    transitions = None


class Softmax(Pointwise):
    """Cross-entropy: l = -log softmax(z)_y, for a label y in 0..K-1."""

    standardises_targets = False

    def loss_gradient(self, p, Z, shard):
        y, weight = shard.y, shard.weight
        rows = np.arange(len(y))
        Z = Z - Z.real.max(axis=1, keepdims=True)
        z_y = Z[rows, y]
        E = np.exp(Z, out=Z)
        total = E.sum(axis=1)
        # float64 for any Z: a line search compares sums that hardly differ
        losses = (np.log(total) - z_y).astype(np.result_type(Z, np.float64))
        dZ, weight_z = E, weight.astype(Z.real.dtype)
        dZ *= (weight_z / total)[:, None]
        dZ[rows, y] -= weight_z
        return np.dot(losses, weight), dZ, {}

    def hessp(self, p, Z, shard, dZ, v):
        return softmax_product(softmax(Z), dZ) * shard.weight.astype(Z.real.dtype)[:, None], {}

    def predict(self, p, Z, packing=None):
        return softmax(Z)

    def predict_log(self, p, Z, packing=None):
        """Return the logarithm of the probabilities."""
        return log_softmax(Z)

    def log_proba(self, p, Z, y, packing=None):
        """Return log p(y_t | x) of each row, in double precision; 0 where y_t is -1, unknown."""
        terms = log_softmax(Z)[np.arange(len(Z)), y].astype(np.float64)
        terms[y < 0] = 0.0
        return terms

    def sample(self, p, Z, packing, U):
        """Return labels (N, n_samples) drawn by uniform random numbers of that shape."""
        return draw(Z[:, None, :], U)

    def pairs(self, p, Z, packing):
        """Return p(y_{t-1}, y_t | x), zero at first steps: (N, K, K).

        Given x both are independent.
        """
        P, K = softmax(Z), Z.shape[1]
        pairs = np.zeros((len(P), K, K), P.dtype)
        for linked, before in packing.links:
            np.multiply(P[before][:, :, None], P[linked][:, None, :], out=pairs[linked])
        return pairs

    def n_best(self, p, Z, packing, n):
        """Return the n most probable sequences of labels, (N, n) of dtype `BEST`."""
        log_P, K = log_softmax(Z), Z.shape[1]

        def tables(rows):
            return np.broadcast_to(log_P[rows][:, None, :], (rows.stop - rows.start, K, K))

        return n_best(log_P[packing.first], tables, packing, n, PAIRS)


class Squares(Pointwise):
    """Squared error: l = ||z - y||^2 / 2, for targets y (K,)."""

    standardises_targets = True

    def loss_gradient(self, p, Z, shard):
        R = Z - shard.y.astype(Z.real.dtype)
        loss = 0.5 * np.dot((R * R).sum(axis=1, dtype=np.result_type(Z, np.float64)), shard.weight)
        R *= shard.weight.astype(Z.real.dtype)[:, None]
        return loss, R, {}

    def hessp(self, p, Z, shard, dZ, v):
        return dZ * shard.weight.astype(Z.real.dtype)[:, None], {}

    def predict(self, p, Z, packing=None):
        return Z


def log_softmax(Z):
    """Logarithm of the softmax over the last axis; large logits do not overflow."""
    Z = Z - Z.real.max(axis=-1, keepdims=True)
    Z -= np.log(np.exp(Z).sum(axis=-1, keepdims=True))
    return Z


@np.errstate(divide="ignore", under="ignore")
def log_sum_exp(L, axis):
    """Logarithm of the sum of exponentials, -inf if all are zero."""
    # that of SciPy is not analytic in complex numbers
    largest = L.real.max(axis=axis, keepdims=True)
    largest[largest == -np.inf] = 0.0
    total = np.exp(L - largest).sum(axis=axis, keepdims=True)
    return (largest + np.log(total)).squeeze(axis)


def softmax(Z):
    """Softmax over the last axis: positive, summing to one."""
    E = np.exp(Z - Z.real.max(axis=-1, keepdims=True))
    E /= E.sum(axis=-1, keepdims=True)
    return E


def softmax_product(output, V):
    """The softmax's Jacobian, a symmetric matrix for each row of its output, times V."""
    product = output * V
    product -= output * product.sum(axis=-1, keepdims=True)
    return product


def draw(Z: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Labels by inversion: the first whose cumulative probability exceeds the random number.

    The logits Z are (..., K); U and the labels have the shape before K. -1 where a logit is not
    finite.
    """
    cumulative = np.exp(Z - Z.max(axis=-1, keepdims=True)).cumsum(axis=-1)
    total = cumulative[..., -1]
    labels = (cumulative <= (U * total)[..., None]).sum(axis=-1)
    # float32 may round U to one
    return np.where(np.isfinite(total), np.minimum(labels, Z.shape[-1] - 1), -1)
