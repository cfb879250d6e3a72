"""Recurrent neural networks as scikit-learn estimators."""

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
