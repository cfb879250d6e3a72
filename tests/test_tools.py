"""Tables, wide and long, in scikit-learn's tools; the rest is in `benchmarks/compatibility.py`."""

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_validate,
    train_test_split,
)

from sklearn_rnn import SequenceTagger
from sklearn_rnn.model_selection import SequenceKFold

pytest.importorskip("pandas")
from benchmarks.compatibility import QUICK, TOOLS, Case, exemption, unexpected  # noqa: E402

CASES = {
    layout: Case(name, layout)
    for name, layout in [("SequenceClassifier", "wide"), ("SequenceTagger", "long")]
}
LONG = CASES["long"]


@pytest.mark.parametrize("layout", CASES)
@pytest.mark.parametrize("tool", TOOLS)
def test_tables_in_tools(tool, layout):
    exempt = exemption(tool, CASES[layout])
    assert exempt is None or exempt.instead
    assert unexpected(tool, CASES[layout]) is None


# scikit-learn's scorers of labels; the others are for numbers, sets of labels or clusters.
OF_CLASSES = [
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "jaccard_macro",
    "jaccard_micro",
    "jaccard_weighted",
    "matthews_corrcoef",
    "neg_log_loss",
    "precision_macro",
    "precision_micro",
    "precision_weighted",
    "recall_macro",
    "recall_micro",
    "recall_weighted",
]
OF_MANY_CLASSES = ["roc_auc_ovo", "roc_auc_ovo_weighted", "roc_auc_ovr", "roc_auc_ovr_weighted"]
OF_TWO_CLASSES = [
    "average_precision",
    "f1",
    "jaccard",
    "neg_brier_score",
    "neg_negative_likelihood_ratio",
    "positive_likelihood_ratio",
    "precision",
    "recall",
    "roc_auc",
    "top_k_accuracy",
]


@pytest.mark.parametrize(
    ("y", "names"),
    [(LONG.y, OF_CLASSES + OF_MANY_CLASSES), (LONG.binary_y(), OF_CLASSES + OF_TWO_CLASSES)],
    ids=["3 classes", "binary"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_standard_scorers_need_no_wrapper_on_long_tables(y, names):
    scores = cross_validate(
        LONG.estimator, LONG.X, y, cv=LONG.cv, scoring=names, error_score="raise"
    )
    for name in names:
        assert np.isfinite(scores[f"test_{name}"]).all()


def test_standard_searches_on_long_tables_by_the_name_of_the_column():
    search = GridSearchCV(
        SequenceTagger(sequence_id="who", **QUICK),
        {"alpha": [0.1, 1e4]},
        cv=SequenceKFold(3, sequence_id="who", stratify=True),
        scoring=["f1_macro", "neg_log_loss"],
        refit="neg_log_loss",
        error_score="raise",
    ).fit(LONG.X, LONG.y)
    assert search.best_params_ == {"alpha": 0.1}


TEARING = {
    "shuffled": lambda: LONG.estimator.fit(
        LONG.X.sample(frac=1, random_state=0), np.asarray(LONG.y)
    ),
    "scikit-learn's train_test_split": lambda: LONG.estimator.fit(
        *train_test_split(LONG.X, LONG.y, random_state=0)[::2]
    ),
    "Halving of rows": lambda: HalvingGridSearchCV(
        LONG.estimator,
        {"alpha": [0.1, 1]},
        cv=LONG.cv,
        min_resources=60,
        random_state=0,
        error_score="raise",
    ).fit(LONG.X, LONG.y),
}


@pytest.mark.parametrize("name", TEARING)
def test_torn_tables_are_refused_with_their_remedy(name):
    with pytest.raises(ValueError, match=r"rows of sequence \d+ are not contiguous.*SequenceKFold"):
        TEARING[name]()
