"""What each part of the training recipe brings: one change at a time, on real sets.

    python benchmarks/ablation.py --data DIR

DIR holds the sets (see `sets.py`). A cell is the mean test score over seeds and, in brackets, the
time of `fit` as a multiple of that of the recipe as it is, in the same run; "-" where a change does
not concern the set. All changes are run for one seed, then for the next.
"""

import argparse
import warnings
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import NamedTuple
from unittest import mock

import numpy as np
from models import MODELS
from scipy import sparse
from sets import load
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_rnn import OutputFeedbackTagger
from sklearn_rnn._training import adam, fit, minibatches
from sklearn_rnn._training.monitor import Monitor
from sklearn_rnn._training.penalty import Penalty
from sklearn_rnn._training.recipe import RESERVOIR, SMALL, choose_solver, choose_start

SETS = ["japanese_vowels", "gun_point", "ocr_letters", "protein_ss", "atis", "pendigits"]


# What a part is replaced by

around_start = Penalty.around_start


def penalise_all_alike(network, start, alpha, stiffness, sparse_input):
    return around_start(network, start, alpha, 1.0, sparse_input)


def shrink_to_zero(*arguments):
    penalty = around_start(*arguments)
    zero = {name: np.zeros_like(array) for name, array in penalty.centre.items()}
    return replace(penalty, centre=zero)


def leave_readout(objective, w, max_iter):
    return w


class AbsoluteTolerance(Monitor):
    """The loss has to fall by `tol` itself."""

    def __call__(self, w, loss):
        self.tol, tol = self.tol / abs(loss), self.tol
        try:
            super().__call__(w, loss)
        finally:
            self.tol = tol


class ConstantAdam(adam.Adam):
    """The step size stays what it is at first."""

    def step(self, gradients, rows, step_size):
        super().step(gradients, rows, adam.ADAM_STEP_SIZE)


# The changes


class Recipe(NamedTuple):
    """What the recipe does for a set."""

    per_step: bool
    start: object
    solver: str


def recipe_of(estimator, benchmark):
    per_step = isinstance(benchmark.y_train, list)
    feeds_back = isinstance(estimator, OutputFeedbackTagger)
    start = choose_start(per_step, not feeds_back, sparse.issparse(benchmark.X_train[0]))
    return Recipe(per_step, start, choose_solver("auto", len(benchmark.X_train), 0, False))


class Change(NamedTuple):
    """A change of one part, by other parameters or by another value of a name.

    Attributes
    ----------
    name : str
    concerns : callable
        Whether the change is one, given a `Recipe`.
    swap : tuple, optional
        Module or class, name and value.
    parameters : callable, optional
        Parameters of the estimator, given the estimator.
    """

    name: str
    concerns: object
    swap: tuple = None
    parameters: object = lambda estimator: {}


def always(recipe):
    return True


def by_adam(recipe):
    return recipe.solver == "adam"


def by_lbfgs(recipe):
    return recipe.solver == "lbfgs"


def readout_first(recipe):
    return recipe.start is RESERVOIR and not by_adam(recipe)


STEP_SIZE = adam.ADAM_STEP_SIZE
AS_IT_IS = Change("as it is", always)
CHANGES = [
    AS_IT_IS,
    Change(
        "start: `RESERVOIR` for all",
        lambda recipe: recipe.start is not RESERVOIR,
        (fit, "choose_start", lambda *facts: RESERVOIR),
    ),
    Change(
        "start: `SMALL` for all",
        lambda recipe: recipe.start is not SMALL,
        (fit, "choose_start", lambda *facts: SMALL),
    ),
    Change("output layer not fitted first", readout_first, (fit, "fit_readout", leave_readout)),
    Change("penalty: stiffness 1", always, (Penalty, "around_start", penalise_all_alike)),
    Change("penalty: around zero", always, (Penalty, "around_start", shrink_to_zero)),
    Change(
        "tol: 1e-4, absolute",
        always,
        (fit, "Monitor", AbsoluteTolerance),
        lambda estimator: {"tol": 1e-4},
    ),
    Change("tol: 10 times", always, parameters=lambda estimator: {"tol": 10 * estimator.tol}),
    Change("solver: L-BFGS", by_adam, parameters=lambda estimator: {"solver": "lbfgs"}),
    Change("solver: Adam", by_lbfgs, parameters=lambda estimator: {"solver": "adam"}),
    Change("solver: trust-ncg", by_lbfgs, parameters=lambda estimator: {"solver": "trust-ncg"}),
    Change("Adam: beta_2 = 0.999", by_adam, (adam, "ADAM_BETA_2", 0.999)),
    Change("Adam: constant step size", by_adam, (adam, "Adam", ConstantAdam)),
    Change("Adam: half the step size", by_adam, (adam, "ADAM_STEP_SIZE", STEP_SIZE / 2)),
    Change("Adam: twice the step size", by_adam, (adam, "ADAM_STEP_SIZE", STEP_SIZE * 2)),
    Change(
        "Adam: batches of 64, as many epochs", by_adam, (minibatches, "MINIBATCH_SEQUENCES", 64)
    ),
]


# Runs and the table


def run(change, estimator, benchmark, seed):
    """Test score and seconds of `fit`."""
    model = clone(estimator).set_params(random_state=seed, **change.parameters(estimator))
    with ExitStack() as stack:
        if change.swap is not None:
            stack.enter_context(mock.patch.object(*change.swap))
        start = perf_counter()
        model.fit(benchmark.X_train, benchmark.y_train)
        seconds = perf_counter() - start
    return benchmark.metric(benchmark.y_test, model.predict(benchmark.X_test)), seconds


def column(name, folder, n_seeds):
    """The cells of a set, by the name of the change."""
    estimator, benchmark = MODELS[name], load(name, folder)
    recipe = recipe_of(estimator, benchmark)
    runs = {change.name: [] for change in CHANGES if change.concerns(recipe)}
    for seed in range(n_seeds):
        for change in CHANGES:
            if change.name in runs:
                runs[change.name].append(run(change, estimator, benchmark, seed))
                print(f"{name}, seed {seed}, {change.name}: {runs[change.name][-1]}", flush=True)
    figures = {change: np.mean(of_change, axis=0) for change, of_change in runs.items()}
    _, usual = figures[AS_IT_IS.name]
    return {
        change: f"{score:.3f}".lstrip("0") + f" ({seconds / usual:.2g})"
        for change, (score, seconds) in figures.items()
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=MODELS, default=SETS, metavar="SET")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    warnings.simplefilter("ignore", ConvergenceWarning)
    columns = [column(name, arguments.data, arguments.seeds) for name in arguments.sets]
    print("| | " + " | ".join(arguments.sets) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for change in CHANGES:
        cells = [cells.get(change.name, "-") for cells in columns]
        print(f"| {change.name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
