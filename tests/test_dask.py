"""Training and predictions on the partitions of Dask collections."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_rnn import (
    OutputFeedbackRegressor,
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._estimators import base
from sklearn_rnn._execution import shards
from sklearn_rnn._training import training_set
from sklearn_rnn._training.deduplication import merge_duplicates

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
bag = pytest.importorskip("dask.bag")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

S, T, D, PER_PARTITION = 18, 5, 3, 6
QUICK = {"max_iter": 3, "random_state": 0, "solver": "lbfgs"}
rng = np.random.default_rng(0)
X = rng.standard_normal((S, T, D))
TOTAL = np.cumsum(X[..., 0], axis=1)
WEIGHT = rng.integers(1, 4, S).astype(float)


def labels(values):
    return np.where(values > 0, "yes", "no")


Y = labels(TOTAL)
TASKS = {
    "classifier": (SequenceClassifier(4, **QUICK), Y[:, -1]),
    "balanced": (SequenceClassifier(4, class_weight="balanced", **QUICK), labels(TOTAL[:, 1] - 1)),
    "regressor": (SequenceRegressor(4, **QUICK), TOTAL[:, -1]),
    "quantiles": (SequenceRegressor(4, loss="quantile", quantile=(0.2, 0.8), **QUICK), TOTAL[:, 1]),
    "tagger": (SequenceTagger(4, cell="gru", **QUICK), Y),
    "crf": (SequenceTagger(4, output="crf", bidirectional=True, **QUICK), Y),
    "pieces": (SequenceTagger(4, truncated_bptt_steps=2, **QUICK), Y),
    "per step": (PerStepRegressor((4, 3), **QUICK), np.stack([TOTAL, -TOTAL], axis=-1)),
    "output feedback": (OutputFeedbackTagger(4, **QUICK), Y),
    "numbers fed back": (OutputFeedbackRegressor(4, **QUICK), TOTAL),
}
of_each_task = pytest.mark.parametrize("name", TASKS)


@pytest.fixture(autouse=True)
def in_this_process():
    """Without a cluster; a `distributed.Client` has precedence where there is one."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(processes=False, **options) as cluster:
        with distributed.Client(cluster) as client:
            yield client


def chunked(values, n=PER_PARTITION):
    return da.from_array(values, chunks=(n, *values.shape[1:]))


def delayed(*parts):
    return list(map(dask.delayed, parts))


def assert_same(estimator, expected):
    weights = expected._model.p
    assert weights.keys() == estimator._model.p.keys()
    for name, value in weights.items():
        assert_array_equal(estimator._model.p[name], value, name)
    assert estimator.loss_curve_ == expected.loss_curve_


def fitted_in_memory(estimator, *data):
    """Return the estimator fitted to shards in memory that are what the partitions are."""
    n_partitions, cut = S // PER_PARTITION, training_set.partition_into_shards

    def merge(*args):
        members, weight = merge_duplicates(*args)
        return members[np.argsort(members // PER_PARTITION, kind="stable")], weight

    def partition(lengths, sequences):
        return [shard for part in np.split(sequences, n_partitions) for shard in cut(lengths, part)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "merge_duplicates", merge)
        patch.setattr(training_set, "partition_into_shards", partition)
        return clone(estimator).fit(*data)


# Training


@of_each_task
def test_fit_is_that_of_the_same_shards_in_memory(name):
    estimator, y = TASKS[name]
    expected = fitted_in_memory(estimator, X, y, WEIGHT)
    assert_same(clone(estimator).fit(chunked(X), chunked(y), chunked(WEIGHT)), expected)


@pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])
@pytest.mark.parametrize("name", ["classifier", "crf"])
def test_fit_on_a_cluster_is_the_same(name, solver, client):
    estimator, y = TASKS[name]
    estimator = clone(estimator).set_params(solver=solver)
    expected = fitted_in_memory(estimator, X, y, WEIGHT)
    with dask.config.set(scheduler=client), distributed.get_task_stream(client) as tasks:
        assert_same(estimator.fit(chunked(X), chunked(y), chunked(WEIGHT)), expected)
    assert {task["worker"] for task in tasks.data} == set(client.scheduler_info()["workers"])


X_SPARSE = [sparse.csr_array(np.where(x > 0.5, x, 0)) for x in X]


@pytest.mark.parametrize(
    "name, in_memory, collection",
    [
        ("classifier", X, chunked(X, S)),
        ("tagger", X.astype(np.float32), chunked(X.astype(np.float32), S)),
        ("output feedback", list(X), bag.from_sequence(list(X), npartitions=1)),
        ("regressor", X_SPARSE, delayed(X_SPARSE)),
    ],
)
def test_one_partition_is_fitted_as_data_in_memory(name, in_memory, collection, monkeypatch):
    monkeypatch.setattr(shards, "SEQUENCES_PER_SHARD", S)
    monkeypatch.setattr(shards, "MIN_ROWS_PER_SHARD", 4)
    estimator, y = TASKS[name]
    expected = clone(estimator).fit(in_memory, y)
    assert_same(clone(estimator).fit(collection, delayed(y)), expected)
    if name == "output feedback":  # equal sequences are merged
        twice, y_twice = (bag.from_sequence([*v, *v], npartitions=1) for v in (in_memory, y))
        weight = delayed(np.full(2 * S, 0.5))
        assert_same(clone(estimator).fit(twice, y_twice, weight), expected)


def test_partitions_may_lack_classes_or_be_empty():
    y = np.repeat(["a", "b", "c"], PER_PARTITION)
    parts, y_parts = ([*np.split(v, 3), v[:0]] for v in (X, y))
    classifier = SequenceClassifier(4, class_weight={"a": 2.0, "b": 1.0, "c": 3.0}, **QUICK)
    expected = fitted_in_memory(classifier, X, y)
    assert_same(classifier.fit(delayed(*parts), delayed(*y_parts)), expected)
    assert_array_equal(classifier.classes_, expected.classes_)


def test_training_goes_on_and_is_validated():
    estimator, y = TASKS["tagger"]
    estimator = clone(estimator).set_params(warm_start=True, solver="auto")
    for n_iter in (3, 6):
        estimator.fit(chunked(X), chunked(y), X_val=X, y_val=y)
        assert len(estimator.validation_scores_) == len(estimator.loss_curve_) == n_iter
    assert max(estimator.validation_scores_[3:]) == estimator.score(X, y)


# Long tables


def table():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.reshape(-1, D), columns=list("abc"))
    frame["name"] = np.repeat([f"s{i:02}" for i in range(S)], T)
    frame["label"] = Y.ravel()
    return frame


def partitioned(frame, **options):
    return pytest.importorskip("dask.dataframe").from_pandas(frame, **options)


@pytest.mark.parametrize("id_is", ["a column", "the index"])
def test_a_long_table(id_is):
    frame, columns = table(), ["a", "b", "c", "name"]
    collection = partitioned(frame, chunksize=T * PER_PARTITION)
    if id_is == "the index":
        frame, columns = frame.set_index("name"), ["a", "b", "c"]
        collection = partitioned(frame, npartitions=3)
    tagger = SequenceTagger(4, sequence_id="name", **QUICK)
    expected = fitted_in_memory(tagger, frame[columns], frame["label"])
    assert_same(tagger.fit(collection[columns], collection["label"]), expected)
    assert_array_equal(tagger.feature_names_in_, expected.feature_names_in_)
    some = collection[columns].loc[collection["a"] > 5]  # empty partitions
    assert tagger.predict(some).compute().shape == (0,)
    for method in METHODS:
        values, known = (getattr(tagger, method)(t[columns]) for t in (collection, frame))
        assert_alike(values.compute(), known)
        assert values.ndim == known.ndim


def test_a_sequence_in_two_partitions_is_refused_by_name():
    collection = partitioned(table(), chunksize=T * PER_PARTITION + 2)
    tagger = SequenceTagger(4, sequence_id="name", **QUICK)
    with pytest.raises(ValueError, match="Sequence 's06' has rows in partitions 0 and 1 of X"):
        tagger.fit(collection[["a", "b", "c", "name"]], collection["label"])


def test_a_table_without_ids_is_one_sequence():
    collection = partitioned(table(), npartitions=3)
    with pytest.raises(ValueError, match="without sequence_id it is one sequence"):
        PerStepRegressor(4, **QUICK).fit(collection[["a", "b"]], collection["c"])


# Predictions

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


def assert_alike(values, expected):
    if expected.dtype == object and isinstance(expected[0], np.ndarray):
        assert len(values) == len(expected)
        for value, known in zip(values, expected):
            assert_alike(value, known)
    elif expected.dtype.kind == "f":
        assert values.dtype == expected.dtype
        assert_allclose(values, expected, rtol=1e-4 if expected.dtype == np.float32 else 1e-10)
    else:
        assert_array_equal(values, expected)


@of_each_task
def test_predictions_are_lazy(name):
    estimator, y = TASKS[name]
    estimator = clone(estimator).fit(X, y)
    single = X.astype(np.float32)
    collections = chunked(X), chunked(single), bag.from_sequence(X, npartitions=2)
    for method in filter(partial(hasattr, estimator), METHODS):
        predict = getattr(estimator, method)
        lazy, of_delayed = list(map(predict, collections)), predict(delayed(X))
        expected = list(map(predict, (X, single, list(X))))
        assert lazy[0].shape == expected[0].shape
        for values, known in zip(lazy, expected):
            assert values.dtype == known.dtype
            assert_alike(values.compute(), known)
        assert_alike(of_delayed[0].compute(), expected[0])


@of_each_task
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_score(name, weight):
    estimator, y = TASKS[name]
    estimator = clone(estimator).fit(X, y)
    weights = None if weight is None else chunked(weight)
    if name == "quantiles":
        with pytest.raises(ValueError, match="The score of quantiles needs all targets at once"):
            estimator.score(chunked(X), chunked(y), weights)
        return
    score = estimator.score(chunked(X), chunked(y), weights)
    assert_allclose(score, estimator.score(X, y, weight), rtol=1e-10)
    assert type(score) is float


def test_score_of_targets_that_do_not_vary():
    estimator, y = TASKS["per step"]
    estimator, y = clone(estimator).fit(X, y), np.ones((S, T, 2))
    assert estimator.score(chunked(X), chunked(y)) == estimator.score(X, y) == 0.0


def test_a_later_fit_does_not_change_lazy_predictions():
    estimator, y = TASKS["classifier"]
    estimator = clone(estimator).fit(X, y)
    expected, lazy = estimator.predict_proba(X), estimator.predict_proba(chunked(X))
    estimator.fit(-X, y)
    assert_allclose(lazy.compute(), expected)


def test_arguments_beside_x_are_refused():
    estimator, y = TASKS["numbers fed back"]
    estimator = clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match="predict takes nothing but X for a collection of Dask"):
        estimator.predict(chunked(X), y_past=y[:, :2])


# What is refused

WITH_NAN = X.copy()
WITH_NAN[13, 2, 1] = np.nan


@pytest.mark.parametrize(
    "message, X_given, y, parameters",
    [
        ("solver='adam' needs all sequences", chunked(X), chunked(Y), {"solver": "adam"}),
        ("early_stopping=True holds out", chunked(X), chunked(Y), {"early_stopping": True}),
        ("y is a ndarray, but X is a collection of Dask", chunked(X), Y, {}),
        ("y has 2 partitions, but X has 3", chunked(X), chunked(Y, 9), {}),
        ("In partition .: y has 9 entries, but X has", chunked(X, 12), chunked(Y, 9), {}),
        (r"X\.rechunk\({1: -1, 2: -1}\)", da.from_array(X, (6, 2, 2)), chunked(Y), {}),
        ("without sequence_id it is one", chunked(X[0], 3), chunked(Y[0], 3), {}),
        ("X holds a ndarray among delayed", [*delayed(X), X], delayed(Y, Y), {}),
        ("In partition 2: X holds NaN at sequence 1, step 2", chunked(WITH_NAN), chunked(Y), {}),
        ("Partition 1 of X has 2 features", delayed(X, X[..., :2]), delayed(Y, Y), {}),
        ("y has only one class, 1", chunked(X), da.ones_like(Y, int, chunks=(6, T)), {}),
        ("mixes types .* 'no' at partition 0, False", delayed(X, X), delayed(Y, Y == "no"), {}),
        ("none of its partitions has rows", delayed(X[:0]), delayed(Y[:0]), {}),
    ],
)
def test_refused(message, X_given, y, parameters):
    tagger = SequenceTagger(4, **QUICK | parameters)
    with pytest.raises((TypeError, ValueError), match=message):
        tagger.fit(X_given, y)
    assert not hasattr(tagger, "classes_")


def test_other_numbers_of_targets_are_refused():
    with pytest.raises(ValueError, match="y has 2 targets in partition 1, but 1 in partition 0"):
        PerStepRegressor(4).fit(delayed(X, X), delayed(TOTAL, X[..., :2]))
