"""Which sequences early stopping holds out."""

from math import ceil

import numpy as np
from sklearn.model_selection import train_test_split


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
