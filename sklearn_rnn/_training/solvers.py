"""Everything that calls `scipy.optimize`.

A solver knows an objective by ``loss_gradient(w)`` and ``gauss_newton(w)`` (Adam by its
minibatches, Levenberg-Marquardt by ``loss(w)`` and ``normal_equations(w)``) and nothing of networks
or estimators.
"""

import numpy as np
from scipy import optimize

from .adam import minimise_adam
from .levenberg_marquardt import minimise_lm
from .recipe import LBFGS_PAIRS

# How `minimise` ended.
CONVERGED, EXHAUSTED, INTERRUPTED = range(3)


class ObjectiveOverflowError(ValueError):
    """The objective is not finite where training would have to go on from."""

    def __init__(self, what):
        super().__init__(
            f"{what} not finite: the states overflow. Scale the features (for instance to zero "
            "mean and unit variance), or take activation='tanh', whose states are bounded."
        )


class _Guarded:
    """The objective as scipy takes it; where it overflows, it makes a line search retreat."""

    def __init__(self, objective):
        self.objective = objective
        self.ceiling = None

    def __call__(self, w):
        value, gradient = self.objective.loss_gradient(w)
        if np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(w).all():
            if self.ceiling is None:
                self.ceiling = 1.0 + 2.0 * abs(value)
            return value, gradient
        if self.ceiling is None:
            raise ObjectiveOverflowError("The loss at the starting weights is")
        # SciPy's line search cannot handle infinity. A finite value above that of the start, hence
        # above all that was accepted since, and a zero gradient make it shorten the step.
        return self.ceiling, np.zeros_like(gradient)


class _Linearised:
    """Gauss-Newton products; the linearisation is kept while scipy stays at the same w."""

    def __init__(self, objective):
        self.objective = objective
        self.w = None

    def __call__(self, w, v):
        if self.w is None or not np.array_equal(w, self.w):
            self.w, self.product = w.copy(), self.objective.gauss_newton(w)
        Gv = self.product(v)
        if not np.isfinite(v @ Gv):
            # scipy's conjugate gradients would not end
            raise ObjectiveOverflowError("The curvature of the loss is")
        return Gv


def _lbfgs(objective, w0, max_iter, callback):
    """L-BFGS (Liu & Nocedal 1989) by scipy's L-BFGS-B, without bounds."""
    return optimize.minimize(
        _Guarded(objective),
        w0,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        # the callback decides when to stop; scipy's own tests only end what has fully converged
        options={
            "maxiter": max_iter,
            "maxfun": 20 * max_iter,
            "maxcor": LBFGS_PAIRS,
            "gtol": 1e-9,
            "ftol": 1e-12,
        },
    )


def _trust_ncg(objective, w0, max_iter, callback):
    """Newton's method with Gauss-Newton products, conjugate gradients and a trust region.

    Steihaug 1983; Martens 2010 on recurrent networks.
    """
    return optimize.minimize(
        _Guarded(objective),
        w0,
        jac=True,
        hessp=_Linearised(objective),
        method="trust-ncg",
        callback=callback,
        options={"maxiter": max_iter, "gtol": 1e-9},
    )


def _adam(objective, w0, max_iter, callback):
    """Adam (Kingma & Ba 2015) on minibatches; the objective must be a `MinibatchObjective`."""
    return optimize.minimize(
        None,
        w0,
        method=minimise_adam,
        callback=callback,
        options={"objective": objective, "maxiter": max_iter},
    )


class _Finite:
    """The objective as `minimise_lm` takes it: an overflow is infinite, or refused."""

    def __init__(self, objective):
        self.objective = objective

    def loss(self, w):
        value = self.objective.loss(w)
        return value if np.isfinite(value) and np.isfinite(w).all() else np.inf

    def normal_equations(self, w):
        gradient, matrix = self.objective.normal_equations(w)
        if not (np.isfinite(gradient).all() and np.isfinite(matrix).all()):
            raise ObjectiveOverflowError("The curvature of the loss is")
        return gradient, matrix


def _lm(objective, w0, max_iter, callback):
    """Levenberg-Marquardt on exact Jacobians, for squared loss and few parameters."""
    finite = _Finite(objective)
    return optimize.minimize(
        finite.loss,
        w0,
        method=minimise_lm,
        callback=callback,
        options={"objective": finite, "maxiter": max_iter},
    )


SOLVERS = {"lbfgs": _lbfgs, "trust-ncg": _trust_ncg, "adam": _adam, "lm": _lm}
# for any output
GENERAL_SOLVERS = tuple(name for name in SOLVERS if name != "lm")


def minimise(
    objective, w0: np.ndarray, solver: str, max_iter: int, callback=None, keep_interrupted=False
) -> optimize.OptimizeResult:
    """Minimise an objective from w0.

    Parameters
    ----------
    objective : Objective
    w0 : ndarray of shape (P,)
    solver : str
        A key of `SOLVERS`.
    max_iter : int
        Iterations (of Adam: epochs) at most.
    callback : callable, optional
        Called after each iteration as ``callback(w, loss)`` with where it ended (of the other
        solvers than Adam this is the best so far); it may raise StopIteration.
    keep_interrupted : bool
        Whether a KeyboardInterrupt after the first iteration ends the work with the best point so
        far, instead of being raised.

    Returns
    -------
    scipy.optimize.OptimizeResult
        Its x is the best point accepted; ``status`` is `CONVERGED`, `EXHAUSTED` where max_iter was
        reached, or `INTERRUPTED`.

    Raises
    ------
    ObjectiveOverflowError
        If the objective is not finite at w0, or its curvature anywhere on the way.
    """
    best = optimize.OptimizeResult(x=w0, fun=np.inf, nit=0, status=CONVERGED)

    def is_finite(result):
        # if the sums of a gradient overflow, scipy makes a step to NaN
        return np.isfinite(result.fun) and np.isfinite(result.x).all()

    def improve(result):
        if result.fun < best.fun and is_finite(result):
            best.x, best.fun = result.x.copy(), float(result.fun)

    def keep(intermediate_result):
        best.nit += 1
        improve(intermediate_result)
        if callback is not None:
            # an epoch of Adam may end at a greater loss and yet at a better validation score
            now = intermediate_result if is_finite(intermediate_result) else best
            callback(now.x.copy(), float(now.fun))

    try:
        # `_Guarded` tests for overflow; L-BFGS ends by inverting the curvature, which may be zero
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            result = SOLVERS[solver](objective, w0, max_iter, keep)
    except KeyboardInterrupt:
        if not keep_interrupted or best.nit == 0:
            raise
        best.status = INTERRUPTED
        return best
    improve(result)
    if not np.isfinite(best.fun):
        raise ObjectiveOverflowError("The solver's first step is")
    best.status = EXHAUSTED if result.status == 1 else CONVERGED
    return best
