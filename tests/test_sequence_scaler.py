"""Each sequence at zero mean and unit variance, in every layout."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from refusals import IDS, LONG, ROWS, WIDE, D, S, T, X, assert_refuses, csr, put

from sklearn_rnn.preprocessing import SequenceScaler, to_sequences

SCALED = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
RAGGED = [x[: 2 + i % 3] for i, x in enumerate(X)]


def scale(X, **parameters):
    return SequenceScaler(**parameters).fit_transform(X)


def test_layouts():
    assert_allclose(scale(X), SCALED, atol=1e-12)
    assert_allclose(scale(WIDE, features_per_step=D), SCALED.reshape(S, -1), atol=1e-12)
    assert_allclose(scale(ROWS[:T]), SCALED[0], atol=1e-12)
    table = scale(LONG, sequence_id=0)
    assert_array_equal(table[:, 0], IDS)
    assert_allclose(table[:, 1:], SCALED.reshape(-1, D), atol=1e-12)
    for x, scaled in zip(RAGGED, scale(RAGGED), strict=True):
        assert_allclose(scaled, (x - x.mean(axis=0)) / x.std(axis=0), atol=1e-12)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_stay_frames_with_their_ids(library):
    module = pytest.importorskip(library)
    table = module.DataFrame({"who": np.repeat(list("fedcba"), T), **dict(zip("pqr", ROWS.T))})
    scaled = scale(table, sequence_id="who")
    assert isinstance(scaled, module.DataFrame)
    assert list(scaled.columns) == ["who", "p", "q", "r"]
    assert_allclose(np.stack(to_sequences(scaled, "who")).astype(float), SCALED, atol=1e-12)
    if library == "pandas":
        indexed = scale(table.set_index("who"), sequence_id="who")
        assert_array_equal(indexed.index, table["who"])
        assert_array_equal(indexed, scaled[["p", "q", "r"]])


def test_mean_or_variance_alone():
    assert_allclose(scale(X, with_std=False), X - X.mean(axis=1, keepdims=True), atol=1e-12)
    assert_allclose(scale(X, with_mean=False), X / X.std(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_feature_becomes_zero(dtype):
    constant = np.full((2, 9, 1), 0.1, dtype)
    constant[1] = 1e6 + 0.1
    scaled = scale(constant)
    assert scaled.dtype == dtype
    assert_allclose(scaled, 0, atol=1e-6)
    assert_array_equal(scale(np.ones((2, 1, 1), dtype)), 0)


def test_level_and_range_of_a_sequence_change_nothing():
    level = np.arange(1.0, S + 1)[:, None, None]
    assert_allclose(scale(level * X - 100 * level), scale(X), atol=1e-9)


def test_refusals():
    assert_refuses(lambda: scale(csr(X)), "X is sparse, which zero mean would make dense")
    assert_refuses(lambda: scale(put(X, (2, 1, 0), np.nan)), "NaN at sequence 2, step 1")
    assert_refuses(lambda: scale(WIDE, features_per_step=D, sequence_id=0), "Set one only")
    scaler = SequenceScaler().fit(X)
    assert_refuses(lambda: scaler.transform(X[..., :2]), "X has 2 features at each step, but fit")
    scaler.set_output(transform="pandas")
    assert_refuses(lambda: scaler.transform(X), "makes DataFrames of tables only")
