"""The estimators as a user meets them: fit, predict, score."""

import inspect
import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from tasks import (
    ACTIVATED,
    QUICK,
    REGRESSORS_OF_STEPS,
    TASKS,
    X_TEST,
    D,
    S,
    T,
    X,
    fitted,
    of_each_labelled_task,
    of_each_solver,
    of_each_task,
    outputs,
    previous_sign,
    ragged,
    sign_of_sum,
    sign_so_far,
    state,
    third_of_sum,
    two_sums,
    weighted_sum,
)

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

# Learning


@of_each_task
def test_learns(name):
    label, at_least = TASKS[name][1:]
    assert fitted(name).score(X_TEST, label(X_TEST)) > at_least


VARIANTS = [
    # a tagger of these hardly improves on its direct term at first
    *({"activation": name, "tol": 1e-3, "n_iter_no_change": 10} for name in ("relu", "logistic")),
    {"activation": "identity"},
    {"hidden_layer_sizes": (6, 4)},
    {"bidirectional": True},
    {"solver": "trust-ncg"},
    {"solver": "adam", "max_iter": 60},
    {"pooling": "last"},
    {"pooling": ("mean", "max")},
]


@pytest.mark.parametrize(
    "name, parameters",
    [
        (name, parameters)
        for name, parameters in product(TASKS, VARIANTS)
        if parameters.keys() <= TASKS[name][0].get_params().keys()
        and ("activation" not in parameters or name in ACTIVATED)
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


# Parameters of training

TRAINING = {
    "solver": "auto",
    "alpha": 0.1,
    "max_iter": None,
    "tol": 3e-4,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_iter_no_change": 10,
    "n_init": 1,
    "warm_start": False,
    "n_jobs": None,
    "random_state": None,
    "verbose": 0,
}


@pytest.mark.parametrize(
    "kind", [SequenceTagger, SequenceClassifier, SequenceRegressor, OutputFeedbackTagger]
)
def test_training_has_the_same_parameters_everywhere(kind):
    defaults = {p.name: p.default for p in inspect.signature(kind).parameters.values()}
    defaults.pop("class_weight", None)
    if kind is OutputFeedbackTagger:
        assert defaults["alpha"] == 3.0  # where every step counts
        defaults["alpha"] = TRAINING["alpha"]
    if kind in (SequenceClassifier, SequenceRegressor):
        assert defaults["alpha"] is None  # the same, or chosen by leave-one-out
        defaults["alpha"] = TRAINING["alpha"]
    if kind is SequenceClassifier:
        assert defaults["tol"] == 3e-3  # whole sequences are few, and soon overfitted
        defaults["tol"] = TRAINING["tol"]
    assert list(defaults.items())[-len(TRAINING) :] == list(TRAINING.items())


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
                "direct_weights_": (D, 2),
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
                "direct_weights_": (D, 2),
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
    per_label = weight if weight is None or y.ndim == 1 else np.repeat(weight, T)
    if name in REGRESSORS_OF_STEPS:
        predicted = estimator.predict(X_TEST).ravel()
        expected = r2_score(y.ravel(), predicted, sample_weight=per_label)
    elif name.startswith("regressor"):
        expected = r2_score(y, estimator.predict(X_TEST), sample_weight=weight)
    else:
        predicted = estimator.predict(X_TEST).ravel()
        expected = accuracy_score(y.ravel(), predicted, sample_weight=per_label)
    assert estimator.score(X_TEST, y, sample_weight=weight) == pytest.approx(expected, abs=1e-12)


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
    for linear in ("direct_weights_", "autoregressive_weights_"):
        if hasattr(estimator, linear):
            setattr(estimator, linear, np.zeros_like(getattr(estimator, linear)))
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


@of_each_task
@of_each_solver
@pytest.mark.parametrize("other", [{}, {"n_jobs": 2}], ids=["the same", "n_jobs=2"])
def test_same_seed_same_weights(name, solver, other):
    assert state(fitted(name, **solver)) == state(fitted(name, **solver, **other))


@of_each_task
@of_each_solver
def test_order_of_sequences_does_not_matter(name, solver):
    order = np.random.default_rng(0).permutation(S)
    assert state(fitted(name, X[order], **solver)) == state(fitted(name, **solver))


@of_each_task
@of_each_solver
def test_weight_two_is_twice_and_weight_zero_is_absent(name, solver):
    estimator, label, _ = TASKS[name]
    weight = np.arange(S) % 3
    weighted = clone(estimator).set_params(**solver).fit(X, label(X), weight)
    repeated = fitted(name, np.repeat(X, weight, axis=0), **solver)
    assert state(weighted) == state(repeated)


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
