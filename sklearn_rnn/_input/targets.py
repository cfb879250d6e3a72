"""Numbers to predict."""

import numpy as np
from sklearn.utils import check_array

from .arrays import as_numeric_array
from .sequences import check_count


def read_sequence_targets(y, sequences):
    """Return targets for each sequence, (S, K), and whether they came as (S,)."""
    y = read_targets(y)
    check_count(y, sequences.n_sequences, "y", "sequence", sequences.name)
    return y.reshape(len(y), -1), y.ndim == 1


def read_targets(y):
    """Read finite numbers, (S,) or (S, K)."""
    y = as_numeric_array(y, "y", dtype=np.float64)
    y = check_array(y, ensure_2d=False, ensure_all_finite=False, input_name="y")
    is_finite = np.isfinite(y)
    if not is_finite.all():
        i = int(np.argwhere(~is_finite)[0, 0])
        raise ValueError(f"y holds NaN or infinity for sequence {i}. Leave the sequence out.")
    return y
