"""Numbers at each step: `PerStepRegressor()` beside linear models, a reservoir and boosting.

    python benchmarks/regression.py --data DIR

Default parameters, on series that are generated or measured (`regression_series`, `cascaded_tanks`
in DIR), one sequence each; means and standard deviations over seeds. Prints a Markdown table.

- NARMA-10: the output of a nonlinear system of order 10 from its random input alone.
- Mackey-Glass: a chaotic series, 84 steps ahead, from its present value.
- cascaded tanks: the level of the lower of two tanks from the pump's voltage (root mean squared
  error in volts; all else is the root of the error over the deviation of the targets).
- sum: the sum of all values so far, at T = 50 (1 - R^2).

Alternatives, each on the present value and the 20 before it (50 for the tanks and the sum, whose
past reaches further): ridge regression and gradient boosting; and ridge regression on 200 fixed
random tanh units of spectral radius 0.9, whose input weights have a deviation of 0.1.
"""

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from sklearn_rnn import PerStepRegressor

WASHOUT = 200  # first steps of a series that are not scored, where the past is unknown
ALPHAS = np.logspace(-6, 3, 10)


def narma(folder):
    """4,000 steps to train on, 2,000 to test."""
    series = read(folder, "regression_series")
    train = (series["narma10_u"], series["narma10_y"])
    test = (series["narma10_u_test"], series["narma10_y_test"])
    return one_series(*train), one_series(*test), WASHOUT, 20, relative


def mackey_glass(folder):
    """The first 3,000 steps to train on, the rest to test."""
    series = read(folder, "regression_series")["mackey_glass"].ravel()
    x, y = series[:-84], series[84:]
    return one_series(x[:3000], y[:3000]), one_series(x[3000:], y[3000:]), WASHOUT, 20, relative


def tanks(folder):
    """One record to train on, another to test, all of it."""
    record = read(folder, "cascaded_tanks")
    train, test = (one_series(record[f"u_{part}"], record[f"y_{part}"]) for part in ("est", "val"))
    return train, test, 0, 50, absolute


def sums(folder):
    """100 sequences to train on, 100 to test."""
    X = np.random.default_rng(0).standard_normal((200, 50, 1))
    y = X[..., 0].cumsum(axis=1)
    return (X[:100], y[:100]), (X[100:], y[100:]), 0, 50, unexplained


TASKS = {
    "NARMA-10": narma,
    "Mackey-Glass, 84 ahead": mackey_glass,
    "cascaded tanks": tanks,
    "sum so far": sums,
}


def read(folder, name):
    with np.load(Path(folder) / name / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def one_series(x, y):
    return np.asarray(x, float).reshape(1, -1, 1), np.asarray(y, float).reshape(1, -1)


# Errors


def relative(y, predicted):
    return float(np.sqrt(np.mean((y - predicted) ** 2) / np.var(y)))


def absolute(y, predicted):
    return float(np.sqrt(np.mean((y - predicted) ** 2)))


def unexplained(y, predicted):
    return float(np.mean((y - predicted) ** 2) / np.var(y))


# Models: each returns predictions (S, T) for the test sequences


def ours(train, X_test, n_lags, seed):
    return PerStepRegressor(random_state=seed, n_jobs=1).fit(*train).predict(X_test)


def linear(train, X_test, n_lags, seed):
    return on_rows(RidgeCV(ALPHAS), lambda X: lagged(X, n_lags), train, X_test)


def boosting(train, X_test, n_lags, seed):
    model = HistGradientBoostingRegressor(random_state=seed)
    return on_rows(model, lambda X: lagged(X, n_lags), train, X_test)


def reservoir(train, X_test, n_lags, seed):
    rng = np.random.default_rng(seed)
    mean, deviation = train[0].mean(), train[0].std()
    w_in = 0.1 * rng.standard_normal(200)
    W = rng.standard_normal((200, 200))
    W *= 0.9 / np.abs(np.linalg.eigvals(W)).max()

    def states(X):
        H, h = np.zeros((*X.shape[:2], 200)), np.zeros((len(X), 200))
        for t in range(X.shape[1]):
            h = H[:, t] = np.tanh((X[:, t] - mean) / deviation * w_in + h @ W)
        return H

    return on_rows(RidgeCV(ALPHAS), states, train, X_test)


def on_rows(model, see, train, X_test):
    X, y = train
    features = see(X)
    model.fit(features.reshape(-1, features.shape[-1]), y.ravel())
    test = see(X_test)
    return model.predict(test.reshape(-1, test.shape[-1])).reshape(test.shape[:2])


def lagged(X, n_lags):
    """The values of a step and the steps before it, zeros before the first."""
    padded = np.concatenate([np.zeros((len(X), n_lags, 1)), X], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded[..., 0], n_lags + 1, axis=1)


MODELS = {
    "ours": ours,
    "ridge on lags": linear,
    "boosting on lags": boosting,
    "reservoir": reservoir,
}
DETERMINISTIC = {"ridge on lags", "boosting on lags"}


def cell(model, task, folder, n_seeds):
    """Mean error, deviation over seeds and median seconds of fit and prediction."""
    train, (X_test, y_test), washout, n_lags, error = TASKS[task](folder)
    errors, seconds = [], []
    for seed in range(1 if model in DETERMINISTIC else n_seeds):
        start = perf_counter()
        predicted = MODELS[model](train, X_test, n_lags, seed)
        seconds.append(perf_counter() - start)
        errors.append(error(y_test[:, washout:], predicted[:, washout:]))
    spread = f" ± {np.std(errors):.3f}" if len(errors) > 1 else ""
    return f"{np.mean(errors):.3f}{spread} ({np.median(seconds):.2g})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    arguments = parser.parse_args()
    print("| task | " + " | ".join(f"{model}, error (s)" for model in MODELS) + " |")
    print("|" + "---|" * (len(MODELS) + 1))
    with threadpool_limits(1):
        for task in arguments.tasks:
            cells = [cell(model, task, arguments.data, arguments.seeds) for model in MODELS]
            print(f"| {task} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
