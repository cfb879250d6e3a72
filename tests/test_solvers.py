"""Solvers on small problems, overflows and interrupts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import OptimizeResult

from sklearn_rnn._training import solvers
from sklearn_rnn._training.solvers import INTERRUPTED, ObjectiveOverflowError, minimise

MAX_ITER = 300
# those that need no minibatches
DETERMINISTIC = ["lbfgs", "trust-ncg", "lm"]
parametrize_solvers = pytest.mark.parametrize("solver", DETERMINISTIC)


class Problem:
    """What Levenberg-Marquardt asks for beside ``loss_gradient`` and ``gauss_newton``."""

    def loss(self, w):
        return self.loss_gradient(w)[0]

    def normal_equations(self, w):
        product = self.gauss_newton(w)
        matrix = np.stack([product(unit) for unit in np.eye(len(w))], axis=1)
        return self.loss_gradient(w)[1], np.triu(matrix)


class Quadratic(Problem):
    """(w - minimum)' A (w - minimum) / 2, badly conditioned."""

    start = np.full(6, 10.0)
    minimum = np.arange(6.0)

    def __init__(self):
        Q = np.linalg.qr(np.cos(np.arange(36.0)).reshape(6, 6) + np.eye(6))[0]
        self.A = Q @ np.diag(np.logspace(-1, 2, 6)) @ Q.T

    def loss_gradient(self, w):
        gradient = self.A @ (w - self.minimum)
        return 0.5 * gradient @ (w - self.minimum), gradient

    def gauss_newton(self, w):
        return lambda v: self.A @ v


class Rosenbrock(Problem):
    """||(10 (w_1 - w_0^2), 1 - w_0)||^2 / 2, a curved valley."""

    start = np.array([-1.2, 1.0])
    minimum = np.ones(2)

    def residuals(self, w):
        return np.array([10 * (w[1] - w[0] ** 2), 1 - w[0]]), np.array([[-20 * w[0], 10], [-1, 0]])

    def loss_gradient(self, w):
        r, J = self.residuals(w)
        return 0.5 * r @ r, J.T @ r

    def gauss_newton(self, w):
        J = self.residuals(w)[1]
        return lambda v: J.T @ (J @ v)


class Barrier(Problem):
    """-log(1 - |w|^2) - 50 w_0: not finite from radius 1 on, and steep where it starts."""

    start = np.zeros(3)
    # the root of 2 r / (1 - r^2) = 50
    minimum = np.array([(np.sqrt(1 + 50**2) - 1) / 50, 0.0, 0.0])

    def __init__(self, outside=np.nan):
        self.outside = outside
        self.n_outside = 0

    def loss_gradient(self, w):
        slack = 1 - w @ w
        if slack <= 0:
            self.n_outside += 1
            return self.outside, np.full(3, self.outside)
        return -np.log(slack) - 50 * w[0], 2 * w / slack - [50, 0, 0]

    def gauss_newton(self, w):
        slack = 1 - w @ w
        return lambda v: 2 * v / slack + 4 * w * (w @ v) / slack**2


class Cliff(Problem):
    """A slope down to a point beyond which the value is not finite."""

    start = np.zeros(1)

    def loss_gradient(self, w):
        return (100 - 90 * w[0], np.array([-90.0])) if w[0] < 1.05 else (np.nan, np.full(1, np.nan))

    def gauss_newton(self, w):
        return lambda v: 1e-3 * v


class Interrupted(Problem):
    """An objective that is interrupted in its n-th evaluation."""

    def __init__(self, objective, n):
        self.objective = objective
        self.n_left = n
        self.gauss_newton = objective.gauss_newton

    def loss_gradient(self, w):
        self.n_left -= 1
        if self.n_left == 0:
            raise KeyboardInterrupt
        return self.objective.loss_gradient(w)


class Record:
    """A callback that records points and losses, and ends after n iterations."""

    def __init__(self, n=np.inf):
        self.n = n
        self.points, self.losses = [], []

    def __call__(self, w, loss):
        self.points.append(w)
        self.losses.append(loss)
        if len(self.losses) >= self.n:
            raise StopIteration


@pytest.mark.parametrize("problem", [Quadratic, Rosenbrock, Barrier])
@parametrize_solvers
def test_minimum_is_reached(solver, problem):
    objective = problem()
    start = objective.start.copy()
    result = minimise(objective, start, solver, MAX_ITER)
    assert_allclose(result.x, objective.minimum, atol=1e-3)
    assert_allclose(result.fun, objective.loss_gradient(objective.minimum)[0], atol=1e-6)
    assert result.status == 0
    assert_array_equal(start, objective.start)


@parametrize_solvers
def test_max_iter(solver):
    record = Record()
    result = minimise(Rosenbrock(), Rosenbrock.start, solver, 4, record)
    assert result.status == 1
    assert result.nit == len(record.losses) == 4


@parametrize_solvers
def test_callback_gets_the_best_so_far(solver):
    objective, record = Rosenbrock(), Record()
    result = minimise(objective, objective.start, solver, MAX_ITER, record)
    assert (np.diff(record.losses) <= 0).all()
    losses = [objective.loss_gradient(w)[0] for w in record.points]
    assert_allclose(record.losses, losses, rtol=1e-12)
    assert result.nit == len(record.losses)
    assert result.fun <= record.losses[-1]


@parametrize_solvers
def test_callback_ends_the_search(solver):
    record = Record(n=3)
    result = minimise(Rosenbrock(), Rosenbrock.start, solver, MAX_ITER, record)
    assert len(record.losses) == 3
    assert result.status == 0
    assert_array_equal(result.x, record.points[-1])
    assert result.fun == min(record.losses)


@pytest.mark.parametrize("outside", [np.nan, np.inf, -np.inf])
@parametrize_solvers
def test_start_that_is_not_finite(solver, outside):
    with pytest.raises(ObjectiveOverflowError, match="Scale the features.*activation='tanh'"):
        minimise(Barrier(outside), np.full(3, 2.0), solver, MAX_ITER)


@pytest.mark.parametrize("outside", [np.nan, np.inf, -np.inf])
@parametrize_solvers
def test_line_search_retreats_from_an_overflow(solver, outside):
    objective = Barrier(outside)
    result = minimise(objective, objective.start, solver, MAX_ITER)
    assert objective.n_outside > 0
    assert_allclose(result.x, objective.minimum, atol=1e-4)


def test_line_search_retreats_from_an_overflow_after_a_steep_descent():
    result = minimise(Cliff(), Cliff.start, "lbfgs", MAX_ITER)
    assert result.fun == Cliff().loss_gradient(result.x)[0]


class Steep(Problem):
    """1 + c' w with finite gradients whose sums of squares are not."""

    def loss_gradient(self, w):
        c = np.array([1e250, -1e250])
        return 1 + c @ w, c

    def gauss_newton(self, w):
        return lambda v: 1e300 * v


@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
def test_overflow_in_the_solver_itself_is_refused(solver):
    # scipy would step to NaN, or repeat conjugate gradients without end
    with pytest.raises(ObjectiveOverflowError, match="Scale the features"):
        minimise(Steep(), np.zeros(2), solver, MAX_ITER)


@pytest.mark.parametrize("curvature", [np.nan, np.inf])
def test_curvature_that_is_not_finite_is_refused(curvature):
    class Curved(Quadratic):
        def normal_equations(self, w):
            gradient, matrix = super().normal_equations(w)
            return gradient, curvature * matrix

    with pytest.raises(ObjectiveOverflowError, match="The curvature of the loss is not finite"):
        minimise(Curved(), Quadratic.start, "lm", MAX_ITER)


def test_no_step_downhill_ends_the_search():
    class Uphill(Quadratic):
        def normal_equations(self, w):
            gradient, matrix = super().normal_equations(w)
            return -gradient, matrix

    record = Record()
    result = minimise(Uphill(), Quadratic.start, "lm", MAX_ITER, record)
    assert result.status == 0
    assert_array_equal(result.x, Quadratic.start)
    assert not record.points


@pytest.mark.parametrize("x, fun", [(np.nan, 1.0), (3.0, np.nan), (3.0, -np.inf)])
def test_callback_gets_finite_values_only(x, fun, monkeypatch):
    def solver(objective, w0, max_iter, callback):
        callback(OptimizeResult(x=np.ones(2), fun=2.0))
        callback(OptimizeResult(x=np.array([1.0, x]), fun=fun))
        return OptimizeResult(x=np.array([1.0, x]), fun=fun, status=0)

    monkeypatch.setitem(solvers.SOLVERS, "lbfgs", solver)
    record = Record()
    result = minimise(Rosenbrock(), Rosenbrock.start, "lbfgs", MAX_ITER, record)
    assert_array_equal(record.points, np.ones((2, 2)))
    assert record.losses == [2.0, 2.0]
    assert_array_equal(result.x, np.ones(2))
    assert result.fun == 2.0


@parametrize_solvers
def test_interrupt_keeps_the_best_so_far(solver):
    record = Record()
    objective = Interrupted(Rosenbrock(), 12)
    start = Rosenbrock.start
    result = minimise(objective, start, solver, MAX_ITER, record, keep_interrupted=True)
    assert result.status == INTERRUPTED
    assert result.nit == len(record.losses) > 0
    assert_array_equal(result.x, record.points[-1])
    assert result.fun == record.losses[-1]


@pytest.mark.parametrize(("n", "keep_interrupted"), [(1, True), (2, True), (1, False), (12, False)])
@parametrize_solvers
def test_interrupt_is_raised(solver, n, keep_interrupted):
    """Before the first iteration ends, and where the caller does not ask to keep the best."""
    objective = Interrupted(Rosenbrock(), n)
    with pytest.raises(KeyboardInterrupt):
        minimise(objective, Rosenbrock.start, solver, MAX_ITER, None, keep_interrupted)


@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
def test_linearisation_is_kept_at_one_point(solver):
    class Counted(Quadratic):
        n_linearised = 0

        def gauss_newton(self, w):
            self.n_linearised += 1
            return super().gauss_newton(w)

    objective = Counted()
    result = minimise(objective, objective.start, solver, MAX_ITER)
    assert objective.n_linearised <= result.nit + 1
