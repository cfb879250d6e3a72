"""What a prediction costs beside its arithmetic: one short sequence, and lists of many arrays.

One sequence of 5 steps: the time of `predict_proba` (of a regressor `predict`), as multiples of
scikit-learn's LogisticRegression on the same values, and of PyTorch's RNN, Linear and softmax under
`inference_mode`, where it is there. Lists: the time to read 200,000 arrays of 3 steps, as a
multiple of `np.concatenate`. One thread; calls alternate in short blocks, and the medians of blocks
are compared.
"""

import argparse
import warnings
from functools import partial
from time import perf_counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sklearn_rnn import (
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceTagger,
)

try:
    import torch
except ImportError:
    torch = None

N_STEPS, N_FEATURES, N_UNITS = 5, 4, 32
N_SEQUENCES = 200_000


def seconds_of(functions, n_blocks, n_calls):
    """Return the median seconds of a call of each function; blocks of calls alternate."""
    seconds = {name: [] for name in functions}
    for _ in range(n_blocks):
        for name, call in functions.items():
            start = perf_counter()
            for _ in range(n_calls):
                call()
            seconds[name].append((perf_counter() - start) / n_calls)
    return {name: np.median(times) for name, times in seconds.items()}


def predictors():
    """Return the functions that predict one short sequence, and the names of the two peers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, N_STEPS, N_FEATURES)).astype(np.float32)
    per_step = (X[..., 0] > 0).astype(int)
    of_sequence = per_step[:, -1]
    size = {"hidden_layer_sizes": N_UNITS, "max_iter": 3}
    fitted = {
        "SequenceTagger": SequenceTagger(**size).fit(X, per_step),
        "SequenceTagger, crf": SequenceTagger(output="crf", **size).fit(X, per_step),
        "OutputFeedbackTagger": OutputFeedbackTagger(**size).fit(X, per_step),
        "SequenceClassifier": SequenceClassifier(**size).fit(X, of_sequence),
        "SequenceClassifier, ridge": SequenceClassifier(solver="ridge").fit(X, of_sequence),
        "PerStepRegressor": PerStepRegressor(**size).fit(X, X[..., 0]),
    }
    x = X[:1]
    functions = {
        name: partial(getattr(model, "predict_proba", model.predict), x)
        for name, model in fitted.items()
    }
    flat = X.reshape(len(X), -1)
    linear = LogisticRegression().fit(flat, of_sequence)
    functions["LogisticRegression"] = lambda: linear.predict_proba(flat[:1])
    if torch is not None:
        functions["PyTorch"] = peer(x)
    return functions


def peer(x):
    """Return a function that predicts x by PyTorch."""
    torch.set_num_threads(1)
    rnn = torch.nn.RNN(N_FEATURES, N_UNITS, batch_first=True)
    linear = torch.nn.Linear(N_UNITS, 2)

    def predict():
        with torch.inference_mode():
            return torch.softmax(linear(rnn(torch.from_numpy(x))[0]), -1).numpy()

    return predict


def show_lists():
    """Print how long a list of many arrays takes to read."""
    rng = np.random.default_rng(0)
    X = list(rng.normal(size=(N_SEQUENCES, 3, N_FEATURES)))
    model = SequenceTagger(hidden_layer_sizes=2, max_iter=2)
    model.fit(X[:100], np.zeros((100, 3), int) + np.arange(3))
    functions = {
        "np.concatenate": lambda: np.concatenate(X),
        "read": lambda: model._model.read(X),
        "predict": lambda: model.predict_proba(X),
    }
    seconds = seconds_of(functions, n_blocks=5, n_calls=1)
    base = seconds["np.concatenate"]
    print(f"\nA list of {N_SEQUENCES:,} arrays, as multiples of np.concatenate:")
    for name in "read", "predict":
        print(f"{name:28}{seconds[name] / base:10.1f}")


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        seconds = seconds_of(predictors(), n_blocks=40, n_calls=50)
        peers = [name for name in ("LogisticRegression", "PyTorch") if name in seconds]
        print(f"{'One sequence of 5 steps, / time of':36}" + "".join(f"{p:>20}" for p in peers))
        for name in seconds:
            if name not in peers:
                ratios = [seconds[name] / seconds[peer] for peer in peers]
                print(f"{name:36}" + "".join(f"{ratio:20.1f}" for ratio in ratios))
        show_lists()


if __name__ == "__main__":
    main()
