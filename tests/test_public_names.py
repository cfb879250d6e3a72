"""What a shell completes after the name of a public module."""

import importlib

import pytest


@pytest.mark.parametrize("name", ["datasets", "metrics", "model_selection", "preprocessing"])
def test_dir_of_a_module_has_public_names_only(name):
    module = importlib.import_module(f"sklearn_rnn.{name}")
    assert dir(module) == sorted(module.__all__)
