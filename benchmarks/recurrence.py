"""The time of the recurrence itself: loss and gradient, prediction, Gauss-Newton products.

    python benchmarks/recurrence.py

For each size, precision and kind of lengths, on one thread and on two, these take turns in one run:

- ours: the training objective, `predict_proba`, and a product at a linearisation that is kept;
- PyTorch: `nn.RNN` with autograd, packed sequences where lengths differ, `inference_mode` to
  predict. It offers no Gauss-Newton product;
- JAX: a jitted `lax.scan`, padded and masked where lengths differ;
- the products: the matrix products that the computation cannot do without and nothing else, into
  memory that is there already. They are the floor.

Times are medians over the turns, in milliseconds; ratios are medians of the ratios within a turn,
with their quartiles. JAX and PyTorch are left out where they are not installed. Then, for each
number of threads, come the geometric means over precisions and lengths, size by size; how the time
grows with the number of sequences and steps; and what ragged sequences cost. `--sizes 0 1` and
`--turns 3` give a quick look.
"""

import argparse
import os
import subprocess
import sys
import warnings
from collections import defaultdict
from contextlib import ExitStack
from copy import copy
from functools import partial
from itertools import product
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

from sklearn_rnn import SequenceTagger
from sklearn_rnn._execution.shards import Data, Shards
from sklearn_rnn._execution.threads import shard_map
from sklearn_rnn._networks.hidden_feedback import CELLS
from sklearn_rnn._networks.parameters import ravel
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.penalty import Penalty
from sklearn_rnn._training.recipe import RESERVOIR
from sklearn_rnn._training.training_set import TrainingSet

try:
    import torch
except ImportError:
    torch = None
try:
    import jax
    from jax import numpy as jnp
except ImportError:
    jax = None


class Size(NamedTuple):
    """S sequences of up to T steps, D features, H hidden units, K classes."""

    S: int
    T: int
    D: int
    H: int
    K: int

    def __str__(self):
        return "×".join(map(str, self))


SIZES = [
    Size(32, 50, 8, 16, 4),
    Size(100, 100, 10, 32, 5),
    Size(300, 30, 12, 64, 9),
    Size(1000, 100, 16, 64, 10),
    Size(256, 200, 32, 128, 10),
    Size(1000, 50, 32, 256, 10),
    Size(1, 10_000, 2, 16, 2),
]
DTYPES = ["float64", "float32"]
KINDS = ["equal", "ragged"]
OPERATIONS = ["loss and gradient", "predict_proba", "Gauss-Newton product"]


class Problem:
    """Random sequences with random labels, and a network, of which JAX takes the weights.

    Attributes
    ----------
    X, y : list of arrays (T_i, D) and (T_i,)
    model : SequenceTagger
        Fitted for one iteration, for its weights.
    """

    def __init__(self, size, dtype, lengths, cell):
        rng = np.random.default_rng(0)
        self.size, self.dtype, self.lengths = size, dtype, lengths
        self.X = [rng.standard_normal((t, size.D)).astype(dtype) for t in lengths]
        self.y = [rng.integers(size.K, size=t) for t in lengths]
        few = max(4, -(-4 * size.K // size.T))
        labels = [np.arange(size.T) % size.K] * few
        X = rng.standard_normal((few, size.T, size.D)).astype(dtype)
        self.model = SequenceTagger(
            size.H, cell=cell, tol=0, truncated_bptt_steps=None, random_state=0, max_iter=1
        ).fit(X, labels)

    def padded(self):
        """X (T, S, D), y (T, S) and a mask (T, S), longest sequences first."""
        S, T = len(self.X), max(self.lengths)
        X = np.zeros((T, S, self.size.D), self.dtype)
        y, mask = np.zeros((T, S), int), np.zeros((T, S), self.dtype)
        for s, i in enumerate(np.argsort(-self.lengths, kind="stable")):
            X[: self.lengths[i], s], y[: self.lengths[i], s] = self.X[i], self.y[i]
            mask[: self.lengths[i], s] = 1
        return X, y, mask


class Ours:
    """The training objective and the estimator."""

    def __init__(self, problem, n_threads, stack):
        self.problem = problem
        model = self.model = copy(problem.model).set_params(n_jobs=n_threads)
        network, p = model._model.network, model._model.p
        X, y = np.concatenate(problem.X), np.concatenate(problem.y)
        everything = np.arange(len(problem.lengths))
        weight = np.ones(len(y))
        data = TrainingSet(Data(X, problem.lengths, y, weight, True), everything, False)
        penalty = Penalty.around_start(network, p, 1e-4, RESERVOIR.stiffness, False)
        map_ = stack.enter_context(shard_map(n_threads))
        self.objective = Objective(network, Shards(data.shards, map_), penalty)
        self.w = ravel(p, network.shapes)
        self.v = np.random.default_rng(1).standard_normal(self.w.shape)
        self.product = self.objective.gauss_newton(self.w)

    def operations(self):
        return [
            partial(self.objective.loss_gradient, self.w),
            partial(self.model.predict_proba, self.problem.X),
            partial(self.product, self.v),
        ]


class Torch:
    """The module of the same cell, packed where lengths differ; `nn.RNN` beside "diagonal"."""

    def __init__(self, problem, n_threads, stack):
        torch.set_num_threads(n_threads)
        size, dtype = problem.size, getattr(torch, problem.dtype)
        kinds = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
        self.rnn = kinds.get(problem.model.cell, torch.nn.RNN)(size.D, size.H).to(dtype)
        self.readout = torch.nn.Linear(size.H, size.K).to(dtype)
        self.is_ragged = len(set(problem.lengths)) > 1
        self.sequences = [torch.from_numpy(x) for x in problem.X]
        self.X, y = self._pack(self.sequences), [torch.from_numpy(y) for y in problem.y]
        self.y = self._pack(y).data if self.is_ragged else self._pack(y).ravel()
        self.parameters = [*self.rnn.parameters(), *self.readout.parameters()]

    def _pack(self, sequences):
        if self.is_ragged:
            return torch.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
        return torch.stack(sequences, dim=1)

    def _logits(self, X):
        H = self.rnn(X)[0]
        return self.readout(H.data if self.is_ragged else H).flatten(0, -2)

    def loss_gradient(self):
        loss = torch.nn.functional.cross_entropy(self._logits(self.X), self.y)
        return loss, torch.autograd.grad(loss, self.parameters)

    def predict(self):
        with torch.inference_mode():
            X = self._pack(self.sequences)
            return torch.softmax(self._logits(X), dim=1)

    def operations(self):
        return [self.loss_gradient, self.predict, None]


class Jax:
    """A jitted scan over time, with a mask where lengths differ."""

    def __init__(self, problem, n_threads, stack):
        jax.config.update("jax_enable_x64", problem.dtype == "float64")
        X, y, mask = map(jnp.asarray, problem.padded())
        is_ragged = len(set(problem.lengths)) > 1
        p = {
            name: jnp.asarray(value)
            for name, value in problem.model._model.parameters(problem.dtype).items()
        }
        v = jax.tree.map(jnp.ones_like, p)

        def logits(p, X):
            def step(h, a):
                h = jnp.tanh(a + h @ p["W_rec0"][0])
                return h, h

            A = X @ p["W_in0"] + p["b0"]
            _, H = jax.lax.scan(step, jnp.zeros_like(A[0]), A)
            return H @ p["W_out"] + p["c"]

        def loss_of(Z):
            losses = -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, :, None], axis=2)[:, :, 0]
            return (losses * mask).sum() / mask.sum() if is_ragged else losses.mean()

        @jax.jit
        def gauss_newton(p, v):
            Z, dZ = jax.jvp(lambda p: logits(p, X), (p,), (v,))
            HdZ = jax.jvp(jax.grad(loss_of), (Z,), (dZ,))[1]
            return jax.vjp(lambda p: logits(p, X), p)[1](HdZ)[0]

        loss_gradient = jax.jit(jax.value_and_grad(lambda p: loss_of(logits(p, X))))
        predict = jax.jit(lambda p, X: jax.nn.softmax(logits(p, X)))
        X_in = np.asarray(X)
        self._operations = [
            lambda: jax.block_until_ready(loss_gradient(p)),
            lambda: np.asarray(predict(p, X_in)),
            lambda: jax.block_until_ready(gauss_newton(p, v)),
        ]

    def operations(self):
        return self._operations


class Products:
    """The matrix products of one shard after the other, into memory that is there already."""

    def __init__(self, problem, n_threads, stack):
        self.shards = [shard.packing for shard in Ours(problem, 1, stack).objective.shards]
        S, T, D, H, K = problem.size
        n_rows = max(packing.n_rows for packing in self.shards)
        empty = partial(np.zeros, dtype=problem.dtype)
        self.X, self.A, self.D, self.Z = (empty((n_rows, n)) for n in (D, H, H, K))
        shapes = (D, H), (H, H), (H, K)
        self.W_in, self.W_rec, self.W_out = map(empty, shapes)
        self.dW_in, self.dW_rec, self.dW_out = map(empty, shapes)
        self.of_step = empty((max(packing.n_sequences for packing in self.shards), H))

    def _loop(self, packing, A):
        for _, linked, before in packing.steps:
            np.matmul(A[before], self.W_rec, out=self.of_step[: linked.stop - linked.start])

    def forward(self):
        for packing in self.shards:
            n = packing.n_rows
            np.matmul(self.X[:n], self.W_in, out=self.A[:n])
            self._loop(packing, self.A)
            np.matmul(self.A[:n], self.W_out, out=self.Z[:n])

    def backward(self):
        for packing in self.shards:
            n, first = packing.n_rows, packing.n_sequences
            np.matmul(self.A[:n].T, self.Z[:n], out=self.dW_out)
            np.matmul(self.Z[:n], self.W_out.T, out=self.D[:n])
            self._loop(packing, self.D)
            np.matmul(self.A[: n - first].T, self.D[first:n], out=self.dW_rec)
            np.matmul(self.X[:n].T, self.D[:n], out=self.dW_in)

    def tangent(self):
        for packing in self.shards:
            n, first = packing.n_rows, packing.n_sequences
            np.matmul(self.A[: n - first], self.W_rec, out=self.D[: n - first])
            np.matmul(self.A[:n], self.W_out, out=self.Z[:n])

    def operations(self):
        return [
            lambda: (self.forward(), self.backward()),
            self.forward,
            lambda: (self.forward(), self.tangent(), self.backward()),
        ]


CONTENDERS = {"ours": Ours, "products": Products}
if torch is not None:
    CONTENDERS["PyTorch"] = Torch
if jax is not None:
    CONTENDERS["JAX"] = Jax
OTHERS = [*CONTENDERS, "one thread"][1:]


def take_turns(operations, turns, at_least=0.02):
    """Seconds of each of the operations in each turn, (turns, n)."""

    def seconds(operation, times):
        start = perf_counter()
        for _ in range(times):
            operation()
        return (perf_counter() - start) / times

    for operation in operations:
        operation()
    times = [max(1, int(at_least / seconds(operation, 1))) for operation in operations]
    return np.array([[seconds(*each) for each in zip(operations, times)] for _ in range(turns)])


def lengths_of(size, kind):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, size.T + 1, size=size.S) if kind == "ragged" else [size.T] * size.S
    return np.array(lengths)


def compare(problem, n_threads, turns):
    """Seconds (turns,) by operation and contender; with two threads also of ours on one."""
    seconds = defaultdict(dict)
    names = CONTENDERS if problem.model.cell == "elman" else CONTENDERS.keys() & {"ours", "PyTorch"}
    with ExitStack() as stack:
        contenders = {name: CONTENDERS[name](problem, n_threads, stack) for name in names}
        if n_threads > 1:
            contenders["one thread"] = Ours(problem, 1, stack)
        operations = {name: each.operations() for name, each in contenders.items()}
        for i, operation in enumerate(OPERATIONS):
            able = [name for name in operations if operations[name][i] is not None]
            taken = take_turns([operations[name][i] for name in able], turns)
            seconds[operation] = dict(zip(able, taken.T))
    return seconds


def ratio(seconds, other, own="ours"):
    """How many times longer the other takes: median and quartiles."""
    return np.quantile(seconds[other] / seconds[own], [0.5, 0.25, 0.75])


def geometric_mean(values):
    return np.exp(np.mean(np.log(values)))


def comparison(arguments):
    """Time what the arguments ask for; print a table for each operation and what it comes to."""
    n_threads = arguments.threads
    rows, ratios = defaultdict(list), defaultdict(list)
    for i, dtype, kind in product(arguments.sizes, DTYPES, KINDS):
        problem = Problem(SIZES[i], dtype, lengths_of(SIZES[i], kind), arguments.cell)
        for operation, seconds in compare(problem, n_threads, arguments.turns).items():
            cells = [f"{SIZES[i]}", dtype, kind, f"{1e3 * np.median(seconds['ours']):.3g}"]
            for other in OTHERS:
                if other not in seconds:
                    cells.append("")
                    continue
                quantiles = ratio(seconds, other)
                cells.append("{:.2f} ({:.2f}-{:.2f})".format(*quantiles))
                ratios[operation, other].append((i, quantiles[0]))
            rows[operation].append(cells)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for operation in OPERATIONS:
        others = [other for other in OTHERS if (operation, other) in ratios]
        print(f"\n{operation}, {n_threads} thread{'s' if n_threads > 1 else ''}\n")
        header = ["S×T×D×H×K", "precision", "lengths", "ours, ms"]
        print_table(header + [f"{other} / ours" for other in OTHERS], rows[operation])
        for other in others:
            values = [value for _, value in ratios[operation, other]]
            print(
                f"\n{other} / ours: geometric mean {geometric_mean(values):.2f}, "
                f"least {min(values):.2f}, greatest {max(values):.2f}"
            )
    summary(ratios, arguments.sizes)


def summary(ratios, sizes):
    """Geometric means over precisions and lengths, a row a size; the last row is over all sizes."""
    columns = [key for key in ratios if key[1] != "products"]
    rows = [
        [f"{SIZES[i]}", *(geometric_mean([r for j, r in ratios[key] if j == i]) for key in columns)]
        for i in sizes
    ]
    rows.append(["all", *(geometric_mean([r for _, r in ratios[key]]) for key in columns)])
    print("\nTimes that others take for what takes us 1: geometric means\n")
    header = [f"{operation}: {other}" for operation, other in columns]
    cells = [[row[0], *(f"{value:.2f}" for value in row[1:])] for row in rows]
    print_table(["S×T×D×H×K", *header], cells)


def growth(arguments):
    """How the time of loss and gradient grows with S and T, and what ragged sequences cost."""
    rows = []
    for i in (i for i in arguments.sizes if i >= 2):
        size = SIZES[i]
        ragged = lengths_of(size, "ragged")
        mean = round(ragged.mean())
        lengths = {
            "once": np.full(size.S, size.T),
            "2 S": np.full(2 * size.S, size.T),
            "2 T": np.full(size.S, 2 * size.T),
            "ragged": ragged,
            "equal": np.full(round(ragged.sum() / mean), mean),
        }
        with ExitStack() as stack:
            problems = [Problem(size, "float32", each, arguments.cell) for each in lengths.values()]
            ours = [Ours(problem, arguments.threads, stack) for problem in problems]
            seconds = take_turns([each.operations()[0] for each in ours], arguments.turns)
        seconds = dict(zip(lengths, seconds.T))
        cells = [ratio(seconds, "2 S", "once"), ratio(seconds, "2 T", "once")]
        cells.append(ratio(seconds, "ragged", "equal"))
        rows.append([f"{size}", *("{:.2f} ({:.2f}-{:.2f})".format(*each) for each in cells)])
    print("\nLoss and gradient in float32, times what it takes for once the data\n")
    print_table(["S×T×D×H×K", "twice S", "twice T", "ragged / equal, as many rows"], rows)


def print_table(header, rows):
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")


def run_children(arguments):
    """One process for each number of threads: libraries settle theirs when they are loaded."""
    n_cores = len(os.sched_getaffinity(0))
    print(f"{n_cores} cores; {', '.join(describe_blas())}")
    for n_threads in (1, 2):
        limits = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], str(n_threads))
        cores = sorted(os.sched_getaffinity(0))[:n_threads]
        subprocess.run(
            [sys.executable, *sys.argv, "--threads", str(n_threads)],
            env=os.environ | limits,
            preexec_fn=partial(os.sched_setaffinity, 0, cores),
            check=True,
        )


def describe_blas():
    return [
        f"{each['internal_api']} {each['version']} ({each.get('architecture', 'unknown')})"
        for each in threadpool_info()
        if each["user_api"] == "blas"
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=range(6))
    parser.add_argument("--cell", choices=sorted(CELLS), default="elman")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, help="only this many, in this process")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if arguments.threads is None:
        run_children(arguments)
        return
    comparison(arguments)
    growth(arguments)


if __name__ == "__main__":
    main()
