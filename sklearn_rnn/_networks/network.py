"""What a network is to training and to the estimators."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from .outputs import Output
from .parameters import Parameters, Role, Shapes
from .transitions import Transitions

# Training and prediction look for values that are not finite and raise errors that say what to do;
# NumPy's warnings would only come before these.
IGNORE_OVERFLOW = np.errstate(over="ignore", invalid="ignore")


class Network(Protocol):
    """A pattern of recurrence: layers, and an output on top.

    A shard has packed rows ``X``, their ``packing``, and in training ``y`` and ``weight``.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter.
    roles : dict of str to Role
        What each parameter does.
    input_biases : dict of str to str
        Name of each weight that multiplies the features, and of the bias that is added to it.
    feedback_biases : dict of str to str
        Name of each weight that multiplies numbers fed back, and of the bias that is added to it.
    output_terms : tuple of str
        Names of the parameters that, beside the bias `c`, the logits are linear in.
    output_levels : tuple of str
        Names of the parameters that are values of the outputs, such as `c`.
    output : Output
    n_features, n_outputs : int
        D and K.
    n_directions : {1, 2}
        With 2, some units read the sequences from their ends.
    hidden_feedback : bool
        Whether the hidden units feed back; otherwise the output does. Training starts elsewhere
        then.
    cell : str
        What the hidden units are: a key of `CELLS`.
    warm_up_steps : int or None
        In training, pieces of long sequences need so many steps before their targets at least; None
        where sequences must stay whole.
    transitions : Transitions or None
        Which labels may follow which, where `infer` excludes others.
    output_only : bool
        Whether the hidden units start as those of a reservoir, see `HiddenFeedback`.
    """

    shapes: Shapes
    roles: dict[str, Role]
    input_biases: dict[str, str]
    feedback_biases: dict[str, str]
    output_terms: tuple[str, ...]
    output_levels: tuple[str, ...]
    output: Output
    n_features: int
    n_outputs: int
    n_directions: int
    hidden_feedback: bool
    cell: str
    warm_up_steps: int | None
    transitions: Transitions | None
    output_only: bool

    def initial(self, rng: np.random.RandomState, start) -> Parameters:
        """Return the parameters that training starts from; those of the output are zero."""

    def forward(self, p: Parameters, shard) -> tuple[np.ndarray, Any]:
        """Return the logits Z, a row a step (or a sequence, with pools), and a cache."""

    def vjp(self, p: Parameters, cache: Any, dZ: np.ndarray) -> Parameters:
        """Return J' dZ. It may overwrite dZ."""

    def jvp(self, p: Parameters, cache: Any, v: Parameters) -> np.ndarray:
        """Return J v for a direction v."""

    def jacobian(self, p: Parameters, shard) -> tuple[np.ndarray, Iterator]:
        """Return the logits and an iterator over J by blocks, where Levenberg-Marquardt trains."""

    def infer(self, p: Parameters, shard) -> np.ndarray:
        """Return the logits to predict from, which may need no labels where `forward` does."""

    def begin(self, p: Parameters, n: int) -> Any:
        """Return the state of n sequences before their first step."""

    def step(self, p: Parameters, state: Any, X: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return the logits to predict from after the step X (n, D), and the state there."""

    def attributes(self, p: Parameters) -> dict[str, Any]:
        """Return the parameters by the public names of fitted attributes, sharing memory."""

    def parameters(self, attributes: dict[str, Any]) -> Parameters:
        """Return the parameters from the public attributes; the inverse of `attributes`."""


@IGNORE_OVERFLOW
def infer_logits(network, p, shard):
    """Return the logits to predict from, NaN where they overflow."""
    Z = network.infer(p, shard)
    if not np.isfinite(Z.sum()):
        # of forbidden labels the logarithm of the probability is -inf
        is_valid = np.isfinite(Z) if network.transitions is None else Z < np.inf
        Z[~is_valid] = np.nan
    return Z


@IGNORE_OVERFLOW
def infer(network, p, shard):
    """Return the predictions of the network's output, NaN where the logits overflow."""
    return network.output.predict(p, infer_logits(network, p, shard), shard.packing)


@IGNORE_OVERFLOW
def infer_log(network, p, shard):
    """Return the logarithm of predicted probabilities, NaN where the logits overflow."""
    return network.output.predict_log(p, infer_logits(network, p, shard), shard.packing)
