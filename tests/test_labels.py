"""Labels of any type that sorts come back as they went in."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils import estimator_html_repr
from tasks import LABELLED, QUICK, TASKS, X, fitted

from sklearn_rnn import SequenceClassifier, SequenceTagger

CONVERT = {
    "bool": lambda codes: codes == 1,
    "int": lambda codes: np.array([-3, 70_000, 5])[codes],
    "float": lambda codes: np.array([0.0, -1.0, 2.0])[codes],
    "str": lambda codes: np.array(["b", "a", "longer"])[codes],
    "object str": lambda codes: np.array(["b", "a", "longer"], dtype=object)[codes],
    "datetime64": lambda codes: np.array(["2020-02-29", "1999-01-01", "2030-01-01"], "M8[D]")[
        codes
    ],
}
PANDAS = ["category", "string", "Int64"]


def codes_of(per_step):
    sums = X[..., 0].cumsum(axis=1) if per_step else X[..., 0].sum(axis=1)
    return np.digitize(sums, [-1, 1])


@pytest.mark.parametrize("kind", CONVERT)
@pytest.mark.parametrize("estimator", [SequenceClassifier, SequenceTagger])
def test_labels_come_back(estimator, kind):
    codes = codes_of(estimator is SequenceTagger)
    y = CONVERT[kind](codes)
    model = estimator(**QUICK).fit(X, y)
    assert_array_equal(model.classes_, np.unique(y))
    predicted = model.predict(X)
    assert predicted.dtype == y.dtype and predicted.shape == y.shape
    assert model.score(X, y) == (predicted == y).mean() > 0.6


@pytest.mark.parametrize("dtype", PANDAS)
def test_labels_of_pandas(dtype):
    pd = pytest.importorskip("pandas")
    codes = codes_of(False)
    y = pd.Series(codes if dtype == "Int64" else CONVERT["str"](codes)).astype(dtype)
    model = SequenceClassifier(**QUICK).fit(X, y)
    assert model.score(X, y) > 0.7
    assert_array_equal(model.classes_, sorted(y.unique().tolist()))
    assert set(model.predict(X)) <= set(y)


@pytest.mark.parametrize("estimator", [SequenceClassifier, SequenceTagger])
def test_bytes_are_refused(estimator):
    y = np.array([b"a", b"b", b"c"])[codes_of(estimator is SequenceTagger)]
    with pytest.raises(TypeError, match="bytes"):
        estimator(**QUICK).fit(X, y)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("class_weight", ["balanced", "dict"])
def test_class_weight_is_that_of_the_labels(name, class_weight):
    estimator, label, _ = TASKS[name]
    y = label(X)
    classes, counts = np.unique(y, return_counts=True)
    factors = np.arange(1.0, 1 + len(classes))
    if class_weight == "balanced":
        factors = y.size / (len(classes) * counts)
    given = dict(zip(classes.tolist(), factors)) if class_weight == "dict" else "balanced"
    by_class = fitted(name, class_weight=given)
    weight = factors[np.searchsorted(classes, y)]
    by_sample = type(estimator)(**estimator.get_params()).fit(X, y, sample_weight=weight)
    # to rounding, which training amplifies
    assert_allclose(by_class.loss_curve_[:3], by_sample.loss_curve_[:3], rtol=1e-6)


def test_html_view():
    estimator = SequenceTagger(**QUICK)
    assert "Not fitted" in estimator_html_repr(estimator)
    html = estimator_html_repr(estimator.fit(X, codes_of(True)))
    assert "SequenceTagger" in html and "<span>Fitted</span>" in html
