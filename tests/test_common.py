"""scikit-learn's own checks of estimators, and ours."""

import numpy as np
import pytest
from common_checks import CHECKS, LAYOUTS, SAME, Case
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from tasks import state

from sklearn_rnn import (
    OutputFeedbackRegressor,
    OutputFeedbackTagger,
    PerStepRegressor,
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

ONE_WEIGHT = "a CRF takes one weight for each sequence, and these differ inside one"
CRF_CHECKS = ("check_sample_weights_not_overwritten",)

# Their tables have features where the ids would be.
IDS_ARE_TORN = "the first column holds features, which as ids are not contiguous"
IDS_MERGE = "rows that are repeated one after the other make one longer sequence"
IDS_ARE_SHORT = "too few columns are left, or too few rows with an id of their own, to learn from"
NAN_IDS = "the check puts NaN into the column of ids"
IDS_ARE_READ = "what is wrong with the first column is told in words of ids"
ID_CHECKS = {
    "check_positive_only_tag_during_fit": IDS_ARE_TORN,
    "check_estimators_dtypes": IDS_ARE_TORN,
    "check_classifier_data_not_an_array": IDS_ARE_TORN,
    "check_non_transformer_estimators_n_iter": IDS_ARE_TORN,
    "check_estimator_sparse_tag": IDS_ARE_TORN,
    "check_estimator_sparse_array": IDS_ARE_TORN,
    "check_estimator_sparse_matrix": IDS_ARE_TORN,
    "check_sample_weight_equivalence_on_dense_data": IDS_MERGE,
    "check_sample_weight_equivalence_on_sparse_data": IDS_MERGE,
    "check_classifiers_train": IDS_ARE_SHORT,
    "check_dtype_object": IDS_ARE_READ,
    "check_estimators_empty_data_messages": IDS_ARE_READ,
    "check_estimators_nan_inf": IDS_ARE_READ,
    "check_estimators_pickle": NAN_IDS,
    "check_fit2d_1feature": IDS_ARE_READ,
}

# The ids of these are 1, 1, 1, 1, 2, and so on.
VALUES_CHANGE = "labels or weights change within a sequence, which has one of each"
SEQUENCE_ID_CHECKS = (
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
)


def expected_failures(estimator):
    """Check and reason of every failure that is due to what the estimator is."""
    if getattr(estimator, "sequence_id", None) is not None:
        if isinstance(estimator, SequenceClassifier | SequenceRegressor):
            return ID_CHECKS | dict.fromkeys(SEQUENCE_ID_CHECKS, VALUES_CHANGE)
        return ID_CHECKS
    if not isinstance(estimator, SequenceClassifier | SequenceRegressor):
        expected = dict.fromkeys(TAGGER_CHECKS, ONE_SEQUENCE)
        if getattr(estimator, "output", None) == "crf":
            expected |= dict.fromkeys(CRF_CHECKS, ONE_WEIGHT)
        return expected
    return {}


# The checks' data are noise in part, on which training need not converge.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        SequenceClassifier(),
        SequenceClassifier(4, bidirectional=True, pooling="last", **QUICK),
        SequenceClassifier(4, solver="adam", max_iter=5),
        SequenceRegressor(max_iter=100),
        SequenceRegressor((6, 4), max_iter=60),
        SequenceTagger(),
        SequenceTagger((4, 3), bidirectional=True, **QUICK),
        SequenceTagger(4, output="crf", **QUICK),
        OutputFeedbackTagger(),
        OutputFeedbackTagger((4, 3), teacher_forcing=False, **QUICK),
        SequenceTagger(4, sequence_id=0, **QUICK),
        OutputFeedbackTagger(4, sequence_id=0, **QUICK),
        PerStepRegressor(max_iter=50),
        PerStepRegressor((4, 3), bidirectional=True, max_iter=20),
        PerStepRegressor(4, sequence_id=0, max_iter=20),
        OutputFeedbackRegressor(max_iter=50),
        OutputFeedbackRegressor((4, 3), n_lags=2, teacher_forcing=False, max_iter=20),
        OutputFeedbackRegressor(4, sequence_id=0, max_iter=20),
        SequenceClassifier(sequence_id=0),
        SequenceClassifier(4, sequence_id=0, **QUICK),
        SequenceRegressor(4, sequence_id=0, max_iter=20),
    ],
    expected_failed_checks=expected_failures,
)
def test_sklearn_check(estimator, check):
    check(estimator)


# Defined by scikit-learn, but not among those that it runs.
NOT_YIELDED = ["check_param_validation", "check_dataframe_column_names_consistency"]
KINDS = [
    SequenceClassifier,
    SequenceRegressor,
    PerStepRegressor,
    OutputFeedbackRegressor,
    SequenceTagger,
    OutputFeedbackTagger,
]


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


def totals(x):
    return x[:, 0].cumsum()


FAST = {"hidden_layer_sizes": 3, "random_state": 0, "max_iter": 4}
# estimator, whether it labels steps, and how
OURS = [
    (SequenceClassifier(**FAST), False, sign),
    (SequenceClassifier(**FAST, solver="adam"), False, sign),
    (SequenceRegressor(**FAST), False, total),
    (PerStepRegressor(**FAST), True, totals),
    (OutputFeedbackRegressor(**FAST, n_lags=2), True, totals),
    (OutputFeedbackRegressor(**FAST, teacher_forcing=False), True, totals),
    (SequenceTagger(**FAST, bidirectional=True), True, signs),
    (SequenceTagger(**FAST, output="crf"), True, signs),
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
    if layout == "wide" and per_step:
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
