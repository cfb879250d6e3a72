"""Every public name is documented in numpydoc's form, and importing the library is light."""

import importlib
import inspect
import subprocess
import sys

import numpy as np
import pytest

validate = pytest.importorskip("numpydoc.validate").validate
get_doc_object = importlib.import_module("numpydoc.docscrape").get_doc_object

MODULES = [
    "sklearn_rnn",
    "sklearn_rnn.datasets",
    "sklearn_rnn.metrics",
    "sklearn_rnn.model_selection",
    "sklearn_rnn.preprocessing",
]
NAMES = [
    f"{module}.{name}" for module in MODULES for name in importlib.import_module(module).__all__
]


def resolve(name):
    module, _, name = name.rpartition(".")
    return getattr(importlib.import_module(module), name)


CLASSES = [name for name in NAMES if inspect.isclass(resolve(name))]
FUNCTIONS = [name for name in NAMES if name not in CLASSES]
ESTIMATORS = [name for name in CLASSES if hasattr(resolve(name), "predict")]
TRANSFORMERS = [name for name in CLASSES if hasattr(resolve(name), "transform")]


def public_methods(name):
    """Public methods that the library defines; scikit-learn's mixins document their own."""
    return [
        f"{name}.{attribute}"
        for attribute, value in inspect.getmembers(resolve(name), inspect.isfunction)
        if not attribute.startswith("_") and value.__module__.startswith("sklearn_rnn")
    ]


METHODS = [method for name in CLASSES for method in public_methods(name)]

IGNORED = {
    "SA01",  # not everything has a neighbour to see
    "SS05",  # takes plural nouns (Logits of ...) for verbs in the third person
    "RT02",  # fit returns `self : object`, as everywhere in scikit-learn
}
# What every class and function must have may be missing from a method.
IGNORED_IN_METHODS = IGNORED | {"ES01", "EX01"}


def test_there_are_names_to_check():
    assert len(ESTIMATORS) >= 4 and len(TRANSFORMERS) >= 2 and len(FUNCTIONS) >= 15
    for names, verb in ((ESTIMATORS, "predict"), (TRANSFORMERS, "transform")):
        for name in names:
            assert {f"{name}.fit", f"{name}.{verb}"} <= set(METHODS)


@pytest.mark.parametrize("name", CLASSES + FUNCTIONS + METHODS)
def test_docstring(name):
    ignored = IGNORED_IN_METHODS if name in METHODS else IGNORED
    assert [error for error in validate(name)["errors"] if error[0] not in ignored] == []


@pytest.mark.filterwarnings("ignore:Checking was skipped")  # of what not all estimators have
def test_shared_parameters_have_one_text():
    consistency = pytest.importorskip("sklearn.utils._testing").assert_docstring_consistency
    consistency(
        [resolve(name) for name in ESTIMATORS],
        include_params=True,
        # what the feedback gets, cells, a reference, other penalties, "ridge", and wide tables
        exclude_params=[
            "hidden_layer_sizes",
            "activation",
            "bidirectional",
            "alpha",
            "tol",
            "solver",
            "sequence_id",
        ],
        include_attrs=True,
        # two directions, pools, and targets of unit variance
        exclude_attrs=[
            "input_weights_",
            "hidden_biases_",
            "output_weights_",
            "loss_",
            "direct_weights_",
        ],
    )


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_attributes_are_those_of_a_fitted_estimator(name):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 3)), columns=list("abc"))
    # outputs and cells with attributes of their own
    cells = [{"cell": cell} for cell in ("elman", "gru", "diagonal")]
    variants = {
        "SequenceTagger": [{"output": "crf"}, *cells],
        "PerStepRegressor": cells,
        "SequenceClassifier": [{"solver": "ridge"}, *cells],
        "SequenceRegressor": [{"solver": "ridge"}, *cells],
    }
    found = set()
    for parameters in variants.get(name.split(".")[-1], [{}]):
        estimator = resolve(name)(max_iter=1, **parameters).fit(table, np.arange(8) % 2)
        found |= {a for a in vars(estimator) if a.endswith("_") and not a.startswith("_")}
    documented = {attribute.name for attribute in get_doc_object(resolve(name))["Attributes"]}
    names = {name for each in documented for name in each.split(", ")}
    assert names == found


@pytest.mark.parametrize("module", MODULES)
def test_all_is_sorted_and_exists(module):
    module = importlib.import_module(module)
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize(
    "prepare",
    ["import sklearn.base", "sys.modules['pandas'] = None"],  # scikit-learn imports pandas itself
    ids=["beside scikit-learn", "without pandas"],
)
def test_import_is_light(prepare):
    code = (
        f"import sys; {prepare}; before = set(sys.modules);"
        f"import {', '.join(MODULES)};"
        "heavy = {'pandas', 'polars', 'matplotlib', 'torch', 'dask', 'pytest'};"
        "new = heavy & (set(sys.modules) - before);"
        "assert not new, new"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
