"""One step at a time: predictions for sequences that are still going on."""

import math

import numpy as np

from .._input.arrays import as_numeric_array, format_value
from .._input.missing import Filling
from .._input.names import names_of_step
from .._networks.network import IGNORE_OVERFLOW, Network
from .._networks.parameters import Parameters


class Stepper:
    """Predictions for sequences that are still going on, one step at a time.

    `start` of an estimator makes one, with a copy of the weights: a later fit does not change it.
    It can be pickled and deep-copied in the middle of a sequence.

    Parameters
    ----------
    network : Network
    p : dict of str to ndarray
        The parameters of the network.
    target_shape : tuple of int
        Shape of the prediction for one sequence: () for a number.
    feature_names : ndarray of str, optional
        The names that the features of a step must have, if they have names.
    filling : Filling, optional
        How gaps are filled; by default they are refused.
    """

    def __init__(
        self,
        network: Network,
        p: Parameters,
        target_shape: tuple,
        feature_names=None,
        filling: Filling | None = None,
    ):
        self._network = network
        self._feature_names = feature_names
        self._filling = filling
        self._last = None
        self._warned = False
        self._p = p
        self._target_shape = target_shape
        self._state = None
        self._shape = None
        self._n_steps = 0
        n_indicators = len(filling.with_gaps) if filling else 0
        self._n_features = network.n_features - n_indicators

    @IGNORE_OVERFLOW
    def step(self, x):
        """Take in the next step of the sequences.

        Parameters
        ----------
        x : array-like of shape (D,) or (n, D)
            The features of one step, of one sequence or of n sequences side by side. The names of a
            row or a DataFrame must be those that `fit` saw. The first call
            determines which of the two, and the precision: float32, or else float64. NaN is a
            missing value, which is filled as in `predict`.

        Returns
        -------
        ndarray of shape (K,) or (n, K)
            What `predict_proba` (of a regressor `predict`) gives at this step: of a tagger for the
            step, otherwise for the sequences as if they ended here. Of a regressor with a single
            target a number or (n,).

        Raises
        ------
        ValueError, TypeError
            If x has another shape or other names than expected, or is infinite, or if the network
            overflows. The stepper is then as it was before.
        """
        x = self._read(x)
        p, state = self._p, self._state
        X = x if x.ndim == 2 else x[None]
        if self._n_steps == 0:
            p = {name: W.astype(x.dtype, copy=False) for name, W in p.items()}
            state = self._network.begin(p, len(X))
        X, last = self._fill(X)
        Z, state = self._network.step(p, state, X)
        output = self._network.output.predict(p, Z, None)
        output = output.reshape(-1, *self._target_shape)
        if not _is_finite(output):
            raise ValueError(
                f"The network overflows at step {self._n_steps}: x is too large there, or grows "
                "without bound in unbounded units. Look at its values, or take activation='tanh'."
            )
        self._p, self._state, self._last, self._shape = p, state, last, x.shape
        self._n_steps += 1
        return output if x.ndim == 2 else output[0]

    def _read(self, x):
        if type(x) is not np.ndarray or x.dtype not in (np.float64, np.float32):
            self._check_names(x)
            x = as_numeric_array(x, f"x of step {self._n_steps}")
        if x.shape != self._shape:
            self._check_shape(x.shape)
        if self._n_steps:
            x = x.astype(self._p["c"].dtype, copy=False)
        if not _is_finite(x):
            self._check_finite(x)
        return x

    def _check_finite(self, x):
        is_refused = ~np.isfinite(x) if self._filling is None else np.isinf(x)
        if is_refused.any():
            *sequence, feature = np.argwhere(is_refused)[0]
            of = f", sequence {sequence[0]}" if sequence else ""
            kind = "infinity" if np.isinf(x[(*sequence, feature)]) else "NaN"
            raise ValueError(
                f"x holds {kind} at step {self._n_steps}{of}, feature {feature}. Pass finite "
                "numbers."
            )

    def _fill(self, X):
        """Return the step without gaps, with their indicators, and the last values there."""
        if self._filling is None:
            return X, None
        last = self._filling.begin(len(X)) if self._n_steps == 0 else self._last
        if not self._warned:
            gaps = np.isnan(X)
            self._warned = len(self._filling.unexpected(gaps)) > 0
            self._filling.warn_of_unexpected(gaps)
        return self._filling.step(last, X)

    def _check_names(self, x):
        names = names_of_step(x)
        if names and self._feature_names is not None and names != self._feature_names.tolist():
            raise ValueError(
                f"x of step {self._n_steps} has the names {format_value(names)}, but fit saw "
                f"{format_value(self._feature_names.tolist())}, in this order."
            )

    def _check_shape(self, shape):
        n_features = self._n_features
        if len(shape) not in (1, 2) or 0 in shape:
            raise ValueError(
                f"x has shape {shape} at step {self._n_steps}. Pass the features of one step: "
                f"({n_features},), or (n, {n_features}) for n sequences side by side."
            )
        if shape[-1] != n_features:
            raise ValueError(
                f"x has {shape[-1]} features at step {self._n_steps}, but fit saw {n_features}."
            )
        if self._shape is not None:
            raise ValueError(
                f"x has shape {shape} at step {self._n_steps}, but had {self._shape} at the steps "
                "before. Call start() again for other sequences."
            )


def _is_finite(x):
    # the sum, which is quick, may overflow where all numbers are finite
    return math.isfinite(x.sum()) or np.isfinite(x).all()
