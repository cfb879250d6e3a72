"""Transformers of the steps of sequences, and conversions between layouts."""

from ._context_window import ContextWindow
from ._padding import pad, unpad
from ._panels import from_nested, from_numpy3d
from ._per_step import PerStepTransformer
from ._sequence_scaler import SequenceScaler
from ._streaming import start_pipeline
from ._tables import to_sequences, to_table

__all__ = [
    "ContextWindow",
    "PerStepTransformer",
    "SequenceScaler",
    "from_nested",
    "from_numpy3d",
    "pad",
    "start_pipeline",
    "to_sequences",
    "to_table",
    "unpad",
]


def __dir__():
    return __all__
