"""What the library promises on real data, at a size that takes seconds."""

import numpy as np
import pytest

from sklearn_rnn import OutputFeedbackTagger, SequenceClassifier, SequenceTagger
from sklearn_rnn.datasets import load_japanese_vowels, make_conversations


def test_speakers_of_japanese_vowels():
    X, y = load_japanese_vowels(subset="train", return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    classifiers = (SequenceClassifier(random_state=seed).fit(X, y) for seed in (0, 1))
    assert np.mean([classifier.score(X_test, y_test) for classifier in classifiers]) >= 0.965


@pytest.mark.parametrize(
    "tagger",
    [
        SequenceTagger(),  # in both directions: the example of its docstring
        OutputFeedbackTagger(),
        OutputFeedbackTagger(teacher_forcing=False),
    ],
    ids=["hidden feedback", "teacher forcing", "free running"],
)
def test_who_speaks_when(tagger):
    X, y = make_conversations(150, subset="train", random_state=0)
    X_test, y_test = make_conversations(100, subset="test", random_state=1)
    assert tagger.set_params(random_state=0).fit(X, y).score(X_test, y_test) >= 0.93


@pytest.mark.parametrize("seed", [0, 1])
def test_single_precision_reaches_the_loss_of_double_precision(seed):
    X, y = load_japanese_vowels(subset="train", return_X_y=True)
    classifier = SequenceClassifier(random_state=seed, tol=1e-3)
    double = classifier.fit(X, y).loss_
    assert classifier.fit([x.astype(np.float32) for x in X], y).loss_ < 1.01 * double
