"""How an estimator trains its weights: `fit` on all data from new starts, `partial_fit` on a batch.

What training does with an objective, whoever asks for it, is in `_training.py`.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from math import ceil
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from ._callbacks import Progress
from ._minibatches import MinibatchObjective
from ._multiset import distinct
from ._networks import Network, infer
from ._objective import Objective
from ._parameters import ravel, views
from ._penalty import around, held
from ._sharding import Deferred, Shard, shard_map
from ._solvers import INTERRUPTED
from ._start import RESERVOIR
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


class _Task(NamedTuple):
    """What all starts of one `fit` have in common."""

    network: Network
    data: TrainingSet
    watched: list[Shard | Deferred]  # held out
    solver: str
    max_iter: int
    map: Callable
    progress: Progress


class FittingMixin:
    """Training, for estimators that have a `_network` and a `_loss`."""

    _min_held_out = 1

    def _is_fitted(self):
        return hasattr(self, "_seed")

    def _is_warm(self):
        return self.warm_start and self._is_fitted()

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
            task = _Task(network, data, watched, solver, max_iter, map_, progress)
            runs = []
            for seed in seeds:
                runs.append((seed, *self._run(task, seed)))
                if progress.stopped or runs[-1][1].status == INTERRUPTED:
                    break
        self._seed, result, monitor = max(runs, key=lambda run: run[-1].merit)
        self._set_weights(network, data, result.x)
        self._n_seen = _n_seen(network, data)
        scores = monitor.validation_scores if self.early_stopping else None
        self._tell(result, monitor.loss_curve, scores)
        return result.status

    def _seeds(self, rng):
        """What each start is drawn from; training that goes on keeps the start it had."""
        return [self._seed] if self._is_warm() else _draw_seeds(rng, self.n_init)

    def _run(self, task, seed):
        """Train from one start; scipy's result, at the weights to keep, and the monitor."""
        network, data, solver = task.network, task.data, task.solver
        kind = self._kind_of_start(network, data)
        start = network.initial(np.random.RandomState(seed), kind)
        penalty = self._penalty(network, data, kind, start)
        objective = MinibatchObjective(network, self._loss, data, penalty, task.map, seed)
        validate = partial(self._held_out_score, objective, task.watched) if task.watched else None
        # the loss may well rise before Adam's falling step size lets it settle
        runs_out = solver == "adam" and validate is None
        patience = np.inf if runs_out else self.n_iter_no_change

        def stop(w):
            return task.progress.iteration(lambda: vars(copy(self)._set_weights(network, data, w)))

        monitor = Monitor(self.tol, patience, validate, self.verbose, stop)
        warm = self._is_warm()
        p = self._present_parameters(network, data, "warm_start=True") if warm else start
        readout_first = kind is RESERVOIR and solver != "adam" and not warm
        w0 = ravel(p, network.shapes)
        return train(objective, w0, solver, task.max_iter, monitor, readout_first), monitor

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
        kind = self._kind_of_start(network, data)
        if is_first:
            p = network.initial(np.random.RandomState(self._seed), kind)
        else:
            p = self._present_parameters(network, data, "partial_fit")
        penalty = self._penalty(network, data, kind, p)
        n = _n_seen(network, data)
        if not is_first:
            penalty = held(penalty, p, _ratio(MEMORY * self._n_seen, n))
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

    def _kind_of_start(self, network, data):
        return choose_start(self._per_step, network.independent_steps, data.is_sparse)

    def _penalty(self, network, data, kind, p):
        """The penalty of training that starts at p; `alpha` is for one that is seen."""
        alpha = _ratio(self.alpha, _n_seen(network, data))
        return around(p, network.shapes, alpha, kind.stiffness, data.is_sparse)

    def _present_parameters(self, network, data, what):
        """The weights to go on from, for standardised data; ``what`` goes on."""
        p = self._get_parameters(np.float64)
        if {name: value.shape for name, value in p.items()} != network.shapes:
            raise ValueError(
                f"{what} continues from the weights of the last fit, but the features, classes, "
                "targets or hidden_layer_sizes have changed. Fit with warm_start=False."
            )
        return data.scaling.unfold(p)

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

    def _held_out_score(self, objective, shards, w):
        y, Z, weight = self._held_out(objective, shards, w, infer)
        return self._score_logits(y, Z, weight) if np.isfinite(Z).all() else -np.inf

    def _held_out(self, objective, shards, w, function):
        """Targets, what ``function(network, p, shard)`` gives for them, and their weights."""
        p = objective.parameters(w)

        def outcome(shard):
            shard = shard.load()
            return shard.y, function(objective.network, p, shard), shard.weight

        return [np.concatenate(parts) for parts in zip(*objective.map(outcome, shards))]


def _ratio(a, n):
    """What is to hold weights, a / n; beyond 1e100, where it may overflow, they do not move."""
    return min(float(a) / float(n), 1e100)


def _n_seen(network, data):
    """The weight of what `alpha` is divided by: sequences, or steps that are independent."""
    return data.target_weight if network.independent_steps else data.sequence_weight


def _draw_seeds(rng, n):
    return rng.randint(2**31, size=n).tolist()
