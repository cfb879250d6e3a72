"""Sample weights for each step or each sequence."""

from functools import partial

import numpy as np

from .._compat import check_sample_weight
from .arrays import as_numeric_array, check_dense, depth
from .of_sequences import read_of_sequences
from .sequences import check_count, read_step_values


def read_sequence_weight(sample_weight, sequences):
    """Return a weight for each sequence, (S,)."""
    if sample_weight is None or (depth(sample_weight) == 0 and not isinstance(sample_weight, dict)):
        return read_weight(sample_weight, sequences.n_sequences, "sequence", sequences.name)
    return read_of_sequences(
        sample_weight, sequences, "sample_weight", partial(read_weight, of=sequences.name)
    )


def read_step_weight(sample_weight, sequences):
    """Return a weight for each step, (N,), from one for each step or one for each sequence."""
    check_dense(sample_weight, "sample_weight")
    n_steps = int(sequences.lengths.sum())
    if sequences.layout == "long" or sample_weight is None or depth(sample_weight) == 0:
        return read_weight(sample_weight, n_steps, "row", sequences.name)
    if all(depth(part) == 0 for part in sample_weight):
        return np.repeat(read_sequence_weight(sample_weight, sequences), sequences.lengths)
    weight = read_step_values(sample_weight, sequences, "sample_weight")
    return read_weight(weight, n_steps, "step", sequences.name)


def read_weight(sample_weight, n, unit, of):
    """Return one weight for each of n units; None is 1 for all."""
    if sample_weight is None:
        return np.ones(n)
    weight = as_numeric_array(sample_weight, "sample_weight", dtype=np.float64)
    weight = weight if weight.ndim else np.full(n, weight)
    check_count(weight, n, "sample_weight", unit, of)
    weight = check_sample_weight(weight, np.empty((n, 1)), ensure_non_negative=True)
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise ValueError("The sum of sample_weight is not finite. Scale it down.")
    if not weight.any():
        raise ValueError("sample_weight is zero everywhere.")
    return weight


def check_equal_in_sequences(weight, sequences, which=True, of="of output='crf'"):
    """Refuse weights (N,) that differ within a sequence; ``which`` (S,) are looked at."""
    first = np.repeat(weight[sequences.starts], sequences.lengths)
    is_looked_at = np.repeat(np.broadcast_to(which, len(sequences.lengths)), sequences.lengths)
    differing = np.flatnonzero((weight != first) & is_looked_at)
    if len(differing):
        row = differing[0]
        raise ValueError(
            f"A sequence {of} takes one weight for all its steps, but with sample_weight and "
            f"class_weight that of {sequences.describe_position(row)} is {weight[row]:.6g}, and "
            f"that of the first step of this sequence {first[row]:.6g}. Pass sample_weight of "
            "shape (S,) and no class_weight, or take output='softmax'."
        )
