"""The sets that the benchmarks run on, and the pipelines that turn them into input.

>>> benchmark = load("atis", "../shared/data")
>>> tagger.fit(benchmark.X_train, benchmark.y_train)
>>> benchmark.metric(benchmark.y_test, tagger.predict(benchmark.X_test))

A folder holds one ``<name>/<name>.npz`` a set: the rows of all sequences one after the other, their
`lengths`, and the `split` of each sequence (0 train, 1 development, 2 test). What counts as a
feature (words, affixes, n-grams) is settled by the training part alone. All input is float32.
The sets of `GENERATED` come with the package and need no folder.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_rnn.datasets import load_japanese_vowels, make_conversations
from sklearn_rnn.metrics import span_f1_score


class Benchmark(NamedTuple):
    """A list of (T_i, D) arrays or CSR arrays, labels of steps or of sequences, and the metric."""

    X_train: list
    y_train: object
    X_test: list
    y_test: object
    metric: object


def load(name, folder=None, **changes):
    """Return the benchmark of that name, with changes to the options of its pipeline."""
    if name in GENERATED:
        make, options = GENERATED[name]
        return make(**(options | changes))
    pipeline, options = SETS[name]
    return pipeline(read(name.partition(",")[0], folder), **(options | changes))


def read(name, folder):
    """Arrays of a set; ``*_utf8`` as arrays of str, ``Xbits`` as a 0/1 matrix X."""
    raw = {}
    with np.load(Path(folder) / name / f"{name}.npz", allow_pickle=False) as archive:
        for key in archive.files:
            value = archive[key]
            if key.endswith("_utf8"):
                raw[key.removesuffix("_utf8")] = np.array(value.tobytes().decode().split("\n"))
            elif key == "Xbits":
                raw["X"] = np.unpackbits(value, axis=1)
            else:
                raw[key] = value
    return raw


# Pipelines


def windowed_words(raw, width, train, pos=False):
    """Words (and their parts of speech), one-hot, of each step and its neighbours."""
    words = one_hot(raw["tokens"], len(raw["vocab"]))
    if pos:
        words = sparse.hstack([words, one_hot(raw["pos"], len(raw["pos_classes"]))], format="csr")
    rows = occurring(window(words, raw["lengths"], width), raw, train)
    return split(rows, raw, train, span_f1_score)


def word_shapes(raw, width, train):
    """Affixes and shape of each word and its neighbours, those that training has at least twice."""
    vectorizer = CountVectorizer(analyzer=word_features, binary=True, dtype=np.float32)
    words = vectorizer.fit_transform(raw["vocab"])[raw["tokens"]]
    rows = occurring(window(words, raw["lengths"], width), raw, train, at_least=2)
    return split(rows, raw, train, accuracy)


def windowed_symbols(raw, width, train):
    """A dense one-hot symbol of each step and its neighbours."""
    rows = window(one_hot(raw["tokens"], len(raw["vocab"])), raw["lengths"], width)
    return split(occurring(rows, raw, train).toarray(), raw, train, accuracy)


def character_grams(raw, order, train):
    """At each character the n-grams that end there, those that training has at least twice.

    A step for the beginning and one for the end frame each word.
    """
    characters = np.split(raw["vocab"][raw["tokens"]], np.cumsum(raw["lengths"])[:-1])
    framed = ["^" + "".join(word) + "$" for word in characters]
    endings = [word[max(0, i - order) : i] for word in framed for i in range(1, len(word) + 1)]
    vectorizer = CountVectorizer(analyzer=suffixes, binary=True, dtype=np.float32)
    raw = raw | {"lengths": raw["lengths"] + 2}
    rows = occurring(vectorizer.fit_transform(endings), raw, train, at_least=2)
    return split(rows, raw, train, accuracy)


def numbers(raw, train, columns=slice(None)):
    """Measured values as they are, of all columns or of those given."""
    return split(raw["X"][:, columns].astype(np.float32), raw, train, accuracy)


def pixels(raw, train, test_fold=None):
    """Black pixels, the others being nothing: sparse, so that none is scaled up for being rare.

    With a `test_fold` all other folds are to train on.
    """
    if test_fold is not None:
        raw["split"] = np.where(raw["folds"] == test_fold, 2, 0)
    return split(sparse.csr_array(raw["X"].astype(np.float32)), raw, train, accuracy)


def strung_conversations(n_sequences):
    """150 conversations to train on, 150 of other utterances to test, each strung into sequences.

    The steps are the same for every number of sequences; only the cuts differ.
    """
    train = make_conversations(150, subset="train", random_state=0)
    test = make_conversations(150, subset="test", random_state=1)
    return Benchmark(*strung(*train, n_sequences), *strung(*test, n_sequences), accuracy)


def strung_vowels(n_sequences):
    """The utterances of japanese_vowels, shuffled and strung into sequences; who speaks, per step.

    Training has 270 utterances, test 370. The speaker changes about every 16 steps.
    """
    parts = []
    for subset, seed in ("train", 0), ("test", 1):
        X, speaker = load_japanese_vowels(subset=subset, return_X_y=True)
        order = np.random.default_rng(seed).permutation(len(X))
        y = [np.full(len(X[i]), speaker[i]) for i in order]
        parts += strung([X[i] for i in order], y, n_sequences)
    return Benchmark(*parts, accuracy)


# Temperature, humidity, CO2 and humidity ratio: without Light, which nearly is the label, and
# without the time of day.
INDIRECT = [0, 1, 3, 4]

SETS = {
    "atis": (windowed_words, {"width": 2, "train": (0, 1)}),
    "conll2000": (windowed_words, {"width": 2, "train": (0, 1), "pos": True}),
    "ud_en_ewt": (word_shapes, {"width": 1, "train": (0,)}),
    "protein_ss": (windowed_symbols, {"width": 6, "train": (0,)}),
    "ud_af_afribooms": (word_shapes, {"width": 1, "train": (0,)}),
    "occupancy": (numbers, {"train": (0,)}),
    "occupancy, no light or time": (numbers, {"train": (0,), "columns": INDIRECT}),
    "ocr_letters": (pixels, {"train": (0,)}),
    "ocr_letters, 9 folds": (pixels, {"train": (0,), "test_fold": 0}),
    "japanese_vowels": (numbers, {"train": (0,)}),
    "pendigits": (numbers, {"train": (0,)}),
    "gun_point": (numbers, {"train": (0,)}),
    "basic_motions": (numbers, {"train": (0,)}),
    "italy_power": (numbers, {"train": (0,)}),
    "digits8x8": (numbers, {"train": (0,)}),
    "beef": (numbers, {"train": (0,)}),
    "coffee": (numbers, {"train": (0,)}),
    "chinatown": (numbers, {"train": (0,)}),
    "pickup_gesture": (numbers, {"train": (0,)}),
    "acsf1": (numbers, {"train": (0,)}),
    "names18": (character_grams, {"order": 3, "train": (0,)}),
}

# The number in a name is that of the training sequences.
GENERATED = {
    f"{name}, {n}": (make, {"n_sequences": n})
    for name, make in (("conversations", strung_conversations), ("vowels", strung_vowels))
    for n in (1, 3, 10, 100)
}


# Parts of pipelines


def one_hot(ids, n):
    """CSR rows of n columns with a one at each id."""
    ones = np.ones(len(ids), np.float32)
    return sparse.csr_array((ones, ids, np.arange(len(ids) + 1)), shape=(len(ids), n))


def window(rows, lengths, width):
    """CSR rows side by side with their neighbours in the sequence, nothing beyond its ends."""
    ends = np.repeat(np.cumsum(lengths), lengths)
    starts = ends - np.repeat(lengths, lengths)
    nothing = rows.shape[0]
    rows = sparse.vstack([rows, sparse.csr_array((1, rows.shape[1]), dtype=rows.dtype)], "csr")
    parts = []
    for offset in range(-width, width + 1):
        i = np.arange(nothing) + offset
        parts.append(rows[np.where((starts <= i) & (i < ends), i, nothing)])
    return sparse.csr_array(sparse.hstack(parts, format="csr"))


def occurring(rows, raw, train, at_least=1):
    """The columns of CSR rows that are not zero in so many rows of the training part."""
    in_training = np.repeat(np.isin(raw["split"], train), raw["lengths"])
    counts = rows[np.flatnonzero(in_training)].astype(bool).sum(axis=0)
    return sparse.csr_array(rows[:, np.flatnonzero(np.ravel(counts) >= at_least)])


def strung(X, y, n_sequences):
    """Lists of so many sequences, each of about as many whole items of X and y in their order."""
    cuts = np.array_split(np.arange(len(X)), n_sequences)
    X = [np.concatenate([X[i] for i in cut]).astype(np.float32) for cut in cuts]
    return X, [np.concatenate([y[i] for i in cut]) for cut in cuts]


def suffixes(text):
    """All suffixes but the empty one."""
    return [text[i:] for i in range(len(text))]


def word_features(word):
    """The word, its affixes of up to 4 letters, its shape and what is odd about it, as text."""
    lower = word.lower()
    sizes = range(1, min(4, len(word)) + 1)
    features = ["word=" + lower, "shape=" + "".join(map(shape, word[:6]))]
    features += ["prefix=" + lower[:k] for k in sizes]
    features += ["suffix=" + lower[-k:] for k in sizes]
    odd = {
        "capital": word[:1].isupper(),
        "digit": any(character.isdigit() for character in word),
        "hyphen": "-" in word,
    }
    return features + [name for name, holds in odd.items() if holds]


def shape(character):
    """X, x or d for an upper-case letter, a lower-case letter or a digit; others as they are."""
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    return "d" if character.isdigit() else character


def split(rows, raw, train, metric):
    """The benchmark of all rows, a row a step, and labels for each step or each sequence."""
    ends = np.cumsum(raw["lengths"])
    parts = list(zip(ends - raw["lengths"], ends))
    y = raw["classes"][raw["y"]]
    per_step = len(y) != len(parts)

    def take(splits):
        chosen = np.flatnonzero(np.isin(raw["split"], splits))
        X = [rows[start:end] for start, end in (parts[i] for i in chosen)]
        return X, [y[slice(*parts[i])] for i in chosen] if per_step else y[chosen]

    return Benchmark(*take(train), *take((2,)), metric)


# Metrics


def accuracy(y, predicted):
    """Share of right labels, over all steps or all sequences."""
    if isinstance(y, list):
        y, predicted = np.concatenate(y), np.concatenate(list(predicted))
    return float(np.mean(y == predicted))
