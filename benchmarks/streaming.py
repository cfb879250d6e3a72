"""The time of one step of a sequence that is still going on, beside PyTorch's where it is there.

PyTorch's is RNNCell, Linear and softmax under `inference_mode`, on one thread as we are: a network
of pattern 1. Blocks of steps alternate, and ratios are of blocks that follow each other.
"""

import argparse
import warnings
from time import perf_counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_rnn import OutputFeedbackTagger, SequenceClassifier, SequenceTagger

try:
    import torch
except ImportError:
    torch = None

D, K = 8, 5
PATTERNS = {
    "`SequenceTagger`": SequenceTagger,
    "`SequenceClassifier`": SequenceClassifier,
    "`OutputFeedbackTagger`": OutputFeedbackTagger,
    "`OutputFeedbackTagger(teacher_forcing=False)`": lambda n_units, **parameters: (
        OutputFeedbackTagger(n_units, teacher_forcing=False, **parameters)
    ),
}


def make_step(pattern, n_units):
    """A fitted estimator's way of taking a step."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 10, D)), rng.integers(K, size=(20, 10))
    estimator = PATTERNS[pattern](n_units, max_iter=2, random_state=0)
    y = y[:, 0] if pattern == "`SequenceClassifier`" else y
    return estimator.fit(X, y).start().step


def make_torch_step(n_units):
    cell = torch.nn.RNNCell(D, n_units, dtype=torch.float64)
    linear = torch.nn.Linear(n_units, K, dtype=torch.float64)
    h = None

    def step(x):
        nonlocal h
        h = cell(torch.from_numpy(x), h)
        return torch.softmax(linear(h), -1).numpy()

    return torch.inference_mode()(step)


def alternate(steps, x, n_blocks, n_steps):
    """Microseconds a step in each block of each, (number of steps, n_blocks)."""
    seconds = np.empty((len(steps), n_blocks))
    for block in range(-1, n_blocks):  # the first is overwritten
        for i, step in enumerate(steps):
            start = perf_counter()
            for _ in range(n_steps):
                step(x)
            seconds[i, block] = perf_counter() - start
    return 1e6 * seconds / n_steps


def shown(values):
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--steps", type=int, default=200, help="steps of a block")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if torch is not None:
        torch.set_num_threads(1)
    print(f"Microseconds a step, float64, D = {D}, K = {K}: median (quartiles).\n")
    print("| estimator | H | sequences | ours | PyTorch | PyTorch / ours |")
    print("|---|---|---|---|---|---|")
    for pattern in PATTERNS:
        for n_units in (32, 128):
            for n in (1, 100):
                x = np.random.default_rng(1).normal(size=(n, D) if n > 1 else D)
                steps = [make_step(pattern, n_units)]
                if torch is not None:
                    steps.append(make_torch_step(n_units))
                with threadpool_limits(1):
                    times = alternate(steps, x, arguments.blocks, arguments.steps)
                peer = "- | -"
                if torch is not None:
                    peer = f"{shown(times[1])} | {np.median(times[1] / times[0]):.2f}"
                print(f"| {pattern} | {n_units} | {n} | {shown(times[0])} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
