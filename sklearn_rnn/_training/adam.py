"""Adam on minibatches, as a method of `scipy.optimize.minimize`."""

import numpy as np
from scipy.optimize import OptimizeResult

from .._networks.parameters import views
from .recipe import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, ADAM_STEP_SIZE


class Adam:
    """Moment estimates and steps for named parameters (Kingma & Ba 2015, algorithm 1).

    Where a minibatch uses only some rows of a parameter, only these are updated, with their
    moments, so that the cost of an update depends on the minibatch, not on the vocabulary.

    Parameters
    ----------
    p : dict of str to ndarray
        Parameters, which `step` updates in place.
    """

    def __init__(self, p):
        self.p = p
        self.mean = {name: np.zeros_like(array) for name, array in p.items()}
        self.square = {name: np.zeros_like(array) for name, array in p.items()}
        self.t = 0

    def step(self, gradients, rows, step_size):
        """One update: p <- p - step_size m_hat / (sqrt(v_hat) + eps)."""
        self.t += 1
        rate = step_size / (1.0 - ADAM_BETA_1**self.t)
        debias = 1.0 / np.sqrt(1.0 - ADAM_BETA_2**self.t)
        for name, g in gradients.items():
            used = rows.get(name, slice(None))
            m, v = self.mean[name][used], self.square[name][used]
            m *= ADAM_BETA_1
            m += (1.0 - ADAM_BETA_1) * g
            v *= ADAM_BETA_2
            g *= g
            g *= 1.0 - ADAM_BETA_2
            v += g
            if name in rows:  # m and v are copies then
                self.mean[name][used], self.square[name][used] = m, v
            root = np.sqrt(v, out=g)
            root *= debias
            root += ADAM_EPSILON
            update = m / root
            update *= rate
            self.p[name][used] -= update


def minimise_adam(fun, x0, args=(), *, objective, maxiter, callback=None, **unused):
    """Minimise on minibatches: a callable for ``scipy.optimize.minimize(method=...)``.

    The step size falls linearly to zero over all steps, so that the noise of the minibatches
    averages out in the end. From values that are not finite it retreats to the start of the epoch
    and goes on with half the step size.

    Parameters
    ----------
    fun
        Not called: each minibatch gives its own value and gradient.
    x0 : ndarray of shape (P,)
    objective : MinibatchObjective
    maxiter : int
        Epochs.
    callback : callable, optional
        Called after each epoch as ``callback(intermediate_result=...)`` with x, and fun, the mean
        loss over the epoch. It may raise StopIteration.

    Returns
    -------
    OptimizeResult
    """
    w = x0.astype(objective.dtype)
    p = views(w, objective.network.shapes)
    adam, scale = Adam(p), 1.0
    result = OptimizeResult(x=x0, fun=np.inf, status=0)
    for epoch in range(maxiter):
        start = w.copy()
        try:
            loss = _run_epoch(objective, p, adam, scale * ADAM_STEP_SIZE, epoch, maxiter)
        except FloatingPointError:
            w[:] = start
            adam, scale = Adam(p), scale / 2
            continue
        result.x, result.fun = w.astype(x0.dtype), loss + objective.penalty.value(p)
        if callback is not None:
            try:
                callback(intermediate_result=result)
            except StopIteration:
                break
    return result


def _run_epoch(objective, p, adam, step_size, epoch, n_epochs):
    """Update p by all minibatches of an epoch; return the mean of their losses."""
    losses = []
    for minibatch in objective.minibatches(epoch):
        loss, gradients = minibatch.loss_gradient(p)
        # if their squares overflow, so do the moments, which then stay infinite
        squares = [np.vdot(g, g) for g in gradients.values()]
        if not np.isfinite([loss, *squares]).all():
            raise FloatingPointError
        left = 1.0 - (epoch + len(losses) / objective.n_minibatches) / n_epochs
        adam.step(gradients, minibatch.rows, step_size * left)
        losses.append(loss)
    return np.mean(losses)
