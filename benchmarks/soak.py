"""Fits and predicts in a loop, with shapes that change, and tells whether anything piles up.

    python benchmarks/soak.py --seconds 600

Each round draws an estimator, a solver, a layout, a precision, a number of threads and a shape;
fits, predicts, pickles, goes on with `partial_fit` and step by step; of four rounds of an estimator
one begins with a fit that fails, one with a fit that is interrupted. What Python's allocators hold
(tracemalloc), what the process takes (RSS) and its threads are printed as it goes. It ends with
status 1 if a thread is left, or if either memory grew by more than `--growth` MB from the second
quarter of the rounds to the last, by their medians: the first quarter is for caches to fill.
"""

import argparse
import contextlib
import gc
import io
import itertools
import pickle
import sys
import threading
import tracemalloc
import warnings
from time import monotonic
from typing import NamedTuple

import numpy as np

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

ESTIMATORS = [SequenceTagger, OutputFeedbackTagger, SequenceClassifier, SequenceRegressor]
LAYOUTS = ["3-D", "ragged", "table"]


class Sample(NamedTuple):
    """What the process holds after a round."""

    traced: float  # MB
    resident: float  # MB
    threads: int

    @classmethod
    def take(cls):
        gc.collect()
        traced, _ = tracemalloc.get_traced_memory()
        return cls(traced / 1e6, resident_megabytes(), threading.active_count())


def resident_megabytes():
    """What the process takes now; 0 where the system does not tell as Linux does."""
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
    except OSError:
        return 0.0
    return int(line.split()[1]) / 1024


class Interrupter(io.TextIOBase):
    """Takes so many lines, then interrupts whoever prints."""

    def __init__(self, n_lines):
        self.n_left = n_lines

    def write(self, text):
        self.n_left -= text.count("\n")
        if self.n_left < 0:
            raise KeyboardInterrupt
        return len(text)


def draw_data(rng, kind):
    """X in one of the layouts, y, and the parameters that the layout asks for."""
    S, T, D, K = rng.integers([4, 1, 1, 2], [120, 40, 12, 6])
    per_step = kind in (SequenceTagger, OutputFeedbackTagger)
    layout = LAYOUTS[rng.integers(len(LAYOUTS))]
    X = rng.normal(size=(S, T, D)).astype(rng.choice([np.float32, np.float64]))
    y = rng.integers(K, size=(S, T) if per_step else S)
    y.flat[:2] = 0, 1
    if layout == "ragged":
        lengths = rng.integers(1, T + 1, size=S)
        lengths[0] = T
        X = [x[:n] for x, n in zip(X, lengths)]
        return X, [part[:n] for part, n in zip(y, lengths)] if per_step else y, {}
    if layout == "3-D":
        return X, y, {}
    if per_step:
        ids = np.repeat(np.arange(S), T)
        return np.c_[ids, X.reshape(S * T, D)], y.ravel(), {"sequence_id": 0}
    return X.reshape(S, T * D), y, {"features_per_step": int(D)}


def fail(estimator, X, y):
    """A fit that must be refused."""
    try:
        estimator.fit(X, y[:-1])
    except ValueError:
        return
    raise AssertionError("a fit with too few targets was not refused")


def one_round(rng, number):
    """One estimator's life."""
    kind = ESTIMATORS[number % len(ESTIMATORS)]
    X, y, parameters = draw_data(rng, kind)
    estimator = kind(
        hidden_layer_sizes=int(rng.integers(1, 40)),
        solver=["lbfgs", "adam", "trust-ncg"][rng.integers(3)],
        max_iter=int(rng.integers(1, 8)),
        n_jobs=int(rng.integers(1, 3)),
        early_stopping=bool(len(y) > 40 and rng.integers(2)),
        random_state=number,
        **parameters,
    )
    turn = number // len(ESTIMATORS) % 4  # so that all of them fail and are interrupted
    if turn == 1:
        fail(estimator, X, y)
    if turn == 3:
        with contextlib.redirect_stdout(Interrupter(1)):
            estimator.set_params(verbose=1).fit(X, y)
        estimator.set_params(verbose=0)
    estimator.fit(X, y)
    estimator = pickle.loads(pickle.dumps(estimator))
    getattr(estimator, "predict_proba", estimator.predict)(X)
    estimator.score(X, y)
    estimator.set_params(early_stopping=False).partial_fit(X, y)
    stepper = estimator.start()
    for _ in range(5):
        stepper.step(rng.normal(size=estimator.input_weights_[0].shape[0]))


def soak(is_over, tell=lambda number, sample: None):
    """Rounds until ``is_over(number)``; a sample after each."""
    samples = []
    for number in itertools.count():
        if is_over(number):
            return samples
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few iterations, interrupted fits
            one_round(np.random.default_rng(number), number)
        samples.append(Sample.take())
        tell(number, samples[-1])


def growth(samples):
    """By how much the median of the last quarter exceeds that of the second: a `Sample`."""
    quarters = np.array_split(np.array(samples), 4)
    return Sample(*(np.median(quarters[3], axis=0) - np.median(quarters[1], axis=0)))


def show(number, sample):
    print(
        f"{number:>6} rounds: tracemalloc {sample.traced:.2f} MB, RSS {sample.resident:.0f} MB, "
        f"{sample.threads} threads",
        flush=True,
    )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--growth", type=float, default=5.0, help="MB that are let pass")
    parser.add_argument("--every", type=int, default=200, help="rounds from print to print")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    tracemalloc.start()
    end = monotonic() + arguments.seconds

    def tell(number, sample):
        if number % arguments.every == 0:
            show(number, sample)

    samples = soak(lambda number: monotonic() > end, tell)
    show(len(samples) - 1, samples[-1])
    grown = growth(samples)
    print(
        f"from the second quarter to the last: tracemalloc {grown.traced:+.3f} MB, "
        f"RSS {grown.resident:+.1f} MB"
    )
    is_flat = max(grown.traced, grown.resident) <= arguments.growth
    sys.exit(0 if is_flat and samples[-1].threads == samples[0].threads else 1)


if __name__ == "__main__":
    main()
