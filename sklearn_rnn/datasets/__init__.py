"""Sequence data: real sets that need no download, the classic long-lag tasks, and series."""

from ._long_lags import make_adding, make_memorization, make_multiplication, make_temporal_order
from ._real import load_digit_sequences, load_japanese_vowels, make_conversations
from ._series import make_mackey_glass, make_narma

__all__ = [
    "load_digit_sequences",
    "load_japanese_vowels",
    "make_adding",
    "make_conversations",
    "make_mackey_glass",
    "make_memorization",
    "make_multiplication",
    "make_narma",
    "make_temporal_order",
]


def __dir__():
    return __all__
