"""Splits of a panel by time, alone and with other sequences."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from refusals import LONG, X, assert_refuses
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklearn_rnn import PerStepRegressor
from sklearn_rnn.model_selection import SequenceTimeSeriesSplit

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

DAYS = pd.date_range("2024-01-01", periods=12)
# sequences begin at different days, and miss some
ROWS = [
    (name, day)
    for i, name in enumerate("cab")
    for t, day in enumerate(DAYS)
    if i <= t and (t + i) % 5
]
INDEX = pd.MultiIndex.from_tuples(ROWS, names=["who", "day"])
PANEL = pd.DataFrame({"x": np.arange(float(len(ROWS)))}, index=INDEX)
WHO, DAY = (INDEX.get_level_values(name).to_numpy() for name in ("who", "day"))
OPTIONS = [
    {},
    {"max_train_size": 2},
    {"test_size": 2, "gap": 1},
    {"max_train_size": 3, "test_size": 1, "gap": 2},
]


def split(table=PANEL, n_splits=3, time="day", **options):
    return list(SequenceTimeSeriesSplit(n_splits, time=time, **options).split(table))


@pytest.mark.parametrize("options", OPTIONS)
def test_rows_are_those_of_the_times_that_scikit_learn_splits(options):
    times = np.unique(DAY)
    expected = list(TimeSeriesSplit(3, **options).split(times))
    for (train, test), (past, future) in zip(split(**options), expected, strict=True):
        assert_array_equal(train, [i for i, day in enumerate(DAY) if day in times[past]])
        assert_array_equal(test, [i for i, day in enumerate(DAY) if day in times[future]])
        assert DAY[train].max() < DAY[test].min()


@pytest.mark.parametrize("options", OPTIONS[:2])
def test_sequences_are_tested_that_were_not_trained_on(options):
    splits = split(sequence_folds=3, sequence_id="who", **options)
    splitter = SequenceTimeSeriesSplit(3, time="day", sequence_folds=3, sequence_id="who")
    assert len(splits) == splitter.get_n_splits() == 9
    by_time = split(**options)
    for i, (train, test) in enumerate(splits):
        assert not set(WHO[train]) & set(WHO[test])
        assert DAY[train].max() < DAY[test].min()
        past, future = by_time[i // 3]
        assert_array_equal(train, np.intersect1d(past, np.flatnonzero(WHO != WHO[test][0])))
        assert_array_equal(test, np.intersect1d(future, np.flatnonzero(WHO == WHO[test][0])))


FORMS = {
    "column": (PANEL.reset_index(), "day"),
    "position": (PANEL.reset_index(), 1),
    "polars": (pl.DataFrame({"who": WHO.tolist(), "day": DAY}), "day"),
    "array": (np.c_[np.arange(len(ROWS)), DAY.astype(int)], 1),
    "objects": (np.array([[day, 0] for day in DAY.astype("M8[D]").tolist()], dtype=object), 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_tables(form):
    table, time = FORMS[form]
    for actual, expected in zip(split(table, time=time), split(), strict=True):
        for rows, expected_rows in zip(actual, expected):
            assert_array_equal(rows, expected_rows)


def test_a_search_over_a_panel():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([list("abcd"), range(30)], names=["who", "day"])
    table = pd.DataFrame({"x": rng.normal(size=120)}, index=index)
    y = table["x"].to_numpy() + table.groupby("who")["x"].shift(1).fillna(0).to_numpy()
    search = GridSearchCV(
        PerStepRegressor(4, sequence_id="who", random_state=0),
        {"alpha": [0.03, 1e4]},
        cv=SequenceTimeSeriesSplit(3, time="day", gap=1),
        error_score="raise",
    ).fit(table, y)
    assert search.best_params_ == {"alpha": 0.03} and search.best_score_ > 0.7


MISSING = PANEL.reset_index().assign(day=pd.to_datetime([None, *DAY[1:]]))
REFUSED = [
    (PANEL, {"time": "week"}, "X has no column time='week'"),
    (LONG, {"time": "day"}, "time='day' names a column, but X is an array"),
    (LONG, {"time": 7}, "time=7, but X has only 4 columns"),
    (X, {}, "X must be a 2-D table with a column of times"),
    (MISSING, {}, "The time at row 0 of X is missing"),
    (PANEL.reset_index().assign(day=[1, *"b" * (len(ROWS) - 1)]), {}, "must all be of one type"),
    (PANEL, {"n_splits": 20}, "X has only 11 distinct times"),
    (PANEL[:0].reset_index(), {}, "X has no rows"),
    (
        PANEL[(WHO != "b") | (DAY < DAYS[6])],
        {"sequence_folds": 3, "sequence_id": "who"},
        "have no rows at the times of the test part",
    ),
]


@pytest.mark.parametrize("table, options, words", REFUSED, ids=[case[-1] for case in REFUSED])
def test_refusals(table, options, words):
    assert_refuses(lambda: split(table, **options), words)


@pytest.mark.parametrize("options", [{"sequence_folds": 2}, {"sequence_id": "who"}])
def test_folds_of_sequences_need_their_ids(options):
    assert_refuses(lambda: SequenceTimeSeriesSplit(time="day", **options), "given together")
