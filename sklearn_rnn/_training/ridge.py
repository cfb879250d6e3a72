"""The output layer of a reservoir fitted in closed form, its penalty chosen by leave-one-out.

Symbols: S sequences of weights w (sum 1), F (S, P) their features, K = F F' a kernel, Y (S, C) the
targets. Ridge regression with an intercept. Labels are targets of 1 and -1; the outputs become
logits by one factor, a temperature, that gives their leave-one-out values the least cross-entropy.
"""

from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from .._networks.network import IGNORE_OVERFLOW
from .._networks.outputs import log_softmax
from .solvers import ObjectiveOverflowError

# A sequence that determines its own prediction has no leave-one-out error to speak of.
LEAST_FREEDOM = 1e-10
# Without a penalty the kernel may be singular.
LEAST_STRENGTH = 1e-14
# Of the logarithm of the temperature.
BOUNDS, PRECISION = (-3.0, 5.0), 1e-2


class _Features(NamedTuple):
    """Columns of equal total importance: (F - mean) * scale, whose mean squared row norm is 1."""

    F: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def weights(self, dual):
        """Return the weights of the raw features, and what they give at the mean."""
        W = self.scale[:, None] * (self.F.T @ dual)
        return W, self.mean @ W


class _Fit(NamedTuple):
    loss: float  # leave-one-out
    dual: np.ndarray
    intercept: np.ndarray


@IGNORE_OVERFLOW
def fit_ridge(network, p, shards, strengths, n):
    """Return the parameters with the output fitted, and the leave-one-out loss.

    With a direct term either the pooled states or the inputs themselves are fitted, whichever has
    the less loss; the weights of the other are zero.

    Parameters
    ----------
    network : HiddenFeedback
        With pools.
    p : dict of str to ndarray
        Where the hidden weights stay.
    shards : Shards
    strengths : sequence of float
        Penalties to choose from, for features of a mean squared norm of one.
    n : float
        Sum of the weights of the sequences, before they were normalised.

    Raises
    ------
    ObjectiveOverflowError
        If the states overflow.
    """
    parts = zip(*shards.keep(partial(_shard_features, network, p)))
    pooled, flat, y, w = (np.concatenate(part).astype(np.float64) for part in parts)
    if not np.isfinite(np.vdot(pooled, pooled)):
        raise ObjectiveOverflowError("The states of a sequence are")
    has_weight = w > 0  # beside the others it may underflow
    pooled, flat, y, w = (array[has_weight] for array in (pooled, flat, y, w))
    features = {"W_out": _pool_features(pooled, w, len(network.pooling))}
    if network.direct:
        features["W_dir"] = _column_features(flat, w)
    Y, labels = y, None
    if not network.output.standardises_targets:
        Y, labels = np.where(y[:, None] == np.arange(network.n_outputs), 1.0, -1.0), y.astype(int)
    fits = {name: _fit(of.F, Y, w, labels, strengths, n) for name, of in features.items()}
    name = min(fits, key=lambda name: fits[name].loss)
    best = fits[name]
    W, at_mean = features[name].weights(best.dual)
    p = p | {term: np.zeros(network.shapes[term]) for term in network.output_terms}
    p |= {name: W.reshape(network.shapes[name]), "c": best.intercept - at_mean}
    return p, best.loss


@IGNORE_OVERFLOW
def _shard_features(network, p, shard):
    """Pooled states, flat inputs, targets and weights of the sequences of a shard."""
    shard = shard.load()
    p = {name: W.astype(shard.X.dtype) for name, W in p.items()}
    with shard.workspace or nullcontext():
        _, cache = network.forward(p, shard)
        pooled = np.array(cache.features)
    flat = np.empty((len(pooled), 0))
    if network.direct:
        flat = network.direct.flatten(shard.X, shard.packing)
    return pooled, flat, shard.y, shard.weight


def _pool_features(F, w, n_pools):
    """Give all pools the same total variance: units of no variance in a pool stay unimportant."""
    mean = w @ F
    F = F - mean
    variance = (w @ np.square(F)).reshape(n_pools, -1).sum(axis=1)
    scale = np.repeat(_inverse_root(variance * n_pools), F.shape[1] // n_pools)
    return _Features(F * scale, mean, scale)


def _column_features(F, w):
    """Give all columns the same variance."""
    mean = w @ F
    F = F - mean
    scale = _inverse_root(w @ np.square(F))
    scale /= np.sqrt(max(np.count_nonzero(scale), 1))
    return _Features(F * scale, mean, scale)


def _inverse_root(variance):
    """1 / sqrt, and 0 where there is no variance but what rounding leaves."""
    varies = variance > 1e-12
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0.0)


def _fit(F, Y, w, labels, strengths, n):
    """Ridge regression of the strength with the least leave-one-out loss."""
    root = np.sqrt(w)[:, None]
    G = root * F
    values, U = np.linalg.eigh(G @ G.T)  # of one array: BLAS computes half of the products
    values = np.maximum(values, 0.0)
    U_squared = np.square(U)
    mean = w @ Y
    V = U.T @ (root * (Y - mean))
    best = None
    for strength in strengths:
        inverse = 1 / (values + max(strength, LEAST_STRENGTH))
        shrinkage = values * inverse
        fitted = mean + (U @ (shrinkage[:, None] * V)) / root
        # the row's share in its own fit, of the intercept and of the slopes
        leverage = w + U_squared @ shrinkage
        freedom = np.maximum(1 - leverage, LEAST_FREEDOM)
        left_out = Y - (Y - fitted) / freedom[:, None]
        if labels is None:
            factor, loss = 1.0, 0.5 * (w @ np.square(left_out - Y).sum(axis=1))
        else:
            factor, loss = _temperature(left_out, labels, w, n)
        if best is None or loss < best[0]:
            best = loss, inverse, factor
    loss, inverse, factor = best
    dual = factor * root * (U @ (inverse[:, None] * V))
    return _Fit(loss, dual, factor * mean)


def _temperature(F, labels, w, n):
    """Return the factor of the outputs F that gives the least cross-entropy, and that.

    Labels are smoothed as if each of two classes had been seen once more (Platt 1999), since
    outputs that are all right would have no best factor.
    """
    smoothing = 1 / (n + 2)
    chosen, mean = F[np.arange(len(F)), labels], F.mean(axis=1)
    target = (1 - smoothing) * chosen + smoothing * mean

    def cross_entropy(log_factor):
        Z = np.exp(log_factor) * F
        return w @ (Z[:, 0] - log_softmax(Z)[:, 0] - np.exp(log_factor) * target)

    result = minimize_scalar(
        cross_entropy, bounds=BOUNDS, method="bounded", options={"xatol": PRECISION}
    )
    return np.exp(result.x), float(result.fun)
