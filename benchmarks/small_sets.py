"""What each part of the wide reservoir brings, by cross-validation on training parts.

    python benchmarks/small_sets.py --data DIR

One change at a time of what `SequenceClassifier()` does below 2,000 sequences, on the training
parts of ten sets, in 5 folds for each seed; test parts are not used. A cell has the accuracy and
the log loss, means over folds and seeds; the last columns their means over the sets, and the time
of `fit` as a multiple of that of the default in the same run.
"""

import argparse
import warnings
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import NamedTuple
from unittest import mock

import numpy as np
from sets import load
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from sklearn_rnn import SequenceClassifier
from sklearn_rnn._estimators import pooled
from sklearn_rnn._training import fit, ridge
from sklearn_rnn._training.recipe import TRAINED_POOLS, WIDE, WIDE_POOLS

SETS = [
    "gun_point",
    "pickup_gesture",
    "beef",
    "coffee",
    "chinatown",
    "basic_motions",
    "italy_power",
    "japanese_vowels",
    "acsf1",
    "digits8x8",
]


class Change(NamedTuple):
    """Other parameters, or another value of a name: (module or class, name, value)."""

    swap: tuple = None
    parameters: dict = {}  # noqa: RUF012
    n_members: int = 1  # of an ensemble of other starts, whose probabilities are averaged


choose = pooled.PooledEstimator._choose


def without_positions(self, *arguments):
    return choose(self, *arguments) | {"direct_steps": 0}


temperature = ridge._temperature


def leave_temperature(*arguments):
    return 1.0, temperature(*arguments)[1]


def units(n):
    return Change((pooled, "choose_wide_units", lambda n_steps: n))


def leaks(*values):
    return Change((pooled, "LEAKS", values))


def pools(*names):
    return Change((pooled, "WIDE_POOLS", names))


def start(**changes):
    return Change((fit, "choose_start", lambda *facts: WIDE._replace(**changes)))


CHANGES = {
    "as it is": Change(),
    "all weights trained, 32 units": Change(parameters={"hidden_layer_sizes": 32}),
    "50 units a block": units(50),
    "100 units a block": units(100),
    "400 units a block": units(400),
    "one leak: 1": leaks(1.0),
    "leaks 1, .3": leaks(1.0, 0.3),
    "leaks 1, .5, .2, .05": leaks(1.0, 0.5, 0.2, 0.05),
    "pools last, mean, max": pools(*TRAINED_POOLS),
    "no pool std": pools(*(set(WIDE_POOLS) - {"std"})),
    "no pool positive": pools(*(set(WIDE_POOLS) - {"positive"})),
    "no linear model of positions": Change((pooled.PooledEstimator, "_choose", without_positions)),
    "all units see their inputs alike": start(weakest=1.0),
    "radius .5": start(radius=0.5),
    "radius 1": start(radius=1.0),
    "gain .5": start(gain=0.5),
    "gain 2": start(gain=2.0),
    "penalty fixed: alpha = .1": Change(parameters={"alpha": 0.1}),
    "temperature 1": Change((ridge, "_temperature", leave_temperature)),
    "both directions": Change(parameters={"bidirectional": True}),
    "mean of 5 starts": Change(n_members=5),
}


def run(change, X, y, train, test, seed):
    """Accuracy, log loss and seconds of `fit` on one fold."""
    with ExitStack() as stack:
        if change.swap is not None:
            stack.enter_context(mock.patch.object(*change.swap))
        members = [
            SequenceClassifier(random_state=seed * 100 + i, n_jobs=1, **change.parameters)
            for i in range(change.n_members)
        ]
        begin = perf_counter()
        for member in members:
            member.fit([X[i] for i in train], y[train])
        seconds = perf_counter() - begin
    probabilities = np.mean(
        [member.predict_proba([X[i] for i in test]) for member in members], axis=0
    )
    classes = members[0].classes_
    predicted = classes[probabilities.argmax(axis=1)]
    loss = log_loss(y[test], probabilities, labels=classes)
    return accuracy_score(y[test], predicted), loss, seconds


def cross_validate(changes, name, folder, n_seeds):
    """Accuracy, log loss and seconds of each change, means over folds and seeds."""
    benchmark = load(name, folder)
    X, y = benchmark.X_train, np.asarray(benchmark.y_train)
    results = {change: [] for change in changes}
    for seed in range(n_seeds):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        for train, test in folds.split(np.zeros(len(y)), y):
            for change in changes:
                results[change].append(run(CHANGES[change], X, y, train, test, seed))
    return {change: np.mean(of_change, axis=0) for change, of_change in results.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="SET")
    parser.add_argument(
        "--changes", nargs="+", choices=CHANGES, default=list(CHANGES), metavar="CHANGE"
    )
    parser.add_argument("--seeds", type=int, default=2, help="how many")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    columns = {}
    with threadpool_limits(1):
        for name in arguments.sets:
            columns[name] = cross_validate(arguments.changes, name, arguments.data, arguments.seeds)
            print(name, flush=True)
    print("| | " + " | ".join(columns) + " | mean | fit |")
    print("|" + "---|" * (len(columns) + 3))
    usual = {name: column[arguments.changes[0]][2] for name, column in columns.items()}
    for change in arguments.changes:
        figures = np.array([column[change] for column in columns.values()])
        ratio = np.exp(np.mean(np.log(figures[:, 2] / list(usual.values()))))
        cells = [f"{accuracy:.3f} {loss:.3f}" for accuracy, loss, _ in figures]
        mean = f"{figures[:, 0].mean():.4f} {figures[:, 1].mean():.3f}"
        print(f"| {change} | " + " | ".join(cells) + f" | {mean} | {ratio:.2g} |")


if __name__ == "__main__":
    main()
