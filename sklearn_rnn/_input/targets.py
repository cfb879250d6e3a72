"""Numbers to predict, for each sequence or each step."""

from functools import partial

import numpy as np
from sklearn.utils import check_array

from .._compat import num_samples
from .arrays import as_numeric_array, check_dense, depth, format_value
from .of_sequences import read_of_sequences
from .sequences import check_count, refuse_nested


def read_sequence_targets(y, sequences):
    """Return targets for each sequence, (S, K), and whether they came as (S,)."""

    def read(y, n, unit):
        y = read_targets(y, partial(sequences.describe_target, per_step=unit == "row"))
        check_count(y, n, "y", unit, sequences.name)
        return y

    y = read_of_sequences(y, sequences, "y", read)
    return y.reshape(len(y), -1), y.ndim == 1


def read_step_targets(y, sequences):
    """Return targets for each step, (N, K), and whether they came without an axis of targets."""
    if sequences.layout == "long":
        if depth(y) and num_samples(y) != sequences.lengths.sum():
            refuse_nested(y, sequences)
        y = as_numeric_array(y, "y", dtype=np.float64)
        if y.ndim not in (1, 2):
            raise ValueError(f"y has shape {y.shape}, but must be (N,) or (N, K), a row a step.")
        check_count(y, sequences.lengths.sum(), "y", "row", sequences.name)
        is_single = y.ndim == 1
    else:
        y, is_single = _read_ragged_targets(y, sequences)
    is_finite = np.isfinite(y)
    if not is_finite.all():
        row = int(np.argwhere(~is_finite)[0, 0])
        raise ValueError(
            f"y holds NaN or infinity at {sequences.describe_position(row)}. Fill it in, and give "
            "the step a sample_weight of 0."
        )
    return y.reshape(len(y), -1), is_single


def _read_ragged_targets(y, sequences):
    """Return targets (N,) or (N, K) from one array-like (T_i,) or (T_i, K) for each sequence."""
    check_dense(y, "y")
    if depth(y) == 0:
        raise ValueError(
            f"y must hold one array for each sequence of {sequences.name}, got {format_value(y)}."
        )
    y = np.asarray(y) if hasattr(y, "columns") else y
    check_count(y, sequences.n_sequences, "y", "sequence", sequences.name)
    parts = [as_numeric_array(part, f"y[{i}]", dtype=np.float64) for i, part in enumerate(y)]
    for i, (part, length) in enumerate(zip(parts, sequences.lengths)):
        if part.ndim not in (1, 2) or len(part) != length:
            raise ValueError(
                f"y[{i}] has shape {part.shape}, but sequence {i} of {sequences.name} has {length} "
                "steps: it must hold a number, or a row of numbers, for each of them."
            )
        if part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"y[{i}] has shape {part.shape}, but y[0] has {parts[0].shape}: all steps must "
                "have the same number of targets."
            )
    return np.concatenate(parts), parts[0].ndim == 1


def read_targets(y, place="sequence {}".format):
    """Read finite numbers, (n,) or (n, K); ``place(i)`` describes where row i is."""
    y = as_numeric_array(y, "y", dtype=np.float64)
    y = check_array(y, ensure_2d=False, ensure_all_finite=False, input_name="y")
    is_finite = np.isfinite(y)
    if not is_finite.all():
        i = int(np.argwhere(~is_finite)[0, 0])
        raise ValueError(f"y holds NaN or infinity for {place(i)}. Leave the sequence out.")
    return y


def read_past_targets(y_past, sequences, n_lags, n_targets):
    """Return the last ``n_lags`` outputs before the first step of each sequence, (S, L, K).

    There is one array (m,) or (m, K) for each sequence, m at least ``n_lags``; for a table that is
    one sequence, it is the array.
    """
    check_dense(y_past, "y_past")
    if sequences.layout == "long" and sequences.ids is None:
        parts = {"y_past": y_past}
    else:
        if depth(y_past) == 0:
            given, of = format_value(y_past), sequences.name
            raise ValueError(f"y_past must hold one array for each sequence of {of}, got {given}.")
        y_past = np.asarray(y_past) if hasattr(y_past, "columns") else y_past
        check_count(y_past, sequences.n_sequences, "y_past", "sequence", sequences.name)
        parts = {f"y_past[{i}]": part for i, part in enumerate(y_past)}
    return np.stack([_read_past(part, name, n_lags, n_targets) for name, part in parts.items()])


def _read_past(y, name, n_lags, n_targets):
    y = as_numeric_array(y, name, dtype=np.float64)
    if y.ndim == 1 and n_targets == 1:
        y = y[:, None]
    if y.ndim != 2 or y.shape[1] != n_targets or len(y) < n_lags:
        shape = f"at least {n_lags} numbers"
        if n_targets > 1:
            shape = f"at least {n_lags} rows of {n_targets} numbers"
        raise ValueError(f"{name} has shape {y.shape}, but must hold {shape}: the last outputs.")
    is_finite = np.isfinite(y).all(axis=1)
    if not is_finite.all():
        raise ValueError(
            f"{name} holds NaN or infinity at step {np.argmin(is_finite)}. Fill it in."
        )
    return y[-n_lags:]
