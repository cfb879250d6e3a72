"""Recurrent neural networks as scikit-learn estimators."""

from .classifier import SequenceClassifier
from .output_feedback import OutputFeedbackTagger
from .regressor import SequenceRegressor
from .tagger import SequenceTagger

__version__ = "0.1.0"

__all__ = ["OutputFeedbackTagger", "SequenceClassifier", "SequenceRegressor", "SequenceTagger"]
