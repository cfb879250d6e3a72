"""Equal sequences are merged, in an order that depends on their content alone."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_rnn._execution.shards import Data
from sklearn_rnn._training.deduplication import merge_duplicates

SEQUENCES = [[[1.0], [2.0]], [[3.0]], [[1.0], [2.0]], [[3.0]], [[1.0], [2.0]], [[1.0]]]

parametrize_units = pytest.mark.parametrize("per_step", [False, True])


def make_data(weight, per_step=False, order=None, labels=(0, 1, 0, 1, 0, 0), csr=False):
    """The sequences in an order, with a label and a weight each."""
    order = np.arange(len(SEQUENCES)) if order is None else np.array(order)
    lengths = np.array([len(SEQUENCES[i]) for i in order])
    X = np.concatenate([np.array(SEQUENCES[i]) for i in order])
    y, weight = np.array(labels)[order], np.array(weight, float)[order]
    if per_step:
        y, weight = np.repeat(y, lengths), np.repeat(weight, lengths)
    return Data(sparse.csr_array(X) if csr else X, lengths, y, weight, per_step)


def content(data, sequences, weight):
    """Features, label and weight of each of the sequences."""
    X = data.X.toarray() if sparse.issparse(data.X) else data.X
    rows = [slice(data.starts[i], data.starts[i] + data.lengths[i]) for i in sequences]
    targets = rows if data.per_step else [slice(i, i + 1) for i in sequences]
    return [(X[r].tolist(), data.y[t].tolist(), weight[t].tolist()) for r, t in zip(rows, targets)]


@parametrize_units
@pytest.mark.parametrize("csr", [False, True])
def test_equal_sequences_are_merged(per_step, csr):
    data = make_data([1, 2, 4, 8, 16, 32], per_step, csr=csr)
    sequences, weight = merge_duplicates(data, True)
    assert sorted(sequences) == [0, 1, 5]
    merged = {tuple(x[0]) + (len(x),): w[0] for x, _, w in content(data, sequences, weight)}
    assert merged == {(1.0, 2): 21.0, (3.0, 1): 10.0, (1.0, 1): 32.0}
    assert_array_equal(data.weight, make_data([1, 2, 4, 8, 16, 32], per_step).weight)


@parametrize_units
def test_order_of_the_sequences_does_not_matter(per_step):
    """Not even in the last bit of the sum of weights: 0.1 + 0.2 + 0.7 depends on the order."""
    given = [0.1, 0.3, 0.2, 0.6, 0.7, 1.0]
    results = []
    for order in permutations(range(6)):
        data = make_data(given, per_step, order)
        results.append(content(data, *merge_duplicates(data, True)))
    assert all(result == results[0] for result in results)


@parametrize_units
def test_sequences_without_weight_are_dropped(per_step):
    data = make_data([0, 1, 0, 0, 0, 2], per_step)
    assert sorted(merge_duplicates(data, True)[0]) == [1, 5]


@parametrize_units
def test_sequences_with_other_targets_are_distinct(per_step):
    data = make_data([1, 2, 4, 8, 16, 32], per_step, labels=(0, 1, 1, 1, 0, 0))
    assert sorted(merge_duplicates(data, True)[0]) == [0, 1, 2, 5]


@pytest.mark.parametrize("ignores_weightless", [False, True])
def test_targets_of_weight_zero(ignores_weightless):
    """They tell sequences apart only where labels are fed back."""
    X, lengths = np.array([[1.0], [2.0], [1.0], [2.0]]), np.array([2, 2])
    data = Data(X, lengths, np.array([0, 1, 0, 2]), np.array([1.0, 0.0, 2.0, 0.0]), True)
    sequences, weight = merge_duplicates(data, ignores_weightless)
    assert len(sequences) == (1 if ignores_weightless else 2)
    assert weight[data.starts[sequences]].sum() == 3
    assert_array_equal(data.y, [0, 1, 0, 2])


def test_order_of_the_distinct_sequences_ignores_targets_of_weight_zero():
    rng = np.random.default_rng(0)
    X, lengths, weight = rng.normal(size=(20, 2)), np.full(10, 2), np.tile([1.0, 0.0], 10)
    orders = []
    for _ in range(5):
        y = np.zeros(20, int)
        y[1::2] = rng.integers(3, size=10)
        orders.append(merge_duplicates(Data(X, lengths, y, weight, True), True)[0].tolist())
    assert all(order == orders[0] for order in orders)
