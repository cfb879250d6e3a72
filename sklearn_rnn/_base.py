"""What the estimators share: parameters, training, inference."""

import warnings
from contextlib import contextmanager
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
from ._callbacks import CallbackSupportMixin, Progress, with_callbacks
from ._cells import CELLS, log_softmax
from ._losses import SoftmaxCrossEntropy
from ._minibatches import MinibatchObjective
from ._multiset import distinct
from ._networks import HiddenFeedback
from ._objective import QUIET, Objective
from ._parameters import ravel, views
from ._penalty import around, held
from ._pooling import POOLS
from ._sharding import pack, shard_map, share_out
from ._solvers import EXHAUSTED, INTERRUPTED, SOLVERS
from ._start import RESERVOIR
from ._streaming import HiddenFeedbackRules, StreamingMixin
from ._training import (
    BATCH_ITERATIONS,
    MEMORY,
    Monitor,
    choose_iterations,
    choose_solver,
    choose_start,
    train,
)
from ._training_set import TrainingSet
from ._validation import read_long_table, read_sequences, read_wide_table


class RecurrentEstimator(StreamingMixin, CallbackSupportMixin, BaseEstimator):
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

    def _is_fitted(self):
        return hasattr(self, "_seed")

    def _train(self, sequences, y, weight, n_outputs, progress, strata=None):
        """Train the weights on y and weight, (n, ...) and (n,), for each step or each sequence.

        Returns the status of the solver.
        ``strata`` (S,) are the labels that early stopping holds out evenly.
        """
        rng = check_random_state(self.random_state)
        network = self._network(sequences.n_features, n_outputs)
        X, lengths = sequences.rows, sequences.lengths
        used, weight = distinct(X, lengths, self._per_step, y, weight)
        training, held_out = self._hold_out(used, strata, rng)
        data = TrainingSet(X, lengths, y, weight, self._per_step, n_outputs, training)
        watched = [] if held_out is None else data.cut(held_out)
        solver = choose_solver(self.solver, len(data.members))
        max_iter = choose_iterations(self.max_iter, solver, len(data.members))
        seeds = self._seeds(rng)
        progress.begin(max_iter * len(seeds))
        with shard_map(self.n_jobs) as map_:
            runs = []
            for seed in seeds:
                run = self._run(network, data, watched, seed, map_, solver, max_iter, progress)
                runs.append((seed, *run))
                if progress.stopped or runs[-1][1].status == INTERRUPTED:
                    break
        self._seed, result, monitor = max(runs, key=lambda run: run[-1].merit)
        self._set_weights(network, data, result.x)
        self._n_seen = _n_seen(network, data)
        scores = monitor.validation_scores if self.early_stopping else None
        self._tell(result, monitor.loss_curve, scores)
        return result.status

    def _is_warm(self):
        return self.warm_start and self._is_fitted()

    def _seeds(self, rng):
        """What each start is drawn from; training that goes on keeps the start it had."""
        return [self._seed] if self._is_warm() else _draw_seeds(rng, self.n_init)

    def _run(self, network, data, watched, seed, map_, solver, max_iter, progress):
        """Train from one start; scipy's result, at the weights to keep, and the monitor."""
        kind = choose_start(self._per_step, network.independent_steps, data.is_sparse)
        start = network.initial(np.random.RandomState(seed), kind)
        alpha = self.alpha / _n_seen(network, data)
        penalty = around(start, network.shapes, alpha, kind.stiffness, data.is_sparse)
        objective = MinibatchObjective(network, self._loss, data, penalty, map_, seed)
        validate = partial(self._held_out_score, objective, watched) if watched else None
        # the loss may well rise before Adam's falling step size lets it settle
        runs_out = solver == "adam" and validate is None
        patience = np.inf if runs_out else self.n_iter_no_change

        def stop(w):
            return progress.iteration(lambda: vars(copy(self)._set_weights(network, data, w)))

        monitor = Monitor(self.tol, patience, validate, self.verbose, stop)
        warm = self._is_warm()
        p = start
        if warm:
            p = data.scaling.unfold(self._present_parameters(network, "warm_start=True"))
        readout_first = kind is RESERVOIR and solver != "adam" and not warm
        w0 = ravel(p, network.shapes)
        return train(objective, w0, solver, max_iter, monitor, readout_first), monitor

    def _train_on_batch(self, sequences, y, weight, n_outputs):
        """Go on from the weights there are, or from a start, with a few damped iterations."""
        is_first = not self._is_fitted()
        if is_first:
            (self._seed,) = _draw_seeds(check_random_state(self.random_state), 1)
            self._n_seen, self.loss_curve_ = 0.0, []
        network = self._network(sequences.n_features, n_outputs)
        X, lengths = sequences.rows, sequences.lengths
        used, weight = distinct(X, lengths, self._per_step, y, weight)
        data = TrainingSet(X, lengths, y, weight, self._per_step, n_outputs, used)
        kind = choose_start(self._per_step, network.independent_steps, data.is_sparse)
        if is_first:
            p = network.initial(np.random.RandomState(self._seed), kind)
        else:
            p = data.scaling.unfold(self._present_parameters(network, "partial_fit"))
        n = _n_seen(network, data)
        penalty = around(p, network.shapes, self.alpha / n, kind.stiffness, data.is_sparse)
        if not is_first:
            penalty = held(penalty, p, MEMORY * self._n_seen / n)
        solver = "trust-ncg" if self.solver == "trust-ncg" else "lbfgs"
        monitor = Monitor(self.tol, self.n_iter_no_change, verbose=self.verbose)
        w0 = ravel(p, network.shapes)
        readout_first = is_first and kind is RESERVOIR
        with shard_map(self.n_jobs) as map_:
            objective = Objective(network, self._loss, data.shards, penalty, map_)
            result = train(objective, w0, solver, BATCH_ITERATIONS, monitor, readout_first)
        self._set_weights(network, data, result.x)
        self._n_seen += n
        self._tell(result, self.loss_curve_ + monitor.loss_curve, None)

    def _set_weights(self, network, data, w):
        """Take weights w (P,) of standardised data."""
        self._set_parameters(data.scaling.fold(views(w, network.shapes)))
        return self

    def _tell(self, result, loss_curve, validation_scores):
        """Set the attributes that tell of the training."""
        self.n_parameters_ = result.x.size
        self.loss_ = result.fun
        self.loss_curve_ = loss_curve
        self.n_iter_ = len(loss_curve)
        self.validation_scores_ = validation_scores

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

    def _present_parameters(self, network, what):
        """The weights to go on from; ``what`` goes on."""
        p = self._get_parameters(np.float64)
        if {name: value.shape for name, value in p.items()} != network.shapes:
            raise ValueError(
                f"{what} continues from the weights of the last fit, but the features, classes, "
                "targets or hidden_layer_sizes have changed. Fit with warm_start=False."
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


def _n_seen(network, data):
    """The weight of what `alpha` is divided by: sequences, or steps that are independent."""
    return data.target_weight if network.independent_steps else data.sequence_weight


def _draw_seeds(rng, n):
    return rng.randint(2**31, size=n).tolist()


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


class LabelMixin:
    """What the classifier and the taggers share; they say how to `_read_labels`."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on from the present weights with a batch of labelled sequences.

        For data that come in batches, or do not fit into memory. At most 20 iterations of L-BFGS
        (of "trust-ncg", if `solver` is that) minimise the mean loss over the batch plus a pull to
        the present weights, which grows with the weight of all that was seen before, as that of a
        Gaussian prior does. So a batch counts for its share of the data, and it is better to pass
        batches of some dozens of sequences than single ones. The batches should be drawn at random:
        one class after the other is not learnt, each makes the network forget the last.

        The first call starts as `fit` does; calls after `fit` go on from there. `n_init`,
        `max_iter` and `warm_start` do not matter; callbacks are not called. `loss_curve_` and
        `n_iter_` run on over all calls.

        Parameters
        ----------
        X : array-like
            A batch of sequences, in any of the layouts of `fit`.
        y : array-like
            Labels, as in `fit`.
        classes : array-like of shape (K,), optional
            All labels there will be, for the first call; without it those of its y.
        sample_weight : array-like, optional
            Weights, as in `fit`.

        Returns
        -------
        self : object
            The fitted estimator. If `partial_fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed or holds a label that is not among the classes, or if
            `early_stopping` is True or `class_weight` "balanced".
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def _score_logits(self, codes, Z, weight):
        return accuracy_score(codes, Z.argmax(axis=1), sample_weight=weight)

    def _fit_targets(self, sequences, y, sample_weight, progress):
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
        weight = weight * factors[codes]
        return self._train(sequences, codes, weight, len(classes), progress, strata)

    def _partial_fit_targets(self, sequences, y, sample_weight, classes):
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit cannot tell what class_weight='balanced' is, as it does not see all "
                "labels. Pass the weights as a dict, or in sample_weight."
            )
        labels = self._read_labels(y, sequences)
        weight = self._read_weight(sample_weight, sequences)
        place = partial(self._place, sequences)
        if classes is not None:
            classes = _targets.read_classes(classes)
        if not self._is_fitted():
            self.classes_ = _targets.encode_labels(labels, place)[0] if classes is None else classes
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes must be those of the first call, {self.classes_}, got {classes}. Leave "
                "it out."
            )
        codes = _targets.encode_known(labels, self.classes_, place)
        factors = _targets.class_factors(self.class_weight, self.classes_, codes, weight)
        self._train_on_batch(sequences, codes, weight * factors[codes], len(self.classes_))

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
