"""Recurrent neural networks as scikit-learn estimators."""

from ._version import __version__ as __version__
from .classifier import SequenceClassifier
from .output_feedback import OutputFeedbackTagger
from .per_step_regressor import PerStepRegressor
from .regressor import SequenceRegressor
from .tagger import SequenceTagger

__all__ = [
    "OutputFeedbackTagger",
    "PerStepRegressor",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
]
