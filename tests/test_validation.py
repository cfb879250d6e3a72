"""Every layout is read into the same rows, and given back as it came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._estimators import base
from sklearn_rnn._input.arrays import depth, object_array
from sklearn_rnn._input.layouts import LongTable, WideTable, read_sequences
from sklearn_rnn._input.sequences import Sequences
from sklearn_rnn._training import fit as training
from sklearn_rnn._training.recipe import SMALL

LENGTHS = (3, 1, 4)
PARTS = [np.random.default_rng(0).normal(size=(length, 2)) for length in LENGTHS]
ROWS = np.concatenate(PARTS)
IDS = np.repeat([7, -3, 5], LENGTHS)
NAMES = np.repeat(["u", "v", "a"], LENGTHS)

CUBE = np.random.default_rng(1).normal(size=(5, 4, 3))


def read(estimator, X):
    if isinstance(estimator, SequenceTagger):
        table = LongTable(estimator.sequence_id)
    else:
        table = WideTable(estimator.features_per_step)
    return read_sequences(estimator, X, table, reset=True)


def dense(rows):
    return rows.toarray() if sparse.issparse(rows) else rows


def assert_ragged_equal(actual, expected):
    assert isinstance(actual, np.ndarray) and actual.dtype == object
    assert actual.shape == (len(expected),)
    for a, b in zip(actual, expected):
        assert_array_equal(a, b)


# Layouts in


def frame(rows, names):
    pd = pytest.importorskip("pandas")
    data = pd.DataFrame(rows, columns=["p", "q"])
    data.insert(1, "who", names)
    return data


def polars_frame(rows, names):
    pl = pytest.importorskip("polars")
    return pl.DataFrame({"p": rows[:, 0], "who": names, "q": rows[:, 1]})


RAGGED = {
    "list": PARTS,
    "tuple": tuple(PARTS),
    "object array": object_array(PARTS),
    "nested lists": [part.tolist() for part in PARTS],
    "lists and arrays": [PARTS[0].tolist(), *PARTS[1:]],
    "CSR arrays": [sparse.csr_array(part) for part in PARTS],
    "CSR matrices": [sparse.csr_matrix(part) for part in PARTS],
    "CSR in an object array": object_array([sparse.csr_array(part) for part in PARTS]),
}


@pytest.mark.parametrize("X", RAGGED.values(), ids=RAGGED)
@pytest.mark.parametrize("estimator", [SequenceTagger(), SequenceClassifier()])
def test_ragged(estimator, X):
    sequences = read(estimator, X)
    assert sequences.layout == "ragged"
    assert sparse.issparse(sequences.rows) == sparse.issparse(X[0])
    assert_array_equal(dense(sequences.rows), ROWS)
    assert_array_equal(sequences.lengths, LENGTHS)
    assert_ragged_equal(sequences.give_back(NAMES), np.split(NAMES, np.cumsum(LENGTHS)[:-1]))


@pytest.mark.parametrize("container", [list, tuple, object_array])
@pytest.mark.parametrize("estimator", [SequenceTagger(), SequenceClassifier()])
def test_ragged_of_equal_lengths_stays_ragged(estimator, container):
    sequences = read(estimator, container(list(CUBE)))
    assert sequences.layout == "ragged"
    assert_ragged_equal(sequences.give_back(sequences.rows), CUBE)


def test_series_of_sequences():
    pd = pytest.importorskip("pandas")
    assert_array_equal(read(SequenceTagger(), pd.Series(PARTS)).rows, ROWS)


@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray, lambda X: X.astype(object)])
def test_3d(convert):
    sequences = read(SequenceTagger(), convert(CUBE))
    assert sequences.layout == "3-D"
    assert_array_equal(sequences.rows, CUBE.reshape(-1, 3))
    assert_array_equal(sequences.lengths, [4] * 5)
    assert_array_equal(sequences.give_back(sequences.rows), CUBE)
    assert_array_equal(sequences.give_back(sequences.rows[:, 0]), CUBE[..., 0])


def wide_frame(X):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])


def wide_polars(X):
    pl = pytest.importorskip("polars")
    return pl.DataFrame({f"c{i}": column for i, column in enumerate(X.T)})


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.ndarray.tolist,
        sparse.csr_array,
        sparse.csc_array,
        sparse.csr_matrix,
        wide_frame,
        wide_polars,
    ],
)
def test_wide_table(convert):
    estimator = SequenceClassifier(features_per_step=3)
    sequences = read(estimator, convert(CUBE.reshape(5, -1)))
    assert sequences.layout == "wide"
    assert_array_equal(dense(sequences.rows), CUBE.reshape(-1, 3))
    assert_array_equal(sequences.lengths, [4] * 5)
    assert estimator.n_features_in_ == 12


LONG = {
    "array": lambda: (np.c_[IDS, ROWS], 0, [7, -3, 5]),
    "array, from the end": lambda: (np.c_[ROWS, IDS], -1, [7, -3, 5]),
    "nested lists": lambda: (np.c_[IDS, ROWS].tolist(), 0, [7, -3, 5]),
    "CSR": lambda: (sparse.csr_array(np.c_[IDS, ROWS]), 0, [7, -3, 5]),
    "CSC": lambda: (sparse.csc_array(np.c_[ROWS, IDS]), -1, [7, -3, 5]),
    "objects": lambda: (frame(ROWS, NAMES).to_numpy(), 1, ["u", "v", "a"]),
    "pandas, name": lambda: (frame(ROWS, NAMES), "who", ["u", "v", "a"]),
    "pandas, position": lambda: (frame(ROWS, IDS), 1, [7, -3, 5]),
    "pandas, category": lambda: (
        frame(ROWS, NAMES).astype({"who": "category"}),
        "who",
        ["u", "v", "a"],
    ),
    "pandas, index": lambda: (frame(ROWS, NAMES).set_index("who"), "who", ["u", "v", "a"]),
    "pandas, index level": lambda: (
        frame(ROWS, NAMES).set_index(["who", np.arange(len(ROWS))]),
        "who",
        ["u", "v", "a"],
    ),
    "polars, name": lambda: (polars_frame(ROWS, NAMES), "who", ["u", "v", "a"]),
    "polars, position": lambda: (polars_frame(ROWS, IDS), -2, [7, -3, 5]),
}


@pytest.mark.parametrize("table", LONG.values(), ids=LONG)
def test_long_table(table):
    X, sequence_id, ids = table()
    estimator = SequenceTagger(sequence_id=sequence_id)
    sequences = read(estimator, X)
    assert sequences.layout == "long"
    assert_array_equal(dense(sequences.rows), ROWS)
    assert_array_equal(sequences.lengths, LENGTHS)
    assert_array_equal(sequences.ids, ids)
    assert_array_equal(sequences.give_back(NAMES), NAMES)
    assert estimator.n_features_in_ == np.shape(X)[1]


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array, np.ndarray.tolist])
def test_long_table_without_id_is_one_sequence(convert):
    sequences = read(SequenceTagger(), convert(ROWS))
    assert sequences.layout == "long" and sequences.ids is None
    assert_array_equal(dense(sequences.rows), ROWS)
    assert_array_equal(sequences.lengths, [8])


@pytest.mark.parametrize(
    "days", [["2020-03-01", "2019-01-01", "2021-01-01"], ["NaT", "2019-01-01", "2020-01-01"]]
)
def test_dates_as_ids(days):
    pd = pytest.importorskip("pandas")
    X = frame(ROWS, pd.to_datetime(np.repeat(days, LENGTHS)))
    estimator = SequenceTagger(sequence_id="who")
    if days[0] == "NaT":
        with pytest.raises(ValueError, match="row 0 of X is missing"):
            read(estimator, X)
    else:
        assert_array_equal(read(estimator, X).lengths, LENGTHS)


def test_neighbouring_runs_of_the_same_id_are_one_sequence():
    X = np.c_[[4, 4, 4, 4, 1, 1, 1, 1], ROWS]
    assert_array_equal(read(SequenceTagger(sequence_id=0), X).lengths, [4, 4])


@pytest.mark.parametrize(
    "x, expected",
    [(3, 0), ("word", 0), ([], 1), ([[1], [2]], 2), (CUBE, 3), (object_array(PARTS), 1)],
)
def test_depth(x, expected):
    assert depth(x) == expected


# Precision


@pytest.mark.parametrize("layout", ["3-D", "ragged", "CSR", "wide", "long"])
@pytest.mark.parametrize(
    "given_dtype, read_dtype",
    [(np.float32, np.float32), (np.float64, np.float64), (np.int16, np.float64), (bool, float)],
)
def test_float32_stays_and_all_else_becomes_float64(layout, given_dtype, read_dtype):
    X = (10 * CUBE).astype(given_dtype)
    estimator, X = {
        "3-D": (SequenceTagger(), X),
        "ragged": (SequenceTagger(), list(X)),
        "CSR": (SequenceTagger(), [sparse.csr_array(x) for x in X]),
        "wide": (SequenceClassifier(), X.reshape(5, -1)),
        "long": (SequenceTagger(), X.reshape(-1, 3)),
    }[layout]
    assert read(estimator, X).rows.dtype == read_dtype


# Forms of equal sparse data


def unsorted(X):
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:])])
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def halved(X):
    """Every entry twice, with half of its value."""
    data, indices = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2)
    return sparse.csr_array((data, indices, 2 * X.indptr), shape=X.shape)


def with_zeros(X):
    return sparse.csr_array(
        (np.append(X.data, [0.0, -0.0]), np.append(X.indices, [0, 1]), X.indptr + [0, 0, 0, 2]),
        shape=X.shape,
    )


SPARSE = sparse.csr_array([[1.0, 0, 2, 3], [0, 4, 0, 5], [0, 0, 6, 7]])


@pytest.mark.parametrize("form", [unsorted, halved, with_zeros])
@pytest.mark.parametrize("container", [lambda x: [x], lambda x: x], ids=["list", "table"])
def test_equal_sparse_data_have_equal_bits(form, container):
    given = form(SPARSE)
    before = [part.copy() for part in (given.data, given.indices, given.indptr)]
    rows = read(SequenceTagger(), container(given)).rows
    canonical = read(SequenceTagger(), container(SPARSE)).rows
    for name in ("data", "indices", "indptr"):
        assert_array_equal(getattr(rows, name), getattr(canonical, name))
    for part, was in zip((given.data, given.indices, given.indptr), before):
        assert_array_equal(part, was)


# Positions


@pytest.mark.parametrize(
    "layout, ids, words",
    [
        ("3-D", None, "sequence 2, step 1"),
        ("ragged", None, "sequence 2, step 1"),
        ("wide", None, "sequence 2, step 1"),
        ("long", None, "row 5, step 1"),
        ("long", np.array([7, -3, 5]), "row 5, sequence 5, step 1"),
        ("long", np.array(["u", "v", "a"]), "row 5, sequence 'a', step 1"),
    ],
)
def test_describe_position(layout, ids, words):
    assert Sequences(ROWS, np.array(LENGTHS), layout, ids).describe_position(5) == words


# Any shape

lengths = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@given(lengths, st.integers(1, 3))
def test_ragged_round_trip(lengths, n_features):
    parts = [np.random.default_rng(0).normal(size=(length, n_features)) for length in lengths]
    sequences = read(SequenceTagger(), parts)
    assert_ragged_equal(sequences.give_back(sequences.rows), parts)
    assert_ragged_equal(sequences.split(sequences.rows[:, 0]), [part[:, 0] for part in parts])
    steps = [(i, t) for i, length in enumerate(lengths) for t in range(length)]
    for row, (i, t) in enumerate(steps):
        assert sequences.describe_position(row) == f"sequence {i}, step {t}"


@given(lengths, st.randoms(use_true_random=False))
def test_long_round_trip(lengths, random):
    ids = random.sample(range(-9, 9), len(lengths))
    rows = np.arange(2.0 * sum(lengths)).reshape(-1, 2)
    sequences = read(SequenceTagger(sequence_id=-1), np.c_[rows, np.repeat(ids, lengths)])
    assert_array_equal(sequences.rows, rows)
    assert_array_equal(sequences.lengths, lengths)
    assert_array_equal(sequences.ids, ids)


# The layouts against each other

QUICK = {"hidden_layer_sizes": 4, "random_state": 0, "tol": 1e-2, "n_iter_no_change": 3}
LABELS = np.arange(20).reshape(5, 4) % 3 % 2


def as_objects(X):
    return object_array(list(X))


def weights(estimator):
    per_layer = ("input_weights_", "recurrent_weights_", "hidden_biases_")
    arrays = [w for name in per_layer for w in getattr(estimator, name, [])]
    single = ("feedback_weights_", "initial_feedback_", "output_weights_", "output_biases_")
    return arrays + [getattr(estimator, name) for name in single if hasattr(estimator, name)]


def assert_same_model(one, other):
    assert one.loss_curve_ == other.loss_curve_
    for a, b in zip(weights(one), weights(other), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize(
    "estimator, y",
    [
        (SequenceClassifier(features_per_step=3, **QUICK), LABELS[:, 0]),
        (SequenceRegressor(features_per_step=3, **QUICK), CUBE[:, 0]),
    ],
)
@pytest.mark.parametrize(
    "convert",
    [
        list,
        as_objects,
        np.ndarray.tolist,
        lambda X: X.reshape(5, -1),
        lambda X: wide_frame(X.reshape(5, -1)),
    ],
    ids=["list", "object array", "nested lists", "wide array", "wide DataFrame"],
)
def test_layouts_of_whole_sequences_agree(estimator, y, convert):
    other = type(estimator)(**estimator.get_params()).fit(convert(CUBE), y)
    estimator.fit(CUBE, y)
    assert_same_model(other, estimator)
    for X in (CUBE, convert(CUBE)):
        assert_array_equal(other.predict(X), estimator.predict(CUBE))


def with_ids(X):
    return np.c_[np.repeat(np.arange(5), 4), X.reshape(-1, X.shape[2])]


def with_names(X):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X.reshape(-1, X.shape[2]), columns=list("abc"))
    return table.assign(who=np.repeat(list("edcba"), 4))


TAGGERS = {
    "hidden feedback": lambda **more: SequenceTagger(**QUICK, **more),
    "teacher forcing": lambda **more: OutputFeedbackTagger(**QUICK, **more),
    "free running": lambda **more: OutputFeedbackTagger(teacher_forcing=False, **QUICK, **more),
}


@pytest.mark.parametrize("tagger", TAGGERS.values(), ids=TAGGERS)
@pytest.mark.parametrize(
    "convert, convert_y, sequence_id",
    [
        (list, list, None),
        (list, np.ndarray.tolist, None),
        (as_objects, as_objects, None),
        (with_ids, np.ravel, 0),
        (with_names, np.ravel, "who"),
    ],
    ids=["list", "lists of labels", "object array", "long array", "long DataFrame"],
)
def test_layouts_of_steps_agree(tagger, convert, convert_y, sequence_id):
    estimator = tagger().fit(CUBE, LABELS)
    X, y = convert(CUBE), convert_y(LABELS)
    other = tagger(sequence_id=sequence_id).fit(X, y)
    assert_same_model(other, estimator)
    assert_array_equal(np.ravel(estimator.predict(CUBE)), np.hstack(other.predict(X)))
    assert other.score(X, y) == estimator.score(CUBE, LABELS)


@pytest.mark.parametrize("tagger", TAGGERS.values(), ids=TAGGERS)
def test_ragged_and_long_agree(tagger):
    y = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    ragged = tagger().fit(PARTS, np.split(y, [3, 4]))
    long = tagger(sequence_id=0).fit(np.c_[IDS, ROWS], y)
    assert_same_model(ragged, long)
    assert_array_equal(
        np.concatenate(ragged.predict_proba(PARTS)), long.predict_proba(np.c_[IDS, ROWS])
    )


@pytest.mark.parametrize("tagger", TAGGERS.values(), ids=TAGGERS)
def test_sparse_and_dense_agree(tagger, monkeypatch):
    # sparse features have no direct term, and a penalty of their own
    monkeypatch.setattr(base, "choose_direct", lambda sparse_input: True)
    monkeypatch.setattr(training, "choose_start", lambda *_: SMALL._replace(stiffness=1.0))
    # sparse data are not standardised, so the dense ones must be so from the start
    X = (CUBE - CUBE.mean(axis=(0, 1))) / CUBE.std(axis=(0, 1))
    csr = [sparse.csr_array(x) for x in X]
    one, other = tagger().fit(X, LABELS), tagger().fit(csr, LABELS)
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-6)
    assert_allclose(np.stack(one.predict_proba(csr)), one.predict_proba(X), atol=1e-12)
    assert_array_equal(np.stack(other.predict(csr)), one.predict(X))


def test_sparse_layouts_agree():
    y = LABELS[:, 0]
    wide = sparse.csr_array(CUBE.reshape(5, -1))
    csr = [sparse.csr_array(x) for x in CUBE]
    one = SequenceClassifier(features_per_step=3, **QUICK).fit(wide, y)
    other = SequenceClassifier(**QUICK).fit(csr, y)
    assert_same_model(one, other)
    assert_allclose(one.predict_proba(csr), one.predict_proba(CUBE), atol=1e-12)
