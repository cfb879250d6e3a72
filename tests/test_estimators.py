"""The estimators as a user meets them: fit, predict, score, search, save, go on."""

import pickle
import re
import warnings
from collections import Counter
from itertools import product

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._objective import Objective
from sklearn_rnn._training import Monitor
from sklearn_rnn._validation import object_array

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


QUICK = {"hidden_layer_sizes": 6, "random_state": 0, "tol": 2e-3, "n_iter_no_change": 5}

# estimator, what it has to learn, and how well it does at least on new data
TASKS = {
    "classifier": (SequenceClassifier(**QUICK), sign_of_sum, 0.8),
    "classifier, 3 classes": (SequenceClassifier(**QUICK), third_of_sum, 0.7),
    "regressor": (SequenceRegressor(**QUICK), weighted_sum, 0.8),
    "regressor, 2 targets": (SequenceRegressor(**QUICK), two_sums, 0.8),
    "tagger": (SequenceTagger(**QUICK), sign_so_far, 0.9),
    "teacher forcing": (OutputFeedbackTagger(**QUICK), previous_sign, 0.8),
    "free running": (OutputFeedbackTagger(teacher_forcing=False, **QUICK), previous_sign, 0.8),
}
LABELLED = [name for name in TASKS if not name.startswith("regressor")]
of_each_task = pytest.mark.parametrize("name", TASKS)
of_each_labelled_task = pytest.mark.parametrize("name", LABELLED)


def fitted(name, X=X, **parameters):
    estimator, label, _ = TASKS[name]
    return clone(estimator).set_params(**parameters).fit(X, label(X))


def outputs(estimator, X):
    """What tells most about the weights."""
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def flat(labels):
    return np.concatenate([np.asarray(part).reshape(-1) for part in labels])


# Learning


@of_each_task
def test_learns(name):
    label, at_least = TASKS[name][1:]
    assert fitted(name).score(X_TEST, label(X_TEST)) > at_least


VARIANTS = [
    *({"activation": activation} for activation in ("relu", "logistic", "identity")),
    {"hidden_layer_sizes": (6, 4)},
    {"bidirectional": True},
    {"solver": "trust-ncg"},
    {"pooling": "last"},
    {"pooling": ("mean", "max")},
]


@pytest.mark.parametrize(
    "name, parameters",
    [
        (name, parameters)
        for name, parameters in product(TASKS, VARIANTS)
        if parameters.keys() <= TASKS[name][0].get_params().keys()
    ],
    ids=str,
)
def test_learns_with(name, parameters):
    _, label, at_least = TASKS[name]
    if parameters.get("pooling") == "last":
        at_least -= 0.1  # what is asked for is the sum over all steps
    assert fitted(name, **parameters).score(X_TEST, label(X_TEST)) > at_least


@of_each_task
def test_loss_falls_to_loss_(name):
    estimator = fitted(name)
    assert (np.diff(estimator.loss_curve_) <= 0).all()
    assert estimator.loss_curve_[-1] < 0.8 * estimator.loss_curve_[0]
    assert estimator.loss_ == estimator.loss_curve_[-1]
    assert estimator.n_iter_ == len(estimator.loss_curve_)
    assert estimator.validation_scores_ is None


# Fitted attributes


@pytest.mark.parametrize(
    "estimator, label, shapes",
    [
        (
            SequenceTagger((5, 4), max_iter=2),
            sign_so_far,
            {
                "input_weights_": [(D, 5), (5, 4)],
                "recurrent_weights_": [(5, 5), (4, 4)],
                "hidden_biases_": [(5,), (4,)],
                "output_weights_": (4, 2),
                "output_biases_": (2,),
            },
        ),
        (
            SequenceTagger((5, 4), bidirectional=True, max_iter=2),
            sign_so_far,
            {
                "input_weights_": [(D, 10), (10, 8)],
                "recurrent_weights_": [(2, 5, 5), (2, 4, 4)],
                "hidden_biases_": [(10,), (8,)],
                "output_weights_": (8, 2),
                "output_biases_": (2,),
            },
        ),
        (
            SequenceClassifier(5, max_iter=2),
            third_of_sum,
            {
                "input_weights_": [(D, 5)],
                "recurrent_weights_": [(5, 5)],
                "hidden_biases_": [(5,)],
                "output_weights_": (15, 3),
                "output_biases_": (3,),
            },
        ),
        (
            SequenceRegressor(5, bidirectional=True, pooling=("last", "mean"), max_iter=2),
            two_sums,
            {
                "input_weights_": [(D, 10)],
                "recurrent_weights_": [(2, 5, 5)],
                "hidden_biases_": [(10,)],
                "output_weights_": (20, 2),
                "output_biases_": (2,),
            },
        ),
        (
            SequenceRegressor(5, pooling="max", max_iter=2),
            weighted_sum,
            {
                "input_weights_": [(D, 5)],
                "recurrent_weights_": [(5, 5)],
                "hidden_biases_": [(5,)],
                "output_weights_": (5, 1),
                "output_biases_": (1,),
            },
        ),
        *(
            (
                OutputFeedbackTagger((5, 4), teacher_forcing=teacher_forcing, max_iter=2),
                previous_sign,
                {
                    "input_weights_": [(D, 5), (5, 4)],
                    "feedback_weights_": (2, 5),
                    "initial_feedback_": (5,),
                    "hidden_biases_": [(5,), (4,)],
                    "output_weights_": (4, 2),
                    "output_biases_": (2,),
                },
            )
            for teacher_forcing in (True, False)
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_shapes_of_weights(estimator, label, shapes):
    estimator.fit(X, label(X))
    n_parameters = 0
    for name, shape in shapes.items():
        value = getattr(estimator, name)
        arrays = value if isinstance(value, list) else [value]
        assert [a.shape for a in arrays] == (shape if isinstance(shape, list) else [shape])
        assert all(a.dtype == np.float64 and np.isfinite(a).all() for a in arrays)
        n_parameters += sum(a.size for a in arrays)
    assert estimator.n_parameters_ == n_parameters
    assert estimator.n_features_in_ == D


def test_feature_names():
    pd = pytest.importorskip("pandas")
    wide = pd.DataFrame(X.reshape(S, -1), columns=[f"c{i}" for i in range(T * D)])
    classifier = SequenceClassifier(features_per_step=D, **QUICK).fit(wide, sign_of_sum(X))
    assert_array_equal(classifier.feature_names_in_, wide.columns)
    assert classifier.n_features_in_ == T * D
    classifier.fit(X, sign_of_sum(X))
    assert not hasattr(classifier, "feature_names_in_") and classifier.n_features_in_ == D


# Predictions


@of_each_labelled_task
def test_probabilities(name):
    estimator = fitted(name)
    proba = estimator.predict_proba(X_TEST)
    assert_allclose(proba.sum(axis=-1), 1)
    assert proba.min() >= 0
    assert_allclose(np.exp(estimator.predict_log_proba(X_TEST)), proba)
    assert_array_equal(estimator.classes_[proba.argmax(axis=-1)], estimator.predict(X_TEST))


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_decision_function_of_two_classes(name):
    estimator = fitted(name)
    margin = estimator.decision_function(X_TEST)
    assert margin.shape == estimator.predict(X_TEST).shape
    assert_allclose(1 / (1 + np.exp(-margin)), estimator.predict_proba(X_TEST)[..., 1])
    assert_array_equal(estimator.classes_[(margin > 0).astype(int)], estimator.predict(X_TEST))


def test_decision_function_of_three_classes():
    classifier = fitted("classifier, 3 classes")
    logits = classifier.decision_function(X_TEST)
    assert logits.shape == (len(X_TEST), 3)
    odds = np.exp(logits)
    proba = odds / odds.sum(axis=1, keepdims=True)
    assert_allclose(proba, classifier.predict_proba(X_TEST))


def test_output_feedback_has_no_decision_function():
    assert not hasattr(OutputFeedbackTagger(), "decision_function")


@pytest.mark.parametrize("name, shape", [("regressor", (60,)), ("regressor, 2 targets", (60, 2))])
def test_regressor_predicts_in_the_shape_of_y(name, shape):
    assert fitted(name).predict(X_TEST).shape == shape


def test_one_column_of_targets_stays_a_column():
    regressor = SequenceRegressor(**QUICK).fit(X, weighted_sum(X)[:, None])
    assert regressor.predict(X_TEST).shape == (60, 1)


@of_each_task
@pytest.mark.parametrize("weight", [None, np.random.default_rng(2).uniform(size=60)])
def test_score_is_that_of_scikit_learn(name, weight):
    estimator, label = fitted(name), TASKS[name][1]
    y = label(X_TEST)
    if name.startswith("regressor"):
        expected = r2_score(y, estimator.predict(X_TEST), sample_weight=weight)
    else:
        per_label = weight if weight is None or y.ndim == 1 else np.repeat(weight, T)
        predicted = estimator.predict(X_TEST).ravel()
        expected = accuracy_score(y.ravel(), predicted, sample_weight=per_label)
    assert estimator.score(X_TEST, y, sample_weight=weight) == pytest.approx(expected, abs=1e-12)


def ragged(X):
    """The sequences of X, cut to 1 to T steps."""
    return [x[: 1 + i % T] for i, x in enumerate(X)]


@of_each_task
def test_predictions_depend_on_their_own_sequence_alone(name):
    estimator, sequences = fitted(name), ragged(X_TEST)
    together = outputs(estimator, sequences)
    order = np.random.default_rng(0).permutation(len(sequences))
    shuffled = outputs(estimator, [sequences[i] for i in order])
    for i, j in enumerate(order[:10]):
        assert_allclose(shuffled[i], together[j], atol=1e-12)
        assert_allclose(outputs(estimator, [sequences[j]])[0], together[j], atol=1e-12)


@pytest.mark.parametrize("name", ["tagger", "teacher forcing", "free running"])
def test_labels_do_not_depend_on_later_steps(name):
    estimator = fitted(name)
    whole = estimator.predict_proba(X_TEST)
    assert_allclose(estimator.predict_proba(X_TEST[:, :3]), whole[:, :3], atol=1e-12)


@of_each_task
def test_the_weights_are_what_predict_uses(name):
    estimator = fitted(name)
    estimator.output_weights_ = np.zeros_like(estimator.output_weights_)
    estimator.output_biases_ = np.arange(1.0, 1 + estimator.output_biases_.size)
    if name.startswith("regressor"):
        expected = estimator.output_biases_
    else:
        expected = np.exp(estimator.output_biases_) / np.exp(estimator.output_biases_).sum()
    result = outputs(estimator, X_TEST)
    assert_allclose(
        result.reshape(-1, len(expected)), np.tile(expected, (result.size // len(expected), 1))
    )


@of_each_task
def test_float32_predictions_agree(name):
    estimator = fitted(name)
    result = outputs(estimator, X_TEST.astype(np.float32))
    assert result.dtype == np.float32
    assert_allclose(result, outputs(estimator, X_TEST), rtol=1e-3, atol=1e-4)


@of_each_task
def test_learns_in_float32(name):
    label, at_least = TASKS[name][1:]
    with warnings.catch_warnings():
        # single precision may end the line search before the loss has settled
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = fitted(name, X.astype(np.float32))
    assert estimator.score(X_TEST, label(X_TEST)) > at_least


# Determinism


def state(estimator):
    return joblib.hash({name: v for name, v in vars(estimator).items() if name.endswith("_")})


@of_each_task
@pytest.mark.parametrize("other", [{}, {"n_jobs": 2}], ids=["the same", "n_jobs=2"])
def test_same_seed_same_weights(name, other):
    assert state(fitted(name)) == state(fitted(name, **other))


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_n_jobs_does_not_matter_over_several_shards(name):
    many = np.random.default_rng(0).normal(size=(1500, T, D))
    assert state(fitted(name, many)) == state(fitted(name, many, n_jobs=2))


@of_each_task
def test_another_seed_other_weights(name):
    assert state(fitted(name)) != state(fitted(name, random_state=1))


def test_random_state_instance():
    states = [
        state(fitted("classifier", random_state=np.random.RandomState(seed))) for seed in (0, 0, 1)
    ]
    assert states[0] == states[1] != states[2]


# Units


@of_each_task
def test_units_of_features_do_not_matter(name):
    label = TASKS[name][1]
    scale, shift = np.array([1e3, 1e-3, 1]), np.array([500, 0, -3])
    plain = fitted(name)
    scaled = clone(plain).fit(X * scale + shift, label(X))
    # to rounding, which training amplifies
    assert_allclose(scaled.loss_curve_[:3], plain.loss_curve_[:3], rtol=1e-3)
    assert scaled.score(X_TEST * scale + shift, label(X_TEST)) == pytest.approx(
        plain.score(X_TEST, label(X_TEST)), abs=0.02
    )


def test_units_of_targets_do_not_matter():
    y, y_test = two_sums(X), two_sums(X_TEST)
    plain = SequenceRegressor(**QUICK).fit(X, y)
    scaled = SequenceRegressor(**QUICK).fit(X, 1e4 * y - 7e5)
    assert_allclose(scaled.loss_curve_[:3], plain.loss_curve_[:3], rtol=1e-3)
    assert scaled.score(X_TEST, 1e4 * y_test - 7e5) == pytest.approx(
        plain.score(X_TEST, y_test), abs=0.02
    )


def test_constant_feature_and_target():
    X_constant = X.copy()
    X_constant[..., 1] = 7
    y = np.c_[weighted_sum(X), np.full(S, 3.0)]
    predicted = SequenceRegressor(**QUICK).fit(X_constant, y).predict(X_constant)
    assert_allclose(predicted[:, 1], 3, atol=0.1)


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


# Search

FAST = {"hidden_layer_sizes": 3, "random_state": 0, "tol": 1e-2, "n_iter_no_change": 3}
ALPHA = [0.1, 1e3]  # the second forbids learning


def assert_finds_alpha(search, X, y):
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert list(search.best_params_.values()) == [0.1]
    assert search.best_score_ > 0.7
    assert search.score(X, y) > 0.7


def test_search_over_a_wide_table():
    pipeline = make_pipeline(StandardScaler(), SequenceClassifier(features_per_step=D, **FAST))
    search = GridSearchCV(pipeline, {"sequenceclassifier__alpha": ALPHA}, cv=3, error_score="raise")
    assert_finds_alpha(search, X.reshape(S, -1), sign_of_sum(X))


@pytest.mark.parametrize("scoring", [None, "accuracy", "neg_log_loss", "roc_auc"])
def test_scorers_on_3d(scoring):
    pipeline = make_pipeline(FunctionTransformer(np.tanh), SequenceClassifier(**FAST))
    scores = cross_val_score(
        pipeline, X, sign_of_sum(X), cv=3, scoring=scoring, error_score="raise"
    )
    assert (scores > (-0.6 if scoring == "neg_log_loss" else 0.7)).all()


def test_search_on_3d():
    pipeline = make_pipeline(FunctionTransformer(np.tanh), SequenceClassifier(**FAST))
    search = GridSearchCV(pipeline, {"sequenceclassifier__alpha": ALPHA}, cv=3, error_score="raise")
    assert_finds_alpha(search, X, sign_of_sum(X))


def test_search_for_a_regressor():
    search = GridSearchCV(
        SequenceRegressor(**FAST | {"tol": 1e-3}), {"alpha": ALPHA}, cv=3, error_score="raise"
    )
    assert_finds_alpha(search, list(X), weighted_sum(X))


@pytest.mark.parametrize("tagger", [SequenceTagger(**FAST), OutputFeedbackTagger(**FAST)])
@pytest.mark.parametrize(
    "convert",
    [list, lambda a: object_array(list(a)), np.asarray, np.ndarray.tolist],
    ids=["list", "object array", "3-D", "nested lists"],
)
def test_search_for_a_tagger(tagger, convert):
    search = GridSearchCV(tagger, {"alpha": ALPHA}, cv=3, error_score="raise")
    assert_finds_alpha(search, convert(X), convert(previous_sign(X)))


def test_search_for_a_tagger_on_uneven_lists():
    sequences = ragged(X)
    y = [sign_so_far(x[None])[0].tolist() for x in sequences]
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: [np.tanh(x) for x in X]), SequenceTagger(**FAST)
    )
    search = GridSearchCV(pipeline, {"sequencetagger__alpha": ALPHA}, cv=3, error_score="raise")
    assert_finds_alpha(search, sequences, y)


def long_frame(X):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X.reshape(-1, D), columns=list("abc"))
    return table.assign(who=np.repeat([f"s{i}" for i in range(len(X))], X.shape[1]))


@pytest.mark.parametrize("scoring", [None, "accuracy", "f1_macro", "neg_log_loss"])
def test_long_table_by_groups(scoring):
    table, y = long_frame(X), sign_so_far(X).ravel()
    scores = cross_val_score(
        make_pipeline(FunctionTransformer(), SequenceTagger(sequence_id="who", **FAST)),
        table,
        y,
        groups=table["who"],
        cv=GroupKFold(3),
        scoring=scoring,
        error_score="raise",
    )
    assert (scores > (-0.6 if scoring == "neg_log_loss" else 0.7)).all()


def test_search_on_a_long_table_by_groups():
    table, y = long_frame(X), sign_so_far(X).ravel()
    tagger = SequenceTagger(sequence_id="who", **FAST)
    search = GridSearchCV(tagger, {"alpha": ALPHA}, cv=GroupKFold(3), error_score="raise")
    search.fit(table, y, groups=table["who"])
    assert search.best_params_ == {"alpha": 0.1}


@pytest.mark.parametrize("convert", [list, np.asarray], ids=["list", "3-D"])
def test_cross_val_predict_of_a_tagger(convert):
    predicted = cross_val_predict(SequenceTagger(**FAST), convert(X), convert(sign_so_far(X)), cv=3)
    assert predicted.shape[0] == S
    assert accuracy_score(sign_so_far(X).ravel(), flat(predicted)) > 0.8


def test_shuffled_rows_of_a_long_table_are_refused():
    table = long_frame(X).sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match="not contiguous"):
        SequenceTagger(sequence_id="who").fit(table, np.zeros(len(table)))
