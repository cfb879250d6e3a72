"""ContextWindow against a loop over steps, on every layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_rnn import SequenceTagger
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn.preprocessing import ContextWindow, PerStepTransformer, to_table

LENGTHS = (3, 1, 4)
PARTS = [np.random.default_rng(0).normal(size=(length, 2)) for length in LENGTHS]
ROWS = np.concatenate(PARTS)
IDS = np.repeat([7, -3, 5], LENGTHS)
NAMES = np.repeat(["u", "v", "a"], LENGTHS)
LABELS = ["p", "q", "p", "q", "q", "p", "q", "p"]


def by_loops(x, before, after):
    """The definition: what stands at each step, or zeros beyond the ends."""
    T, D = x.shape
    return np.array(
        [
            np.concatenate(
                [x[t + k] if 0 <= t + k < T else np.zeros(D) for k in range(-before, after + 1)]
            )
            for t in range(T)
        ]
    )


def dense(x):
    return x.toarray() if sparse.issparse(x) else x


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(["dense", "CSR"]),
    st.sampled_from([np.float32, np.float64]),
)
def test_against_loops(lengths, before, after, kind, dtype):
    rng = np.random.default_rng(sum(lengths))
    parts = [(rng.integers(-2, 3, size=(n, 3)) * 0.5).astype(dtype) for n in lengths]
    X = [sparse.csr_array(x) for x in parts] if kind == "CSR" else parts
    out = ContextWindow(before, after).fit_transform(X)
    assert out.dtype == object and len(out) == len(parts)
    for x, expected in zip(out, parts):
        assert sparse.issparse(x) == (kind == "CSR") and x.dtype == dtype
        assert_array_equal(dense(x), by_loops(expected, before, after))


EXPECTED = np.concatenate([by_loops(x, 2, 1) for x in PARTS])


def rows_of(X, **parameters):
    out = ContextWindow(2, 1, **parameters).fit_transform(X)
    return out if hasattr(out, "columns") else dense(out)


def test_layouts():
    cube = np.stack([PARTS[0], PARTS[2][:3]])
    out = ContextWindow(2, 1).fit_transform(cube)
    assert_array_equal(out, [by_loops(x, 2, 1) for x in cube])
    assert_array_equal(np.concatenate(rows_of(object_array(PARTS))), EXPECTED)
    assert_array_equal(rows_of(PARTS[2]), by_loops(PARTS[2], 2, 1))
    assert_array_equal(rows_of(sparse.csr_matrix(PARTS[2])), by_loops(PARTS[2], 2, 1))


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array, np.ndarray.tolist])
@pytest.mark.parametrize("position", [0, 1, -1])
def test_column_of_ids_is_found_again(position, convert):
    table = np.insert(ROWS, position % 3, IDS, axis=1)
    out = rows_of(convert(table), sequence_id=position)
    assert_array_equal(out[:, position], IDS)
    assert_array_equal(np.delete(out, position % out.shape[1], axis=1), EXPECTED)


def frame():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(ROWS, columns=["p", "q"], index=np.arange(8) * 10)
    table.insert(1, "who", NAMES)
    return table


def test_data_frame():
    window = ContextWindow(1, 1, sequence_id="who").fit(frame())
    out = window.transform(frame())
    names = ["p[t-1]", "who", "q[t-1]", "p", "q", "p[t+1]", "q[t+1]"]
    assert list(out.columns) == names == window.get_feature_names_out().tolist()
    assert_array_equal(out["who"], NAMES)
    assert_array_equal(out.index, frame().index)
    assert out.drop(columns="who").dtypes.eq(float).all()
    for container in ("default", "pandas"):
        window.set_output(transform=container)
        assert out.equals(window.transform(frame()))


def test_set_output_keeps_ids_beside_numbers():
    window = ContextWindow(sequence_id=1).set_output(transform="pandas")
    out = window.fit_transform(frame())
    assert_array_equal(out["who"], NAMES)
    assert out.drop(columns="who").dtypes.eq(float).all()


def test_polars_frame():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"p": ROWS[:, 0], "who": NAMES, "q": ROWS[:, 1]})
    out = ContextWindow(2, 1, sequence_id="who").fit_transform(table)
    assert isinstance(out, pl.DataFrame)
    assert out["who"].to_list() == list(NAMES)
    assert_array_equal(out.drop("who").to_numpy(), EXPECTED)


def test_fitted_on_sequences_used_on_a_table():
    window = ContextWindow(2, 1, sequence_id="who").fit(PARTS)
    out = window.transform(frame())
    assert_array_equal(out["who"], NAMES)
    assert_array_equal(out.drop(columns="who"), EXPECTED)


def test_ids_in_the_index():
    table = frame().set_index("who")
    window = ContextWindow(2, 1, sequence_id="who").fit(table)
    out = window.transform(table)
    assert_array_equal(out, EXPECTED)
    assert_array_equal(out.index, table.index)
    assert list(out.columns) == window.get_feature_names_out().tolist()


@pytest.mark.parametrize("sequence_id", ["who", 1])
def test_a_tagger_takes_what_comes_out(sequence_id):
    tagger = SequenceTagger(4, sequence_id=sequence_id, random_state=0, tol=0.01)
    pipeline = make_pipeline(ContextWindow(sequence_id=sequence_id), tagger)
    of_lists = make_pipeline(ContextWindow(), SequenceTagger(4, random_state=0, tol=0.01))
    of_lists.fit(PARTS, np.split(LABELS, np.cumsum(LENGTHS)[:-1]))
    assert_array_equal(
        pipeline.fit(frame(), LABELS).predict_proba(frame()),
        np.concatenate(of_lists.predict_proba(PARTS)),
    )


def test_nan_passes_through():
    x = np.array([[np.nan], [1.0]])
    assert_array_equal(ContextWindow(1, 0).fit_transform([x])[0], [[0, np.nan], [np.nan, 1]])


def test_input_is_not_modified():
    x = PARTS[0].copy()
    x.flags.writeable = False
    out = ContextWindow(0, 0).fit_transform([x])
    out[0][:] = 0
    assert_array_equal(x, PARTS[0])


def test_a_fit_that_fails_changes_nothing():
    window = ContextWindow(sequence_id="who").fit(frame())
    before = dict(vars(window))
    with pytest.raises(ValueError, match="not contiguous"):
        window.fit(frame().rename(columns={"p": "r"}).iloc[[0, 3, 1]])
    assert vars(window) == before


def test_after_a_transformer_of_tokens():
    out = make_pipeline(PerStepTransformer(OneHotEncoder()), ContextWindow()).fit_transform(
        [["a", "b"], ["b"]]
    )
    assert_array_equal(out[0].toarray(), [[0, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 0]])


def test_table_of_sequences_alike():
    table = to_table(PARTS)
    assert_array_equal(rows_of(table, sequence_id=0)[:, 1:], EXPECTED)
