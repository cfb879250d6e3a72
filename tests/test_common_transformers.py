"""scikit-learn's own checks of transformers."""

import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_rnn.preprocessing import ContextWindow, PerStepTransformer, SequenceScaler

TRANSFORMERS = [
    PerStepTransformer(StandardScaler()),
    ContextWindow(),
    ContextWindow(before=2, after=0, sequence_id=0),
    SequenceScaler(),
    SequenceScaler(sequence_id=0),
    SequenceScaler(features_per_step=1),
]

ONE_SEQUENCE = "the rows of a table are the steps of one sequence, so they are not exchangeable"
NAN_IDS = "the check puts NaN into the column of ids"
# check: why it fails without a column of ids, because of what the transformer is
OF_ONE_SEQUENCE = dict.fromkeys(
    ["check_methods_sample_order_invariance", "check_methods_subset_invariance"], ONE_SEQUENCE
)
# check: why it fails with one
OF_IDS = {
    **dict.fromkeys(
        [
            "check_estimators_dtypes",
            "check_estimator_sparse_array",
            "check_estimator_sparse_matrix",
            "check_estimator_sparse_tag",
            "check_positive_only_tag_during_fit",
        ],
        "the random column of ids has values again after others, as a shuffled table has",
    ),
    "check_dtype_object": "the check puts dicts into the column of ids",
    "check_estimators_empty_data_messages": "without columns, that of ids is missing first",
    "check_fit2d_1feature": "the only column is that of ids, which leaves none",
}


def expected_failures(transformer):
    """Check and reason of every failure that is due to what the transformer is."""
    if isinstance(transformer, PerStepTransformer):
        return {}
    if isinstance(transformer, SequenceScaler):
        if transformer.features_per_step is not None:
            return {}
        if transformer.sequence_id is not None:
            return OF_IDS | {"check_estimators_nan_inf": NAN_IDS}
        # mean and variance do not depend on the order of the steps
        return {"check_methods_subset_invariance": ONE_SEQUENCE}
    if transformer.sequence_id is not None:
        return OF_IDS | {"check_estimators_pickle": NAN_IDS}
    return OF_ONE_SEQUENCE


@parametrize_with_checks(TRANSFORMERS, expected_failed_checks=expected_failures)
def test_sklearn_check(estimator, check):
    check(estimator)


# Defined, but not among those that parametrize_with_checks yields.
MORE_CHECKS = [
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


# The checks pass arrays to transformers that were fitted on DataFrames, and the other way.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
@pytest.mark.parametrize("check", MORE_CHECKS)
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_further_sklearn_check(transformer, check):
    if "pandas" in check or "dataframe" in check:
        pytest.importorskip("pandas")
    if "polars" in check:
        pytest.importorskip("polars")
    getattr(estimator_checks, check)(type(transformer).__name__, transformer)
