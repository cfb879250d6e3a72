"""Seeds and hypothesis profiles, fixed by default and widened by environment variables.

SKLEARN_RNN_SEEDS     how many seeds, or a list of them with commas ("20", "3,14", "42,")
SKLEARN_RNN_PROFILE   the hypothesis profile, "quick" or "deep"
"""

import os

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("quick", derandomize=True, deadline=None, max_examples=30)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("SKLEARN_RNN_PROFILE", "quick"))


def _seeds(words):
    if "," in words:
        return [int(word) for word in words.split(",") if word]
    return list(range(int(words)))


@pytest.fixture(params=_seeds(os.environ.get("SKLEARN_RNN_SEEDS", "1")))
def seed(request):
    """What every random number of a test comes from."""
    return request.param


@pytest.fixture
def rng(seed):
    return np.random.default_rng(seed)
