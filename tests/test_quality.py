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
    "tagger, at_least",
    [
        (SequenceTagger(bidirectional=True, random_state=0), 0.93),
        (SequenceTagger(random_state=0), 0.91),
        (OutputFeedbackTagger(random_state=0), 0.91),
        (OutputFeedbackTagger(teacher_forcing=False, random_state=0), 0.91),
    ],
)
def test_who_speaks_when(tagger, at_least):
    X, y = make_conversations(100, subset="train", random_state=0)
    X_test, y_test = make_conversations(50, subset="test", random_state=1)
    assert tagger.fit(X, y).score(X_test, y_test) >= at_least
