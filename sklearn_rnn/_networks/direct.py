"""Direct terms: what a network's logits have of the inputs themselves, without hidden units.

With X (N, D) the packed rows, and Z the logits, a row a step or a sequence.
"""

from typing import Protocol

import numpy as np
from scipy import sparse

from .packing import Packing
from .parameters import Parameters, Role, Shapes
from .products import column_sums, cross_product, rows_times


class Direct(Protocol):
    """What `HiddenFeedback` asks of a direct term.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter, `W_dir` and perhaps a bias.
    roles : dict of str to Role
        What each parameter does.
    input_biases : dict of str to str
        The bias that is added to the product of `W_dir`.
    public_names : dict of str to str
        The fitted attribute that has each parameter.
    """

    shapes: Shapes
    roles: dict[str, Role]
    input_biases: dict[str, str]
    public_names: dict[str, str]

    def add(self, p: Parameters, X, packing: Packing, Z) -> None:
        """Add the term to Z in place; it is linear in p."""

    def vjp(self, X, packing: Packing, dZ) -> Parameters:
        """Return the gradients in p, given dZ."""

    def step(self, p: Parameters, before, t: int, X):
        """Return the term after step t with the inputs X (n, D), given that before (at first 0)."""


class StepDirect:
    """z_t = ... + x_t W_dir: a linear model of each step.

    Parameters
    ----------
    n_features, n_outputs : int
        D and K.
    """

    roles = {"W_dir": Role.OUTPUT}
    input_biases = {"W_dir": "c"}
    public_names = {"W_dir": "direct_weights_"}

    def __init__(self, n_features, n_outputs):
        self.shapes = {"W_dir": (n_features, n_outputs)}

    def add(self, p, X, packing, Z):
        Z += rows_times(X, p["W_dir"])

    def vjp(self, X, packing, dZ):
        return {"W_dir": cross_product(X, dZ)}

    def step(self, p, before, t, X):
        return X @ p["W_dir"]


class PositionDirect:
    """z = ... + sum_t (x_t W_dir_t + b_dir_t): a linear model of all values, by their position.

    Steps beyond the last position count for nothing. The bias of each position goes with its
    inputs, so that a sequence that ends sooner is taken as if its last steps had the mean.

    Parameters
    ----------
    n_steps, n_features, n_outputs : int
        T, D and K.
    """

    roles = {"W_dir": Role.OUTPUT, "b_dir": Role.BIAS}
    input_biases = {"W_dir": "b_dir"}
    public_names = {"W_dir": "direct_weights_", "b_dir": "direct_biases_"}

    def __init__(self, n_steps, n_features, n_outputs):
        self.shapes = {"W_dir": (n_steps, n_features, n_outputs), "b_dir": (n_steps, n_outputs)}

    def flatten(self, X, packing):
        """Return the inputs by their position, (S, T D): zero where a sequence has ended."""
        T, D, _ = self.shapes["W_dir"]
        flat = np.zeros((packing.n_sequences, T, D), X.dtype)
        for t, step in enumerate(packing.steps[:T]):
            rows = X[step.now]
            flat[: rows.shape[0], t] = rows.toarray() if sparse.issparse(rows) else rows
        return flat.reshape(packing.n_sequences, T * D)

    def add(self, p, X, packing, Z):
        for step, W, b in zip(packing.steps, p["W_dir"], p["b_dir"]):
            rows = X[step.now]
            Z_t = Z[: rows.shape[0]]
            Z_t += rows @ W
            Z_t += b

    def vjp(self, X, packing, dZ):
        gradients = {name: np.zeros(shape, dZ.dtype) for name, shape in self.shapes.items()}
        for step, dW, db in zip(packing.steps, gradients["W_dir"], gradients["b_dir"]):
            rows = X[step.now]
            dZ_t = dZ[: rows.shape[0]]
            dW[:] = rows.T @ dZ_t
            db[:] = column_sums(dZ_t)
        return gradients

    def step(self, p, before, t, X):
        if t >= len(p["W_dir"]):
            return before
        return before + X @ p["W_dir"][t] + p["b_dir"][t]
