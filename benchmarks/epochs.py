"""Seconds of an epoch of Adam, beside PyTorch's on the same network with batches of the same size.

    python benchmarks/epochs.py --data DIR

DIR holds the sets (see `sets.py`); one thread each. After each epoch of ours PyTorch runs one, so
that other work on the machine hits both. The first pair warms up and is not counted.
"""

import argparse
import warnings
from pathlib import Path
from time import perf_counter
from unittest import mock

import numpy as np
import torch
from models import MODELS
from quality import make_peer
from sets import load
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_rnn._training import fit, minibatches
from sklearn_rnn._training.monitor import Monitor

SETS = ["atis", "conll2000", "pendigits"]
BATCH_SIZES = [16, 64]


def keep_all(data, ignores_weightless):
    """In place of merging equal sequences, which PyTorch does not do."""
    return np.arange(len(data.lengths)), data.weight


def alternate(estimator, benchmark, batch_size, n_epochs):
    """Seconds of each epoch of ours and of PyTorch's, (n_epochs,) each."""
    peer = make_peer(estimator, benchmark)
    seconds = []

    class Clock(Monitor):
        """Takes the time of the epoch that has ended, and of one of PyTorch's."""

        start = perf_counter()

        def __call__(self, w, loss):
            ours = perf_counter() - self.start
            seconds.append((ours, second_epoch(peer, batch_size, seed=len(seconds))))
            self.start = perf_counter()

    model = clone(estimator).set_params(solver="adam", max_iter=1 + n_epochs, random_state=0)
    with (
        mock.patch.object(fit, "Monitor", Clock),
        mock.patch.object(fit, "merge_duplicates", keep_all),
        mock.patch.object(minibatches, "MINIBATCH_SEQUENCES", batch_size),
    ):
        model.fit(benchmark.X_train, benchmark.y_train)
    return np.transpose(seconds[1:])


def second_epoch(peer, batch_size, seed):
    """Seconds of an epoch of PyTorch's once its memory is in place."""
    seconds, _ = np.transpose(peer.learn(0.002, batch_size, epochs=2, seed=seed))
    return seconds[-1] - seconds[len(seconds) // 2 - 1]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=MODELS, default=SETS, metavar="SET")
    parser.add_argument("--epochs", type=int, default=5, help="how many of each")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(1)
    print("| set | batch | ours, s | PyTorch, s | ours / theirs: median (least to greatest) |")
    print("|---|---|---|---|---|")
    for name in arguments.sets:
        benchmark = load(name, arguments.data)
        for batch_size in BATCH_SIZES:
            ours, theirs = alternate(MODELS[name], benchmark, batch_size, arguments.epochs)
            ratio = ours / theirs
            print(
                f"| {name} | {batch_size} | {np.median(ours):.2g} | {np.median(theirs):.2g} | "
                f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
