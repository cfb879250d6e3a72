"""Training on Dask: workers side by side, what an evaluation costs, a worker killed, memory.

    python benchmarks/dask_training.py speed     # 1 worker process against 2, one thread each
    python benchmarks/dask_training.py cost      # of an evaluation beside the work on the shards
    python benchmarks/dask_training.py recovery  # one of two workers is killed amid the fit
    python benchmarks/dask_training.py memory    # more data on disk than a worker may hold

All processes run on this machine, so the network is none. Evaluations of the loss and gradient
alternate between what is compared, and the medians are printed.
"""

import argparse
import os
import signal
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

from sklearn_rnn import SequenceTagger
from sklearn_rnn._training import fit as training
from sklearn_rnn._training.objective import Objective


class FoundError(Exception):
    """Carries the objective that a fit is about to minimise, and where from."""


@contextmanager
def workers(n, memory_limit="2GB"):
    options = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(memory_limit=memory_limit, **options) as cluster, Client(cluster) as client:
        yield client


def block(path, seed, shape):
    """Return the random sequences of a partition; with a path, from disk."""
    if path is None:
        return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    file = path / f"{seed}.npy"
    if not file.exists():
        np.save(file, np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))
    return np.load(file)


def make(n_sequences, n_steps, n_partitions, n_features=8, path=None):
    """Return sequences in partitions, and whether the sum of their first feature is positive."""
    shape = n_sequences // n_partitions, n_steps, n_features
    blocks = [
        da.from_delayed(dask.delayed(block)(path, seed, shape), shape, np.float32)
        for seed in range(n_partitions)
    ]
    X = da.concatenate(blocks)
    return X, (X[..., 0].cumsum(axis=1) > 0).astype(np.int8)


def objective_of(model, X, y):
    def find(objective, w, *rest):
        raise FoundError(objective, w)

    with mock.patch.object(training, "minimise", find):
        try:
            model.fit(X, y)
        except FoundError as found:
            return found.args


def alternate(evaluations, n):
    """Return the median seconds of each evaluation."""
    seconds = [[] for _ in evaluations]
    for i in range(n + 1):
        for evaluation, of_this in zip(evaluations, seconds):
            start = time.perf_counter()
            evaluation()
            if i:  # the first allocates memory
                of_this.append(time.perf_counter() - start)
    return np.median(seconds, axis=1)


def evaluation_on(client, model, X, y):
    with client.as_current():
        objective, w = objective_of(model, X, y)

    def evaluate():
        with client.as_current():
            return objective.loss_gradient(w)

    return evaluate


def speed(n):
    print("| sequences | steps | units | 1 worker, s | 2 workers, s | ratio | same bits |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for n_sequences, n_steps, n_units in ((2000, 30, 32), (8000, 100, 32), (8000, 100, 100)):
        X, y = make(n_sequences, n_steps, 4)
        model = SequenceTagger(n_units, random_state=0)
        with workers(1) as one, workers(2) as two:
            evaluations = [evaluation_on(client, model, X, y) for client in (one, two)]
            (loss, gradient), (loss_of_two, gradient_of_two) = (e() for e in evaluations)
            seconds = alternate(evaluations, n)
        is_same = loss == loss_of_two and np.array_equal(gradient, gradient_of_two)
        figures = f"{seconds[0]:.3f} | {seconds[1]:.3f} | {seconds[0] / seconds[1]:.2f}"
        print(f"| {n_sequences} | {n_steps} | {n_units} | {figures} | {is_same} |", flush=True)


def cost(n):
    """Fit the seconds of evaluations without work to a line, and print what follows from it."""
    rows = []
    with workers(2) as client:
        for n_partitions in (2, 4, 8, 16):
            X, y = make(2 * n_partitions, 2, n_partitions)
            for n_units in (8, 128, 512):
                model = SequenceTagger(n_units, random_state=0)
                evaluate = evaluation_on(client, model, X, y)
                megabytes = evaluate()[1].nbytes / 1e6
                rows.append((n_partitions, megabytes, alternate([evaluate], n)[0]))
    k, megabytes, seconds = np.transpose(rows)
    terms = np.stack([np.ones_like(k), k, k * megabytes], axis=1)
    a, b, c = np.linalg.lstsq(terms, seconds, rcond=None)[0]
    print(f"seconds of an evaluation = {a:.3f} + {b:.4f} k + {c:.4f} k MB, for k partitions")
    workers_of = " | ".join(f"{size} workers" for size in SIZES)
    print(f"| MB of a gradient | s of all shards | {workers_of} |")
    print("|---" * (2 + len(SIZES)) + "|")
    for megabytes in (0.02, 0.2, 2.0):
        for work in (1, 10, 100):
            ratios = [work / (work / w + a + b * w + c * w * megabytes) for w in SIZES]
            print(f"| {megabytes} | {work} | " + " | ".join(f"{r:.1f}" for r in ratios) + " |")


SIZES = (2, 4, 8, 16, 32, 64)


def recovery(n):
    X, y = make(4000, 60, 4)
    model = SequenceTagger(32, solver="lbfgs", max_iter=n, random_state=0)
    evaluations = []
    plain = Objective.loss_gradient

    def kill_at_third(objective, w):
        evaluations.append(None)
        if len(evaluations) == 3:
            os.kill(next(iter(pids.values())), signal.SIGKILL)
        return plain(objective, w)

    with workers(2) as client:
        expected = model.fit(X, y).loss_curve_
        pids = client.run(os.getpid)
        with mock.patch.object(Objective, "loss_gradient", kill_at_third):
            losses = model.fit(X, y).loss_curve_
    print(f"Killed 1 of 2 workers at evaluation 3 of {len(evaluations)}.")
    print(f"The losses after each of {len(losses)} iterations are the same: {losses == expected}")


def peak_megabytes():
    """Return what this process has taken at its most."""
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def memory(n, gigabytes, n_workers, limit):
    n_features, n_steps, n_partitions = 64, 100, 16 * n_workers
    n_sequences = round(gigabytes * 1e9 / (4 * n_features * n_steps * n_partitions)) * n_partitions
    with tempfile.TemporaryDirectory() as folder:
        X, y = make(n_sequences, n_steps, n_partitions, n_features, Path(folder))
        model = SequenceTagger(8, solver="lbfgs", max_iter=n, random_state=0)
        with workers(n_workers, limit) as client:
            X[:, 0, 0].sum().compute()  # writes the files
            before = peak_megabytes()
            start = time.perf_counter()
            losses = model.fit(X, y).loss_curve_
            seconds = time.perf_counter() - start
            peaks = client.run(peak_megabytes).values()
        peaks = ", ".join(f"{peak:.0f}" for peak in peaks)
        print(f"{X.nbytes / 1e9:.1f} GB on disk, {n_workers} workers of {limit}, {n} iterations:")
        print(f"{seconds:.0f} s; client and scheduler {before:.0f} MB before the fit,")
        print(f"{peak_megabytes():.0f} MB at their peak; workers {peaks} MB.", flush=True)
        with dask.config.set(scheduler="synchronous"):
            expected = model.fit(X, y).loss_curve_
        print(f"The losses are those of one process without a cluster: {losses == expected}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["speed", "cost", "recovery", "memory"])
    parser.add_argument("-n", type=int, default=10, help="evaluations, or iterations")
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--limit", default="1.5GB", help="of each worker's memory")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if arguments.part == "memory":
        memory(arguments.n, arguments.gigabytes, arguments.workers, arguments.limit)
    else:
        {"speed": speed, "cost": cost, "recovery": recovery}[arguments.part](arguments.n)


if __name__ == "__main__":
    main()
