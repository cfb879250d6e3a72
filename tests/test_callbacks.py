"""scikit-learn's callbacks on training, and the same without them."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tasks import TASKS, D, S, T, X, fitted, of_each_solver, of_each_task, sign_of_sum, state

from sklearn_rnn import SequenceClassifier


class Recorder:
    """Counts the tasks, and stops or fails at an iteration."""

    def __init__(self, stop_at=None, error=None):
        self.stop_at, self.error = stop_at, error
        self.calls, self.n_iterations, self.fitted = [], 0, None

    def setup(self, estimator, context):
        self.calls.append("setup")
        self.max_subtasks = context.max_subtasks

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        if context.parent is None:
            self.calls.append("begin")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.fitted = fitted_estimator
        if context.parent is None:
            self.calls.append("end")
            return False
        self.n_iterations += 1
        assert np.isfinite(fitted_estimator.score(X, y))
        if self.n_iterations == self.stop_at:
            if self.error is not None:
                raise self.error
            return True
        return False


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback")


@of_each_task
@of_each_solver
def test_callback_hears_of_every_iteration(name, solver, callback):
    estimator, label, _ = TASKS[name]
    recorder = Recorder()
    estimator = clone(estimator).set_params(**{"max_iter": 200, "tol": 0.01} | solver)
    plain = state(clone(estimator).fit(X, label(X)))
    estimator.set_callbacks(recorder).fit(X, label(X))
    assert state(estimator) == plain
    assert recorder.calls == ["setup", "begin", "end", "teardown"]
    assert recorder.n_iterations == estimator.n_iter_
    assert recorder.max_subtasks == estimator.max_iter
    assert state(recorder.fitted) == plain
    assert not [name for name in vars(estimator) if name.startswith("_callback")]


@of_each_task
def test_callback_stops_the_fit(name, callback):
    estimator, label, _ = TASKS[name]
    recorder = Recorder(stop_at=3)
    estimator = clone(estimator).set_params(n_init=4).set_callbacks(recorder)
    estimator.fit(X, label(X))
    assert estimator.n_iter_ == recorder.n_iterations == 3
    assert estimator.loss_curve_ == fitted(name, n_init=1).loss_curve_[:3]


@pytest.mark.parametrize("fit_before", [False, True])
def test_callback_that_raises_changes_nothing(fit_before, callback):
    estimator = fitted("classifier") if fit_before else clone(TASKS["classifier"][0])
    before = joblib.hash({k: v for k, v in vars(estimator).items()})
    recorder = Recorder(2, RuntimeError("no more"))
    with pytest.raises(RuntimeError, match="no more"):
        estimator.set_callbacks(recorder).fit(X, sign_of_sum(X))
    assert recorder.calls == ["setup", "begin", "teardown"]
    assert joblib.hash(vars(estimator.set_callbacks())) == before


def table():
    return X.reshape(S, T * D), sign_of_sum(X)


def search(n_jobs):
    classifier = SequenceClassifier(4, features_per_step=D, max_iter=3, tol=0.5, n_iter_no_change=2)
    pipeline = make_pipeline(StandardScaler(), classifier.set_params(random_state=0))
    grid = {"sequenceclassifier__alpha": [0.1, 1.0]}
    return GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")


def test_progress_bar_of_a_search(callback, capsys):
    pytest.importorskip("rich")
    searched = search(2).set_callbacks(callback.ProgressBar())
    searched.fit(*table())
    # on a narrow terminal the names are cut, but of every fit there is a bar
    assert "GridSearchCV - fit" in capsys.readouterr().out
    assert searched.best_score_ == search(None).fit(*table()).best_score_


def test_scoring_monitor(callback):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    classifier = clone(TASKS["classifier"][0]).set_callbacks(monitor).fit(X, sign_of_sum(X))
    scores = [row["accuracy"] for row in monitor.get_logs().data]
    assert len(scores) == classifier.n_iter_ + 1
    assert scores[-1] == classifier.score(X, sign_of_sum(X))


def test_without_callbacks_in_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn.callback'] = None;"
        "from sklearn_rnn import SequenceClassifier;"
        "c = SequenceClassifier(2, max_iter=5, tol=1, n_iter_no_change=1);"
        "c.fit([[[0.0]], [[1.0]]], [0, 1]); assert not hasattr(c, 'set_callbacks')"
    )
    # scikit-learn itself must have been imported with its own callbacks
    code = "import sklearn.linear_model, sklearn.pipeline, sklearn.model_selection;" + code
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
