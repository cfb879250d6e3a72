"""What early stopping scores on: sequences that it holds out, or a validation set of the user's."""

from contextlib import contextmanager
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split


class ValidationSet(NamedTuple):
    """The arguments of `fit` that are a validation set."""

    X: Any
    y: Any
    sample_weight: Any


def validation_set(X, y, sample_weight):
    """Return the validation set of `fit`, None without one; refuse a part of one."""
    if X is None and y is None and sample_weight is None:
        return None
    for name, value in (("X_val", X), ("y_val", y)):
        if value is None:
            raise ValueError(
                f"{name} is missing. Pass X_val and y_val together, or no validation set."
            )
    return ValidationSet(X, y, sample_weight)


@contextmanager
def reading_validation_set():
    """Turn errors about X, y and sample_weight into errors about those of a validation set."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error_type = TypeError if isinstance(error, TypeError) else ValueError
        raise error_type(
            "In the validation set (X_val, y_val, sample_weight_val), which is read as X, y and "
            f"sample_weight: {error}"
        ) from error


def check_alike(sequences, other):
    """Refuse a validation set that is sparse where the training set is dense, or the reverse."""
    kind, other_kind = ("sparse" if issparse(s.rows) else "dense" for s in (sequences, other))
    if kind != other_kind:
        raise ValueError(f"X is {other_kind} here, but {kind} for training. Make both alike.")


def split_sequences(sequences, rng, *, fraction, min_held_out, strata):
    """Return the sequences to train on and those to hold out.

    Parameters
    ----------
    sequences : ndarray of int
        Distinct sequences with a weight.
    rng : RandomState
    fraction : float
        Share of the sequences to hold out.
    min_held_out : int
        Sequences that scoring needs at least.
    strata : ndarray or None
        Label of each sequence of X, to be held out evenly where that is possible.
    """
    if len(sequences) < 2:
        raise ValueError(
            "early_stopping=True holds out whole sequences, but X has only one distinct sequence "
            "with a weight. Pass more, or early_stopping=False."
        )
    n_held_out = ceil(fraction * len(sequences))
    if not min_held_out <= n_held_out < len(sequences):
        raise ValueError(
            f"validation_fraction={fraction} holds out {n_held_out} of {len(sequences)} sequences, "
            f"but at least {min_held_out} must be held out to be scored, and one be left for "
            "training. Change it, or pass more sequences."
        )
    if strata is not None:
        strata = strata[sequences]
        _, counts = np.unique(strata, return_counts=True)
        n_smaller_part = min(n_held_out, len(sequences) - n_held_out)
        if counts.min() < 2 or len(counts) > n_smaller_part:
            strata = None  # not every class can be on both sides
    return train_test_split(sequences, test_size=n_held_out, stratify=strata, random_state=rng)
