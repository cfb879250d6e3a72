"""How a network is trained: where it starts, in which stages, when it stops."""

from dataclasses import replace

import numpy as np
from scipy.optimize import OptimizeResult

from ._networks import HiddenFeedback
from ._objective import QUIET, Objective
from ._parameters import ravel, views
from ._solvers import INTERRUPTED, minimise


class Monitor:
    """Watches training: the loss curve, when to stop, and which weights to keep.

    Training has converged when the loss (or the validation score, if there is one) has not
    improved by `tol` for `n_iter_no_change` iterations in a row, as in scikit-learn's MLP.

    Parameters
    ----------
    tol : float
    n_iter_no_change : int
    validate : callable, optional
        ``validate(w)`` is a score, the higher the better.
    verbose : int
        Whether to print a line after each iteration.

    Attributes
    ----------
    loss_curve, validation_scores : list of float
        After each iteration.
    w, loss : ndarray of shape (P,) and float, or None
        The weights of the best score (or the least loss), and the loss there.
    """

    def __init__(self, tol, n_iter_no_change, validate=None, verbose=0):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.validate = validate
        self.verbose = verbose
        self.loss_curve = []
        self.validation_scores = []
        self.w = self.loss = None
        self._best = -np.inf
        self._n_idle = 0

    def __call__(self, w, loss):
        self.loss_curve.append(loss)
        merit = -loss
        message = f"Iteration {len(self.loss_curve)}, loss = {loss:.8f}"
        if self.validate is not None:
            merit = self.validate(w)
            self.validation_scores.append(merit)
            message += f", validation score = {merit:.6f}"
        if self.verbose:
            print(message)
        self._n_idle = 0 if merit > self._best + self.tol else self._n_idle + 1
        if merit > self._best:
            self._best, self.w, self.loss = merit, w, loss
        if self._n_idle >= self.n_iter_no_change:
            raise StopIteration


def train(
    objective: Objective,
    w0: np.ndarray,
    solver: str,
    max_iter: int,
    monitor: Monitor,
    readout_first: bool,
) -> OptimizeResult:
    """Minimise an objective from w0 and return scipy's result, at the weights to keep.

    With ``readout_first`` the output layer is fitted to the starting states before everything is,
    which is convex and quick: the rest then starts from a reservoir computer (Jaeger 2001;
    Lukosevicius 2012).
    """
    if readout_first:
        result = fit_readout(objective, w0, max_iter)
        w0 = result.x
    if not readout_first or result.status != INTERRUPTED:
        result = minimise(objective, w0, solver, max_iter, monitor)
    if monitor.w is not None:
        result.x, result.fun = monitor.w, monitor.loss
    elif result.status == INTERRUPTED:
        result.fun, _ = objective.loss_gradient(result.x)
    return result


def fit_readout(objective: Objective, w: np.ndarray, max_iter: int) -> OptimizeResult:
    """Fit the output layer alone, the rest staying as in w: a convex problem.

    The result has x, with all parameters, and the status, but no loss.
    """
    p = objective.parameters(w)

    @QUIET
    def features(shard):
        _, cache = objective.network.forward(p, shard)
        return replace(shard, X=cache.features)

    shards = list(objective.map(features, objective.shards))
    shapes = objective.network.shapes
    linear = HiddenFeedback(shapes["W_out"][0], (), shapes["W_out"][1], None, False, ())
    readout = Objective(linear, objective.loss, shards, objective.alpha, objective.map)
    everything = views(w, shapes)
    result = minimise(readout, ravel(everything, linear.shapes), "lbfgs", max_iter)
    everything |= views(result.x, linear.shapes)
    return OptimizeResult(x=ravel(everything, shapes), status=result.status)
