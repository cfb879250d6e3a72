"""The Levenberg-Marquardt method, as a method of `scipy.optimize.minimize`."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import OptimizeResult

from .recipe import LM_DAMPING, LM_LEAST_SCALE

MAX_DAMPING = 1e16  # beyond, a step changes no digit
MIN_GRADIENT = 1e-9


class Damping:
    """mu, by which a step is damped, and how it follows what steps bring (Nielsen 1999, sec. 2.2).

    Attributes
    ----------
    mu : float
    """

    def __init__(self):
        self.mu = LM_DAMPING
        self._growth = 2.0

    def accept(self, gain):
        """Relax after a step that brought the share ``gain`` of what the quadratic promises."""
        self.mu *= max(1.0 / 10.0, 1.0 - (2.0 * gain - 1.0) ** 3)
        self._growth = 2.0

    def reject(self):
        """Damp more after a step that brought nothing, more each time."""
        self.mu *= self._growth
        self._growth *= 2.0


def minimise_lm(fun, x0, args=(), *, objective, maxiter, callback=None, **unused):
    """Minimise squares: a callable for ``scipy.optimize.minimize(method=...)``.

    The step s solves (J' J + mu D) s = -gradient (Levenberg 1944; Marquardt 1963), where J' J
    includes the penalty and D is its diagonal, at least `LM_LEAST_SCALE` of its largest entry: a
    parameter without influence so far, as all hidden ones at an output of zero, has a limit, too.

    Parameters
    ----------
    fun : callable
        Returns the objective alone.
    x0 : ndarray of shape (P,)
    objective : Objective
        Its ``normal_equations(w)`` returns the gradient and the upper triangle of J' J + penalty.
    maxiter : int
    callback : callable, optional
        Called after each iteration as ``callback(intermediate_result=...)`` with x and fun. It may
        raise StopIteration.

    Returns
    -------
    OptimizeResult
        Its status is 1 if maxiter was reached.
    """
    result = OptimizeResult(x=x0, fun=fun(x0), status=0)
    damping = Damping()
    for _ in range(maxiter):
        gradient, matrix = objective.normal_equations(result.x)
        if np.abs(gradient).max() < MIN_GRADIENT:
            return result
        step = _downhill_step(fun, result, gradient, matrix, damping)
        if step is None:
            return result
        result.x, result.fun = step
        if callback is not None:
            try:
                callback(intermediate_result=result)
            except StopIteration:
                return result
    result.status = 1
    return result


def _downhill_step(fun, now, gradient, matrix, damping):
    """Return the next point and its value, which is less; None if there is no such step."""
    diagonal = matrix.diagonal()
    scale = np.maximum(diagonal, LM_LEAST_SCALE * diagonal.max())
    while damping.mu < MAX_DAMPING:
        damped = matrix.copy(order="F")
        np.fill_diagonal(damped, diagonal + damping.mu * scale)
        try:
            factor = cho_factor(damped, overwrite_a=True, check_finite=False)
        except LinAlgError:  # by rounding it may have no Cholesky factor
            damping.reject()
            continue
        step = -cho_solve(factor, gradient, check_finite=False)
        x = now.x + step
        value = fun(x)
        promised = 0.5 * (damping.mu * step * scale - gradient) @ step
        if value < now.fun:
            damping.accept((now.fun - value) / promised)
            return x, value
        damping.reject()
    return None
