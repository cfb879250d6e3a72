"""Which cell to take: held-out and test scores of all, and what choosing by the first brings.

    python benchmarks/cells.py --data DIR

Default parameters (32 units) but for `cell`, on sets of `sets.py` and series of `regression.py` in
DIR; accuracy, F1 of spans, or R^2. A quarter of the training part, the last third of a series, is
held out; then the whole training part is learnt and the test part predicted. Means over seeds. A
cell of the table is the held-out score / the test score and, in brackets, the time of `fit` as a
multiple of that with Elman units; bold is the best by held-out score. The last column is what this
one gains over Elman units on the test part.
"""

import argparse
import warnings
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import regression
import sets
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_limits

from sklearn_rnn import PerStepRegressor, SequenceClassifier, SequenceTagger

CELLS = ["elman", "gru", "lstm", "diagonal"]
SETS = [
    "japanese_vowels",
    "digits8x8",
    "pendigits",
    "ocr_letters",
    "protein_ss",
    "atis",
    "conversations, 100",
    "vowels, 100",
    "occupancy",
]


class Problem(NamedTuple):
    """An estimator's class, data to learn and to predict, and the score of predictions."""

    kind: type
    train: tuple
    test: tuple
    score: object

    def held_out(self, seed):
        """The same with a part of the training data to predict."""
        X, y = self.train
        if len(X) == 1:
            first, last = np.split(np.arange(len(X[0])), [len(X[0]) * 2 // 3])
            train, test = ((X[0][None, part], y[0][None, part]) for part in (first, last))
            return self._replace(train=train, test=test)
        order = np.random.default_rng(seed).permutation(len(X))
        few, many = np.split(order, [len(X) // 4])
        train, test = (tuple(pick(members, X, y)) for members in (many, few))
        return self._replace(train=train, test=test)


def pick(members, *arrays):
    return tuple(
        a[members] if isinstance(a, np.ndarray) else [a[i] for i in members] for a in arrays
    )


def problem(name, folder):
    if name in regression.TASKS:
        train, test, washout, _, _ = regression.TASKS[name](folder)

        def score(y, predicted):
            skipped = washout if y.shape[1] > 2 * washout else 0
            return r2_score(y[:, skipped:].ravel(), predicted[:, skipped:].ravel())

        return Problem(PerStepRegressor, train, test, score)
    benchmark = sets.load(name, folder)
    kind = SequenceTagger if isinstance(benchmark.y_train, list) else SequenceClassifier
    train, test = (benchmark.X_train, benchmark.y_train), (benchmark.X_test, benchmark.y_test)
    return Problem(kind, train, test, benchmark.metric)


def run(problem, cell, seed):
    """Score on what is to be predicted, and seconds of `fit`."""
    model = problem.kind((32,), cell=cell, random_state=seed, n_jobs=1)
    start = perf_counter()
    model.fit(*problem.train)
    seconds = perf_counter() - start
    X, y = problem.test
    return problem.score(y, model.predict(X)), seconds


def row(name, folder, n_seeds):
    """Held-out score, test score and seconds of each cell, (4, 3)."""
    whole = problem(name, folder)
    figures = np.zeros((n_seeds, len(CELLS), 3))
    for seed in range(n_seeds):
        part = whole.held_out(seed)
        for i, cell in enumerate(CELLS):
            held_out, _ = run(part, cell, seed)
            figures[seed, i] = held_out, *run(whole, cell, seed)
    return figures.mean(axis=0)


def bold(score, is_best):
    return f"**{score:.3f}**" if is_best else f"{score:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    names = [*SETS, *regression.TASKS]
    parser.add_argument("--sets", nargs="+", default=names, metavar="SET")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    arguments = parser.parse_args()

    print("|", " | ".join(["", *CELLS, "gain"]), "|")
    print("|---" * (len(CELLS) + 2) + "|")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name in arguments.sets:
            figures = row(name, arguments.data, arguments.seeds)
            best = int(figures[:, 0].argmax())
            cells = [
                f"{bold(held_out, i == best)} / {test:.3f} ({seconds / figures[0, 2]:.1f})"
                for i, (held_out, test, seconds) in enumerate(figures)
            ]
            gain = figures[best, 1] - figures[0, 1]
            print("|", " | ".join([name, *cells, f"{gain:+.3f}"]), "|", flush=True)


if __name__ == "__main__":
    main()
