"""Fitted estimators for other runtimes, as ONNX models."""

from ._to_onnx import to_onnx

__all__ = ["to_onnx"]


def __dir__():
    return __all__
