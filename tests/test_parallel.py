"""Searches in several processes give the scores of one, and do not overload the cores."""

import threading

import joblib
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from tasks import D, S, T, X, blas_threads, sign_of_sum, sign_so_far
from threadpoolctl import threadpool_limits

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceTagger,
)
from sklearn_rnn._execution.threads import shard_map
from sklearn_rnn._training import fit as training

QUICK = {"max_iter": 100, "tol": 0.05, "n_iter_no_change": 2, "random_state": 0}
SEARCHED = {
    "wide": (SequenceClassifier(4, features_per_step=D, **QUICK), X.reshape(S, T * D), sign_of_sum),
    "3-D": (SequenceTagger(4, **QUICK), X, sign_so_far),
    "ragged": (OutputFeedbackTagger(4, **QUICK), list(X), sign_so_far),
}


def scores(layout, n_jobs):
    estimator, X_given, label = SEARCHED[layout]
    search = GridSearchCV(
        estimator, {"alpha": [0.1, 1.0]}, cv=2, n_jobs=n_jobs, error_score="raise"
    ).fit(X_given, label(X))
    return {k: v for k, v in search.cv_results_.items() if "score" in k and "time" not in k}


def assert_same(results, expected):
    assert results.keys() == expected.keys()
    for name in expected:
        assert_array_equal(results[name], expected[name])


@pytest.mark.parametrize("layout", SEARCHED)
def test_loky_gives_the_same_scores(layout):
    with joblib.parallel_config("loky"):
        assert_same(scores(layout, 2), scores(layout, None))


@pytest.mark.filterwarnings("ignore")  # of the cluster's own
def test_dask_gives_the_same_scores():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(processes=False, **options) as cluster:
        with distributed.Client(cluster), joblib.parallel_config("dask"):
            results = {layout: scores(layout, 2) for layout in SEARCHED}
    for layout, result in results.items():
        assert_same(result, scores(layout, None))


def threads(_):
    """Return the threads of BLAS, and whether shards run on other threads, for n_jobs=2."""
    with shard_map(2) as map_:
        of_shards = set(map_(lambda _: threading.get_ident(), range(4)))
        return max(blas_threads(), default=1), of_shards != {threading.get_ident()}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib_use_one_thread(backend):
    assert threads(None) == (1, True)
    with joblib.parallel_config(backend):
        assert joblib.Parallel(2)(joblib.delayed(threads)(i) for i in "ab") == [(1, False)] * 2


def test_blas_is_restored_after_fits_on_several_threads():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with joblib.parallel_config("threading"):
            tagger = SequenceTagger(tol=9, n_iter_no_change=1)
            joblib.Parallel(2)([joblib.delayed(tagger.fit)(X, sign_so_far(X))] * 4)
        assert blas_threads() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_blas_is_restored_when_training_fails(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(training, "_run", fail)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(error):
            SequenceTagger(n_jobs=2).fit(X, sign_so_far(X))
        assert blas_threads() == before
