"""scikit-learn's own checks of estimators."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

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
