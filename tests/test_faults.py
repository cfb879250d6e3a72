"""Whatever goes wrong, an estimator is as it was before, or fitted with the best weights so far."""

import copy
import errno
import gc
import io
import os
import signal
import subprocess
import sys
import threading
import warnings
from time import perf_counter

import joblib
import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from tasks import TASKS, X_TEST, X, blas_threads, environment, fitted, of_each_task, outputs, state

from sklearn_rnn import (
    SequenceClassifier,
)
from sklearn_rnn._estimators import base
from sklearn_rnn._networks import layers
from sklearn_rnn._networks.output_feedback import OutputFeedback
from sklearn_rnn._training import fit as training
from sklearn_rnn._training import training_set
from sklearn_rnn._training.minibatches import Minibatch
from sklearn_rnn._training.monitor import Monitor
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.standardisation import Standardisation

FEW = {"max_iter": 2, "n_init": 2, "early_stopping": True}

# Where a fault may strike: each phase of `fit` calls one of these.
PLACES = {
    "reading": (base, "read_sequences"),
    "merging": (base, "merge_duplicates"),
    "standardisation": (training_set, "standardisation"),
    "packing": (training_set, "pack"),
    "start": (training, "choose_start"),
    "products": (layers, "rows_times"),
    "output feedback": (OutputFeedback, "without_feedback"),
    "objective": (Objective, "loss_gradient"),
    "minibatch": (Minibatch, "loss_gradient"),
    "monitor": (Monitor, "__call__"),
    "held-out score": (training, "_validate"),
    "weights": (Standardisation, "fold"),
    "attributes": (base.RecurrentEstimator, "_fitted_attributes"),
}


class Fault:
    """Makes the n-th call of a function fail."""

    def __init__(self, monkeypatch, place, error, at):
        owner, name = PLACES[place]
        plain = getattr(owner, name)
        self.n_calls = 0
        lock = threading.Lock()

        def call(*arguments, **more):
            with lock:
                self.n_calls += 1
                n = self.n_calls
            if n == at:
                raise error
            return plain(*arguments, **more)

        monkeypatch.setattr(owner, name, call)


def fit(estimator, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Training was interrupted")
        return estimator.fit(X, y)


def n_calls(name, place, parameters):
    with pytest.MonkeyPatch.context() as monkeypatch:
        fault = Fault(monkeypatch, place, None, 0)
        fit(clone(TASKS[name][0]).set_params(**parameters), TASKS[name][1](X))
    return fault.n_calls


@of_each_task
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("place", PLACES)
def test_no_memory_left(name, solver, place, monkeypatch, rng):
    parameters = FEW | {"solver": solver, "n_jobs": 2}
    n = n_calls(name, place, parameters)
    y, n_threads = TASKS[name][1](X), threading.active_count()
    for at in sorted({1, rng.integers(1, n + 1), n} if n else ()):
        estimator = clone(TASKS[name][0]).set_params(**parameters)
        before = vars(estimator).copy()
        with monkeypatch.context() as patch:
            Fault(patch, place, MemoryError(), at)
            with pytest.raises(MemoryError):
                fit(estimator, y)
        assert vars(estimator) == before
    assert threading.active_count() == n_threads


@of_each_task
def test_a_failed_fit_leaves_the_last_one(name, monkeypatch):
    estimator = fitted(name)
    before, expected = state(estimator), outputs(estimator, X_TEST)
    Fault(monkeypatch, "objective", MemoryError(), 5)
    with pytest.raises(MemoryError):
        estimator.fit(X, TASKS[name][1](X))
    assert state(estimator) == before
    assert_array_equal(outputs(estimator, X_TEST), expected)


# A process that is interrupted while it trains; it tells of each iteration.
INTERRUPTED = """
import signal, sys, warnings
from tasks import TASKS, X, X_TEST, outputs
from sklearn.base import clone
import numpy as np
name, solver, n_jobs = sys.argv[1:]
estimator, label, _ = TASKS[name]
estimator = clone(estimator).set_params(
    solver=solver, n_jobs=int(n_jobs), tol=0, n_iter_no_change=10**6, max_iter=10**6, verbose=1
)
sys.stdout.reconfigure(line_buffering=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    estimator.fit(X, label(X))
assert ["interrupted" in str(w.message) for w in caught] == [True], caught
assert np.isfinite(outputs(estimator, X_TEST)).all()
if solver != "adam":
    assert estimator.loss_ == min(estimator.loss_curve_)
print("fitted", estimator.n_iter_)
"""


@pytest.mark.parametrize(
    ("name", "solver", "n_jobs", "iteration"),
    [
        ("classifier", "lbfgs", "1", 1),
        ("tagger", "lbfgs", "2", 20),
        ("teacher forcing", "adam", "1", 3),
        ("free running", "trust-ncg", "2", 2),
    ],
)
def test_a_signal_ends_training_with_the_best_weights(name, solver, n_jobs, iteration):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, name, solver, n_jobs],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout:
            if line.startswith(f"Iteration {iteration},"):
                process.send_signal(signal.SIGINT)
                break
        *_, last = process.stdout.read().splitlines()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert last.startswith("fitted") and int(last.split()[1]) >= iteration


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no such timer")
@of_each_task
def test_a_signal_at_any_time(name, rng):
    """While input is read, memory packed, a thread started, BLAS limited or weights are set."""
    y = TASKS[name][1](X)
    last = fit(clone(TASKS[name][0]).set_params(max_iter=8, n_jobs=2, n_init=2), y)
    blas, others = blas_threads(), set(threading.enumerate())
    start = perf_counter()
    whole = fit(copy.deepcopy(last), y)
    duration = perf_counter() - start
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    # an interrupt inside a callback of the garbage collector, as hypothesis has one, is lost
    gc.disable()
    try:
        for delay in rng.uniform(1e-4, duration, size=15):
            estimator = copy.deepcopy(last)
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                fit(estimator, y)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:  # before training, or after it
                assert state(estimator) in (state(last), state(whole))
            assert np.isfinite(outputs(estimator, X_TEST)).all()
            assert blas_threads() == blas
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        gc.enable()
    for thread in set(threading.enumerate()) - others:
        thread.join(10)
        assert not thread.is_alive()


class Killed(SequenceClassifier):
    """Ends the process that it is fitted in, as the system does to one that takes all memory."""

    def fit(self, X, y, sample_weight=None):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:A worker stopped while")
def test_a_killed_worker_is_told_of_by_loky():
    search = GridSearchCV(Killed(), {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2)
    with joblib.parallel_config("loky"):
        with pytest.raises(TerminatedWorkerError):
            search.fit(X, TASKS["classifier"][1](X))
        assert not hasattr(search, "best_estimator_")
        search.set_params(estimator=TASKS["classifier"][0]).fit(X, TASKS["classifier"][1](X))
    assert search.best_score_ > 0.8


class FullDisk(io.RawIOBase):
    """Takes so many bytes and no more."""

    def __init__(self, room):
        self.room = room

    def writable(self):
        return True

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)


@pytest.mark.parametrize("room", [0, 100, 1000])
@of_each_task
def test_a_full_disk_harms_only_the_file(name, room):
    estimator = fitted(name, max_iter=None)
    before = state(estimator)
    with pytest.raises(OSError, match="space"):
        joblib.dump(estimator, FullDisk(room))
    assert state(estimator) == before
    assert np.isfinite(outputs(estimator, X_TEST)).all()
