"""scikit-learn's own checks of estimators, and ours."""

import numpy as np
import pytest
from common_checks import CHECKS, LAYOUTS, SAME, Case
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from tasks import state

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

QUICK = {"tol": 0.005, "n_iter_no_change": 4}

ONE_SEQUENCE = "the rows of a table are the steps of one sequence, so they are not exchangeable"
TAGGER_CHECKS = (
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def expected_failures(estimator):
    """Check and reason of every failure that is due to what the estimator is."""
    if isinstance(estimator, SequenceTagger | OutputFeedbackTagger):
        return dict.fromkeys(TAGGER_CHECKS, ONE_SEQUENCE)
    return {}


# The checks' data are noise in part, on which training need not converge.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        SequenceClassifier(),
        SequenceClassifier(4, bidirectional=True, pooling="last", **QUICK),
        SequenceClassifier(4, solver="adam", max_iter=10),
        SequenceRegressor(),
        SequenceRegressor((6, 4)),
        SequenceTagger(),
        SequenceTagger((4, 3), bidirectional=True, **QUICK),
        OutputFeedbackTagger(),
        OutputFeedbackTagger((4, 3), teacher_forcing=False, **QUICK),
    ],
    expected_failed_checks=expected_failures,
)
def test_sklearn_check(estimator, check):
    check(estimator)


# Defined by scikit-learn, but not among those that it runs.
NOT_YIELDED = ["check_param_validation", "check_dataframe_column_names_consistency"]
KINDS = [SequenceClassifier, SequenceRegressor, SequenceTagger, OutputFeedbackTagger]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NOT_YIELDED)
def test_sklearn_check_that_is_not_yielded(kind, name):
    if "dataframe" in name:
        pytest.importorskip("pandas")
    getattr(estimator_checks, name)(kind.__name__, kind(max_iter=2))


def sign(x):
    return "up" if x[:, 0].sum() > 0 else "down"


def signs(x):
    return np.where(x[:, 0].cumsum() > 0, "up", "down")


def total(x):
    return x[:, 0].sum()


FAST = {"hidden_layer_sizes": 3, "random_state": 0, "max_iter": 4}
# estimator, whether it labels steps, and how
OURS = [
    (SequenceClassifier(**FAST), False, sign),
    (SequenceClassifier(**FAST, solver="adam"), False, sign),
    (SequenceRegressor(**FAST), False, total),
    (SequenceTagger(**FAST, bidirectional=True), True, signs),
    (OutputFeedbackTagger(**FAST), True, signs),
    (OutputFeedbackTagger(**FAST, teacher_forcing=False), True, signs),
]
of_ours = pytest.mark.parametrize(
    "estimator, per_step, label",
    [pytest.param(*ours, id=" ".join(str(ours[0]).split())) for ours in OURS],
)


@of_ours
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_our_check(check, estimator, per_step, label, layout, tmp_path):
    if layout == ("wide" if per_step else "long"):
        pytest.skip("not a layout of this estimator")
    case = Case(layout, per_step, label)
    check(clone(estimator).set_params(**case.parameters()), case, tmp_path)


@of_ours
@pytest.mark.parametrize("layouts", SAME, ids=" = ".join)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_layouts_that_hold_the_same_give_the_same(layouts, estimator, per_step, label):
    cases = [Case(layout, per_step, label) for layout in layouts]
    one, other = (state(clone(estimator).fit(*case.all())) for case in cases)
    assert one == other
