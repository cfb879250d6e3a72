"""How a network is trained: where it starts, in which stages, when it stops."""

from dataclasses import replace

import numpy as np
from scipy.optimize import OptimizeResult

from ._networks import QUIET, HiddenFeedback
from ._objective import Objective
from ._parameters import ravel, views
from ._penalty import around
from ._solvers import INTERRUPTED, minimise
from ._start import FEEDBACK, RESERVOIR, SMALL, SPARSE

# From this many sequences on, Adam is quicker than methods that look at all of them for one step.
MANY = 2000
# What each solver counts, at most, unless told otherwise. Adam needs as many minibatches for a
# large set as for a small one, but sees every sequence at least a few times.
ITERATIONS = 1000
ADAM_SEQUENCES, ADAM_EPOCHS = 64_000, 5
# What `partial_fit` makes of a batch: so many iterations, and by how much every sequence seen
# before (with output feedback: every step) holds all weights to where they are.
BATCH_ITERATIONS = 20
MEMORY = 0.1


def choose_solver(solver, n_sequences):
    """What "auto" stands for."""
    if solver != "auto":
        return solver
    return "adam" if n_sequences >= MANY else "lbfgs"


def choose_iterations(max_iter, solver, n_sequences):
    """What max_iter=None stands for."""
    if max_iter is not None:
        return max_iter
    if solver == "adam":
        return max(ADAM_EPOCHS, round(ADAM_SEQUENCES / n_sequences))
    return ITERATIONS


def choose_start(per_step, independent_steps, sparse_input):
    """Where training starts.

    A label for a whole sequence is told from what the dynamics make of dense input: there a
    reservoir is a good start. Labels of steps, and rare features, are better learnt from near zero.
    """
    if independent_steps:
        return FEEDBACK
    if sparse_input:
        return SPARSE
    return SMALL if per_step else RESERVOIR


class Monitor:
    """Watches training: the loss curve, when to stop, and which weights to keep.

    Training has converged when, for `n_iter_no_change` iterations in a row, the loss has not fallen
    by the share `tol` of itself (or the validation score, if there is one, not risen by `tol`). A
    share, because where labels are noise the loss stays high, and small gains are overfitting.

    Parameters
    ----------
    tol : float
    n_iter_no_change : int
    validate : callable, optional
        ``validate(w)`` is a score, the higher the better.
    verbose : int
        Whether to print a line after each iteration.
    stop : callable, optional
        ``stop(w)`` is asked after each iteration, with the weights to keep so far.

    Attributes
    ----------
    loss_curve, validation_scores : list of float
        After each iteration.
    w, loss : ndarray of shape (P,) and float, or None
        The weights of the best score (or the least loss), and the loss there.
    """

    def __init__(self, tol, n_iter_no_change, validate=None, verbose=0, stop=None):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.validate = validate
        self.verbose = verbose
        self.stop = stop
        self.loss_curve = []
        self.validation_scores = []
        self.w = self.loss = None
        self._best = -np.inf
        self._n_idle = 0

    @property
    def merit(self):
        """The best score, or the least loss with its sign changed; -inf before any."""
        return self._best

    def __call__(self, w, loss):
        merit, margin = -loss, self.tol * abs(loss)
        message = f"Iteration {len(self.loss_curve) + 1}, loss = {loss:.8f}"
        if self.validate is not None:
            merit, margin = self.validate(w), self.tol
            self.validation_scores.append(merit)
            message += f", validation score = {merit:.6f}"
        self._n_idle = 0 if merit > self._best + margin else self._n_idle + 1
        # all is on record before anything is printed, which is where interrupts mostly come
        self.loss_curve.append(loss)
        if merit > self._best:
            self._best, self.w, self.loss = merit, w, loss
        if self.verbose:
            print(message)
        told_to_stop = self.stop is not None and self.stop(w if self.w is None else self.w)
        if told_to_stop or self._n_idle >= self.n_iter_no_change:
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
        shard = shard.load()
        _, cache = objective.network.forward(p, shard)
        return replace(shard, X=cache.features)

    shards = list(objective.map(features, objective.shards))
    shapes = objective.network.shapes
    linear = HiddenFeedback(shapes["W_out"][0], (), shapes["W_out"][1], None, False, ())
    alpha = objective.penalty.strength["W_out"]
    zero = dict.fromkeys(linear.shapes, 0.0)
    penalty = around(zero, linear.shapes, alpha, stiffness=1.0, sparse_input=False)
    readout = Objective(linear, objective.loss, shards, penalty, objective.map)
    everything = views(w, shapes)
    result = minimise(readout, ravel(everything, linear.shapes), "lbfgs", max_iter)
    everything |= views(result.x, linear.shapes)
    return OptimizeResult(x=ravel(everything, shapes), status=result.status)
