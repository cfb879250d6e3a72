"""One step at a time: predictions for sequences that are still going on.

Each pattern has its rules: the state before the first step, and how a step leads from state to
state. States are never changed in place, so a step that fails changes nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._arrays import only_numbers, refuse_dates, refuse_mask
from ._cells import CELLS, log_softmax, softmax
from ._decoding import pass_on
from ._networks import QUIET
from ._output_feedback import FreeRunning, TeacherForced
from ._parameters import Parameters


class Rules(Protocol):
    """How a pattern takes a step; n sequences go side by side."""

    def begin(self, p: Parameters, n: int) -> Any:
        """The state before the first step."""

    def advance(self, p: Parameters, state: Any, X: np.ndarray) -> tuple[np.ndarray, Any]:
        """Predictions (n, ...) after the step X (n, D), and the state there."""


class _HiddenState(NamedTuple):
    n_steps: int
    layers: list  # the units of each layer (n, H)
    pooled: list  # of each pool what it has gathered so far (n, H)


# what a pool starts from, how it goes on, and what it gives after so many steps
_POOLS = {
    "last": (0.0, lambda before, A: A, lambda gathered, n_steps: gathered),
    "mean": (0.0, np.add, np.divide),
    "max": (-np.inf, np.maximum, lambda gathered, n_steps: gathered),
}


@dataclass(frozen=True)
class HiddenFeedbackRules:
    """Patterns 1 and 2; pattern 2 predicts as if the sequences ended now.

    Attributes
    ----------
    activation : str
    pooling : tuple of str
        Empty for pattern 1.
    link : callable
        From logits to predictions.
    """

    activation: str
    pooling: tuple
    link: Callable

    def begin(self, p, n):
        layers = []
        while f"b{len(layers)}" in p:
            b = p[f"b{len(layers)}"]
            layers.append(np.zeros_like(b, shape=(n, b.size)))
        return _HiddenState(0, layers, [_POOLS[name][0] for name in self.pooling])

    def advance(self, p, state, X):
        layers = []
        for i, before in enumerate(state.layers):
            A = X @ p[f"W_in{i}"]
            A += p[f"b{i}"]
            A += before @ p[f"W_rec{i}"][0]
            CELLS[self.activation].apply(A)
            layers.append(A)
            X = A
        pools, n_steps = [_POOLS[name] for name in self.pooling], state.n_steps + 1
        pooled = [go_on(before, X) for (_, go_on, _), before in zip(pools, state.pooled)]
        if pools:
            given = [give(part, n_steps) for (*_, give), part in zip(pools, pooled)]
            X = np.concatenate(given, axis=1)
        Z = X @ p["W_out"]
        Z += p["c"]
        return self.link(Z), _HiddenState(n_steps, layers, pooled)


@dataclass(frozen=True)
class FreeRunningRules:
    """Pattern 3 where the output itself feeds back: the state is its part in the first layer.

    Here as below, x W_in + b is written out: what a network does to have it quickly of many rows
    takes longer than the product of one.
    """

    network: FreeRunning

    def begin(self, p, n):
        return p["W_fb"][-1]

    def advance(self, p, state, X):
        A = X @ p["W_in0"]
        A += p["b0"]
        A += state
        output = softmax(self.network.logits(p, A))
        return output, output @ p["W_fb"][:-1]


@dataclass(frozen=True)
class TeacherForcedRules:
    """Pattern 3 with teacher forcing: the state is log alpha and alpha of `log_marginals`."""

    network: TeacherForced

    def begin(self, p, n):
        return None

    def advance(self, p, state, X):
        A = X @ p["W_in0"]
        A += p["b0"]
        if state is None:
            log_alpha = log_softmax(self.network.logits(p, A + p["W_fb"][-1]))
            alpha = np.exp(log_alpha)
        else:
            tables = self.network.logits(p, A[:, None, :] + p["W_fb"][:-1])
            log_alpha, alpha = pass_on(*state, tables)
        return alpha / alpha.sum(axis=1, keepdims=True), (log_alpha, alpha)


class Stepper:
    """Predictions for sequences that are still going on, one step at a time.

    `start` of an estimator makes one, with a copy of the weights: a later fit does not change it.
    It can be pickled and deep-copied in the middle of a sequence.

    Parameters
    ----------
    rules : Rules
    p : dict of str to ndarray
        The parameters of the network.
    """

    def __init__(self, rules: Rules, p: Parameters):
        self._rules = rules
        self._p = p
        self._state = None
        self._shape = None
        self._n_steps = 0

    @QUIET
    def step(self, x):
        """Take in the next step of the sequences.

        Parameters
        ----------
        x : array-like of shape (D,) or (n, D)
            The features of one step, of one sequence or of n sequences side by side. The first call
            settles which of the two, and the precision: float32, or else float64.

        Returns
        -------
        ndarray of shape (K,) or (n, K)
            What `predict_proba` (of a regressor `predict`) gives at this step: of a tagger for the
            step, else for the sequences as if they ended here. Of a regressor with a single target
            a number or (n,).

        Raises
        ------
        ValueError, TypeError
            If x has another shape than expected, or is not finite, or if the network overflows. The
            stepper is then as it was before.
        """
        x = self._read(x)
        p, state = self._p, self._state
        X = x if x.ndim == 2 else x[None]
        if self._n_steps == 0:
            p = {name: value.astype(x.dtype) for name, value in p.items()}
            state = self._rules.begin(p, len(X))
        output, state = self._rules.advance(p, state, X)
        if not _is_finite(output):
            raise ValueError(
                f"The network overflows at step {self._n_steps}: x is too large there, or grows "
                "without bound in unbounded units. Look at its values, or take activation='tanh'."
            )
        self._p, self._state, self._shape = p, state, x.shape
        self._n_steps += 1
        return output if x.ndim == 2 else output[0]

    def _read(self, x):
        if isinstance(x, list | tuple):
            x = self._read_list(x)
        if type(x) is not np.ndarray or x.dtype not in (np.float64, np.float32):
            refuse_mask(x, "x")
            refuse_dates(x, "x")
            with only_numbers("x"):
                x = check_array(
                    x,
                    dtype=(np.float64, np.float32),
                    ensure_all_finite=False,
                    ensure_2d=False,
                    allow_nd=True,
                    ensure_min_samples=0,
                    ensure_min_features=0,
                    input_name="x",
                )
        if x.shape != self._shape:
            self._check_shape(x.shape)
        if self._n_steps:
            x = x.astype(self._p["c"].dtype, copy=False)
        if not _is_finite(x):
            *sequence, feature = np.argwhere(~np.isfinite(x))[0]
            of = f", sequence {sequence[0]}" if sequence else ""
            raise ValueError(
                f"x holds NaN or infinity at step {self._n_steps}{of}, feature {feature}. Pass "
                "finite numbers."
            )
        return x

    def _read_list(self, x):
        try:
            return np.asarray(x)
        except ValueError:
            raise ValueError(
                f"x holds sequences with different numbers of features at step {self._n_steps}. "
                "All steps of all sequences must have the same features."
            ) from None

    def _check_shape(self, shape):
        n_features = len(self._p["W_in0"])
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
    # of finite numbers the sum, which is quick, may overflow
    return math.isfinite(x.sum()) or np.isfinite(x).all()


class StreamingMixin:
    """`start`, for estimators that have `_rules`."""

    def start(self):
        """Start to predict one or several sequences step by step, as their steps come in.

        Costs a few matrix products a step, however long the sequences are.

        Returns
        -------
        stepper : object
            Its method ``step(x)`` takes the features of the next step, (D,), without a column
            `sequence_id`, and returns what `predict_proba` (of a regressor `predict`) gives there:
            (K,). Of sequences that go side by side it takes (n, D) and returns (n, K). Taggers tell
            of the step, the others of the sequence as if it ended there. A later `fit` does not
            change it, and it can be pickled.

        Raises
        ------
        ValueError
            If the estimator is bidirectional, for which a sequence must have ended.

        Examples
        --------
        >>> from sklearn_rnn import OutputFeedbackTagger
        >>> from sklearn_rnn.datasets import make_conversations
        >>> X, y = make_conversations(20, random_state=0)
        >>> tagger = OutputFeedbackTagger(random_state=0).fit(X, y)
        >>> stepper = tagger.start()
        >>> for x in X[0]:
        ...     probabilities = stepper.step(x)
        >>> bool(abs(probabilities - tagger.predict_proba(X[:1])[0][-1]).max() < 1e-12)
        True
        """
        check_is_fitted(self)
        return Stepper(self._rules(), self._get_parameters(np.float64))
