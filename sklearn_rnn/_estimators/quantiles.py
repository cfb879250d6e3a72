"""Regressors that predict quantiles: their parameters `loss` and `quantile`, and their targets."""

from numbers import Real

import numpy as np
from sklearn.metrics import d2_pinball_score

from .._compat import Interval, StrOptions
from .._input.arrays import format_value
from .._networks.outputs import Squares
from .._networks.quantiles import Quantiles
from .._training.recipe import QUANTILE_ALPHA
from .targets import NumberTargets, Targets, Unit

LOSS_CONSTRAINTS = {
    "loss": [StrOptions({"squared_error", "quantile"})],
    "quantile": [Interval(Real, 0, 1, closed="neither"), tuple, list, np.ndarray, None],
}


class QuantileMixin:
    """The parameters `loss` and `quantile`, which decide what the targets are."""

    _unit: Unit

    @property
    def _targets(self):
        if self.loss == "squared_error":
            return NumberTargets(self._unit)
        return QuantileTargets(self._unit, self.quantile)

    def _options(self):
        options = super()._options()
        if self.loss == "quantile" and self.alpha is None:
            options = options._replace(alpha=QUANTILE_ALPHA)
        return options


def quantile_structure(estimator):
    """Return what is predicted, checked: one level or a tuple of several, () without quantiles."""
    quantile = estimator.quantile
    if estimator.loss == "squared_error":
        if quantile is not None:
            raise ValueError(
                f"quantile={format_value(quantile)} has no effect with loss='squared_error'. Set "
                "loss='quantile', or leave quantile out."
            )
        return {"quantile": ()}
    if quantile is None:
        raise ValueError("loss='quantile' needs a quantile. Set it, for instance to 0.5.")
    if isinstance(quantile, Real):
        return {"quantile": float(quantile)}
    levels = list(quantile)
    are_levels = all(isinstance(level, Real) and 0 < level < 1 for level in levels)
    if not levels or not are_levels or any(a >= b for a, b in zip(levels, levels[1:])):
        raise ValueError(
            "quantile must be a number between 0 and 1, or several that rise, got "
            f"{format_value(quantile)}."
        )
    return {"quantile": tuple(map(float, levels))}


def number_output(quantile):
    """Return the network's output for what `quantile_structure` returned."""
    return Squares() if quantile == () else Quantiles(_levels(quantile))


def fitted_targets(unit, network):
    """Return what the targets of a fitted network are."""
    return NumberTargets(unit) if has_r2(network) else QuantileTargets(unit, network.output.levels)


def has_r2(network):
    """Return whether predictions of a network are scored by R^2; those of quantiles are not."""
    return not isinstance(network.output, Quantiles)


class QuantileTargets(NumberTargets):
    """Numbers of which quantiles are predicted, scored by D^2.

    Parameters
    ----------
    unit : Unit
    quantile : float or sequence of float
        One level, or several, for which predictions have an axis.
    """

    def __init__(self, unit: Unit, quantile):
        super().__init__(unit)
        self._quantile = quantile

    def read(
        self, sequences, y, sample_weight, class_weight=None, known=None, classes=None
    ) -> Targets:
        """Read the numbers of `fit`, each of them once for every level."""
        targets, weight, n_outputs, attributes = super().read(sequences, y, sample_weight)
        levels, shape = _levels(self._quantile), attributes["_target_shape"]
        if not isinstance(self._quantile, Real):
            shape += (len(levels),)
        targets = np.repeat(targets, len(levels), axis=1)
        return Targets(targets, weight, n_outputs * len(levels), {"_target_shape": shape})

    read_batch = read

    def score(self, y, predictions, weight):
        """Return D^2 of the pinball loss, the mean over all; -inf where the network overflows."""
        if not np.isfinite(predictions).all():
            return -np.inf
        levels = _levels(self._quantile)
        columns = zip(y.T, predictions.T, np.tile(levels, y.shape[1] // len(levels)))
        return np.mean(
            [d2_pinball_score(a, b, sample_weight=weight, alpha=q) for a, b, q in columns]
        )


def _levels(quantile):
    return (quantile,) if isinstance(quantile, Real) else tuple(quantile)
