"""Quantiles of regressors beside those of gradient boosting on the last 8 inputs.

    python benchmarks/quantiles.py

A leaky tank is filled by random inputs, and its level is measured with noise that the input of the
step makes small or large:

    level_t = 0.8 level_{t-1} + max(x_t, 0),  y_t = level_t + (0.1 + 0.5 |x_t|) e_t,

with x_t and e_t from the standard normal distribution. The targets are all y_t (100 sequences of 50
steps to train on), or the last one of each sequence (1,000 sequences of 30 steps). Default
parameters but for the loss; all quantiles in one fit of ours, a fit each of boosting. On fresh
sequences: the pinball loss at each level, the share of targets in the band of the outer levels,
which should be .80, and the seconds of `fit`; means over draws of data and start. The last model
knows the system.
"""

import argparse
from time import perf_counter

import numpy as np
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss
from threadpoolctl import threadpool_limits

from sklearn_rnn import PerStepRegressor, SequenceRegressor

LEVELS = (0.1, 0.5, 0.9)
N_LAGS = 8


def make(n_sequences, length, rng):
    """Inputs (S, T, 1), what is measured (S, T), and its true quantiles (S, T, 3)."""
    X = rng.standard_normal((n_sequences, length, 1))
    level = np.zeros((n_sequences, length))
    for t in range(length):
        level[:, t] = 0.8 * level[:, t - 1] * (t > 0) + np.maximum(X[:, t, 0], 0)
    deviation = 0.1 + 0.5 * np.abs(X[..., 0])
    y = level + deviation * rng.standard_normal(level.shape)
    return X, y, level[..., None] + deviation[..., None] * norm.ppf(LEVELS)


def lagged(X):
    """The inputs of a step and the steps before it, zeros before the first: (S, T, 8)."""
    padded = np.pad(X[..., 0], ((0, 0), (N_LAGS - 1, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, N_LAGS, axis=1)


# Models: each fits X and y, and returns a function from X to quantiles (..., 3)


def ours(estimator):
    def fit(X, y, seed):
        regressor = estimator(loss="quantile", quantile=LEVELS, random_state=seed, n_jobs=1)
        return regressor.fit(X, y).predict

    return fit


def boosting(see):
    """Boosting, a model for each level, on what ``see`` makes of X: (..., 8)."""

    def fit(X, y, seed):
        models = [
            HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=seed)
            for level in LEVELS
        ]
        for model in models:
            model.fit(see(X).reshape(-1, N_LAGS), y.ravel())

        def predict(X):
            rows = see(X)
            P = [model.predict(rows.reshape(-1, N_LAGS)) for model in models]
            return np.stack(P, axis=-1).reshape(*rows.shape[:-1], len(LEVELS))

        return predict

    return fit


TASKS = {
    "at each step": (100, 50, slice(None), ours(PerStepRegressor), boosting(lagged)),
    "of sequences": (
        1000,
        30,
        -1,
        ours(SequenceRegressor),
        boosting(lambda X: lagged(X)[:, -1]),
    ),
}


def figures(y, P):
    """The pinball loss at each level, and the share of the targets in the band."""
    losses = [
        mean_pinball_loss(y.ravel(), P[..., i].ravel(), alpha=level)
        for i, level in enumerate(LEVELS)
    ]
    return [*losses, np.mean((P[..., 0] <= y) & (y <= P[..., -1]))]


def run(task, seed):
    """Figures and seconds of each model: an array (models, 5)."""
    n_sequences, length, steps, *fits = TASKS[task]
    rng = np.random.default_rng(seed)
    X, y, _ = make(n_sequences, length, rng)
    X_test, y_test, truth = make(2000, length, rng)
    y, y_test, truth = y[:, steps], y_test[:, steps], truth[:, steps]
    rows = []
    for fit in fits:
        start = perf_counter()
        predict = fit(X, y, seed)
        seconds = perf_counter() - start
        rows.append([*figures(y_test, predict(X_test)), seconds])
    return np.array([*rows, [*figures(y_test, truth), np.nan]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    arguments = parser.parse_args()
    columns = [*(f"pinball loss at {level}" for level in LEVELS), "in the band", "fit, s"]
    print(f"| targets | model | {' | '.join(columns)} |")
    print("|" + "---|" * (len(columns) + 2))
    with threadpool_limits(1):
        for task in TASKS:
            results = np.mean([run(task, seed) for seed in range(arguments.seeds)], axis=0)
            for model, (*row, seconds) in zip(("ours", "boosting", "the truth"), results):
                cells = [f"{value:.3f}" for value in row]
                cells.append("-" if np.isnan(seconds) else f"{seconds:.2g}")
                print(f"| {task} | {model} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
