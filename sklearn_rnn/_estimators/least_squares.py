"""Regressors that Levenberg-Marquardt can train: those with Elman units and squared loss."""

from scipy.sparse import issparse

from .._compat import StrOptions
from .._input.arrays import format_value


def with_lm(constraints):
    """Return the constraints of parameters with "lm" among the solvers."""
    (solvers,) = constraints["solver"]
    return constraints | {"solver": [StrOptions({"lm", *solvers.options})]}


class LeastSquaresMixin:
    """``solver="lm"``, refused where its Jacobian is not of squares and Elman units."""

    def _settle(self, structure, examples, before, needs_iterations):
        structure = super()._settle(structure, examples, before, needs_iterations)
        if self.solver == "lm":
            _check_lm(self, structure, issparse(examples.data.X))
        return structure


def _check_lm(estimator, structure, is_sparse):
    remedy = "or take another solver, such as 'lbfgs'."
    if estimator.loss != "squared_error":
        raise ValueError(
            f"solver='lm' minimises squares, not loss={format_value(estimator.loss)}. Set "
            f"loss='squared_error', {remedy}"
        )
    if estimator.cell != "elman":
        raise ValueError(
            f"solver='lm' trains cell='elman', not cell={format_value(estimator.cell)}. Set it, "
            f"{remedy}"
        )
    if is_sparse:
        raise ValueError(f"solver='lm' needs dense X, but X is sparse. Make it dense, {remedy}")
    if structure.get("leaks"):
        raise ValueError(
            "solver='lm' trains all weights, but warm_start=True continues from the fixed units of "
            f"solver='ridge'. Set warm_start=False, {remedy}"
        )
