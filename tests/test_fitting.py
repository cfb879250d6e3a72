"""When a fit stops, goes on, fails or is saved."""

import pickle
import re
from collections import Counter

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tasks import (
    QUICK,
    TASKS,
    X_TEST,
    S,
    X,
    fitted,
    of_each_task,
    outputs,
    ragged,
    sign_so_far,
    state,
)

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
)
from sklearn_rnn._objective import Objective
from sklearn_rnn._training import Monitor

# Stopping


def stop_at(monkeypatch, iteration, error):
    """Make training raise an error after so many iterations."""
    plain = Monitor.__call__

    def call(self, w, loss):
        plain(self, w, loss)
        if len(self.loss_curve) == iteration:
            raise error

    monkeypatch.setattr(Monitor, "__call__", call)


@of_each_task
def test_early_stopping_keeps_the_best_weights(name, monkeypatch):
    parameters = {"early_stopping": True, "validation_fraction": 0.2}
    estimator = fitted(name, **parameters)
    scores = estimator.validation_scores_
    assert len(scores) == estimator.n_iter_ == len(estimator.loss_curve_)
    best = int(np.argmax(scores))
    assert estimator.loss_ == estimator.loss_curve_[best]
    stop_at(monkeypatch, best + 1, StopIteration)
    assert_array_equal(outputs(fitted(name, **parameters), X_TEST), outputs(estimator, X_TEST))


def test_early_stopping_holds_out_whole_sequences(monkeypatch):
    trained_on = Counter()
    plain = Objective.__init__

    def init(self, network, loss, shards, *args):
        trained_on.update(int(n) for shard in shards for n in shard.packing.lengths)
        plain(self, network, loss, shards, *args)

    monkeypatch.setattr(Objective, "__init__", init)
    sequences = ragged(X)
    y = [sign_so_far(x[None])[0] for x in sequences]
    # free running has one stage, hence one objective
    tagger = OutputFeedbackTagger(teacher_forcing=False, early_stopping=True, **QUICK)
    tagger.fit(sequences, y)
    assert trained_on.total() == 0.9 * S
    assert trained_on < Counter(map(len, sequences))


def test_early_stopping_holds_out_evenly_by_class(monkeypatch):
    held_out = []
    plain = SequenceClassifier._score_logits

    def score_logits(self, codes, Z, weight):
        held_out.append(Counter(codes.tolist()))
        return plain(self, codes, Z, weight)

    monkeypatch.setattr(SequenceClassifier, "_score_logits", score_logits)
    SequenceClassifier(early_stopping=True, **QUICK).fit(X, np.arange(S) % 10 == 0)
    assert held_out[0] == {0: 18, 1: 2}


@of_each_task
@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
def test_max_iter_is_warned_of(name, solver):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        estimator = fitted(name, max_iter=2, solver=solver)
    assert estimator.n_iter_ == 2
    assert estimator.loss_ == min(estimator.loss_curve_)


@of_each_task
def test_interrupt_keeps_the_best_weights(name, monkeypatch):
    curve = fitted(name).loss_curve_[:4]
    stop_at(monkeypatch, 4, KeyboardInterrupt)
    with pytest.warns(UserWarning, match="interrupted after 4 iterations"):
        estimator = fitted(name)
    assert estimator.loss_curve_ == curve
    assert estimator.loss_ == min(curve)
    assert estimator.score(X, TASKS[name][1](X)) > 0.5


@of_each_task
@pytest.mark.parametrize("call", [1, 2, 3])
def test_interrupt_ends_training_at_any_stage(name, call, monkeypatch):
    calls = []
    plain = Objective.loss_gradient

    def loss_gradient(self, w):
        calls.append(w)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(self, w)

    monkeypatch.setattr(Objective, "loss_gradient", loss_gradient)
    with pytest.warns(UserWarning, match="interrupted"):
        estimator = fitted(name)
    assert len(calls) <= call + 1  # at most the loss of what is kept
    assert np.isfinite(estimator.loss_)
    assert np.isfinite(outputs(estimator, X_TEST)).all()


@of_each_task
def test_verbose_prints_a_line_an_iteration(name, capsys):
    estimator = fitted(name, verbose=1, early_stopping=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == estimator.n_iter_
    pattern = r"Iteration \d+, loss = \d+\.\d+, validation score = -?\d\.\d+"
    assert all(re.fullmatch(pattern, line) for line in lines)


def test_quiet_by_default(capsys):
    fitted("classifier")
    assert capsys.readouterr() == ("", "")


# Going on


@of_each_task
def test_warm_start_goes_on(name):
    label = TASKS[name][1]
    # features far from standard units, as the weights of a fitted network are for those
    X_given = 40 * X + 300
    with pytest.warns(ConvergenceWarning):
        estimator = clone(TASKS[name][0]).set_params(max_iter=5, warm_start=True)
        estimator.fit(X_given, label(X))
    before = estimator.loss_
    estimator.set_params(max_iter=200).fit(X_given, label(X))
    assert estimator.loss_curve_[0] <= before * (1 + 1e-9)
    assert estimator.loss_ < before


@of_each_task
def test_without_warm_start_fit_forgets(name):
    estimator = fitted(name)
    first = state(estimator)
    assert state(estimator.fit(X, TASKS[name][1](X))) == first


@of_each_task
def test_fit_leaves_its_arguments_alone(name):
    estimator, label, _ = TASKS[name]
    X_given, y = X.copy(), label(X)
    weight = np.ones(S)
    parameters = clone(estimator).get_params()
    before = joblib.hash((X_given, y, weight))
    estimator = clone(estimator).fit(X_given, y, weight)
    estimator.score(X_given, y)
    assert joblib.hash((X_given, y, weight)) == before
    assert estimator.get_params() == parameters


# Saving


@of_each_task
@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_round_trip(name, how, tmp_path):
    estimator = fitted(name)
    if how == "pickle":
        copy = pickle.loads(pickle.dumps(estimator))
    else:
        joblib.dump(estimator, tmp_path / "estimator.joblib")
        copy = joblib.load(tmp_path / "estimator.joblib")
    assert_array_equal(outputs(copy, X_TEST), outputs(estimator, X_TEST))
    assert copy.get_params() == estimator.get_params()


@of_each_task
def test_clone_is_not_fitted(name):
    estimator = fitted(name)
    copy = clone(estimator)
    assert not [attribute for attribute in vars(copy) if attribute.endswith("_")]
    assert state(copy.fit(X, TASKS[name][1](X))) == state(estimator)
