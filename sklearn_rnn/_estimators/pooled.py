"""Pattern 2, one output for each sequence: what the classifier and the regressor share."""

import numpy as np
from scipy.sparse import issparse

from .._compat import StrOptions
from .._input.arrays import format_value
from .._input.constraints import COUNT, NOT_NEGATIVE, layer_sizes
from .._networks.direct import PositionDirect
from .._networks.hidden_feedback import elman_network
from .._networks.pooling import POOLS
from .._training.recipe import (
    LEAKS,
    TRAINED_POOLS,
    TRAINED_SIZES,
    WIDE_POOLS,
    choose_wide,
    choose_wide_units,
)
from .._training.solvers import SOLVERS
from .base import RecurrentEstimator


class PooledEstimator(RecurrentEstimator):
    """An estimator whose output layer sees the pooled states of all steps."""

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        "hidden_layer_sizes": [COUNT, tuple, list, np.ndarray, None],
        "alpha": [NOT_NEGATIVE, None],
        "solver": [StrOptions({"auto", "ridge", *SOLVERS})],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions(set(POOLS)), tuple, list, np.ndarray, None],
        "features_per_step": [COUNT],
    }
    _STRUCTURE_BEFORE = {"leaks": (), "direct_steps": 0}

    def _structure(self):
        if self.solver == "ridge" and self.early_stopping:
            raise ValueError(
                "solver='ridge' has no iterations that early_stopping=True could end. Set it to "
                "False; the penalty is chosen by leave-one-out."
            )
        sizes, pools = self.hidden_layer_sizes, self.pooling
        return {
            "hidden_layer_sizes": None if sizes is None else layer_sizes(sizes),
            "activation": self.activation,
            "bidirectional": bool(self.bidirectional),
            "pooling": None if pools is None else _pools(pools),
            "leaks": None,
            "direct_steps": None,
        }

    def _choose(self, structure, data, members, in_batches):
        is_sized = structure["hidden_layer_sizes"] is not None
        needs_iterations = self.early_stopping or in_batches
        if not choose_wide(self.solver, is_sized, len(members), needs_iterations):
            trained = {"hidden_layer_sizes": TRAINED_SIZES, "pooling": TRAINED_POOLS}
            return trained | self._STRUCTURE_BEFORE
        lengths = data.lengths[members]
        are_equal = not issparse(data.X) and lengths.min() == lengths.max()
        return {
            "hidden_layer_sizes": (choose_wide_units(lengths.sum()),),
            "pooling": WIDE_POOLS,
            "leaks": LEAKS,
            "direct_steps": int(lengths[0]) if are_equal else 0,
        }

    def _build_network(self, structure, n_features, n_outputs):
        n_steps = structure["direct_steps"]
        return elman_network(
            n_features,
            structure["hidden_layer_sizes"],
            n_outputs,
            self._targets.output,
            structure["activation"],
            structure["pooling"],
            1 + structure["bidirectional"],
            PositionDirect(n_steps, n_features, n_outputs) if n_steps else None,
            structure["leaks"],
        )


def _pools(pooling):
    """Return the names of pools as a tuple, checked."""
    pools = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    if not pools or not all(isinstance(pool, str) and pool in POOLS for pool in pools):
        raise ValueError(
            f"pooling must be one of {sorted(POOLS)} or several of them, got "
            f"{format_value(pooling)}."
        )
    return tuple(map(str, pools))
