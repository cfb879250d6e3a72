"""The data are what their documentation says, frame by frame and bit by bit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sklearn_rnn import datasets
from sklearn_rnn.datasets import (
    load_digit_sequences,
    load_japanese_vowels,
    make_adding,
    make_conversations,
    make_mackey_glass,
    make_memorization,
    make_multiplication,
    make_narma,
    make_temporal_order,
)
from sklearn_rnn.datasets._series import _mackey_glass

GENERATORS = {
    "adding": lambda seed: make_adding(20, 30, random_state=seed),
    "multiplication": lambda seed: make_multiplication(20, 30, random_state=seed),
    "order_2": lambda seed: make_temporal_order(20, 30, random_state=seed),
    "order_3": lambda seed: make_temporal_order(20, 30, n_relevant=3, random_state=seed),
    "memorization": lambda seed: make_memorization(20, 30, random_state=seed),
    "narma": lambda seed: make_narma(3, 50, random_state=seed),
    "mackey_glass": lambda seed: make_mackey_glass(3, 50, random_state=seed),
    "conversations": lambda seed: make_conversations(20, random_state=seed),
}


def flat(ragged):
    return np.concatenate(list(ragged))


def utterance_keys(subset):
    """Speaker of each utterance of the subset, by the bytes of the utterance."""
    X, y = load_japanese_vowels(subset=subset, return_X_y=True)
    return {x.tobytes(): speaker for x, speaker in zip(X, y, strict=True)}


def turns(x, y):
    """A conversation cut where the speaker changes: (frames, speaker) of each turn."""
    cuts = np.flatnonzero(np.diff(y)) + 1
    return [(a, b[0]) for a, b in zip(np.split(x, cuts), np.split(y, cuts), strict=True)]


def test_all_lists_the_public_functions():
    public = {name for name in vars(datasets) if name.startswith(("load_", "make_"))}
    assert set(datasets.__all__) == public
    assert datasets.__all__ == sorted(datasets.__all__)


# Japanese vowels


@pytest.mark.parametrize(
    "subset, class_counts",
    [
        ("train", [30] * 9),
        ("test", [31, 35, 88, 44, 29, 24, 40, 50, 29]),
        ("all", [61, 65, 118, 74, 59, 54, 70, 80, 59]),
    ],
)
def test_japanese_vowels_subsets(subset, class_counts):
    vowels = load_japanese_vowels(subset=subset)
    assert vowels.data.shape == vowels.target.shape == vowels.split.shape == (sum(class_counts),)
    assert vowels.data.dtype == object
    assert {x.dtype for x in vowels.data} == {np.dtype(np.float64)}
    assert {x.shape[1] for x in vowels.data} == {12} == {len(vowels.feature_names)}
    assert vowels.target.dtype.kind == "i"
    assert_array_equal(np.bincount(vowels.target)[1:], class_counts)
    assert_array_equal(np.unique(vowels.target), vowels.target_names)
    assert set(vowels.split) == ({"train", "test"} if subset == "all" else {subset})


def test_japanese_vowels_lengths_and_order():
    vowels = load_japanese_vowels()
    lengths = [len(x) for x in vowels.data]
    assert (min(lengths), max(lengths), sum(lengths)) == (7, 29, 9961)
    parts = [load_japanese_vowels(subset=subset) for subset in ("train", "test")]
    assert_array_equal(flat(vowels.data), flat(flat(part.data) for part in parts))
    for name in ("target", "split"):
        assert_array_equal(vowels[name], np.concatenate([part[name] for part in parts]))


def test_japanese_vowels_are_the_published_values():
    # The first frame of the first utterance, to the six decimals it was published with.
    published = [
        [1.860936, -0.207383, 0.261557, -0.214562, -0.171253, -0.118167],
        [-0.277557, 0.025668, 0.126701, -0.306756, -0.213076, 0.088728],
    ]
    X, _ = load_japanese_vowels(return_X_y=True)
    assert_allclose(X[0][0], np.ravel(published), rtol=0, atol=5.001e-5)
    assert_array_equal(X[0][0], np.round(np.ravel(published), 4))


def test_japanese_vowels_describe_themselves():
    description = load_japanese_vowels().DESCR
    for part in ("Kudo", "CC BY 4.0", "10.24432/C5NS47", "1e-4"):
        assert part in description


# Digits


def test_digit_sequences_are_scikit_learns_images():
    digits, images = load_digit_sequences(), load_digits()
    assert digits.data.shape == (1797, 8, 8)
    assert_array_equal(digits.data * 16, images.images)
    assert (digits.data.min(), digits.data.max()) == (0, 1)
    assert_array_equal(digits.target, images.target)
    assert_array_equal(digits.target_names, range(10))
    assert len(digits.feature_names) == 8
    assert images.DESCR in digits.DESCR


@pytest.mark.parametrize("load", [load_japanese_vowels, load_digit_sequences])
def test_each_load_is_fresh(load):
    first, second = load(), load(return_X_y=True)
    assert_array_equal(flat(first.data), flat(second[0]))
    assert_array_equal(first.target, second[1])
    before, untouched = second[0][0].copy(), first.data[1].copy()
    first.data[0][:] = 99
    first.target[:] = 99
    assert_array_equal(second[0][0], before)
    assert_array_equal(first.data[1], untouched)
    assert 99 not in second[1]
    assert 99 not in load().target


# Conversations


@pytest.mark.parametrize("subset, other", [("train", "test"), ("test", "train")])
def test_conversations_are_turns_of_real_utterances_of_the_subset(subset, other):
    known, foreign = utterance_keys(subset), utterance_keys(other)
    X, y = make_conversations(40, n_turns=4, subset=subset, random_state=0)
    assert X.shape == y.shape == (40,)
    assert X.dtype == y.dtype == object
    for x, labels in zip(X, y, strict=True):
        assert x.shape == (len(labels), 12)
        assert labels.dtype.kind == "i"
        found = turns(x, labels)
        assert len(found) == 4  # neighbours differ, or two turns would have merged
        for frames, speaker in found:
            assert known[frames.tobytes()] == speaker
            assert frames.tobytes() not in foreign


def test_conversations_draw_every_speaker_evenly():
    X, y = make_conversations(2000, n_turns=2, random_state=0)
    spoken = np.array([[speaker for _, speaker in turns(x, t)] for x, t in zip(X, y, strict=True)])
    for counts in (np.bincount(column)[1:] for column in spoken.T):
        assert_allclose(counts / 2000, 1 / 9, atol=0.03)


def test_a_single_turn_and_equal_lengths_stay_object_arrays():
    X, y = make_conversations(1, n_turns=1, random_state=0)
    assert X.shape == y.shape == (1,)
    assert X.dtype == y.dtype == object
    assert X[0].tobytes() in utterance_keys("all")


# Long lags


@pytest.mark.parametrize("make, combine", [(make_adding, np.sum), (make_multiplication, np.prod)])
@pytest.mark.parametrize("length", [10, 19, 100])
def test_marked_values(make, combine, length):
    X, y = make(300, length, random_state=0)
    assert X.shape == (300, length, 2)
    assert y.shape == (300,)
    values, marks = X[..., 0], X[..., 1]
    assert values.min() >= 0 and values.max() < 1
    assert_array_equal(np.unique(marks), [0, 1])
    assert_array_equal(marks.sum(axis=1), 2)
    first, second = np.nonzero(marks)[1].reshape(-1, 2).T
    assert_array_equal(np.unique(first), np.arange(length // 10))
    assert_array_equal(np.unique(second), np.arange(length // 10, length // 2))
    assert_allclose(y, combine(values[marks == 1].reshape(-1, 2), axis=1))


def test_errors_of_the_constant_predictions():
    _, total = make_adding(20_000, 10, random_state=0)
    _, product = make_multiplication(20_000, 10, random_state=0)
    assert np.mean((total - 1) ** 2) == pytest.approx(1 / 6, rel=0.03)
    assert np.mean((product - 1 / 4) ** 2) == pytest.approx(7 / 144, rel=0.03)


def test_multiplication_shares_the_sequences_of_adding():
    assert_array_equal(
        make_adding(20, 30, random_state=0)[0], make_multiplication(20, 30, random_state=0)[0]
    )


@pytest.mark.parametrize("n_relevant, tenths", [(2, [1, 4]), (3, [1, 3, 6])])
@pytest.mark.parametrize("length", [10, 25, 100])
def test_temporal_order(n_relevant, tenths, length):
    X, y = make_temporal_order(600, length, n_relevant=n_relevant, random_state=0)
    assert X.shape == (600, length, 6)
    assert_array_equal(X.sum(axis=2), 1)
    assert_array_equal(np.unique(X), [0, 1])

    symbols = np.array(list("ABcdef"))[X.argmax(axis=2)]
    relevant = np.isin(symbols, ["A", "B"])
    assert_array_equal(relevant.sum(axis=1), n_relevant)
    assert_array_equal(y, ["".join(s[r]) for s, r in zip(symbols, relevant, strict=True)])

    steps = np.nonzero(relevant)[1].reshape(-1, n_relevant)
    for column, tenth in zip(steps.T, tenths, strict=True):
        span = np.arange(tenth * length // 10, (tenth + 1) * length // 10)
        assert_array_equal(np.unique(column), span)

    classes, counts = np.unique(y, return_counts=True)
    assert len(classes) == 2**n_relevant
    assert_allclose(counts / 600, 1 / len(classes), atol=0.06)
    assert_allclose(X[~relevant].mean(axis=0), [0, 0, 0.25, 0.25, 0.25, 0.25], atol=0.03)


@pytest.mark.parametrize("delay, n_bits", [(0, 1), (0, 5), (1, 3), (50, 5)])
def test_memorization(delay, n_bits):
    blank, cue = 2, 3
    X, y = make_memorization(200, delay, n_bits=n_bits, random_state=0)
    length = delay + 2 * n_bits
    assert X.shape == (200, length, 4)
    assert y.shape == (200, length)
    assert y.dtype.kind == "i"
    assert_array_equal(X.sum(axis=2), 1)
    symbols = X.argmax(axis=2)
    assert set(np.unique(symbols[:, :n_bits])) == {0, 1}
    expected_tail = np.full(delay + n_bits, blank)
    expected_tail[delay] = cue
    assert_array_equal(symbols[:, n_bits:], np.tile(expected_tail, (200, 1)))
    assert_array_equal(y[:, -n_bits:], symbols[:, :n_bits])
    assert_array_equal(y[:, :-n_bits], blank)
    assert len(np.unique(y, axis=0)) == 2**n_bits


# Series


def test_narma_is_its_equation():
    X, y = make_narma(4, 300, random_state=0)
    assert X.shape == (4, 300, 1) and y.shape == (4, 300)
    u = X[..., 0]
    assert u.min() >= 0 and u.max() < 0.5 and y.max() < 2
    for t in range(10, 300):
        expected = 0.3 * y[:, t - 1] + 0.05 * y[:, t - 1] * y[:, t - 10 : t].sum(axis=1)
        assert_allclose(y[:, t], expected + 1.5 * u[:, t] * u[:, t - 9] + 0.1, rtol=1e-12)
    assert_allclose(y[:, 0], 0.1)
    assert_allclose(y[:, 1], 0.1 * 0.3 + 0.05 * 0.1**2 + 0.1)


def test_narma_draws_anew_where_it_diverges():
    u = np.random.RandomState(0).uniform(0, 0.5, size=(100, 3000))
    X, _ = make_narma(100, 3000, random_state=0)
    kept = (X[..., 0] == u).all(axis=1)
    assert 0.9 < kept.mean() < 1


def runge_kutta(x0, n_units, tau, steps):
    """The Mackey-Glass series at each time unit from a constant past."""
    h, n_delay = 1 / steps, tau * steps
    x = np.full(n_delay + n_units * steps, x0)
    for i in range(n_delay, len(x) - 1):
        now, ahead = (0.2 * d / (1 + d**10) for d in x[i - n_delay : i - n_delay + 2])
        between = (now + ahead) / 2
        k1 = now - 0.1 * x[i]
        k2 = between - 0.1 * (x[i] + h / 2 * k1)
        k3 = between - 0.1 * (x[i] + h / 2 * k2)
        k4 = ahead - 0.1 * (x[i] + h * k3)
        x[i + 1] = x[i] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x[n_delay::steps]


@pytest.mark.parametrize("tau", [1, 17, 30])
def test_mackey_glass_solves_its_equation(tau):
    for x0 in (0.5, 1.2):
        series = _mackey_glass(np.array([[x0]]), 60, tau)[0]
        assert series.shape == (60,) and series[0] == x0
        assert_allclose(series, runge_kutta(x0, 60, tau, 20), atol=3e-4)


def test_mackey_glass():
    X, y = make_mackey_glass(5, 1500, horizon=6, random_state=0)
    assert X.shape == (5, 1500, 1) and y.shape == (5, 1500)
    assert_array_equal(X[:, 6:, 0], y[:, :-6])
    # the attractor, whatever the start
    assert_allclose(y.mean(axis=1), 0.93, atol=0.02)
    assert_allclose(y.std(axis=1), 0.226, atol=0.015)
    assert np.abs(np.corrcoef(y[:, -500:])[np.triu_indices(5, 1)]).max() < 0.7


# All generators


@pytest.mark.parametrize("name", GENERATORS)
def test_random_state_determines_everything(name):
    make = GENERATORS[name]
    X, y = make(0)
    for again in (make(0), make(np.random.RandomState(0))):
        assert_array_equal(flat(X), flat(again[0]))
        assert_array_equal(np.hstack(y), np.hstack(again[1]))
    other = flat(make(1)[0])
    assert other.shape != flat(X).shape or not np.array_equal(other, flat(X))


@pytest.mark.parametrize(
    "make, parameters, message",
    [
        (load_japanese_vowels, {"subset": "dev"}, r"'subset'.*'test'.*'dev'"),
        (load_japanese_vowels, {"return_X_y": "yes"}, "'return_X_y'"),
        (load_digit_sequences, {"return_X_y": 2}, "'return_X_y'"),
        (make_conversations, {"subset": None}, "'subset'"),
        (make_conversations, {"n_conversations": 0}, r"'n_conversations'.*\[1, "),
        (make_conversations, {"n_turns": 1.5}, r"'n_turns'.*an int"),
        (make_adding, {"length": 9}, r"'length'.*\[10, .* Got 9"),
        (make_multiplication, {"length": 9}, r"'length'.*\[10, .* Got 9"),
        (make_temporal_order, {"length": 9}, r"'length'.*\[10, .* Got 9"),
        (make_adding, {"n_sequences": 0}, r"'n_sequences'.*\[1, "),
        (make_temporal_order, {"n_relevant": 4}, r"'n_relevant'.*\{2, 3\}"),
        (make_narma, {"length": 9}, r"'length'.*\[10, .* Got 9"),
        (make_mackey_glass, {"horizon": 0}, r"'horizon'.*\[1, .* Got 0"),
        (make_mackey_glass, {"tau": 1.5}, r"'tau'.*an int"),
        (make_memorization, {"delay": -1}, r"'delay'.*\[0, "),
        (make_memorization, {"n_bits": 0}, r"'n_bits'.*\[1, "),
        (make_memorization, {"random_state": "seed"}, "'random_state'"),
    ],
)
def test_wrong_parameters_are_refused(make, parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**parameters)
