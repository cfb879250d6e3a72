"""Conversions between layouts: there and back, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_rnn import SequenceTagger
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn.preprocessing import pad, to_sequences, to_table, unpad

LENGTHS = (3, 1, 4)
PARTS = [np.random.default_rng(0).normal(size=(length, 2)) for length in LENGTHS]
ROWS = np.concatenate(PARTS)
LABELS = [["p", "q", "p"], ["q"], ["q", "p", "q", "p"]]
TABLE = np.c_[np.repeat([7, -3, 5], LENGTHS), ROWS]

sequences = st.lists(st.integers(1, 5), min_size=1, max_size=6).map(
    lambda lengths: [np.arange(2.0 * n).reshape(n, 2) + 10 * i for i, n in enumerate(lengths)]
)


def assert_same_sequences(actual, expected):
    assert isinstance(actual, np.ndarray) and actual.dtype == object and actual.ndim == 1
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        assert sparse.issparse(a) == sparse.issparse(b)
        a, b = (x.toarray() if sparse.issparse(x) else np.asarray(x) for x in (a, b))
        assert a.dtype == b.dtype
        assert_array_equal(a, b)


# Tables


@given(sequences, st.sampled_from([0, 1, -1]))
def test_array_and_back(X, position):
    check_table_and_back(X, sequence_id=position)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frame_and_back(library):
    pytest.importorskip(library)
    check_table_and_back(PARTS, sequence_id="who", library=library)


def check_table_and_back(X, sequence_id, **parameters):
    y = [np.arange(len(x)) for x in X]
    table, labels = to_table(X, y, sequence_id=sequence_id, **parameters)
    assert len(table) == len(labels)
    X_back, y_back = to_sequences(table, sequence_id, labels)
    assert_same_sequences(X_back, X)
    assert_same_sequences(y_back, y)


def test_sparse_table_and_back():
    X = [sparse.csr_array(x) for x in PARTS]
    table = to_table(X)
    assert table.format == "csr" and table.shape == (8, 3)
    assert_same_sequences(to_sequences(table, 0), X)


def test_float32_comes_back_from_a_frame():
    pytest.importorskip("pandas")
    X = [x.astype(np.float32) for x in PARTS]
    assert_same_sequences(to_sequences(to_table(X, sequence_id="who"), "who"), X)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frame(library):
    module = pytest.importorskip(library)
    table, y = to_table(
        object_array(PARTS),
        LABELS,
        sequence_id="who",
        ids=list("uva"),
        columns=["p", "q"],
        library=library,
    )
    assert isinstance(table, module.DataFrame)
    assert list(table.columns) == ["who", "p", "q"]
    assert list(table["who"]) == list("uuuvaaaa")
    assert y.tolist() == list("pqpqqpqp")


def test_strings_in_a_table():
    assert to_table(LABELS).tolist()[3] == [1, "q"]
    pytest.importorskip("pandas")
    table = to_table(LABELS, sequence_id="who")
    assert [x[:, 0].tolist() for x in to_sequences(table, "who")] == LABELS


def test_ids_in_the_index():
    pytest.importorskip("pandas")
    table = to_table(PARTS, sequence_id="who", ids=["b", "c", "a"]).set_index("who")
    assert_same_sequences(to_sequences(table, "who"), PARTS)


def test_ids_are_returned_in_the_order_of_the_sequences():
    X, y, ids = to_sequences(TABLE, 0, np.concatenate(LABELS), return_ids=True)
    assert ids.tolist() == [7, -3, 5]
    assert_same_sequences(X, PARTS)
    assert [part.tolist() for part in y] == LABELS
    assert to_sequences(TABLE, 0, return_ids=True)[1].tolist() == [7, -3, 5]


def test_3d_array():
    cube = np.arange(12.0).reshape(2, 3, 2)
    table, y = to_table(cube, np.arange(6).reshape(2, 3))
    assert_array_equal(table[:, 1:], cube.reshape(6, 2))
    assert_array_equal(y, np.arange(6))


def test_a_tagger_takes_the_table():
    table, y = to_table(PARTS, LABELS, ids=[7, -3, 5])
    assert_array_equal(table, TABLE)
    by_table = SequenceTagger(4, sequence_id=0, random_state=0, tol=0.01).fit(table, y)
    of_lists = SequenceTagger(4, random_state=0, tol=0.01).fit(PARTS, LABELS)
    assert_array_equal(by_table.predict_proba(table), np.concatenate(of_lists.predict_proba(PARTS)))


# Padding


@given(sequences, st.sampled_from([np.nan, -1, -np.inf]))
def test_pad_and_back(X, padding_value):
    padded = pad(X, padding_value)
    assert padded.shape == (len(X), max(map(len, X)), 2)
    assert_same_sequences(unpad(padded, padding_value=padding_value), X)
    assert_same_sequences(unpad(padded, [len(x) for x in X]), X)


@pytest.mark.parametrize(
    "dtype, padding_value, padded_dtype",
    [
        *(("f4", np.nan, "f4"), ("i8", np.nan, "f8"), ("i4", -1, "i4"), (bool, np.nan, "f8")),
        # wider where the value does not fit
        *(("i1", 1, "i1"), ("i1", 300, "i4"), ("u1", -1, "i2"), (bool, -1, "i8")),
    ],
)
def test_dtype_of_padding(dtype, padding_value, padded_dtype):
    assert pad([np.ones(2, dtype), np.ones(1, dtype)], padding_value).dtype == padded_dtype


def test_labels_of_strings():
    padded = pad(LABELS, "")
    assert padded.shape == (3, 4) and padded.dtype.kind == "U"
    assert [part.tolist() for part in unpad(padded, padding_value="")] == LABELS
    objects = pad([np.array(part, dtype=object) for part in LABELS], None)
    assert [part.tolist() for part in unpad(objects, padding_value=None)] == LABELS
    assert [part.tolist() for part in unpad(objects, LENGTHS)] == LABELS


def test_only_whole_steps_at_the_end_are_padding():
    nan = np.nan
    X = np.array([[[nan, nan], [1, nan], [nan, nan]], [[nan, 1], [nan, nan], [2, 2]]])
    assert [len(x) for x in unpad(X)] == [2, 3]


def test_padding_for_no_one():
    X = unpad(np.ones((2, 3, 1)))
    assert [x.shape for x in X] == [(3, 1), (3, 1)]
