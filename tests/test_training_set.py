"""What is trained on: members, weights and units."""

import numpy as np
import pytest
from derivatives import LENGTHS, K
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_rnn import SequenceTagger
from sklearn_rnn._execution.shards import Data, LazyShard, Shard, pack
from sklearn_rnn._training import training_set
from sklearn_rnn._training.pieces import cut_into_pieces
from sklearn_rnn._training.training_set import TrainingSet

MEMBERS = np.array([4, 0, 3, 1])
HELD_OUT = np.array([2, 5])

parametrize_layouts = pytest.mark.parametrize("per_step", [False, True])


def make(rng, per_step, csr=False):
    n_targets = LENGTHS.sum() if per_step else len(LENGTHS)
    X = 50 * rng.standard_normal((LENGTHS.sum(), 3)) + 7
    y = rng.integers(K, size=n_targets)
    X = sparse.csr_array(X) if csr else X
    return TrainingSet(
        Data(X, LENGTHS, y, rng.uniform(1, 2, n_targets), per_step), MEMBERS, with_targets=False
    )


def test_is_sparse(rng):
    assert make(rng, True, csr=True).is_sparse
    assert not make(rng, True).is_sparse


@parametrize_layouts
def test_weights_of_the_members_sum_to_one(per_step, rng):
    data = make(rng, per_step)
    assert_allclose(sum(shard.weight.sum() for shard in data.shards), 1)
    assert_allclose(data.pack(MEMBERS).weight.sum(), 1)
    assert_allclose(sum(shard.weight.sum() for shard in data.whole(MEMBERS)), 1)


@parametrize_layouts
def test_sums_of_the_weights(per_step, rng):
    n_targets = LENGTHS.sum() if per_step else len(LENGTHS)
    weight = rng.uniform(1, 2, n_targets)
    labels = np.arange(n_targets) % K
    data = Data(np.ones((LENGTHS.sum(), 3)), LENGTHS, labels, weight, per_step)
    data = TrainingSet(data, MEMBERS, with_targets=False)
    parts = np.split(weight, np.cumsum(LENGTHS)[:-1] if per_step else len(LENGTHS))
    assert_allclose(data.target_weight, sum(parts[s].sum() for s in MEMBERS))


@parametrize_layouts
@pytest.mark.parametrize("csr", [False, True])
def test_lazy_shards_are_equal_to_kept_shards(per_step, csr, rng, seed, monkeypatch):
    data = make(rng, per_step, csr)
    kept = data.shards
    monkeypatch.setattr(training_set, "MAX_BYTES_KEPT", 0)
    deferred = data.whole(MEMBERS)
    for shard, late in zip(kept, deferred, strict=True):
        assert isinstance(shard, Shard) and isinstance(late, LazyShard)
        for again in (late.load(), late.load()):
            assert abs(again.X - shard.X).max() == 0
            assert_array_equal(again.y, shard.y)
            assert_array_equal(again.weight, shard.weight)


@parametrize_layouts
def test_units_are_standardised_by_the_members(per_step, rng):
    n_targets = LENGTHS.sum() if per_step else len(LENGTHS)
    X, y = 50 * rng.standard_normal((LENGTHS.sum(), 3)) + 7, rng.normal(3, 9, (n_targets, K))
    data = Data(X, LENGTHS, y, rng.uniform(1, 2, n_targets), per_step)
    data = TrainingSet(data, MEMBERS, with_targets=True)
    shard = data.pack(MEMBERS)
    weight = shard.weight if per_step else shard.weight[shard.packing.sequence]
    for rows, w in ((shard.X, weight), (shard.y, shard.weight)):
        mean = np.average(rows, axis=0, weights=w)
        assert_allclose(mean, 0, atol=1e-12)
        assert_allclose(np.average((rows - mean) ** 2, axis=0, weights=w), 1)
    # other sequences are standardised by the same means and scales
    (held_out,) = data.whole(HELD_OUT)
    again = data.pack(HELD_OUT)
    assert_array_equal(held_out.X, again.X)
    assert_array_equal(held_out.y, again.y)
    scaling = data.scaling
    expected = (y[held_out.targets] - scaling.y_mean) / scaling.y_scale
    assert_allclose(held_out.y, expected)
    assert abs(held_out.X.mean(axis=0)).max() > 1e-6


@parametrize_layouts
@pytest.mark.parametrize("csr", [False, True])
def test_pack_and_whole_give_the_shards(per_step, csr, rng):
    data = make(rng, per_step, csr)
    (shard,) = data.shards
    for other in (data.pack(MEMBERS), *data.whole(MEMBERS)):
        assert abs(other.X - shard.X).max() == 0
        assert_array_equal(other.y, shard.y)
        assert_allclose(other.weight, shard.weight, rtol=1e-15)
        assert_array_equal(other.targets, shard.targets)


@parametrize_layouts
@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_arguments_are_not_changed(per_step, labels, kind, rng):
    n_targets = LENGTHS.sum() if per_step else len(LENGTHS)
    X = kind(rng.standard_normal((LENGTHS.sum(), 3)))
    y = rng.integers(K, size=n_targets) if labels else rng.standard_normal((n_targets, K))
    weight = rng.uniform(1, 2, n_targets)
    before = X.copy(), y.copy(), weight.copy()
    data = TrainingSet(Data(X, LENGTHS, y, weight, per_step), MEMBERS, with_targets=not labels)
    data.pack(MEMBERS)
    data.whole(HELD_OUT)
    assert abs(X - before[0]).max() == 0
    assert_array_equal(y, before[1])
    assert_array_equal(weight, before[2])


# Pieces of long sequences


@pytest.mark.parametrize("n_directions", [1, 2])
@pytest.mark.parametrize("csr", [False, True])
def test_pieces_cover_every_step_once(n_directions, csr, rng):
    lengths = np.array([1000, 7, 301, 300, 1])
    X = rng.standard_normal((lengths.sum(), 2))
    y, weight = rng.integers(K, size=len(X)), rng.uniform(1, 2, len(X))
    data = Data(sparse.csr_array(X) if csr else X, lengths, y, weight, True)
    members = np.array([3, 0, 4, 2])
    pieces, _ = cut_into_pieces(data, members, 200, 25, n_directions)
    # 300 steps are not cut, 301 are; a warm-up of 25 steps is on the sides that are read from
    assert_array_equal(pieces.cores[:, 1] - pieces.cores[:, 0], [300, *[200] * 5, 1, 150, 151])
    assert_array_equal(pieces.cores[1:6, 0], [0, 25, 25, 25, 25])
    after = 25 if n_directions == 2 else 0
    assert_array_equal((pieces.lengths - pieces.cores[:, 1])[1:6], [after] * 4 + [0])
    counts = np.zeros(len(X))
    for i in range(len(pieces.lengths)):
        shard = pack(pieces, np.array([i]))
        assert_array_equal(shard.y, y[shard.targets])
        np.add.at(counts, shard.targets, shard.weight)
    expected = weight.copy()
    expected[data.starts[1] : data.starts[2]] = 0
    assert_array_equal(counts, expected)


def test_one_piece_is_the_whole(rng):
    data = make(rng, True)
    pieces = TrainingSet(
        data._whole, MEMBERS, False, lambda *args: cut_into_pieces(*args, 200, 25, 1)
    )
    for piece, shard in zip(pieces.shards, data.shards, strict=True):
        assert_allclose(np.sort(piece.X, axis=0), np.sort(shard.X, axis=0))
        assert_allclose(np.sort(piece.weight), np.sort(shard.weight))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_long_sequence_is_learnt_as_short_ones_are(bidirectional):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 2))
    y = (X[:, 0] + np.roll(X[:, 0], 1) > 0).astype(int)
    tagger = SequenceTagger(8, bidirectional=bidirectional, alpha=0.1, random_state=0)
    scores = [
        tagger.set_params(truncated_bptt_steps=n_steps).fit(X[:2000], y[:2000]).score(X, y)
        for n_steps in ("auto", 50, None)
    ]
    assert min(scores) > 0.95


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "trust-ncg"])
def test_truncation_changes_nothing_for_short_sequences(solver, rng):
    X, y = rng.standard_normal((20, 50, 2)), rng.integers(2, size=(20, 50))
    tagger = SequenceTagger(4, solver=solver, max_iter=3, tol=9, random_state=0)
    results = [
        tagger.set_params(truncated_bptt_steps=n_steps).fit(X, y).predict_proba(X)
        for n_steps in ("auto", None)
    ]
    assert_array_equal(*results)
