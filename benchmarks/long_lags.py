"""Long time lags: what must be remembered, for how long, and whether it is learnt.

    python benchmarks/long_lags.py

Each task is generated (`sklearn_rnn.datasets`), so nothing is downloaded. Training is on 5,000
sequences with default parameters but for 30 epochs; a task counts as solved if on 10,000 fresh
sequences 99 % are right: the label, or the number to within 0.04. Where the last state alone is
read out (`pooling="last"`), the network itself must carry what it is told at the start to the end.
"""

import argparse
from time import perf_counter

import numpy as np
from sklearn.base import clone

from sklearn_rnn import SequenceClassifier, SequenceRegressor
from sklearn_rnn.datasets import make_adding, make_multiplication, make_temporal_order

N_TRAIN, N_TEST, EPOCHS = 5_000, 10_000, 30
CLOSE, SOLVED = 0.04, 0.99


def make_temporal_order_3(n_sequences, length, random_state):
    return make_temporal_order(n_sequences, length, n_relevant=3, random_state=random_state)


TASKS = {
    "adding": (make_adding, SequenceRegressor(max_iter=EPOCHS)),
    "multiplication": (make_multiplication, SequenceRegressor(max_iter=EPOCHS)),
    "temporal order, 4 classes": (make_temporal_order, SequenceClassifier(max_iter=EPOCHS)),
    "temporal order, 8 classes": (make_temporal_order_3, SequenceClassifier(max_iter=EPOCHS)),
}
LAST = {
    "": {},
    ", GRU": {"cell": "gru"},
    ", LSTM": {"cell": "lstm"},
    ", diagonal": {"cell": "diagonal", "activation": "relu"},
}
TASKS |= {
    f"adding, last state{name}": (
        make_adding,
        SequenceRegressor(pooling="last", max_iter=EPOCHS, **parameters),
    )
    for name, parameters in LAST.items()
}


def make(generate, n_sequences, length, random_state):
    X, y = generate(n_sequences, length, random_state=random_state)
    return X.astype(np.float32), y


def run(generate, estimator, length, seed):
    """Share of fresh sequences that are right, mean squared error or error rate, seconds of fit."""
    X, y = make(generate, N_TRAIN, length, seed)
    model = clone(estimator).set_params(random_state=seed)
    start = perf_counter()
    model.fit(X, y)
    seconds = perf_counter() - start
    X_test, y_test = make(generate, N_TEST, length, 1_000 + seed)
    predicted = model.predict(X_test)
    if isinstance(model, SequenceClassifier):
        right = predicted == y_test
        return right.mean(), 1 - right.mean(), seconds
    error = predicted - y_test
    return np.mean(abs(error) < CLOSE), np.mean(error**2), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--lengths", nargs="+", type=int, default=[100, 200])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()

    print("| task | T | solved | right, least | error, mean | seconds of fit, median |")
    print("|---|---|---|---|---|---|")
    for task in arguments.tasks:
        for length in arguments.lengths:
            runs = [run(*TASKS[task], length, seed) for seed in range(arguments.seeds)]
            right, error, seconds = np.transpose(runs)
            print(
                f"| {task} | {length} | {sum(right >= SOLVED)} of {len(runs)} | {right.min():.4f} "
                f"| {error.mean():.5f} | {np.median(seconds):.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
