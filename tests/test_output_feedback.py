"""Labels, samples and probabilities of whole sequences by an `OutputFeedbackTagger`.

All are compared with `sequence_log_proba` of all sequences of labels. It feeds the labels back, and
shares no code with the decoding.
"""

from copy import copy
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import chisquare
from tasks import QUICK

from sklearn_rnn import OutputFeedbackTagger
from sklearn_rnn._input.arrays import object_array

S, T, D = 40, 5, 2
CLASSES = np.array(["low", "middle", "top"])
PATHS = CLASSES[list(product(range(3), repeat=T))]


def steps_up_and_down(rng):
    """The label goes up where x is positive, down where it is not, if it can."""
    X = rng.normal(size=(S, T, D))
    level, codes = np.ones(S), np.empty((S, T), dtype=int)
    for t in range(T):
        level = np.clip(level + np.sign(X[:, t, 0] + rng.normal(size=S)), 0, 2)
        codes[:, t] = level
    return X, CLASSES[codes]


X, Y = steps_up_and_down(np.random.default_rng(0))
LENGTHS = 1 + np.arange(S) % T
RAGGED, RAGGED_Y = ([x[:n] for x, n in zip(whole, LENGTHS)] for whole in (X, Y))
IDS = np.repeat(np.arange(S)[::-1], LENGTHS)
TABLE, TABLE_Y = np.c_[IDS, np.concatenate(RAGGED)], np.concatenate(RAGGED_Y)

FITTED = {
    kind: OutputFeedbackTagger(teacher_forcing=kind == "teacher", **QUICK).fit(X, Y)
    for kind in ("teacher", "free")
}
of_both = pytest.mark.parametrize("kind", FITTED)
of_each_decoding = pytest.mark.parametrize("decoding", ["marginal", "viterbi", "greedy"])


def refitted(kind, sequence_id):
    """A tagger fitted to the same sequences as a table."""
    tagger = OutputFeedbackTagger(
        teacher_forcing=kind == "teacher", sequence_id=sequence_id, **QUICK
    )
    return tagger.fit(np.c_[np.repeat(np.arange(S), T), X.reshape(-1, D)], Y.ravel())


def fitted(kind, **parameters):
    """A tagger with the weights of one fit, and other parameters."""
    return copy(FITTED[kind]).set_params(**parameters)


def probabilities(kind, x):
    """Of all sequences of labels for x (T, D)."""
    return np.exp(FITTED[kind].sequence_log_proba([x] * len(PATHS), PATHS))


@of_both
def test_probabilities_of_all_sequences_sum_to_one(kind):
    assert_allclose([probabilities(kind, x).sum() for x in X[:5]], 1.0, rtol=1e-12)


@of_both
def test_marginals_are_sums_over_sequences(kind):
    for x, P in zip(X[:5], FITTED[kind].predict_proba(X[:5])):
        joint = probabilities(kind, x)
        expected = [[joint[labels == k].sum() for k in CLASSES] for labels in PATHS.T]
        assert_allclose(P, expected, rtol=1e-12)


@of_both
def test_viterbi_predicts_the_most_probable_sequence(kind):
    predicted = fitted(kind, decoding="viterbi").predict(X)
    best = [PATHS[probabilities(kind, x).argmax()] for x in X]
    assert_array_equal(predicted, best)


def test_decodings_differ():
    # or else the tests here would hold with any of them
    predicted = [
        fitted("teacher", decoding=d).predict(X) for d in ("marginal", "viterbi", "greedy")
    ]
    assert not np.array_equal(predicted[0], predicted[1])
    assert not np.array_equal(predicted[1], predicted[2])


@of_each_decoding
def test_all_decodings_of_free_running_agree(decoding):
    predicted = fitted("free", decoding=decoding).predict(X)
    assert_array_equal(predicted, CLASSES[FITTED["free"].predict_proba(X).argmax(axis=2)])


@of_each_decoding
def test_score_is_the_accuracy_of_the_predictions(decoding):
    tagger = fitted("teacher", decoding=decoding)
    assert tagger.score(X, Y) == np.mean(tagger.predict(X) == Y)


@of_each_decoding
def test_decoding_does_not_change_probabilities(decoding):
    tagger = fitted("teacher", decoding=decoding)
    assert_array_equal(tagger.predict_proba(X), FITTED["teacher"].predict_proba(X))


def test_early_stopping_scores_by_the_decoding():
    curves = []
    for decoding in ("marginal", "viterbi", "greedy"):
        parameters = QUICK | {"validation_fraction": 0.4, "decoding": decoding}
        tagger = OutputFeedbackTagger(early_stopping=True, **parameters).fit(X, Y)
        curves.append((tagger.loss_curve_[:5], tagger.validation_scores_[:5]))
    (losses, scores), *others = curves
    for other_losses, other_scores in others:
        assert other_losses == losses
        assert other_scores != scores


@of_both
def test_samples_have_the_probabilities_of_the_sequences(kind):
    n_samples = 20_000
    for x in X[:2]:
        samples = FITTED[kind].sample(x[None, :3], n_samples, random_state=0)[:, 0]
        paths = CLASSES[list(product(range(3), repeat=3))]
        expected = np.exp(FITTED[kind].sequence_log_proba([x[:3]] * len(paths), paths))
        observed = [np.sum((samples == path).all(axis=1)) for path in paths]
        assert sum(observed) == n_samples
        assert chisquare(observed, n_samples * expected).pvalue > 1e-3


@of_both
def test_random_state_determines_samples(kind):
    draw = FITTED[kind].sample
    assert_array_equal(draw(X, 2, random_state=0), draw(X, 2, random_state=0))
    assert not np.array_equal(draw(X, 2, random_state=0), draw(X, 2, random_state=1))
    assert not np.array_equal(*draw(X, 2, random_state=0))
    rng = np.random.RandomState(0)
    assert not np.array_equal(draw(X, 2, random_state=rng), draw(X, 2, random_state=rng))


@of_both
@of_each_decoding
def test_layouts_agree(kind, decoding):
    tagger = fitted(kind, decoding=decoding)
    by_layout = [
        (tagger, RAGGED, RAGGED_Y),
        (tagger, object_array([sparse.csr_array(x) for x in RAGGED]), object_array(RAGGED_Y)),
        (refitted(kind, 0).set_params(decoding=decoding), TABLE, TABLE_Y),
        (fitted(kind, decoding=decoding, n_jobs=2), RAGGED, RAGGED_Y),
    ]
    results = []
    for tagger, X, y in by_layout:
        samples = tagger.sample(X, 3, random_state=0)
        assert samples.shape == (3, len(y))
        results.append(
            [
                np.hstack(list(tagger.predict(X))),
                np.stack([np.hstack(list(sample)) for sample in samples]),
                tagger.sequence_log_proba(X, y),
            ]
        )
    assert results[0][2].shape == (S,)
    for labels, samples, log_P in results[1:]:
        assert_array_equal(labels, results[0][0])
        assert_array_equal(samples, results[0][1])
        assert_allclose(log_P, results[0][2], rtol=1e-12)


def test_shapes():
    tagger = FITTED["teacher"]
    samples = tagger.sample(RAGGED, 2)
    assert samples.dtype == object and samples.shape == (2, S)
    assert [labels.shape for labels in samples[1]] == [(n,) for n in LENGTHS]
    assert tagger.sample(X).shape == (1, S, T)
    assert tagger.sample(X[0], 3).shape == (3, T)
    assert tagger.sequence_log_proba(X, Y).shape == (S,)
    assert tagger.sequence_log_proba(X[0], Y[0]).shape == (1,)


def test_sequences_are_independent():
    tagger = FITTED["teacher"]
    alone = np.concatenate([tagger.sequence_log_proba([x], [y]) for x, y in zip(RAGGED, RAGGED_Y)])
    assert_allclose(tagger.sequence_log_proba(RAGGED, RAGGED_Y), alone, rtol=1e-12)


def test_feedback_of_the_first_step():
    # in the data "middle" comes before the first step; before the others any label may come
    tagger = FITTED["teacher"]
    x = np.zeros((1, 2, D))
    first, second = tagger.predict_proba(x)[0]
    assert not np.allclose(first, second, atol=0.02)
    tagger = fitted("teacher")
    tagger.initial_feedback_ = tagger.feedback_weights_[1]
    tagger = copy(tagger)  # which builds the network from the attributes
    assert_allclose(
        tagger.sequence_log_proba(x[:, :1], [["top"]]),
        np.log(_given(FITTED["teacher"], x[0], "middle", "top")),
        rtol=1e-12,
    )


def _given(tagger, x, before, label):
    """p(label | x, before) at the second step, as a ratio of probabilities of sequences."""
    both = tagger.sequence_log_proba(x[None], [[before, label]])
    return np.exp(both - tagger.sequence_log_proba(x[None, :1], [[before]]))


def test_float32():
    tagger, X32 = fitted("teacher", decoding="viterbi"), X.astype(np.float32)
    assert np.mean(tagger.predict(X32) == tagger.predict(X)) > 0.99
    log_P = tagger.sequence_log_proba(X, Y)
    assert_allclose(tagger.sequence_log_proba(X32, Y), log_P, rtol=1e-4, atol=1e-4)


@of_each_decoding
@pytest.mark.parametrize("kind", FITTED)
def test_overflow_is_refused(kind, decoding):
    tagger = OutputFeedbackTagger(
        activation="identity", teacher_forcing=kind == "teacher", decoding=decoding, **QUICK
    ).fit(X, Y)
    tagger.input_weights_[0] *= 100
    huge = X.copy()
    huge[3, 2] = 1e308
    for call in (
        tagger.predict,
        tagger.sample,
        lambda X: tagger.score(X, Y),
        lambda X: tagger.sequence_log_proba(X, Y),
    ):
        with pytest.raises(ValueError, match=r"overflows at sequence 3, step 2"):
            call(huge)
