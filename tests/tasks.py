"""What the tests of the estimators share: small tasks, who is to learn them, what a process has."""

import os
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from threadpoolctl import threadpool_info

from sklearn_rnn import (
    OutputFeedbackRegressor,
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

S, T, D = 200, 6, 3
X = np.random.default_rng(0).normal(size=(S, T, D))
X_TEST = np.random.default_rng(1).normal(size=(60, T, D))


def sign_of_sum(X):
    return np.where(X[..., 0].sum(axis=1) > 0, "up", "down")


def third_of_sum(X):
    return np.digitize(X[..., 0].sum(axis=1), [-1, 1])


def sign_so_far(X):
    return np.where(X[..., 0].cumsum(axis=1) > 0, "up", "down")


def previous_sign(X):
    return (X[..., 0] + 0.5 * np.roll(X[..., 0], 1, axis=1) > 0).astype(int)


def weighted_sum(X):
    return X[..., 0].sum(axis=1) + X[:, -1, 1]


def two_sums(X):
    return np.c_[weighted_sum(X), 100 * X[..., 2].sum(axis=1)]


def sum_so_far(X):
    return 10 * X[..., 0].cumsum(axis=1) + X[..., 1]


QUICK = {"hidden_layer_sizes": 6, "random_state": 0, "tol": 2e-3, "n_iter_no_change": 5}

# estimator, what it has to learn, and how well it does at least on new data
TASKS = {
    "classifier": (SequenceClassifier(**QUICK), sign_of_sum, 0.8),
    "classifier, 3 classes": (SequenceClassifier(**QUICK), third_of_sum, 0.7),
    "regressor": (SequenceRegressor(**QUICK), weighted_sum, 0.8),
    "regressor, 2 targets": (SequenceRegressor(**QUICK), two_sums, 0.8),
    "regressor of steps": (PerStepRegressor(**QUICK), sum_so_far, 0.8),
    "regressor by feedback": (OutputFeedbackRegressor(**QUICK), sum_so_far, 0.8),
    "regressor by simulation": (
        OutputFeedbackRegressor(teacher_forcing=False, **QUICK),
        sum_so_far,
        0.8,
    ),
    "tagger": (SequenceTagger(**QUICK), sign_so_far, 0.9),
    "tagger, LSTM": (SequenceTagger(cell="lstm", **QUICK), sign_so_far, 0.9),
    "classifier, diagonal": (SequenceClassifier(cell="diagonal", **QUICK), sign_of_sum, 0.8),
    "regressor, GRU": (SequenceRegressor(cell="gru", **QUICK), weighted_sum, 0.8),
    "teacher forcing": (OutputFeedbackTagger(**QUICK), previous_sign, 0.8),
    "free running": (OutputFeedbackTagger(teacher_forcing=False, **QUICK), previous_sign, 0.8),
}
ACTIVATED = [name for name in TASKS if not name.endswith(("LSTM", "GRU"))]
REGRESSORS_OF_STEPS = ("regressor of steps", "regressor by feedback", "regressor by simulation")
OUTPUT_FEEDBACK = [name for name, (e, *_) in TASKS.items() if hasattr(e, "teacher_forcing")]
LABELLED = [name for name in TASKS if not name.startswith("regressor")]
# Adam runs through all its epochs, which are hundreds for so few sequences.
SOLVERS = {"lbfgs": {"solver": "lbfgs"}, "adam": {"solver": "adam", "max_iter": 6}}
of_each_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
of_each_task = pytest.mark.parametrize("name", TASKS)
of_each_activated_task = pytest.mark.parametrize("name", ACTIVATED)
of_each_labelled_task = pytest.mark.parametrize("name", LABELLED)


def fitted(name, X=X, **parameters):
    estimator, label, _ = TASKS[name]
    return clone(estimator).set_params(**parameters).fit(X, label(X))


def outputs(estimator, X):
    """What tells most about the weights."""
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def flat(labels):
    return np.concatenate([np.asarray(part).reshape(-1) for part in labels])


def ragged(X):
    """The sequences of X, cut to 1 to T steps."""
    return [x[: 1 + i % T] for i, x in enumerate(X)]


def state(estimator):
    return joblib.hash({name: v for name, v in vars(estimator).items() if name.endswith("_")})


def blas_threads():
    """How many threads each BLAS in this process may have."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def environment(**more):
    """The variables of a process that is to import what this one can."""
    path = os.pathsep.join(path for path in sys.path if path)
    return os.environ | {"PYTHONPATH": path} | more
