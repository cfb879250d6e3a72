"""How a network is trained: where it starts, in which stages, when it stops."""

from dataclasses import replace

import numpy as np

from ._networks import HiddenFeedback
from ._objective import Objective
from ._parameters import ravel, views
from ._solvers import minimise


class Monitor:
    """Watches training: the loss curve, when to stop, and which weights to keep.

    Training has converged when the loss (or the validation score, if there is one) has not
    improved by `tol` for `n_iter_no_change` iterations in a row, as in scikit-learn's MLP.
    """

    def __init__(self, tol, n_iter_no_change, validate=None, verbose=0):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.validate = validate
        self.verbose = verbose
        self.loss_curve = []
        self.validation_scores = []
        self.best = -np.inf
        self.w = None  # the weights of the best validation score
        self.n_idle = 0

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
        self.n_idle = 0 if merit > self.best + self.tol else self.n_idle + 1
        if merit > self.best:
            self.best, self.w = merit, w
        if self.n_idle >= self.n_iter_no_change:
            raise StopIteration


def train(objective, w0, solver, max_iter, monitor, readout_first):
    if readout_first:
        w0 = fit_readout(objective, w0, max_iter)
    result = minimise(objective, w0, solver, max_iter, monitor)
    if monitor.validate is not None and monitor.w is not None:
        result.x = monitor.w
    return result


def fit_readout(objective, w, max_iter):
    """Fit the output layer alone, the rest staying as it starts: a convex problem."""
    p = objective.parameters(w)

    def features(shard):
        _, cache = objective.network.forward(p, shard)
        return replace(shard, X=cache.features)

    shards = list(objective.map(features, objective.shards))
    shapes = objective.network.shapes
    n_features, n_outputs = shapes["W_out"]
    linear = HiddenFeedback(n_features, (), n_outputs, None, False, ())
    readout = Objective(linear, objective.loss, shards, objective.alpha, objective.map)
    p = views(w.copy(), shapes)
    start = ravel(p, linear.shapes)
    result = minimise(readout, start, "lbfgs", max_iter)
    for name, value in views(result.x, linear.shapes).items():
        p[name][...] = value
    return ravel(p, shapes)
