"""Names of features and of times: a table is read as it is meant, or refused."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn.preprocessing import (
    ContextWindow,
    PerStepTransformer,
    from_nested,
    from_numpy3d,
    pad,
    to_table,
)

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

QUICK = {"hidden_layer_sizes": 2, "max_iter": 2, "tol": 9, "n_iter_no_change": 1, "random_state": 0}
PER_STEP = [SequenceTagger(**QUICK), OutputFeedbackTagger(**QUICK)]
PER_SEQUENCE = [SequenceClassifier(**QUICK), SequenceRegressor(**QUICK)]
N, T, NAMES = 4, 5, ["a", "b", "c"]


def type_name(estimator):
    return type(estimator).__name__


of_each = pytest.mark.parametrize("estimator", PER_STEP + PER_SEQUENCE, ids=type_name)
of_each_tagger = pytest.mark.parametrize("estimator", PER_STEP, ids=type_name)
of_each_kind_of_frame = pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])


@pytest.fixture
def arrays(rng):
    return list(rng.standard_normal((N, T, 3)))


def labels(estimator):
    return [0, 1] * 2 if estimator in PER_SEQUENCE else [[0, 1, 0, 1, 0]] * N


def frames(arrays, frame=pd.DataFrame, columns=NAMES):
    return [frame({name: x[:, NAMES.index(name)] for name in columns}) for x in arrays]


def long_table(arrays):
    """Ids and times in the index."""
    return pd.concat(frames(arrays), keys=range(N), names=["id", "time"])


@of_each
@of_each_kind_of_frame
def test_lists_of_frames_are_checked_by_name(estimator, frame, arrays):
    y = labels(estimator)
    fitted = clone(estimator).fit(frames(arrays, frame), y)
    assert fitted.feature_names_in_.tolist() == NAMES
    expected = clone(estimator).fit(arrays, y).predict(arrays)
    np.testing.assert_array_equal(
        np.stack(fitted.predict(frames(arrays, frame))), np.stack(expected)
    )
    turned = frames(arrays, frame, ["b", "a", "c"])
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.predict(turned)
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.score(turned, y)
    with pytest.raises(ValueError, match="unseen at fit time:\n- z"):
        fitted.predict([pd.DataFrame(x, columns=["a", "b", "z"]) for x in arrays])
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.partial_fit(turned, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(arrays)


@of_each
def test_frames_of_one_list_have_the_same_columns(estimator, arrays):
    X, y = frames(arrays), labels(estimator)
    for other, message in (
        (X[2][["b", "a", "c"]], "has the columns .'b', 'a', 'c'."),
        (arrays[2], "has no names of columns"),
    ):
        mixed = [*X[:2], other, X[3]]
        with pytest.raises(ValueError, match=f"sequence 2 of X {message}.*but sequence 0"):
            clone(estimator).fit(mixed, y)
        fitted = clone(estimator).fit(X, y)
        with pytest.raises(ValueError, match=f"sequence 2 of X {message}"):
            fitted.predict(mixed)


@of_each_tagger
def test_names_of_a_long_table_and_of_frames_are_the_same(estimator, arrays):
    y = labels(estimator)
    X, turned = frames(arrays), frames(arrays, columns=["b", "a", "c"])
    by_column = clone(estimator).set_params(sequence_id="id")
    tables = {
        "column": (long_table(arrays).reset_index("id"), "id"),
        "position": (long_table(arrays).reset_index("id"), 0),
        "level": (long_table(arrays), "id"),
    }
    for table, sequence_id in tables.values():
        fitted = clone(estimator).set_params(sequence_id=sequence_id).fit(table, np.ravel(y))
        fitted.predict(X)
        with pytest.raises(ValueError, match="must be in the same order"):
            fitted.predict(turned)
    fitted = by_column.fit(X, y)
    table, _ = tables["column"]
    fitted.predict(table)
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.predict(table[["id", "b", "a", "c"]])


@of_each_tagger
def test_rows_of_a_stepper_are_checked_by_name(estimator, arrays):
    X, y = frames(arrays), labels(estimator)
    table = long_table(arrays).reset_index("id")
    of_list = clone(estimator).fit(X, y)
    of_table = clone(estimator).set_params(sequence_id="id").fit(table, np.ravel(y))
    expected = of_list.predict_proba(X)[0]
    for tagger in (of_list, of_table):
        stepper = tagger.start()
        np.testing.assert_allclose(stepper.step(X[0].iloc[0]), expected[0], atol=1e-12)
        for row in (X[0].iloc[1][["b", "a", "c"]], X[0].iloc[1].rename({"a": "z"}), table.iloc[1]):
            with pytest.raises(ValueError, match="x of step 1 has the names .*but fit saw"):
                stepper.step(row)
        np.testing.assert_allclose(stepper.step(arrays[0][1]), expected[1], atol=1e-12)
        side_by_side = pd.DataFrame([x.iloc[0] for x in X])
        assert tagger.start().step(side_by_side).shape == (N, 2)
        with pytest.raises(ValueError, match="x of step 0 has the names"):
            tagger.start().step(side_by_side[["b", "a", "c"]])


def test_rows_without_names_are_taken_by_position(arrays):
    tagger = SequenceTagger(**QUICK).fit(arrays, labels(PER_STEP[0]))
    named = tagger.start().step(pd.Series(arrays[0][0], index=["c", "b", "a"]))
    np.testing.assert_array_equal(named, tagger.start().step(arrays[0][0]))
    fitted_with_names = SequenceTagger(**QUICK).fit(frames(arrays), labels(PER_STEP[0]))
    fitted_with_names.start().step(pd.Series(arrays[0][0]))


def test_per_step_transformer_gives_frames_to_its_transformer(arrays):
    X = frames(arrays)
    columns = ColumnTransformer([("a and c", StandardScaler(), ["a", "c"])])
    transformer = PerStepTransformer(columns).fit(X)
    chosen = [x[:, [0, 2]] for x in arrays]
    expected = PerStepTransformer(StandardScaler()).fit_transform(chosen)
    np.testing.assert_allclose(np.stack(transformer.transform(X)), np.stack(expected))
    scaler = PerStepTransformer(StandardScaler()).fit(X)
    assert scaler.feature_names_in_.tolist() == NAMES
    turned = frames(arrays, columns=["b", "a", "c"])
    with pytest.raises(ValueError, match="must be in the same order"):
        scaler.transform(turned)
    with pytest.raises(ValueError, match="sequence 1 of X has the columns"):
        scaler.transform([X[0], turned[1]])
    for convert in (pad, to_table):
        with pytest.raises(ValueError, match="sequence 1.* has the columns"):
            convert([X[0], turned[1]])


def test_sequences_of_aeon_and_sktime(arrays):
    X = np.array(arrays)
    channels_first = X.transpose(0, 2, 1)
    np.testing.assert_array_equal(from_numpy3d(channels_first), X)
    ragged = [x[: 2 + i] for i, x in enumerate(X)]
    for turned, x in zip(from_numpy3d([x.T for x in ragged]), ragged, strict=True):
        np.testing.assert_array_equal(turned, x)
    nested = pd.DataFrame(
        {name: [pd.Series(x[:, i]) for x in ragged] for i, name in [(0, "a"), (2, "c")]}
    )
    for read, x in zip(from_nested(nested), ragged, strict=True):
        np.testing.assert_array_equal(read, x[:, [0, 2]])
    classifier = SequenceClassifier(**QUICK).fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="from_numpy3d"):
        classifier.predict(channels_first)


def test_panels_that_are_none():
    with pytest.raises(ValueError, match="three axes"):
        from_numpy3d(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"X\[1\] has shape \(4,\)"):
        from_numpy3d([np.zeros((3, 4)), np.zeros(4)])
    with pytest.raises(TypeError, match="must be a DataFrame"):
        from_nested(np.zeros((3, 4)))
    with pytest.raises(TypeError, match="Column 'b' of X holds no series at row 1"):
        from_nested(pd.DataFrame({"a": [[1, 2], [3]], "b": [[1, 2], 5]}))
    with pytest.raises(ValueError, match="row 1 of X have different lengths: {'a': 1, 'b': 2}"):
        from_nested(pd.DataFrame({"a": [[1, 2], [3]], "b": [[1, 2], [3, 4]]}))
    with pytest.raises(ValueError, match="sequence 0 of X has no steps"):
        from_nested(pd.DataFrame({"a": [[]]}))


def test_context_window_checks_names_of_frames(arrays):
    window = ContextWindow(before=1).fit(frames(arrays))
    window.transform(frames(arrays))
    with pytest.raises(ValueError, match="must be in the same order"):
        window.transform(frames(arrays, columns=["b", "a", "c"]))


@of_each_tagger
def test_time_in_the_index_rises_within_each_sequence(estimator, arrays):
    table, y = long_table(arrays), np.ravel(labels(estimator))
    tagger = clone(estimator).set_params(sequence_id="id").fit(table, y)
    order = np.arange(N * T)
    order[[6, 7]] = 7, 6
    for fit_or_predict in (lambda X: tagger.fit(X, y), tagger.predict):
        with pytest.raises(
            ValueError, match=r"falls at row 7, sequence 1, step 2: '1' comes after"
        ):
            fit_or_predict(table.iloc[order])
    dated = table.reset_index("id")
    dated.index = np.tile(pd.date_range("2020-01-01", periods=T), N)
    tagger = clone(estimator).set_params(sequence_id="id").fit(dated, y)
    with pytest.raises(ValueError, match="'2020-01-02 00:00:00' comes after '2020-01-03"):
        tagger.predict(dated.iloc[order])


def test_row_numbers_and_names_in_the_index_are_no_times(arrays):
    y = [0, 1, 0, 1, 0] * N
    table = long_table(arrays).reset_index("id")
    table.index = np.random.default_rng(0).permutation(N * T)
    SequenceTagger(sequence_id="id", **QUICK).fit(table, y)
    table = long_table(arrays).rename(index=lambda time: "edcba"[time], level="time")
    SequenceTagger(sequence_id="id", **QUICK).fit(table, y)


def test_wide_tables_with_two_levels_of_columns(arrays):
    y = [0, 1, 0, 1]
    by_step = pd.DataFrame(np.reshape(arrays, (N, -1)))
    by_step.columns = pd.MultiIndex.from_product([range(T), NAMES])
    by_feature = by_step.swaplevel(axis=1)[NAMES]
    classifier = SequenceClassifier(features_per_step=3, **QUICK)
    expected = classifier.fit(np.array(arrays), y).predict_proba(np.array(arrays))
    np.testing.assert_array_equal(classifier.fit(by_step, y).predict_proba(by_step), expected)
    for fit_or_predict in (lambda X: classifier.fit(X, y), classifier.predict):
        with pytest.raises(ValueError, match=r"swaplevel\(axis=1\)"):
            fit_or_predict(by_feature)
    turned = by_feature.swaplevel(axis=1).sort_index(axis=1)  # what the message says
    np.testing.assert_array_equal(classifier.fit(turned, y).predict_proba(turned), expected)
    with pytest.raises(ValueError, match="1 features each"):
        SequenceClassifier(**QUICK).fit(by_step, y)


@pytest.mark.parametrize("outer", [range(3), ["x", "y", "z"]])
def test_as_many_steps_as_features_are_told_apart_by_numbers(outer, rng):
    table = pd.DataFrame(rng.standard_normal((4, 9)))
    table.columns = pd.MultiIndex.from_product([outer, NAMES])
    classifier = SequenceClassifier(features_per_step=3, **QUICK)
    if outer == range(3):
        classifier.fit(table, [0, 1, 0, 1])
    else:
        with pytest.raises(ValueError, match="not clearly"):
            classifier.fit(table, [0, 1, 0, 1])


def test_a_position_that_is_the_name_of_another_column(rng):
    table = pd.DataFrame(rng.standard_normal((4, 4)), columns=[3, 0, 1, 2])
    table[3] = [0, 0, 1, 1]
    with pytest.raises(ValueError, match="sequence_id=3 is the name of column 0 of X and the pos"):
        SequenceTagger(sequence_id=3, **QUICK).fit(table, [0, 1, 0, 1])
    SequenceTagger(sequence_id=3, **QUICK).fit(table[[0, 1, 2, 3]], [0, 1, 0, 1])


@of_each_kind_of_frame
def test_single_precision_stays_single_beside_ids(frame):
    single = np.array([0.5, 1.5, 2.5, 3.5], np.float32)
    table = frame({"id": np.array([0, 0, 1, 1]), "a": single})
    tagger = SequenceTagger(sequence_id="id", **QUICK).fit(table, [0, 1, 0, 1])
    assert tagger.predict_proba(table).dtype == np.float32


def test_single_precision_in_another_byte_order(arrays):
    y = labels(PER_STEP[0])
    single = [x.astype(np.float32) for x in arrays]
    expected = SequenceTagger(**QUICK).fit(single, y).predict_proba(single)
    swapped = [x.astype(">f4") for x in arrays]
    for X in (swapped, np.array(swapped), frames(swapped)):
        probabilities = SequenceTagger(**QUICK).fit(X, y).predict_proba(X)
        assert probabilities[0].dtype == np.float32
        np.testing.assert_array_equal(np.stack(probabilities), np.stack(expected))
