"""Recurrent neural networks as scikit-learn estimators."""

from importlib import import_module

from ._version import __version__ as __version__
from .classifier import SequenceClassifier
from .output_feedback import OutputFeedbackTagger
from .output_feedback_regressor import OutputFeedbackRegressor
from .per_step_regressor import PerStepRegressor
from .regressor import SequenceRegressor
from .tagger import SequenceTagger

__all__ = [
    "OutputFeedbackRegressor",
    "OutputFeedbackTagger",
    "PerStepRegressor",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
]

_MODULES = ("datasets", "export", "metrics", "model_selection", "preprocessing")


def __getattr__(name):
    # on first use: most programs need the estimators alone, and start sooner
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, *_MODULES, "__version__"]
