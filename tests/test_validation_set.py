"""Early stopping by a validation set of the user's."""

import numpy as np
import pytest
import sklearn
from common_checks import LAYOUTS, Case
from numpy.testing import assert_array_equal
from refusals import LONG, QUICK, WIDE, Y_STEPS, D, X, Y, assert_refuses, csr, put
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tasks import TASKS, X_TEST, of_each_solver, of_each_task
from tasks import X as X_TRAIN

from sklearn_rnn import SequenceClassifier, SequenceRegressor, SequenceTagger
from sklearn_rnn._estimators import early_stopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FEW = {"max_iter": 6, "tol": 0}


@of_each_solver
@of_each_task
def test_the_weights_that_score_best_are_kept(name, solver):
    estimator, label, _ = TASKS[name]
    y, y_val = label(X_TRAIN), label(X_TEST)
    estimator = clone(estimator).set_params(**FEW | solver)
    estimator.fit(X_TRAIN, y, X_val=X_TEST, y_val=y_val)
    scores = estimator.validation_scores_
    assert len(scores) == estimator.n_iter_
    np.testing.assert_allclose(estimator.score(X_TEST, y_val), max(scores), rtol=1e-12)


@of_each_task
def test_it_is_scored_as_sequences_that_are_held_out(name, monkeypatch):
    estimator, label, _ = TASKS[name]
    y, weight = label(X_TRAIN), np.arange(len(X_TRAIN)) % 3 + 1.0
    is_held_out = np.arange(len(X_TRAIN)) % 4 == 0

    def split(sequences, **options):
        return sequences[~is_held_out[sequences]], sequences[is_held_out[sequences]]

    monkeypatch.setattr(early_stopping, "train_test_split", split)
    estimator = clone(estimator).set_params(**FEW, solver="lbfgs")
    held_out = clone(estimator).set_params(early_stopping=True).fit(X_TRAIN, y, weight)
    own = estimator.fit(
        X_TRAIN[~is_held_out],
        y[~is_held_out],
        weight[~is_held_out],
        X_val=X_TRAIN[is_held_out],
        y_val=y[is_held_out],
        sample_weight_val=weight[is_held_out],
    )
    np.testing.assert_allclose(own.validation_scores_, held_out.validation_scores_, rtol=1e-12)
    assert_array_equal(own.output_weights_, held_out.output_weights_)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger])
def test_every_layout(kind, layout):
    per_step = kind is SequenceTagger
    if layout == "wide" and per_step:
        pytest.skip("not a layout of this estimator")

    def label(x):
        signs = np.where(x[:, 0].cumsum() > 0, "up", "down")
        return signs if per_step else signs[-1]

    case = Case(layout, per_step, label)
    X_val, y_val = case.take(np.arange(8))
    fitted = kind(3, max_iter=3, random_state=0, **case.parameters())
    fitted.fit(*case.take(np.arange(8, 24)), X_val=X_val, y_val=y_val)
    assert fitted.score(X_val, y_val) == max(fitted.validation_scores_)


def test_the_default_solver_has_iterations_to_end():
    fitted = SequenceClassifier(random_state=0, max_iter=2).fit(X, Y, X_val=X, y_val=Y)
    assert len(fitted.validation_scores_) == fitted.n_iter_
    assert fitted.hidden_biases_[0].shape == (32,)
    ridge = SequenceClassifier(solver="ridge")
    assert_refuses(lambda: ridge.fit(X, Y, X_val=X, y_val=Y), "validation set (X_val), could end")


def test_precision_is_that_of_the_training_set():
    single = X.astype(np.float32)
    mixed = SequenceTagger(**QUICK).fit(single, Y_STEPS, X_val=X, y_val=Y_STEPS)
    same = SequenceTagger(**QUICK).fit(single, Y_STEPS, X_val=single, y_val=Y_STEPS)
    assert mixed.validation_scores_ == same.validation_scores_
    assert mixed.output_weights_.dtype == same.output_weights_.dtype


def test_metadata_routing_brings_it_through_searches_and_pipelines():
    with sklearn.config_context(enable_metadata_routing=True):
        tagger = SequenceTagger(**QUICK).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(
            FunctionTransformer(np.negative), tagger, transform_input=["X_val"]
        )
        pipeline.fit(X, Y_STEPS, X_val=X, y_val=Y_STEPS)
        expected = SequenceTagger(**QUICK).fit(-X, Y_STEPS, X_val=-X, y_val=Y_STEPS)
        assert pipeline[-1].validation_scores_ == expected.validation_scores_
        search = GridSearchCV(tagger, {"alpha": [0.1]}, cv=2, error_score="raise")
        search.fit(X, Y_STEPS, X_val=X, y_val=Y_STEPS)
        assert search.best_estimator_.validation_scores_


LONG_TAGGER = SequenceTagger(sequence_id=0, **QUICK)
WIDE_CLASSIFIER = SequenceClassifier(3, features_per_step=D)
CLASSIFIER, TAGGER = SequenceClassifier(3), SequenceTagger(**QUICK)
REGRESSOR = SequenceRegressor(3)
# estimator, X, y; what is wrong with the validation set; a part of the message
REFUSED = [
    (CLASSIFIER, X, Y, {"X_val": X}, "y_val is missing"),
    (CLASSIFIER, X, Y, {"y_val": Y}, "X_val is missing"),
    (CLASSIFIER, X, Y, {"sample_weight_val": Y}, "X_val is missing"),
    (CLASSIFIER, X, Y, {"X_val": X[..., :2], "y_val": Y}, "X has 2 features at each step, but fit"),
    (CLASSIFIER, X, Y, {"X_val": X, "y_val": Y[:3]}, "y has 3 entries, but X has 6 sequences"),
    (CLASSIFIER, X, Y, {"X_val": X, "y_val": Y + 1}, "label 2 of y at sequence 1 was not seen"),
    (CLASSIFIER, X, Y, {"X_val": csr(X), "y_val": Y}, "X is sparse here, but dense for training"),
    (
        TAGGER,
        X,
        Y_STEPS,
        {"X_val": put(X, (2, 1, 0), np.inf), "y_val": Y_STEPS},
        "sequence 2, step",
    ),
    (TAGGER, X, Y_STEPS, {"X_val": X, "y_val": Y_STEPS, "sample_weight_val": -Y}, "Negative"),
    (REGRESSOR, X, Y, {"X_val": X[:1], "y_val": Y[:1]}, "only 1 target. R^2 needs 2"),
    (REGRESSOR, X, Y, {"X_val": X, "y_val": np.c_[Y, Y]}, "y has 2 targets, but 1 for training"),
    (LONG_TAGGER, LONG, Y_STEPS.ravel(), {"X_val": LONG[::-1], "y_val": Y}, "y has 6 entries"),
    (WIDE_CLASSIFIER, WIDE, Y, {"X_val": WIDE[:, :9], "y_val": Y}, "X has 9 features"),
]


@pytest.mark.parametrize(
    "estimator, X, y, validation_set, words", REFUSED, ids=[case[-1] for case in REFUSED]
)
def test_refusals_name_the_validation_set(estimator, X, y, validation_set, words):
    call = lambda: clone(estimator).fit(X, y, **validation_set)  # noqa: E731
    assert_refuses(call, words)
    assert_refuses(call, "_val")
