"""Which module may import what."""

import ast
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import sklearn_rnn
from sklearn_rnn._training.objective import Objective

PACKAGE = Path(sklearn_rnn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

ESTIMATORS = (
    "tagger",
    "classifier",
    "regressor",
    "per_step_regressor",
    "output_feedback",
    "output_feedback_regressor",
)
TOOLS = ("metrics", "model_selection", "_scoring", "preprocessing", "datasets")
ALWAYS = {"numpy", "scipy"}
# package or module: what it may import of ours and of others, besides itself and ALWAYS
RULES = {
    "_compat": {"sklearn"},
    "_networks": set(),
    "_input": {"sklearn", "_compat"},
    "_execution": {"joblib", "threadpoolctl", "_networks.packing"},
    "_training": {"_networks", "_execution"},
    "_estimators": {
        "sklearn",
        "_compat",
        "_version",
        "_input",
        "_networks",
        "_execution",
        "_training",
    },
    **dict.fromkeys(ESTIMATORS, {"sklearn", "_compat", "_estimators", "_networks", "_input"}),
    "export": {"sklearn", "_compat", "_estimators", "_networks", "_input", "_version"},
    **dict.fromkeys(TOOLS, {"sklearn", "_compat", "_input", *TOOLS}),
}
# the standard library may be imported anywhere
RESTRICTED = {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl"}


def module_of(file):
    return file.relative_to(PACKAGE).with_suffix("").parts


@cache
def imports(file):
    """Return (module, name) of all imports of a file; of ours without the package's name."""
    return list(_imports(file))


def _imports(file):
    package = module_of(file)[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((module or alias.name, alias.name) for alias in node.names)


def is_allowed(module, allowed):
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def exists(top):
    """Return whether a rule applies: the packages come one after the other."""
    if top in ESTIMATORS:
        return exists("_estimators")
    return top in {"_compat", *TOOLS} or (PACKAGE / top).is_dir()


@pytest.mark.parametrize("top", [top for top in RULES if exists(top)])
def test_imports_only_what_the_rules_allow(top):
    modules = {module_of(file)[0] for file in FILES}
    for file in FILES:
        if module_of(file)[0] != top:
            continue
        for module, _ in imports(file):
            root = module.partition(".")[0]
            if root in modules | RESTRICTED:
                assert is_allowed(module, RULES[top] | ALWAYS | {top}), f"{file}: {module}"


def test_private_names_of_scikit_learn_are_imported_in_one_file_only():
    for file in FILES:
        if file.name == "_compat.py":
            continue
        for module, name in imports(file):
            path = [*module.split("."), name]
            if path[0] == "sklearn":
                private = [part for part in path if part.startswith("_")]
                assert not private, f"{file} imports {private[0]} of scikit-learn"


@pytest.mark.parametrize("module", ESTIMATORS)
def test_public_estimators_are_imported_by_the_package_only(module):
    for file in FILES:
        if module_of(file) != ("__init__",):
            assert module not in {imported for imported, _ in imports(file)}, file


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fit_never_goes_back_to_a_file_before_the_first_gradient(monkeypatch):
    """A file that has called another one is not called from there: fit reads in one direction."""
    gradient = Objective.loss_gradient
    chains = set()

    def record(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            files = []
            while frame is not None:
                file = frame.f_code.co_filename
                if file.startswith(str(PACKAGE)) and file not in files[-1:]:
                    files.append(file)
                frame = frame.f_back
            chains.add(tuple(reversed(files)))

    def first_gradient(*arguments):
        sys.setprofile(None)
        return gradient(*arguments)

    monkeypatch.setattr(Objective, "loss_gradient", first_gradient)
    tagger = sklearn_rnn.SequenceTagger(2, max_iter=1, tol=9, n_iter_no_change=1)
    sys.setprofile(record)
    try:
        tagger.fit(np.ones((1, 3, 2)), [[0, 1, 1]])
    finally:
        sys.setprofile(None)
    assert len(set().union(*chains)) > 20
    assert not [chain for chain in chains if len(set(chain)) < len(chain)]
