"""What a shell completes after the names of the package and of its public modules."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import sklearn_rnn

# modules that hold an estimator are reached by its name
MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules(sklearn_rnn.__path__)
    if not module.name.startswith("_")
    and hasattr(importlib.import_module(f"sklearn_rnn.{module.name}"), "__all__")
)


@pytest.mark.parametrize("name", MODULES)
def test_dir_of_a_module_has_public_names_only(name):
    module = importlib.import_module(f"sklearn_rnn.{name}")
    assert dir(module) == sorted(module.__all__)


def test_dir_of_the_package_has_estimators_and_modules():
    assert dir(sklearn_rnn) == sorted([*sklearn_rnn.__all__, *MODULES, "__version__"])


def test_modules_are_imported_at_their_first_use():
    code = f"""
import sys, sklearn_rnn
for name in {MODULES}:
    loaded = "sklearn_rnn." + name in sys.modules
    print(name, loaded, getattr(sklearn_rnn, name).__name__)
"""
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)
    assert printed.stdout.splitlines() == [f"{name} False sklearn_rnn.{name}" for name in MODULES]


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="module 'sklearn_rnn' has no attribute 'np'"):
        sklearn_rnn.np  # noqa: B018
