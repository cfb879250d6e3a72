"""What the estimators share: parameters, the course of `fit`, inference."""

import warnings
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from . import _targets
from ._arrays import shown
from ._callbacks import CallbackSupportMixin, Progress, with_callbacks
from ._cells import CELLS
from ._constraints import COUNT, JOBS, NOT_NEGATIVE
from ._fitting import FittingMixin
from ._losses import SoftmaxCrossEntropy
from ._networks import QUIET, HiddenFeedback, infer
from ._pooling import POOLS
from ._sharding import pack, shard_map, share_out
from ._solvers import EXHAUSTED, SOLVERS
from ._streaming import HiddenFeedbackRules, StreamingMixin
from ._validation import read_sequences, read_wide_table


class RecurrentEstimator(FittingMixin, StreamingMixin, CallbackSupportMixin, BaseEstimator):
    """Training and inference, whatever the pattern.

    A pattern says how 2-D input and weights are read (`_read_table`, `_read_weight`), whether it
    puts out one row for each step or for each sequence (`_per_step`), its `_network` and its
    `_loss`, and what to train on given y (`_fit_targets`).
    """

    _parameter_constraints = {
        "hidden_layer_sizes": [COUNT, tuple, list, np.ndarray],
        "activation": [StrOptions(set(CELLS))],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "alpha": [NOT_NEGATIVE],
        "max_iter": [COUNT, None],
        "tol": [NOT_NEGATIVE],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [COUNT],
        "n_init": [COUNT],
        "warm_start": ["boolean"],
        "n_jobs": [*JOBS, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _loss = SoftmaxCrossEntropy()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    def _layer_sizes(self):
        """`hidden_layer_sizes` as a tuple of int."""
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
        if not sizes or not all(map(COUNT.is_satisfied_by, sizes)):
            raise ValueError(
                f"hidden_layer_sizes must be a positive int or a non-empty tuple of them, got "
                f"{shown(self.hidden_layer_sizes)}."
            )
        return sizes

    def _check_parameters(self):
        self._validate_params()
        self._layer_sizes()

    def _read(self, X, *, reset):
        return read_sequences(self, X, self._read_table, reset=reset)

    def _place(self, sequences, i):
        """Where target i stands."""
        return sequences.place(i) if self._per_step else f"sequence {i}"

    @contextmanager
    def _unchanged_by_failure(self):
        """What fails leaves the estimator as it was."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _fit(self, X, y, sample_weight):
        """What `fit` does."""
        self._check_parameters()
        _targets.require_y(self, y)
        with self._unchanged_by_failure():
            if self._fit_with_callbacks(X, y, sample_weight) == EXHAUSTED:
                warnings.warn(
                    f"Training reached max_iter={self.n_iter_} before it converged. Increase "
                    "max_iter, or increase tol to be content with less.",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        return self

    @with_callbacks
    def _fit_with_callbacks(self, X, y, sample_weight):
        """Train; how it ended."""
        progress = Progress(self, X, y, sample_weight)
        status = self._fit_targets(self._read(X, reset=True), y, sample_weight, progress)
        progress.end()
        return status

    def _partial_fit(self, X, y, sample_weight, **classes):
        """What `partial_fit` does."""
        self._check_parameters()
        _targets.require_y(self, y)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True. Set it to False.")
        with self._unchanged_by_failure():
            sequences = self._read(X, reset=not self._is_fitted())
            self._partial_fit_targets(sequences, y, sample_weight, **classes)
        return self

    def _read_fitted(self, X):
        check_is_fitted(self)
        return self._read(X, reset=False)

    @QUIET
    def _logits(self, sequences, link=None):
        """Logits for each step or each sequence, (n, K), in the order of the sequences.

        ``link`` is what to make of them, row by row.
        """
        values = self._of_shards(sequences, partial(infer, link=link))
        if not np.isfinite(values.sum()):
            self._check_overflow(sequences, np.isfinite(values).all(axis=1))
        return values

    def _of_shards(self, sequences, function, y=None):
        """What ``function(network, p, shard)`` gives for the targets of all shards, (n, ...).

        In the order of the sequences, as is y (n, ...), whose rows the shards get.
        """
        X, lengths = sequences.rows, sequences.lengths
        p = self._get_parameters(X.dtype)
        network = self._network(sequences.n_features, p["c"].size)
        starts = np.cumsum(lengths) - lengths

        def outcome(part):
            shard = pack(X, starts, lengths, self._per_step, y, None, part)
            return shard.targets, function(network, p, shard)

        in_order = None
        with shard_map(self.n_jobs) as map_:
            for targets, values in map_(outcome, share_out(lengths)):
                if in_order is None:
                    n_targets = X.shape[0] if self._per_step else len(lengths)
                    in_order = np.empty((n_targets, *values.shape[1:]), values.dtype)
                in_order[targets] = values
        return in_order

    def _check_overflow(self, sequences, is_finite):
        overflowed = np.flatnonzero(~is_finite)
        if len(overflowed):
            raise ValueError(
                f"The network overflows at {self._place(sequences, overflowed[0])}: X is too large "
                "there, or grows without bound in unbounded units. Look at its values, or take "
                "activation='tanh'."
            )


class HiddenFeedbackMixin:
    """The weights of patterns 1 and 2."""

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        "bidirectional": ["boolean"],
    }

    def _pools(self):
        return ()

    def _network(self, n_features, n_outputs):
        return HiddenFeedback(
            n_features,
            self._layer_sizes(),
            n_outputs,
            CELLS[self.activation],
            bool(self.bidirectional),
            self._pools(),
        )

    def _rules(self):
        if self.bidirectional:
            raise ValueError(
                "start() predicts while a sequence goes on, but with bidirectional=True half of "
                "the units read it from its end. Fit with bidirectional=False."
            )
        return HiddenFeedbackRules(self.activation, self._pools(), self._link())

    def _link(self):
        """What makes predictions of logits (n, K), as a function that can be pickled."""
        return self._loss.inverse_link

    def _get_parameters(self, dtype):
        p = {"W_out": self.output_weights_, "c": self.output_biases_}
        layers = zip(self.input_weights_, self.recurrent_weights_, self.hidden_biases_)
        for i, (W_in, W_rec, b) in enumerate(layers):
            W_rec = W_rec.reshape(-1, *W_rec.shape[-2:])
            p |= {f"W_in{i}": W_in, f"W_rec{i}": W_rec, f"b{i}": b}
        return {name: value.astype(dtype) for name, value in p.items()}

    def _set_parameters(self, p):
        layers = range(len(self._layer_sizes()))
        self.input_weights_ = [p[f"W_in{i}"] for i in layers]
        self.recurrent_weights_ = [
            p[f"W_rec{i}"] if self.bidirectional else p[f"W_rec{i}"][0] for i in layers
        ]
        self.hidden_biases_ = [p[f"b{i}"] for i in layers]
        self.output_weights_, self.output_biases_ = p["W_out"], p["c"]


class SequenceMixin(HiddenFeedbackMixin):
    """Pattern 2: one output for each sequence."""

    _parameter_constraints = {
        **HiddenFeedbackMixin._parameter_constraints,
        "pooling": [StrOptions(set(POOLS)), tuple, list, np.ndarray],
        "features_per_step": [COUNT],
    }
    _per_step = False
    _read_table = staticmethod(read_wide_table)
    _read_weight = staticmethod(_targets.read_sequence_weight)

    def _pools(self):
        pools = (self.pooling,) if isinstance(self.pooling, str) else tuple(self.pooling)
        if not pools or not all(isinstance(pool, str) and pool in POOLS for pool in pools):
            raise ValueError(
                f"pooling must be one of {sorted(POOLS)} or several of them, got "
                f"{shown(self.pooling)}."
            )
        return pools

    def _check_parameters(self):
        super()._check_parameters()
        self._pools()
