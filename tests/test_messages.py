"""What users pass by mistake is refused, or warned of, with a word on what they may mean."""

import numpy as np
import pytest
from refusals import LONG, QUICK, ROWS, Y_STEPS, S, T, X, Y, assert_refuses

from sklearn_rnn import (
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

pd = pytest.importorskip("pandas")
CLASSIFIER, REGRESSOR = SequenceClassifier(**QUICK), SequenceRegressor(**QUICK)
TAGGER, FEEDBACK = SequenceTagger(**QUICK), OutputFeedbackTagger(**QUICK)
OF_STEPS = PerStepRegressor(**QUICK)
NUMBERS, UNIVARIATE = X[..., 0], X[..., 0]
FRAME = pd.DataFrame(ROWS, columns=list("abc"))
PANEL = FRAME.set_index(pd.MultiIndex.from_product([range(S), range(T)], names=["unit", "time"]))


class Foreign(list):
    """A container of another library, which keeps sequences in its own way."""


Foreign.__module__ = "awkward.highlevel"

# X, y, estimators, a part of the message
CASES = [
    # one sequence, without an axis of sequences
    (X[0], [1], (CLASSIFIER, REGRESSOR), "If X is one sequence, pass X[None]"),
    (X[0], Y_STEPS[:1], (TAGGER, FEEDBACK), "X is one of them, pass X[None]"),
    (X[0], [list(Y_STEPS[0])], (TAGGER, FEEDBACK), "X is one of them, pass X[None]"),
    (X[0], NUMBERS[:1], (OF_STEPS,), "X is one of them, pass X[None]"),
    # no axis of features
    (UNIVARIATE, Y_STEPS, (TAGGER, FEEDBACK), "each step has one feature, pass X[..., None]"),
    # several inputs
    ([X, X], Y, (CLASSIFIER, TAGGER, OF_STEPS), "concatenate them along the features"),
    # containers
    (dict(enumerate(X)), Y, (CLASSIFIER, TAGGER), "X is a dict. Pass a list of arrays"),
    ((x for x in X), Y, (CLASSIFIER, OF_STEPS), "X is a generator. Pass a list of arrays"),
    (set("abc"), Y, (CLASSIFIER,), "X is a set. Pass a list of arrays"),
    (Foreign(X), Y, (CLASSIFIER, TAGGER), "X is a Foreign of awkward. Pass a list of arrays"),
    # numbers as labels
    (X, NUMBERS, (TAGGER, FEEDBACK), "PerStepRegressor for numbers at each step"),
    (X, NUMBERS[:, 0], (CLASSIFIER,), "For numbers take SequenceRegressor"),
    # ids, without sequence_id
    (LONG, Y, (CLASSIFIER, REGRESSOR), "If a row is a step, set sequence_id to the column"),
    (LONG, Y_STEPS, (TAGGER, FEEDBACK), "set sequence_id to the column that tells sequences apart"),
    (LONG, NUMBERS, (OF_STEPS,), "set sequence_id to the column that tells sequences apart"),
    (PANEL, Y_STEPS.ravel(), (TAGGER,), "has the levels ['unit', 'time'], but without sequence_id"),
    (FRAME.assign(who="w"), Y, (CLASSIFIER, TAGGER), "sequences apart, name it by sequence_id"),
]


@pytest.mark.parametrize("X, y, estimators, words", CASES, ids=range(len(CASES)))
def test_refusal(X, y, estimators, words):
    for estimator in estimators:
        assert_refuses(lambda e=estimator: e.fit(X, y), words)


def test_ids_that_a_tool_has_dropped():
    named = SequenceTagger(sequence_id="who", **QUICK)
    for table in (LONG, FRAME):
        assert_refuses(lambda t=table: named.fit(t, Y_STEPS.ravel()), "a tool that selects")


@pytest.mark.parametrize("estimator, y", [(TAGGER, Y_STEPS.ravel()), (CLASSIFIER, Y_STEPS.ravel())])
def test_a_column_that_is_called_an_id_warns(estimator, y):
    with pytest.warns(UserWarning, match="set sequence_id='machine_id'; if it is none, drop it"):
        estimator.fit(FRAME.assign(machine_id=LONG[:, 0]), y)


def test_x_and_y_alike_warn():
    with pytest.warns(UserWarning, match=r"as one sequence of 6 steps with 4 .* X\[\.\.\., None\]"):
        OF_STEPS.fit(UNIVARIATE, NUMBERS)
    OF_STEPS.fit(UNIVARIATE[..., None], NUMBERS)


def test_what_is_read_as_it_is_meant():
    """Univariate series of a classifier, and one sequence in a table, need no further axis."""
    one = CLASSIFIER.fit(UNIVARIATE, Y).predict_proba(UNIVARIATE)
    np.testing.assert_array_equal(
        one, CLASSIFIER.fit(UNIVARIATE[..., None], Y).predict_proba(UNIVARIATE[..., None])
    )
    assert TAGGER.fit(X[0], Y_STEPS[0]).predict(X[0]).shape == (T,)
    TAGGER.fit(PANEL.xs(0, drop_level=False), Y_STEPS[0])
