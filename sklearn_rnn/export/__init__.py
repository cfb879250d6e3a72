"""Fitted estimators for other runtimes, as ONNX models."""

from ._skl2onnx import register_converters
from ._to_onnx import to_onnx

__all__ = ["register_converters", "to_onnx"]


def __dir__():
    return __all__
