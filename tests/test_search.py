"""The estimators in scikit-learn's searches and cross-validation."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tasks import (
    D,
    S,
    X,
    flat,
    previous_sign,
    ragged,
    sign_of_sum,
    sign_so_far,
    weighted_sum,
)

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._input.arrays import object_array

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
