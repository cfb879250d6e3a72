"""When a fit stops, goes on or fails."""

import re
from collections import Counter

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tasks import (
    OUTPUT_FEEDBACK,
    QUICK,
    TASKS,
    X_TEST,
    D,
    S,
    T,
    X,
    fitted,
    of_each_solver,
    of_each_task,
    outputs,
    ragged,
    sign_of_sum,
    sign_so_far,
    state,
)

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceTagger,
)
from sklearn_rnn._estimators.targets import LabelTargets
from sklearn_rnn._training import fit as training
from sklearn_rnn._training import recipe
from sklearn_rnn._training.monitor import Monitor
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.penalty import Penalty
from sklearn_rnn._training.recipe import RESERVOIR, SMALL

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
@of_each_solver
def test_early_stopping_keeps_the_best_weights(name, solver, monkeypatch):
    parameters = {"early_stopping": True, "validation_fraction": 0.2, **solver}
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

    def init(self, network, shards, *args):
        trained_on.update(int(n) for shard in shards for n in shard.load().packing.lengths)
        plain(self, network, shards, *args)

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
    plain = LabelTargets.score

    def score(self, y, codes, weight):
        held_out.append(Counter(y.tolist()))
        return plain(self, y, codes, weight)

    monkeypatch.setattr(LabelTargets, "score", score)
    SequenceClassifier(early_stopping=True, **QUICK).fit(X, np.arange(S) % 10 == 0)
    assert held_out[0] == {0: 18, 1: 2}


@of_each_task
@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
def test_max_iter_is_warned_of(name, solver):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        estimator = fitted(name, max_iter=2, solver=solver)
    assert estimator.n_iter_ == 2
    assert estimator.loss_ == min(estimator.loss_curve_)


def test_the_default_of_max_iter_is_warned_of_by_its_number(monkeypatch):
    monkeypatch.setattr(recipe, "MAX_ITERATIONS", 2)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 "):
        fitted("classifier")


@of_each_task
def test_all_epochs_of_adam_are_no_lack_of_convergence(name):
    # warnings are errors
    estimator = fitted(name, solver="adam", max_iter=2)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 2
    assert estimator.loss_ == min(estimator.loss_curve_)


@of_each_task
@of_each_solver
def test_interrupt_keeps_the_best_weights(name, solver, monkeypatch):
    curve = fitted(name, **solver).loss_curve_[:4]
    stop_at(monkeypatch, 4, KeyboardInterrupt)
    with pytest.warns(UserWarning, match="interrupted after 4 iterations"):
        estimator = fitted(name, **solver)
    assert estimator.loss_curve_ == curve
    assert estimator.loss_ == min(curve)
    assert estimator.score(X, TASKS[name][1](X)) > 0.5


@of_each_task
@pytest.mark.parametrize("call", [1, 2])
def test_interrupt_before_the_first_iteration_is_raised(name, call, monkeypatch):
    estimator, y = clone(TASKS[name][0]), TASKS[name][1](X)
    before = vars(estimator).copy()
    calls = []
    plain = Objective.loss_gradient

    def loss_gradient(self, w):
        calls.append(w)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(self, w)

    monkeypatch.setattr(Objective, "loss_gradient", loss_gradient)
    stop_at(monkeypatch, 1, AssertionError("an iteration has ended"))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert len(calls) == call
    assert vars(estimator) == before


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


# Which solver


def test_auto_goes_by_the_number_of_distinct_sequences(monkeypatch):
    monkeypatch.setattr(recipe, "ADAM_SEQUENCES", 10 * S)
    adam, lbfgs = (state(fitted("classifier", solver=solver)) for solver in ("adam", "lbfgs"))
    monkeypatch.setattr(recipe, "MANY_SEQUENCES", S)
    assert state(fitted("classifier", solver="auto")) == adam
    monkeypatch.setattr(recipe, "MANY_SEQUENCES", S + 1)
    for X_given in (X, np.tile(X, (2, 1, 1))):
        weight = np.full(len(X_given), S / len(X_given))
        classifier = clone(TASKS["classifier"][0])
        assert state(classifier.fit(X_given, sign_of_sum(X_given), weight)) == lbfgs


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger, OutputFeedbackTagger])
@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("size", [1.0, 1e20, 1e120, 1e160, 1e300])
def test_adam_never_ends_in_what_is_not_finite(kind, activation, size):
    # sparse features are not standardised
    rows = np.random.default_rng(0).normal(size=(20, 40, D)) * size
    y = (rows[..., 0] > 0).astype(int)
    estimator = kind(4, activation, solver="adam", max_iter=5, random_state=0)
    before = joblib.hash(vars(estimator))
    try:
        estimator.fit(
            [sparse.csr_array(x) for x in rows], y[:, 0] if kind is SequenceClassifier else y
        )
    except ValueError as error:
        assert size > 1
        assert re.search("Scale the features.*activation='tanh'", str(error))
        assert joblib.hash(vars(estimator)) == before
    else:
        p = estimator._model.p
        assert all(np.isfinite(value).all() for value in p.values())
        assert np.isfinite(estimator.loss_curve_).all()
        assert estimator.loss_ == min(estimator.loss_curve_)


# The start


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_curvature_is_nothing_to_warn_of():
    # scipy's L-BFGS divides by it when it has done
    X_flat = [np.array([[8.6e36], [2e-120]]), np.array([[1.8e47], [2.6e-73]])]
    tagger = OutputFeedbackTagger(1, "identity", teacher_forcing=False, alpha=0.0, max_iter=2)
    tagger.set_params(random_state=0, solver="lbfgs")
    tagger.fit(X_flat, [[0, 4], [1, 2]], [[0, 1], [0, 3]])  # warnings are errors
    assert np.isfinite(tagger.output_weights_).all()


@pytest.mark.parametrize("solver, n_fits", [("lbfgs", 1), ("trust-ncg", 1), ("adam", 0)])
@pytest.mark.parametrize("name", ["classifier", "regressor", "tagger", "teacher forcing"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_output_layer_of_a_reservoir_is_fitted_first(name, solver, n_fits, monkeypatch):
    calls = []
    plain = training.fit_readout

    def fit_readout(*args):
        calls.append(args)
        return plain(*args)

    monkeypatch.setattr(training, "fit_readout", fit_readout)
    estimator = fitted(name, solver=solver, max_iter=2)
    expected = n_fits if name in ("classifier", "regressor") else 0
    assert len(calls) == expected
    # neither of sparse features, nor if training only goes on
    y = TASKS[name][1](X)
    clone(estimator).fit([sparse.csr_array(x) for x in X], y)
    estimator.set_params(warm_start=True).fit(X, y)
    assert len(calls) == expected


# The penalty


@of_each_task
@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_is_divided_by_the_weight_of_the_sequences(name, weighted, monkeypatch):
    alphas = []
    plain = Penalty.around_start

    def around_start(network, start, alpha, *rest):
        alphas.append(alpha)
        return plain(network, start, alpha, *rest)

    monkeypatch.setattr(Penalty, "around_start", around_start)
    estimator, label, _ = TASKS[name]
    sequences, y = ragged(X), label(X)
    if y.ndim == 2 and y.shape[1] == T:
        y = [labels[: len(x)] for labels, x in zip(y, sequences)]
    weight = np.random.default_rng(0).uniform(size=S) if weighted else np.ones(S)
    clone(estimator).set_params(alpha=0.3).fit(sequences, y, weight)
    # of steps that are independent, given what is fed back, every one counts
    lengths = np.array(list(map(len, sequences)))
    total = weight @ lengths if name in OUTPUT_FEEDBACK else weight.sum()
    assert_allclose(alphas, 0.3 / total)


# it is told from what is left of the weights, wherever L-BFGS stops
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name, start", [("classifier", RESERVOIR), ("tagger", SMALL)])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_penalty_holds_hidden_weights_to_the_start(name, start, solver):
    estimator = fitted(name, alpha=1e4, solver=solver, tol=0, n_iter_no_change=50, max_iter=100)
    network = estimator._model.network
    p = network.initial(np.random.RandomState(estimator._seed), start)
    # these are not folded with the units of the features
    assert_allclose(estimator.recurrent_weights_[0], p["W_rec0"][0], atol=1e-3)
    assert_allclose(estimator.output_weights_, 0, atol=1e-2)
    free = fitted(name, solver=solver, max_iter=60)
    assert abs(free.recurrent_weights_[0] - p["W_rec0"][0]).max() > 0.03


# Restarts


@of_each_task
@pytest.mark.parametrize("early_stopping", [False, True])
@of_each_solver
def test_n_init_keeps_the_best(name, solver, early_stopping, monkeypatch):
    parameters = {**solver, "early_stopping": early_stopping}
    drawn = []
    plain = training.draw_seeds

    def draw_seeds(rng, n):
        drawn.extend(plain(rng, n))
        return drawn

    monkeypatch.setattr(training, "draw_seeds", draw_seeds)
    best = fitted(name, n_init=3, **parameters)
    assert len(set(drawn)) == 3
    singles = []
    for seed in drawn:
        monkeypatch.setattr(training, "draw_seeds", lambda rng, n, seed=seed: [seed])
        singles.append(fitted(name, **parameters))
    merits = [max(e.validation_scores_) if early_stopping else -e.loss_ for e in singles]
    assert state(best) == state(singles[int(np.argmax(merits))])


def test_more_restarts_begin_with_the_same():
    losses = [fitted("classifier", n_init=n).loss_ for n in (1, 2, 4)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("place", [(1, 2), (2, 1), (2, 3)])
def test_interrupt_ends_the_restarts(place, monkeypatch):
    plain, runs = Monitor.__call__, []

    def call(self, w, loss):
        plain(self, w, loss)
        if self not in runs:
            runs.append(self)
        if (len(runs), len(self.loss_curve)) == place:
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "__call__", call)
    with pytest.warns(UserWarning, match="interrupted") as caught:
        estimator = fitted("classifier", n_init=3)
    assert len(caught) == 1
    assert len(runs) == place[0]
    assert estimator.loss_ == min(min(run.loss_curve) for run in runs)


# Going on


@of_each_task
def test_warm_start_goes_on_where_it_ended(name, monkeypatch):
    estimator = fitted(name, warm_start=True, tol=1e-6, max_iter=2000)
    ended, before = estimator.loss_, outputs(estimator, X_TEST)
    seen = []
    plain = Objective.loss_gradient

    def loss_gradient(self, w):
        seen.append(plain(self, w))
        return seen[-1]

    monkeypatch.setattr(Objective, "loss_gradient", loss_gradient)
    # its start, and with it the centre of the penalty, stays what it was
    estimator.set_params(random_state=5, n_init=3).fit(X, TASKS[name][1](X))
    assert_allclose(seen[0][0], ended, rtol=1e-9)
    assert ended * (1 - 1e-2) < estimator.loss_ <= ended * (1 + 1e-9)
    assert_allclose(outputs(estimator, X_TEST), before, atol=0.05 * np.ptp(before))


@of_each_task
def test_warm_start_goes_on_with_adam(name):
    estimator = fitted(name, solver="adam", warm_start=True, max_iter=10)
    before = estimator.loss_
    estimator.fit(X, TASKS[name][1](X))
    assert estimator.loss_ < before


@of_each_task
def test_warm_start_goes_on(name):
    label = TASKS[name][1]
    # features far from standard units, as the weights of a fitted network are for those
    X_given = 40 * X + 300
    with pytest.warns(ConvergenceWarning):
        estimator = clone(TASKS[name][0]).set_params(max_iter=5, warm_start=True)
        estimator.fit(X_given, label(X))
    before, curve = estimator.loss_, estimator.loss_curve_
    estimator.set_params(max_iter=200).fit(X_given, label(X))
    assert estimator.loss_ < before
    # the curve goes on
    assert estimator.loss_curve_[:5] == curve
    assert estimator.loss_curve_[5] <= before * (1 + 1e-9)
    assert estimator.n_iter_ == len(estimator.loss_curve_) > 5


@of_each_task
def test_warm_start_goes_on_with_its_validation_scores(name):
    label = TASKS[name][1]
    estimator = clone(TASKS[name][0]).set_params(max_iter=3, warm_start=True, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="max_iter=3 "):
        estimator.fit(X, label(X))
    scores = estimator.validation_scores_
    with pytest.warns(ConvergenceWarning, match="max_iter=3 "):
        estimator.fit(X, label(X))
    assert estimator.validation_scores_[:3] == scores
    assert len(estimator.validation_scores_) == estimator.n_iter_ == 6


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


# Cloning


@of_each_task
def test_clone_is_not_fitted(name):
    estimator = fitted(name)
    copy = clone(estimator)
    assert not [attribute for attribute in vars(copy) if attribute.endswith("_")]
    assert state(copy.fit(X, TASKS[name][1](X))) == state(estimator)
