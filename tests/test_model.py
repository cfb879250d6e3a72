"""What a fitted estimator keeps: its own network, whatever happens to the estimator afterwards."""

import pickle
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from tasks import TASKS, X_TEST, D, S, T, X, fitted, of_each_task, outputs, sign_of_sum, sign_so_far

from sklearn_rnn import SequenceClassifier, SequenceTagger
from sklearn_rnn._training.monitor import Monitor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OTHER = {
    "hidden_layer_sizes": (3, 2),
    "activation": "relu",
    "loss": "quantile",
    "quantile": 0.3,
    "cell": "diagonal",
    "bidirectional": True,
    "pooling": ("max", "last"),
    "features_per_step": 2,
    "teacher_forcing": False,
    "n_lags": 3,
    "sequence_id": 0,
    "solver": "adam",
    "alpha": 7.0,
    "max_iter": 1,
    "tol": 1.0,
    "class_weight": "balanced",
    "early_stopping": True,
    "validation_fraction": 0.5,
    "n_iter_no_change": 1,
    "n_init": 2,
    "warm_start": True,
    "n_jobs": 2,
    "random_state": 9,
    "truncated_bptt_steps": 3,
    "output": "crf",
    "allowed_transitions": [("a", "b")],
    "unlabeled": -1,
    "verbose": 1,
}


@of_each_task
def test_set_params_after_fit_changes_no_prediction(name):
    estimator = fitted(name)
    expected = outputs(estimator, X_TEST)
    for parameter in estimator.get_params():
        if parameter != "decoding":
            copy = pickle.loads(pickle.dumps(estimator))
            copy.set_params(**{parameter: OTHER[parameter]})
            assert_array_equal(outputs(copy, X_TEST), expected)
            assert_array_equal(outputs(pickle.loads(pickle.dumps(copy)), X_TEST), expected)


@pytest.mark.parametrize("parameter", ["activation", "bidirectional", "cell", "pooling"])
def test_warm_start_refuses_another_network(parameter):
    classifier = fitted("classifier", warm_start=True).set_params(**{parameter: OTHER[parameter]})
    with pytest.raises(ValueError, match=f"from the weights of the last fit, but {parameter} have"):
        classifier.fit(X, TASKS["classifier"][1](X))


def test_another_thread_sees_one_fit_or_the_other():
    y = sign_of_sum(X)
    one = clone(TASKS["classifier"][0]).set_params(max_iter=2, tol=9)
    two = clone(one).set_params(hidden_layer_sizes=7, random_state=5)
    refitted = clone(one).fit(X[..., :2], y)
    expected = [
        one.fit(X[..., :2], y).predict_proba(X[..., :2]),
        two.fit(X[..., :2], y).predict_proba(X[..., :2]),
    ]
    stop, wrong = threading.Event(), []

    def predict():
        while not stop.is_set():
            P = refitted.predict_proba(X[..., :2])
            if not any(np.array_equal(P, E) for E in expected):
                wrong.append(P)

    thread = threading.Thread(target=predict)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        thread.start()
        for model in (two, one) * 10:
            refitted.set_params(**model.get_params()).fit(X[..., :2], y)
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert not wrong


def test_predictions_copy_no_weights():
    n_features = 200_000
    rows = np.arange(3), np.arange(3)
    X_wide = [sparse.csr_array((np.ones(3), rows), shape=(3, n_features)) for _ in range(8)]
    classifier = SequenceClassifier(8, max_iter=1, tol=9).fit(X_wide, [0, 1] * 4)
    classifier.predict(X_wide[:1])
    tracemalloc.start()
    classifier.predict(X_wide[:1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < classifier.input_weights_[0].nbytes / 10


def test_saved_state_has_a_version():
    state = fitted("classifier").__getstate__()
    copy = SequenceClassifier.__new__(SequenceClassifier)
    with pytest.warns(InconsistentVersionWarning, match="from version 99 of sklearn_rnn"):
        copy.__setstate__(state | {"_sklearn_rnn_version": "99"})
    assert_array_equal(copy.predict(X_TEST), fitted("classifier").predict(X_TEST))


def test_a_tagger_of_version_0_1_is_read():
    tagger = SequenceTagger(4, max_iter=3, random_state=0).fit(
        [sparse.csr_array(x) for x in X], sign_so_far(X)
    )
    state = tagger.__getstate__()
    for later in ("_sklearn_rnn_version", "_settings", "output", "decoding"):
        del state[later]
    del state["truncated_bptt_steps"]
    copy = SequenceTagger.__new__(SequenceTagger)
    with pytest.warns(InconsistentVersionWarning):
        copy.__setstate__(state)
    assert_array_equal(copy.predict_proba(X_TEST), tagger.predict_proba(X_TEST))
    assert copy.get_params() == tagger.get_params()


# Features that do not vary in training


@of_each_task
def test_a_constant_feature_has_no_influence(name):
    estimator, y = clone(TASKS[name][0]), TASKS[name][1](X)
    constant = np.concatenate([X, np.full((S, T, 1), 3.0)], axis=2)
    estimator.fit(constant, y)
    varied = constant.copy()
    varied[..., -1] = np.random.default_rng(0).normal(size=(S, T))
    assert_array_equal(outputs(estimator, varied), outputs(estimator, constant))


@of_each_task
def test_a_sparse_feature_that_training_lacks_has_no_influence(name):
    estimator, y = clone(TASKS[name][0]), TASKS[name][1](X)
    absent = np.concatenate([X, np.zeros((S, T, 1))], axis=2)
    estimator.fit([sparse.csr_array(x) for x in absent], y)
    present = absent.copy()
    present[..., -1] = 1.0
    assert_array_equal(outputs(estimator, present), outputs(estimator, absent))


def test_a_variance_that_underflows_warns():
    with pytest.warns(UserWarning, match="variance of feature 0 underflows"):
        SequenceTagger(4, max_iter=2).fit(1e-300 * X, sign_so_far(X))


# What may not change a result


def test_the_order_of_sequences_does_not_matter_with_balanced_classes():
    weight = np.random.default_rng(0).uniform(size=S)
    order = np.random.default_rng(1).permutation(S)
    y = np.arange(S) % 5 == 0
    results = []
    for rows in (np.arange(S), order):
        classifier = SequenceClassifier(4, class_weight="balanced", max_iter=20, random_state=0)
        classifier.set_params(tol=0.01).fit(X[rows], y[rows], weight[rows])
        results.append(classifier.predict_proba(X_TEST))
    assert_array_equal(*results)


def test_labels_of_weight_0_do_not_matter():
    y, weight = sign_so_far(X), np.ones((S, T))
    weight[:, ::3] = 0
    other = y.copy()
    other[:, ::3] = y[0, 0]
    results = [
        clone(TASKS["tagger"][0]).fit(X, labels, weight).predict_proba(X_TEST)
        for labels in (y, other)
    ]
    assert_array_equal(*results)


# Interrupts


@pytest.fixture
def interrupted(monkeypatch):
    """Raise KeyboardInterrupt after the second iteration of any fit; return the fits it struck."""
    plain, struck = Monitor.__call__, []

    def call(self, w, loss):
        plain(self, w, loss)
        if len(self.loss_curve) == 2:
            struck.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "__call__", call)
    return struck


@pytest.mark.parametrize("wrap", [lambda estimator: estimator, make_pipeline])
def test_a_single_fit_keeps_its_weights(wrap, interrupted):
    with pytest.warns(UserWarning, match="interrupted after 2 iterations"):
        model = wrap(SequenceTagger(4, random_state=0)).fit(X, sign_so_far(X))
    assert model.predict(X).shape == (S, T)


@pytest.mark.parametrize(
    "search",
    [
        lambda estimator: GridSearchCV(estimator, {"alpha": [0.1, 1.0]}, cv=2).fit(
            X.reshape(S, T * D), sign_of_sum(X)
        ),
        lambda estimator: cross_val_score(estimator, X.reshape(S, T * D), sign_of_sum(X), cv=2),
    ],
)
def test_a_search_ends_at_an_interrupt(search, interrupted):
    with pytest.raises(KeyboardInterrupt):
        search(SequenceClassifier(4, features_per_step=D, solver="trust-ncg", random_state=0))
    assert len(interrupted) == 1
