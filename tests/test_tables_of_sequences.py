"""Long tables of estimators that have one target for each sequence."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from refusals import IDS, LONG, QUICK, ROWS, WIDE, D, S, T, X, Y, assert_refuses, put
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_validate

from sklearn_rnn import SequenceClassifier, SequenceRegressor
from sklearn_rnn.model_selection import SequenceKFold

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

NAMES = list("fedcba")
NUMBERS = X[:, :, 0].sum(axis=1)
TABLE = pd.DataFrame(ROWS, columns=list("pqr")).assign(who=np.repeat(NAMES, T))
METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


def classifier(sequence_id="who", **more):
    return SequenceClassifier(sequence_id=sequence_id, **QUICK, **more)


def regressor(sequence_id="who", **more):
    return SequenceRegressor(sequence_id=sequence_id, **QUICK, **more)


def in_rows(values):
    return np.repeat(values, T, axis=0)


def shuffled(series):
    """The same values by id in another order."""
    return series.sample(frac=1, random_state=0)


# What tells the target of each sequence: from one value for each.
FORMS = {
    "rows": in_rows,
    "list of rows": lambda y: in_rows(y).tolist(),
    "series of rows": lambda y: pd.Series(in_rows(y)),
    "dict": lambda y: dict(zip(NAMES[::-1], y[::-1])),
    "series by id": lambda y: shuffled(pd.Series(y, index=NAMES)),
    "categories by id": lambda y: shuffled(pd.Series(y, index=NAMES)).astype("category"),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_in_every_form(form):
    labels = np.where(Y == 1, "up", "down")
    expected = SequenceClassifier(**QUICK).fit(X, labels)
    fitted = classifier().fit(TABLE, FORMS[form](labels))
    for method in METHODS:
        of_sequences = getattr(expected, method)(X)
        assert_array_equal(getattr(fitted, method)(TABLE), in_rows(of_sequences))
        assert_array_equal(getattr(fitted, method)(X), of_sequences)
        by_id = fitted.predict_sequences(TABLE, method)
        assert by_id.index.tolist() == NAMES and by_id.index.name == "who"
        assert_array_equal(by_id, of_sequences)
    assert fitted.predict_sequences(TABLE, "predict_proba").columns.tolist() == ["down", "up"]
    assert fitted.score(TABLE, FORMS[form](labels)) == expected.score(X, labels)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "categories by id"])
def test_numbers_in_every_form(form):
    expected = SequenceRegressor(**QUICK).fit(X, NUMBERS)
    fitted = regressor().fit(TABLE, FORMS[form](NUMBERS))
    assert_array_equal(fitted.predict(TABLE), in_rows(expected.predict(X)))
    assert_array_equal(fitted.predict_sequences(TABLE), expected.predict(X))
    assert fitted.score(TABLE, FORMS[form](NUMBERS)) == expected.score(X, NUMBERS)


@pytest.mark.parametrize(
    "form", [in_rows, lambda y: shuffled(pd.DataFrame(y, index=NAMES))], ids=["rows", "by id"]
)
def test_several_numbers(form):
    targets = np.c_[NUMBERS, -NUMBERS]
    expected = SequenceRegressor(**QUICK).fit(X, targets).predict(X)
    fitted = regressor().fit(TABLE, form(targets))
    assert_array_equal(fitted.predict(TABLE), in_rows(expected))
    assert_array_equal(fitted.predict_sequences(TABLE), expected)


@pytest.mark.parametrize("form", FORMS)
def test_weights_in_every_form(form):
    weight = np.arange(S) % 3 + 0.5
    expected = SequenceClassifier(**QUICK).fit(X, Y, weight)
    fitted = classifier().fit(TABLE, in_rows(Y), FORMS[form](weight))
    assert_array_equal(fitted.predict_proba(X), expected.predict_proba(X))
    score = fitted.score(TABLE, in_rows(Y), FORMS[form](weight))
    assert score == expected.score(X, Y, weight)


def test_score_counts_sequences_not_rows():
    parts = [x[: 1 + i % T] for i, x in enumerate(X)]
    table = np.c_[np.repeat(IDS[::T], [len(x) for x in parts]), np.concatenate(parts)]
    y = dict(zip(IDS[::T], Y))
    fitted = classifier(0).fit(table, y)
    assert fitted.score(table, y) == SequenceClassifier(**QUICK).fit(parts, Y).score(parts, Y)


@pytest.mark.parametrize(
    "ids, keys",
    [
        (IDS, [7, -3, 5, 2, 9, 4]),
        (IDS.astype(float), [7, -3, 5, 2, 9, 4]),
        (in_rows(pd.date_range("2020", periods=S).to_numpy()), pd.date_range("2020", periods=S)),
        (in_rows(NAMES), pd.CategoricalIndex(NAMES)),
    ],
    ids=["integers", "floats", "dates", "categories"],
)
def test_ids_of_many_types(ids, keys):
    fitted = classifier().fit(TABLE.assign(who=ids), shuffled(pd.Series(Y, index=keys)))
    assert_array_equal(fitted.predict(X), SequenceClassifier(**QUICK).fit(X, Y).predict(X))


def test_ids_in_the_index_and_by_position():
    expected = classifier().fit(TABLE, in_rows(Y)).predict_sequences(TABLE)
    indexed = TABLE.set_index("who")
    pd.testing.assert_series_equal(
        classifier().fit(indexed, in_rows(Y)).predict_sequences(indexed), expected
    )
    pd.testing.assert_series_equal(
        classifier(3).fit(TABLE, in_rows(Y)).predict_sequences(TABLE), expected
    )


@pytest.mark.parametrize(
    "table", [LONG, pl.DataFrame(TABLE.to_dict("list"))], ids=["array", "polars"]
)
def test_without_pandas_predictions_of_sequences_are_an_array(table):
    sequence_id = 0 if table is LONG else "who"
    fitted = classifier(sequence_id).fit(table, in_rows(Y))
    predicted = fitted.predict_sequences(table)
    assert type(predicted) is np.ndarray
    assert_array_equal(predicted, SequenceClassifier(**QUICK).fit(X, Y).predict(X))


@pytest.mark.parametrize("estimator", [SequenceClassifier(**QUICK), regressor()])
def test_predictions_of_sequences_in_other_layouts_are_those_of_predict(estimator):
    y = Y if isinstance(estimator, SequenceClassifier) else NUMBERS
    estimator = clone(estimator).fit(X, y)
    assert_array_equal(estimator.predict_sequences(X), estimator.predict(X))
    assert_array_equal(estimator.predict_sequences(list(X)), estimator.predict(list(X)))


def test_scikit_learns_tools_split_by_group_or_by_sequence():
    y, n = in_rows(Y), T * S
    by_id = SequenceKFold(3, sequence_id="who")
    for cv, groups in ((by_id, None), (GroupKFold(3), TABLE["who"])):
        predicted = cross_val_predict(classifier(), TABLE, y, cv=cv, groups=groups)
        assert predicted.shape == (n,)
        assert (predicted.reshape(S, T) == predicted.reshape(S, T)[:, :1]).all()
    scores = cross_validate(
        classifier(), TABLE, y, cv=by_id, scoring=["accuracy", "roc_auc"], error_score="raise"
    )
    assert np.isfinite(scores["test_accuracy"]).all()


def test_steps_as_they_come_in():
    fitted = classifier().fit(TABLE, in_rows(Y))
    stepper = fitted.start()
    for row in TABLE.drop(columns="who").iloc[:T].iloc:
        probabilities = stepper.step(row)
    assert_allclose(probabilities, fitted.predict_proba(X)[0], atol=1e-12)


@pytest.mark.parametrize("parameters", [{"sequence_id": None}, {"features_per_step": 1}])
def test_a_saved_estimator_reads_tables_as_it_did(parameters):
    fitted = classifier(0).fit(LONG, in_rows(Y))
    loaded = pickle.loads(pickle.dumps(fitted.set_params(**parameters)))
    assert_array_equal(loaded.predict(LONG), fitted.predict(LONG))
    assert loaded.predict(LONG).shape == (S * T,)


ROWS_OF_Y = in_rows(Y)
REFUSED = {
    "label that changes": (
        dict(y=put(ROWS_OF_Y, 9, 1)),
        "y changes within sequence 'd', to 1 at row 9",
    ),
    "weight that changes": (
        dict(sample_weight=put(np.ones(S * T), 9, 2.0)),
        "sample_weight changes within sequence 'd', to 2.0 at row 9",
    ),
    "missing label": (
        dict(y=put(ROWS_OF_Y, 9, np.nan)),
        "label of y at row 9, sequence 'd', step 1 is missing",
    ),
    "missing label by id": (
        dict(y=dict(zip(NAMES, [0, 1, None, 0, 1, 0]))),
        "label of y at sequence 'd' is missing",
    ),
    "one for each sequence": (dict(y=Y), "Pass one for each row, or a dict or pandas Series by"),
    "weights of sequences": (
        dict(sample_weight=np.ones(S)),
        "sample_weight has 6 entries, one for each sequence, but X has 24 rows",
    ),
    "other count": (dict(y=Y[:4]), "y has 4 entries, but X has 24 rows"),
    "id that is absent": (dict(y=dict(zip("fedcb", Y))), "y has no sequence 'a'"),
    "id too many": (dict(y=dict(zip("fedcbaz", [*Y, 0]))), "X has no sequence 'z'"),
    "ids of another type": (dict(y=dict(zip(range(S), Y))), "y has no sequence 'f'"),
    "id given twice": (
        dict(y=pd.Series(Y, index=list("fedcbb"))),
        "y has more than one entry for sequence 'b'",
    ),
    "one class": (dict(y=dict.fromkeys(NAMES, 0)), "only one class"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_targets(name):
    arguments, words = REFUSED[name]
    good = {"y": ROWS_OF_Y, "sample_weight": None}
    assert_refuses(lambda: classifier().fit(TABLE, **(good | arguments)), words)


@pytest.mark.parametrize(
    "y, words",
    [
        (put(in_rows(NUMBERS), 9, 7.0), "y changes within sequence 'd', to 7.0 at row 9"),
        (put(in_rows(NUMBERS), 9, np.nan), "y holds NaN or infinity for row 9, sequence 'd'"),
        (dict(zip(NAMES, put(NUMBERS, 2, np.inf))), "NaN or infinity for sequence 'd'"),
    ],
)
def test_bad_numbers(y, words):
    assert_refuses(lambda: regressor().fit(TABLE, y), words)


def test_sequences_of_one_step_leave_no_doubt_about_an_index():
    table, ids = np.c_[[3, 1, 2], np.eye(3)], [3, 1, 2]
    y = pd.Series([0, 1, 1], index=[1, 2, 3])
    assert_refuses(lambda: classifier(0).fit(table, y), "in another order than the rows of X")
    for same in (y.to_numpy(), dict(zip(ids, y)), y.set_axis(ids), y.set_axis(list("abc"))):
        assert classifier(0).fit(table, same).classes_.tolist() == [0, 1]


def test_a_table_is_wide_or_long():
    both = classifier(features_per_step=D)
    assert_refuses(lambda: both.fit(WIDE, Y), "features_per_step=3 that it is a sequence. Set one")


def test_there_is_no_such_method():
    fitted = regressor().fit(TABLE, in_rows(NUMBERS))
    assert_refuses(lambda: fitted.predict_sequences(TABLE, "score"), "must be one of ['predict']")
