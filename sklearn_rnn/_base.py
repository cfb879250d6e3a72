"""What the estimators share: parameters, training, inference."""

import warnings
from copy import copy
from functools import partial
from math import ceil
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.utils import ClassifierTags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from . import _targets
from ._cells import CELLS, log_softmax
from ._losses import SoftmaxCrossEntropy
from ._minibatches import MinibatchObjective
from ._multiset import distinct
from ._networks import HiddenFeedback
from ._objective import QUIET
from ._parameters import ravel, views
from ._penalty import around
from ._pooling import POOLS
from ._sharding import pack, shard_map, share_out
from ._solvers import EXHAUSTED, INTERRUPTED, SOLVERS
from ._start import RESERVOIR
from ._training import Monitor, choose_iterations, choose_solver, choose_start, train
from ._training_set import TrainingSet
from ._validation import read_long_table, read_sequences, read_wide_table


class RecurrentEstimator(BaseEstimator):
    """Training and inference, whatever the pattern.

    A pattern says how 2-D input and weights are read (`_read_table`, `_read_weight`), whether it
    puts out one row for each step or for each sequence (`_per_step`), its `_network` and its
    `_loss`, and what to train on given y (`_fit_targets`).
    """

    _parameter_constraints = {
        "hidden_layer_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "activation": [StrOptions(set(CELLS))],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _loss = SoftmaxCrossEntropy()
    _min_held_out = 1

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    def _layer_sizes(self):
        """`hidden_layer_sizes` as a tuple of int."""
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
        if not sizes or not all(
            isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in sizes
        ):
            raise ValueError(
                f"hidden_layer_sizes must be a positive int or a non-empty tuple of them, got "
                f"{self.hidden_layer_sizes!r}."
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

    def _fit(self, X, y, sample_weight):
        """What `fit` does, on a shallow copy, so that a fit that fails changes nothing."""
        self._check_parameters()
        _targets.require_y(self, y)
        trial = copy(self)
        sequences = trial._read(X, reset=True)
        trial._fit_targets(sequences, y, sample_weight)
        self.__dict__ = trial.__dict__
        return self

    def _train(self, sequences, y, weight, n_outputs, strata=None):
        """Train the weights on y and weight, (n, ...) and (n,), for each step or each sequence.

        ``strata`` (S,) are the labels that early stopping holds out evenly.
        """
        rng = check_random_state(self.random_state)
        network = self._network(sequences.n_features, n_outputs)
        X, lengths = sequences.rows, sequences.lengths
        used, weight = distinct(X, lengths, self._per_step, y, weight)
        training, held_out = self._hold_out(used, strata, rng)
        data = TrainingSet(X, lengths, y, weight, self._per_step, n_outputs, training)
        watched = [] if held_out is None else data.cut(held_out)
        with shard_map(self.n_jobs) as map_:
            runs = []
            for seed in self._seeds(rng):
                runs.append((seed, *self._run(network, data, watched, seed, map_)))
                if runs[-1][1].status == INTERRUPTED:
                    break
        self._seed, result, monitor = max(runs, key=lambda run: run[-1].merit)
        self._set_parameters(data.scaling.fold(views(result.x, network.shapes)))
        self._record(result, monitor)

    def _is_warm(self):
        return self.warm_start and hasattr(self, "_seed")

    def _seeds(self, rng):
        """What each start is drawn from; training that goes on keeps the start it had."""
        return [self._seed] if self._is_warm() else rng.randint(2**31, size=self.n_init).tolist()

    def _run(self, network, data, watched, seed, map_):
        """Train from one start; scipy's result, at the weights to keep, and the monitor."""
        kind = choose_start(self._per_step, network.independent_steps, data.is_sparse)
        start = network.initial(np.random.RandomState(seed), kind)
        n = data.target_weight if network.independent_steps else data.sequence_weight
        penalty = around(start, network.shapes, self.alpha / n, kind.stiffness, data.is_sparse)
        objective = MinibatchObjective(network, self._loss, data, penalty, map_, seed)
        validate = partial(self._held_out_score, objective, watched) if watched else None
        solver = choose_solver(self.solver, len(data.members))
        # the loss may well rise before Adam's falling step size lets it settle
        runs_out = solver == "adam" and validate is None
        patience = np.inf if runs_out else self.n_iter_no_change
        monitor = Monitor(self.tol, patience, validate, self.verbose)
        max_iter = choose_iterations(self.max_iter, solver, len(data.members))
        warm = self._is_warm()
        p = data.scaling.unfold(self._warm_parameters(network)) if warm else start
        readout_first = kind is RESERVOIR and solver != "adam" and not warm
        w0 = ravel(p, network.shapes)
        return train(objective, w0, solver, max_iter, monitor, readout_first), monitor

    def _record(self, result, monitor):
        """Set what `fit` tells of the training."""
        self.n_parameters_ = result.x.size
        self.loss_ = result.fun
        self.loss_curve_ = monitor.loss_curve
        self.n_iter_ = len(monitor.loss_curve)
        self.validation_scores_ = monitor.validation_scores if self.early_stopping else None
        if result.status == EXHAUSTED:
            warnings.warn(
                f"Training reached max_iter={self.n_iter_} before it converged. Increase "
                "max_iter, or increase tol to be content with less.",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _hold_out(self, sequences, strata, rng):
        """Sequences to train on and sequences to hold out (None without early stopping)."""
        if not self.early_stopping:
            return sequences, None
        if len(sequences) < 2:
            raise ValueError(
                "early_stopping=True holds out whole sequences, but X has only one distinct "
                "sequence with a weight. Pass more, or early_stopping=False."
            )
        n_held_out = ceil(self.validation_fraction * len(sequences))
        if not self._min_held_out <= n_held_out < len(sequences):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} holds out {n_held_out} of "
                f"{len(sequences)} sequences, but at least {self._min_held_out} must be held out "
                "to be scored, and one be left for training. Change it, or pass more sequences."
            )
        if strata is not None:
            strata = strata[sequences]
            _, counts = np.unique(strata, return_counts=True)
            n_smaller_part = min(n_held_out, len(sequences) - n_held_out)
            if counts.min() < 2 or len(counts) > n_smaller_part:
                strata = None  # not every class can be on both sides
        return train_test_split(sequences, test_size=n_held_out, stratify=strata, random_state=rng)

    def _warm_parameters(self, network):
        p = self._get_parameters(np.float64)
        if {name: value.shape for name, value in p.items()} != network.shapes:
            raise ValueError(
                "warm_start=True continues from the weights of the last fit, but the features, "
                "classes or hidden_layer_sizes have changed. Fit with warm_start=False."
            )
        return p

    def _held_out_score(self, objective, shards, w):
        y, Z, weight = self._held_out(objective, shards, w, _infer)
        return self._score_logits(y, Z, weight) if np.isfinite(Z).all() else -np.inf

    def _held_out(self, objective, shards, w, function):
        """Targets, what ``function(network, p, shard)`` gives for them, and their weights."""
        p = objective.parameters(w)

        def outcome(shard):
            shard = shard.load()
            return shard.y, function(objective.network, p, shard), shard.weight

        return [np.concatenate(parts) for parts in zip(*objective.map(outcome, shards))]

    def _read_fitted(self, X):
        check_is_fitted(self)
        return self._read(X, reset=False)

    @QUIET
    def _logits(self, sequences, link=None):
        """Logits for each step or each sequence, (n, K), in the order of the sequences.

        ``link`` is what to make of them, row by row.
        """
        values = self._of_shards(sequences, partial(_infer, link=link))
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


@QUIET
def _infer(network, p, shard, link=None):
    """Logits, or what the link makes of them; NaN where they overflow."""
    Z = network.infer(p, shard)
    if not np.isfinite(Z.sum()):
        Z[~np.isfinite(Z)] = np.nan
    return Z if link is None else link(Z)


def binary_margin(Z):
    """Logits as a `decision_function` gives them: of two classes one value, not two."""
    return Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z


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


class LabelMixin:
    """What the classifier and the taggers share; they say how to `_read_labels`."""

    def _score_logits(self, codes, Z, weight):
        return accuracy_score(codes, Z.argmax(axis=1), sample_weight=weight)

    def _fit_targets(self, sequences, y, sample_weight):
        labels = self._read_labels(y, sequences)
        weight = self._read_weight(sample_weight, sequences)
        classes, codes = _targets.encode_labels(labels, partial(self._place, sequences))
        if self.warm_start and hasattr(self, "classes_"):
            if not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"warm_start=True continues with the classes of the last fit, "
                    f"{self.classes_}, but y has {classes}. Fit with warm_start=False."
                )
        self.classes_ = classes
        factors = _targets.class_factors(self.class_weight, classes, codes, weight)
        strata = None if self._per_step else codes
        self._train(sequences, codes, weight * factors[codes], len(classes), strata)

    def _accuracy(self, X, y, sample_weight):
        """What `score` does."""
        sequences = self._read_fitted(X)
        _targets.require_y(self, y)
        labels = self._read_labels(y, sequences)
        weight = self._read_weight(sample_weight, sequences)
        _targets.check_known(
            labels,
            self.classes_,
            partial(self._place, sequences),
            ", or score with a metric of sklearn.metrics, which counts unknown labels as errors",
        )
        predicted = self._predict(sequences)
        return accuracy_score(labels, predicted, sample_weight=weight)

    def _predict(self, sequences):
        """The label of each step or each sequence, in the order of the sequences."""
        return self.classes_[self._logits(sequences).argmax(axis=1)]


class TaggerMixin(LabelMixin):
    """A label at each step: `fit` and what follows from the logits."""

    _per_step = True
    _read_table = staticmethod(read_long_table)
    _read_labels = staticmethod(_targets.read_step_labels)
    _read_weight = staticmethod(_targets.read_step_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags()
        if self.sequence_id is not None:
            # only there y is 1-D, as scikit-learn's tools for classifiers want it
            tags.estimator_type = "classifier"
        return tags

    def fit(self, X, y, sample_weight=None):
        """Train on sequences with a label at each step.

        Parameters
        ----------
        X : array-like
            S sequences, N steps in all, D features. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays or CSR matrices (T_i, D);
            - a table (N, D), a row a step: one sequence, or several that `sequence_id` tells apart.
        y : array-like
            A label for each step: (S, T); or a list or object array of S arrays or lists (T_i,);
            or, for a table, (N,).
        sample_weight : array-like, optional
            A weight for each step, in the layouts of y, or for each sequence, (S,).

        Returns
        -------
        self : object
            The fitted estimator. If `fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed; the message names the sequence and the step.
        """
        return self._fit(X, y, sample_weight)

    def predict(self, X):
        """Most probable label of each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            (S, T) for a 3-D array, (N,) for a table, else an object array of S arrays (T_i,).
        """
        sequences = self._read_fitted(X)
        return sequences.give_back(self._predict(sequences))

    def predict_proba(self, X):
        """Probability of each class at each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            (S, T, K) for a 3-D array, (N, K) for a table, else an object array of S arrays
            (T_i, K); classes in the order of `classes_`.
        """
        sequences = self._read_fitted(X)
        return sequences.give_back(self._logits(sequences, self._loss.inverse_link))

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class at each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            In the layout of `predict_proba`.
        """
        sequences = self._read_fitted(X)
        return sequences.give_back(self._logits(sequences, log_softmax))

    def score(self, X, y, sample_weight=None):
        """Accuracy over all steps.

        Parameters
        ----------
        X, y, sample_weight : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        float
            Weighted share of the steps whose predicted label is the true one.

        Raises
        ------
        ValueError
            If y holds a label that was not seen in `fit`.
        """
        return self._accuracy(X, y, sample_weight)


class SequenceMixin(HiddenFeedbackMixin):
    """Pattern 2: one output for each sequence."""

    _parameter_constraints = {
        **HiddenFeedbackMixin._parameter_constraints,
        "pooling": [StrOptions(set(POOLS)), "array-like"],
        "features_per_step": [Interval(Integral, 1, None, closed="left")],
    }
    _per_step = False
    _read_table = staticmethod(read_wide_table)
    _read_weight = staticmethod(_targets.read_sequence_weight)

    def _pools(self):
        pools = (self.pooling,) if isinstance(self.pooling, str) else tuple(self.pooling)
        if not pools or not all(isinstance(pool, str) and pool in POOLS for pool in pools):
            raise ValueError(
                f"pooling must be one of {sorted(POOLS)} or several of them, got {self.pooling!r}."
            )
        return pools

    def _check_parameters(self):
        super()._check_parameters()
        self._pools()
