"""Accuracy and relative cost on the data that come with the package.

Prints a table: test scores, mean and standard deviation over seeds, each beside a
scikit-learn baseline on the same split, and the time of `fit` as a multiple of the baseline's,
taken in the same run.

    python benchmarks/bundled.py
"""

import argparse
from time import perf_counter

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn.datasets import (
    load_digit_sequences,
    load_japanese_vowels,
    make_adding,
    make_conversations,
)


def japanese_vowels():
    """370 test utterances; the baseline sees the mean and deviation of each coefficient."""
    train = load_japanese_vowels(subset="train", return_X_y=True)
    test = load_japanese_vowels(subset="test", return_X_y=True)
    return train, test, lambda X: [np.r_[x.mean(axis=0), x.std(axis=0)] for x in X]


def digits():
    """450 test images, the last of the file (other writers); the baseline sees all pixels."""
    X, y = load_digit_sequences(return_X_y=True)
    return (X[:1347], y[:1347]), (X[1347:], y[1347:]), lambda X: X.reshape(len(X), -1)


def conversations():
    """100 test conversations of unseen utterances; the baseline sees 2 steps either side."""
    train = make_conversations(150, subset="train", random_state=0)
    test = make_conversations(100, subset="test", random_state=1)
    return train, test, lambda X: np.concatenate([window(x, 2) for x in X])


def adding():
    """1000 test sequences of 20 steps; the baseline sees all steps."""
    train = make_adding(2000, length=20, random_state=0)
    test = make_adding(1000, length=20, random_state=1)
    return train, test, lambda X: X.reshape(len(X), -1)


def window(x, width):
    """Every step with its neighbours, zeros beyond the ends."""
    padded = np.pad(x, ((width, width), (0, 0)))
    return np.hstack([padded[i : i + len(x)] for i in range(2 * width + 1)])


def logistic_regression(seed):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def mlp(seed):
    return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed, max_iter=1000))


def mlp_regressor(seed):
    return make_pipeline(StandardScaler(), MLPRegressor(random_state=seed, max_iter=1000))


TABLE = [
    ("Japanese vowels", japanese_vowels, mlp, SequenceClassifier, {}),
    ("Japanese vowels", japanese_vowels, mlp, SequenceClassifier, {"bidirectional": True}),
    ("digits, row by row", digits, mlp, SequenceClassifier, {}),
    ("conversations", conversations, logistic_regression, SequenceTagger, {}),
    (
        "conversations",
        conversations,
        logistic_regression,
        SequenceTagger,
        {"bidirectional": True},
    ),
    ("conversations", conversations, logistic_regression, OutputFeedbackTagger, {}),
    (
        "conversations",
        conversations,
        logistic_regression,
        OutputFeedbackTagger,
        {"teacher_forcing": False},
    ),
    ("adding, 20 steps (R²)", adding, mlp_regressor, SequenceRegressor, {}),
]


def flat(y):
    """All labels of a tagger's y in one array; other y as they are."""
    return np.concatenate(list(y)) if y.dtype == object else y


def score_and_seconds(estimator, train, test):
    """Test score (accuracy, or R² of numbers) and seconds of `fit`."""
    start = perf_counter()
    estimator.fit(*train)
    seconds = perf_counter() - start
    y, predicted = flat(test[1]), flat(estimator.predict(test[0]))
    metric = r2_score if np.issubdtype(y.dtype, np.floating) else accuracy_score
    return metric(y, predicted), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)

    print("| data | estimator | test score | baseline | fit time / baseline's |")
    print("|---|---|---|---|---|")
    for name, data, baseline, estimator, parameters in TABLE:
        train, test, flatten = data()
        flat_train, flat_test = (flatten(train[0]), flat(train[1])), (flatten(test[0]), test[1])
        ours, theirs = [], []
        for seed in seeds:
            model = estimator(random_state=seed, **parameters)
            ours.append(score_and_seconds(model, train, test))
            theirs.append(score_and_seconds(baseline(seed), flat_train, flat_test))
        (score, seconds), (their_score, their_seconds) = np.transpose(ours), np.transpose(theirs)
        settings = ", ".join(f"{key}={value}" for key, value in parameters.items())
        print(
            f"| {name} | `{estimator.__name__}({settings})` "
            f"| {score.mean():.3f} ± {score.std():.3f} "
            f"| {their_score.mean():.3f} ({baseline.__name__.replace('_', ' ')}) "
            f"| {np.median(seconds / their_seconds):.2g} |"
        )


if __name__ == "__main__":
    main()
