"""How a network is trained: on all data from new starts (`fit`), or on a batch (`fit_batch`)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._execution.dask import PartitionedShards
from .._execution.shards import Data, LazyShard, Shard, Shards
from .._execution.threads import shard_map
from .._networks.network import Network
from .._networks.parameters import Parameters, ravel, size, views
from .minibatches import MinibatchObjective
from .monitor import Monitor
from .objective import Objective
from .partitions import PartitionedExamples, PartitionedTrainingSet
from .penalty import Penalty
from .pieces import cut_into_pieces
from .readout import fit_readout
from .recipe import (
    BATCH_ITERATIONS,
    BATCH_MEMORY,
    DEFAULT_ALPHA,
    LM_PARAMETERS,
    RESERVOIR,
    RIDGE_ALPHAS,
    WARM_UP_STEPS,
    choose_iterations,
    choose_piece_steps,
    choose_solver,
    choose_start,
)
from .ridge import fit_ridge
from .solvers import CONVERGED, INTERRUPTED, minimise
from .training_set import Examples, TrainingSet

MAX_STRENGTH = 1e100  # of a penalty: beyond, where it may overflow, weights do not move anyway


class Options(NamedTuple):
    """The parameters of an estimator that concern training, by the same names."""

    solver: str
    alpha: float | None
    max_iter: int | None
    tol: float
    n_iter_no_change: int
    n_init: int
    n_jobs: int | None
    verbose: int
    truncated_bptt_steps: int | str | None = None


@dataclass(frozen=True)
class Validation:
    """What early stopping scores the network on, and how.

    Attributes
    ----------
    data : Data or None
        A validation set of its own.
    split : callable
        Without such data, ``split(sequences, rng)`` returns the sequences to train on and those to
        hold out.
    predict : callable
        ``predict(network, p, shard)`` returns predictions for the targets of a shard.
    score : callable
        ``score(y, predictions, weight)`` returns a number; higher is better, -inf for predictions
        that are not finite.
    """

    data: Data | None
    split: Callable
    predict: Callable
    score: Callable


class Trained(NamedTuple):
    """A trained network: its parameters, for data as they are, and how training went.

    Attributes
    ----------
    p : dict of str to ndarray
    seed : int
        What the start was drawn from.
    n_seen : float
        Weight of the observations that were trained on.
    status : int
        How the solver ended, see `solvers`.
    loss : float
        Penalised training loss at p.
    loss_curve, validation_scores : list of float, or None
        After each iteration, the earlier ones of a warm start included.
    """

    p: Parameters
    seed: int
    n_seen: float
    status: int
    loss: float
    loss_curve: list[float]
    validation_scores: list[float] | None


class _Run(NamedTuple):
    """What the runs from all starts of one `fit` have in common."""

    network: Network
    data: TrainingSet | PartitionedTrainingSet
    shards: Shards | PartitionedShards
    options: Options  # solver and max_iter are chosen
    validate: Callable | None
    after_iteration: Callable
    before: Trained | None  # what a warm start goes on from
    keep_interrupted: bool


def fit(
    network: Network,
    examples: Examples | PartitionedExamples,
    options: Options,
    rng: np.random.RandomState,
    *,
    validation: Validation | None = None,
    before: Trained | None = None,
    progress: Any,
    keep_interrupted: bool = False,
) -> Trained:
    """Train a network from `n_init` random starts, or go on from ``before``; return the best.

    Parameters
    ----------
    network : Network
    examples : Examples or PartitionedExamples
    options : Options
    rng : RandomState
        Determines the starts, and the minibatches and sequences to hold out.
    validation : Validation, optional
        For early stopping.
    before : Trained, optional
        A warm start: one run, from its parameters; the penalty pulls to the start that it had.
    progress : object
        ``begin(max_iter)`` is called once, and ``iteration(p)`` after each iteration with a
        function that returns the parameters so far; it returns whether to stop.
    keep_interrupted : bool
        Whether an interrupt after the first iteration ends training with the best weights so far,
        instead of being raised.
    """
    held_out = None
    if validation is not None and validation.data is None:
        members, held_out = validation.split(examples.members, rng)
        examples = examples._replace(members=members)
    training_set = _training_set(network, examples, options)
    n, is_sparse = training_set.n_sequences, training_set.is_sparse
    only_output = network.output_only and validation is None
    solver = choose_solver(
        options.solver,
        n,
        size(network.shapes),
        is_sparse,
        only_output,
        training_set.in_memory,
    )
    max_iter = choose_iterations(options.max_iter, solver, n, is_sparse)
    options = options._replace(solver=solver, max_iter=max_iter)
    if solver == "lm":
        _check_few_parameters(network)
    seeds = [before.seed] if before else draw_seeds(rng, options.n_init)
    progress.begin(max_iter * len(seeds))
    with shard_map(options.n_jobs) as map_:
        validate = None
        if validation is not None:
            whole = training_set.whole(held_out, validation.data)
            validate = partial(_validate, network, whole, training_set.dtype, validation, map_)
        run = _Run(
            network,
            training_set,
            training_set.shards_on(map_),
            options,
            validate,
            progress.iteration,
            before,
            keep_interrupted,
        )
        return _best_run(run, seeds, progress)


def _check_few_parameters(network):
    """Refuse a network whose Jacobian is too large for Levenberg-Marquardt."""
    n_parameters = size(network.shapes)
    if n_parameters > LM_PARAMETERS:
        raise ValueError(
            f"solver='lm' is for networks of {LM_PARAMETERS:,} parameters at most, but this one "
            f"has {n_parameters:,}. Take fewer units (hidden_layer_sizes), or solver='lbfgs'."
        )


def fit_batch(
    network: Network,
    examples: Examples,
    options: Options,
    rng: np.random.RandomState,
    before: Trained | None,
) -> Trained:
    """Go on from ``before``, or from a start, with a few iterations on one batch of sequences."""
    training_set = _training_set(network, examples, options)
    seed = before.seed if before else draw_seeds(rng, 1)[0]
    start_kind, p = _start(network, training_set, seed)
    if before:
        p = training_set.scaling.unfold(network, before.p)
    penalty = _penalty(network, training_set, start_kind, p, options.alpha)
    n = n_observations(network, training_set)
    if before:
        penalty = penalty.holding(p, _strength(BATCH_MEMORY * before.n_seen, n))
    solver = "trust-ncg" if options.solver == "trust-ncg" else "lbfgs"
    monitor = Monitor(options.tol, options.n_iter_no_change, verbose=options.verbose)
    w = ravel(p, network.shapes)
    with shard_map(options.n_jobs) as map_:
        objective = Objective(network, training_set.shards_on(map_), penalty)
        if start_kind is RESERVOIR and not before:
            w = fit_readout(objective, w, BATCH_ITERATIONS)
        result = minimise(objective, w, solver, BATCH_ITERATIONS, monitor)
    return Trained(
        training_set.scaling.fold(network, views(monitor.w, network.shapes)),
        seed,
        n + (before.n_seen if before else 0.0),
        result.status,
        monitor.loss,
        (before.loss_curve if before else []) + monitor.loss_curve,
        None,
    )


def _best_run(run: _Run, seeds: list[int], progress) -> Trained:
    """Train from each start; return the best outcome, of those before an interrupt."""
    results, interrupted = [], False
    for seed in seeds:
        try:
            results.append(_run(run, seed))
        except KeyboardInterrupt:
            if not (results and run.keep_interrupted):
                raise
            interrupted = True
        interrupted |= results[-1][0].status == INTERRUPTED
        if interrupted or progress.stopped:
            break
    best, _ = max(results, key=lambda result: result[1])
    return best._replace(status=INTERRUPTED) if interrupted else best


def _run(run: _Run, seed: int) -> tuple[Trained, float]:
    """Train from one start; return the outcome and its merit."""
    network, data, options = run.network, run.data, run.options
    start_kind, start = _start(network, data, seed)
    penalty = _penalty(network, data, start_kind, start, options.alpha)
    w = ravel(start, network.shapes)
    if run.before:
        w = ravel(data.scaling.unfold(network, run.before.p), network.shapes)

    def parameters(w):
        return data.scaling.fold(network, views(w, network.shapes))

    # Adam's loss may rise before its falling step size lets it settle, so it runs to the end
    runs_to_the_end = options.solver == "adam" and run.validate is None
    patience = np.inf if runs_to_the_end else options.n_iter_no_change
    monitor = Monitor(
        options.tol,
        patience,
        run.validate,
        options.verbose,
        lambda w: run.after_iteration(lambda: parameters(w)),
    )
    if options.solver == "ridge":
        _fit_output(run, w, monitor)
        return _outcome(run, seed, parameters, monitor, CONVERGED)
    if options.solver == "adam":
        objective = MinibatchObjective(network, data, penalty, seed)
    else:
        objective = Objective(network, run.shards, penalty)
        if start_kind is RESERVOIR and not run.before:
            w = fit_readout(objective, w, options.max_iter)
    result = minimise(objective, w, options.solver, options.max_iter, monitor, run.keep_interrupted)
    if monitor.w is None:
        monitor.w, monitor.loss = result.x, result.fun
    return _outcome(run, seed, parameters, monitor, result.status)


def _fit_output(run, w, monitor):
    """Fit the output in closed form, the hidden weights staying as in w: one iteration."""
    network, alpha, n = run.network, run.options.alpha, n_observations(run.network, run.data)
    alphas = RIDGE_ALPHAS if alpha is None else (alpha,)
    p = views(w, network.shapes)
    p, loss = fit_ridge(network, p, run.shards, [_strength(a, n) for a in alphas], n)
    # a callback may ask to stop, which ends the work of further starts
    with suppress(StopIteration):
        monitor(ravel(p, network.shapes), loss)


def _outcome(run, seed, parameters, monitor, status):
    """What was trained from one start, and its merit."""
    before, scores = run.before, monitor.validation_scores if run.validate else None
    if before and before.validation_scores and scores:
        scores = before.validation_scores + scores
    trained = Trained(
        parameters(monitor.w),
        seed,
        n_observations(run.network, run.data),
        status,
        monitor.loss,
        (before.loss_curve if before else []) + monitor.loss_curve,
        scores,
    )
    return trained, monitor.merit


def _start(network, data, seed):
    """What kind of start, and the parameters there."""
    kind = choose_start(
        data.per_step,
        network.hidden_feedback,
        data.is_sparse,
        network.output_only,
        network.output.standardises_targets,
        network.cell,
    )
    scale = 1.0
    if network.output_only and data.is_sparse:
        # rows of sparse features have not the norm that standardised ones have
        scale = np.sqrt(network.n_features / max(data.mean_square_norm(), 1e-12))
    p = network.initial(np.random.RandomState(seed), kind._replace(gain=kind.gain * scale))
    return kind, data.scaling.without_constants(network, p)


def _training_set(network, examples, options):
    cut = None
    n_steps = choose_piece_steps(options.truncated_bptt_steps, network.cell)
    if n_steps is not None and network.warm_up_steps is not None:
        cut = partial(
            cut_into_pieces,
            n_steps=n_steps,
            n_warm_up=max(WARM_UP_STEPS, network.warm_up_steps),
            n_directions=network.n_directions,
        )
    return examples.training_set(network.output.standardises_targets, cut)


def _penalty(network, data, kind, p, alpha):
    alpha = DEFAULT_ALPHA if alpha is None else alpha
    alpha = _strength(alpha, n_observations(network, data))
    return Penalty.around_start(network, p, alpha, kind.stiffness, data.is_sparse)


def n_observations(network: Network, data: TrainingSet) -> float:
    """Return the weight of what `alpha` is divided by.

    With output feedback the steps are independent given the labels that are fed back.
    """
    return data.observation_weight if network.hidden_feedback else data.target_weight


def _strength(alpha, n):
    return min(float(alpha) / float(n), MAX_STRENGTH)


def draw_seeds(rng, n):
    """Return n seeds, from each of which a start is drawn."""
    return rng.randint(2**31, size=n).tolist()


def _validate(network, shards: list[Shard | LazyShard], dtype, validation, map_, w):
    """Return the score on held-out shards."""
    p = views(w.astype(dtype, copy=False), network.shapes)

    def outcome(shard):
        shard = shard.load()
        return shard.y, validation.predict(network, p, shard), shard.weight

    return validation.score(*map(np.concatenate, zip(*map_(outcome, shards))))
