"""A fitted network, as predictions use it: later changes of parameters have no influence on it."""

from dataclasses import dataclass, field, replace

import numpy as np

from .._execution.shards import Data, pack, partition_into_shards
from .._execution.threads import shard_map
from .._input.layouts import LongTable, WideTable, read_sequences
from .._input.long_tables import warn_of_torn
from .._input.sequences import Sequences
from .._networks.network import Network, infer
from .._networks.parameters import Parameters


@dataclass(frozen=True)
class FittedModel:
    """What an estimator was fitted to.

    A prediction takes it from the estimator once, see `read_fitted`. So it sees one fit as a whole,
    although another thread may fit the estimator meanwhile.

    Attributes
    ----------
    network : Network
    weights : dict of str to ndarray or list of ndarray
        The fitted attributes of the estimator that hold the parameters of the network.
    reader : estimator
        A copy of the estimator, with the names and number of the features that `fit` saw, and how
        their gaps are filled.
    table : LongTable or WideTable
        What 2-D input means.
    per_step : bool
        Whether there is one prediction for each step, or for each sequence.
    classes : ndarray of shape (K,) or None
    target_shape : tuple of int
        Shape of what is predicted for each target: () for numbers.
    """

    network: Network
    weights: dict
    reader: object
    table: LongTable | WideTable
    per_step: bool
    classes: np.ndarray | None
    target_shape: tuple
    _converted: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def p(self) -> Parameters:
        """The parameters of the network, which share the memory of the weights."""
        return self.network.parameters(self.weights)

    def updated(self, attributes: dict):
        """Return this model, or one with the weights that were assigned to the estimator since."""
        weights = {name: attributes[name] for name in self.weights}
        old, new = _arrays(self.weights), _arrays(weights)
        if len(old) == len(new) and all(a is b for a, b in zip(old, new)):
            return self
        return replace(self, weights=weights)

    def read(self, X) -> Sequences:
        """Read X, which must have the features that `fit` saw."""
        sequences = read_sequences(
            self.reader,
            X,
            self.table,
            reset=False,
            n_features=self.n_features,
            ensure_all_finite="allow-nan" if self.filling else True,
        )
        warn_of_torn(sequences, getattr(self.reader, "_lengths_seen", {}))
        self._check_lengths(sequences)
        return self.filling.fill(sequences) if self.filling else sequences

    @property
    def filling(self):
        """How gaps of X are filled; None if they are refused."""
        return getattr(self.reader, "_filling", None)

    @property
    def n_features(self):
        """Number of features that each step of X must have."""
        n_indicators = len(self.filling.with_gaps) if self.filling else 0
        return self.network.n_features - n_indicators

    def _check_lengths(self, sequences):
        """Refuse sequences for which no labels are allowed."""
        transitions = self.network.output.transitions
        if transitions is None:
            return
        too_long = np.flatnonzero(~transitions.fit(sequences.lengths))
        if len(too_long):
            i = too_long[0]
            raise ValueError(
                f"allowed_transitions allows no labels for {sequences.describe_target(i, False)}, "
                f"which has {sequences.lengths[i]} steps. Leave it out, or allow more."
            )

    @property
    def feature_names(self):
        """The names of the features of a step that `fit` saw, None if it saw none."""
        fitted = self.table.of_steps(self.reader) if self.reader._fitted_on_table else self.reader
        return getattr(fitted, "feature_names_in_", None)

    def parameters(self, dtype) -> Parameters:
        """Return the parameters in a precision; a copy is made once, and none for float64."""
        if dtype == np.float64:
            return self.p
        if dtype not in self._converted:
            self._converted[dtype] = {name: W.astype(dtype) for name, W in self.p.items()}
        return self._converted[dtype]

    def infer(self, sequences: Sequences, n_jobs, function=infer) -> np.ndarray:
        """Return ``function(network, p, shard)`` for all targets; NaN in it is refused."""
        values = self.map_sequences(sequences, n_jobs, function)
        with np.errstate(over="ignore"):
            may_have_nan = not np.isfinite(values.sum())
        if may_have_nan:
            is_nan = np.isnan(values).reshape(len(values), -1)
            self.check_overflow(sequences, ~is_nan.any(axis=1))
        return values

    def shaped(self, predictions) -> np.ndarray:
        """Return predictions (n, K) in the shape that users get."""
        return predictions.reshape(-1, *self.target_shape)

    def labels(self, sequences: Sequences, n_jobs, predictor) -> np.ndarray:
        """Return the label of each target, from the codes that ``predictor`` gives for shards."""
        codes = self.map_sequences(sequences, n_jobs, predictor)
        self.check_overflow(sequences, codes >= 0)
        return self.classes[codes]

    def map_sequences(self, sequences: Sequences, n_jobs, function, y=None) -> np.ndarray:
        """Return ``function(network, p, shard)`` for all targets, in their order, (n, ...).

        The shards get the rows of y (n, ...), which is in the same order.
        """
        data = Data(sequences.rows, sequences.lengths, y, None, self.per_step)
        p = self.parameters(data.X.dtype)
        in_order = None

        def outcome(part):
            shard = pack(data, part)
            return shard.targets, function(self.network, p, shard)

        with shard_map(n_jobs) as map_:
            for targets, values in map_(outcome, partition_into_shards(data.lengths)):
                if in_order is None:
                    n_targets = data.X.shape[0] if self.per_step else len(data.lengths)
                    in_order = np.empty((n_targets, *values.shape[1:]), values.dtype)
                in_order[targets] = values
        return in_order

    def check_overflow(self, sequences: Sequences, is_finite):
        """Refuse X where the network overflows; ``is_finite`` (n,) is for each target."""
        overflowed = np.flatnonzero(~is_finite)
        if len(overflowed):
            reason = "grows without bound in unbounded units"
            remedy = "take activation='tanh'"
            if self.network.feedback_biases:
                reason = "the numbers that are fed back grow without bound"
                remedy = "fit with a larger alpha, or with teacher_forcing=False"
            raise ValueError(
                "The network overflows at "
                f"{sequences.describe_target(overflowed[0], per_step=self.per_step)}: X is too "
                f"large there, or {reason}. Look at its values, or {remedy}."
            )


def _arrays(weights):
    """All arrays of fitted attributes, some of which are lists with an array for each layer."""
    values = [value if isinstance(value, list) else [value] for value in weights.values()]
    return [array for value in values for array in value]


def binary_margin(Z):
    """Return logits as a `decision_function` does: with two classes one value instead of two."""
    return Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z
