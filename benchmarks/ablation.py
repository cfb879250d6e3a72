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

from sklearn_rnn import OutputFeedbackTagger, _adam, _fitting, _minibatches
from sklearn_rnn._penalty import around
from sklearn_rnn._start import RESERVOIR, SMALL
from sklearn_rnn._training import Monitor, choose_solver, choose_start, train
from sklearn_rnn._training_set import TrainingSet

SETS = ["japanese_vowels", "gun_point", "ocr_letters", "protein_ss", "atis", "pendigits"]


# What a part is replaced by


def hold_all_alike(start, shapes, alpha, stiffness, sparse_input):
    return around(start, shapes, alpha, 1.0, sparse_input)


def hold_to_zero(start, shapes, *strength):
    zero = {name: np.zeros(shape) for name, shape in shapes.items()}
    return replace(around(start, shapes, *strength), centre=zero)


def train_all_at_once(*arguments):
    return train(*arguments[:-1], readout_first=False)


class SwappedCounts(TrainingSet):
    """The penalty counts steps where it counted sequences, and sequences where it counted steps."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.sequence_weight, self.target_weight = self.target_weight, self.sequence_weight


class AbsoluteTolerance(Monitor):
    """The loss has to fall by `tol` itself."""

    def __call__(self, w, loss):
        self.tol, tol = self.tol / abs(loss), self.tol
        try:
            super().__call__(w, loss)
        finally:
            self.tol = tol


class ConstantAdam(_adam.Adam):
    """The step size stays as it is at first."""

    def step(self, gradients, rows, step_size):
        super().step(gradients, rows, _adam.STEP_SIZE)


# The changes


class Recipe(NamedTuple):
    """What the recipe does for a set."""

    per_step: bool
    start: object
    solver: str


def recipe_of(estimator, benchmark):
    per_step = isinstance(benchmark.y_train, list)
    feeds_back = isinstance(estimator, OutputFeedbackTagger)
    start = choose_start(per_step, feeds_back, sparse.issparse(benchmark.X_train[0]))
    return Recipe(per_step, start, choose_solver("auto", len(benchmark.X_train)))


class Change(NamedTuple):
    """A change of one part, by other parameters or by a name of a module with another value.

    Attributes
    ----------
    name : str
    concerns : callable
        Whether the change is one, given a `Recipe`.
    swap : tuple, optional
        Module, name and value.
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


AS_IT_IS = Change("as it is", always)
CHANGES = [
    AS_IT_IS,
    Change(
        "start: `RESERVOIR` for all",
        lambda recipe: recipe.start is not RESERVOIR,
        (_fitting, "choose_start", lambda *facts: RESERVOIR),
    ),
    Change(
        "start: `SMALL` for all",
        lambda recipe: recipe.start is not SMALL,
        (_fitting, "choose_start", lambda *facts: SMALL),
    ),
    Change("output layer not fitted first", readout_first, (_fitting, "train", train_all_at_once)),
    Change("penalty: stiffness 1", always, (_fitting, "around", hold_all_alike)),
    Change("penalty: around zero", always, (_fitting, "around", hold_to_zero)),
    Change(
        "penalty: counts the other of steps and sequences",
        lambda recipe: recipe.per_step,
        (_fitting, "TrainingSet", SwappedCounts),
    ),
    Change(
        "tol: 1e-4, absolute",
        always,
        (_fitting, "Monitor", AbsoluteTolerance),
        lambda estimator: {"tol": 1e-4},
    ),
    Change("tol: 10 times", always, parameters=lambda estimator: {"tol": 10 * estimator.tol}),
    Change("solver: L-BFGS", by_adam, parameters=lambda estimator: {"solver": "lbfgs"}),
    Change("solver: Adam", by_lbfgs, parameters=lambda estimator: {"solver": "adam"}),
    Change("solver: trust-ncg", by_lbfgs, parameters=lambda estimator: {"solver": "trust-ncg"}),
    Change("Adam: beta_2 = 0.999", by_adam, (_adam, "BETA_2", 0.999)),
    Change("Adam: constant step size", by_adam, (_adam, "Adam", ConstantAdam)),
    Change("Adam: half the step size", by_adam, (_adam, "STEP_SIZE", _adam.STEP_SIZE / 2)),
    Change("Adam: twice the step size", by_adam, (_adam, "STEP_SIZE", _adam.STEP_SIZE * 2)),
    Change("Adam: batches of 64, as many epochs", by_adam, (_minibatches, "SIZE", 64)),
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
