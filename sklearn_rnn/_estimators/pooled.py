"""Pattern 2, one output for each sequence: what the classifier and the regressor share."""

import numpy as np

from .._compat import StrOptions
from .._input.arrays import format_value
from .._input.constraints import COUNT, layer_sizes
from .._networks.hidden_feedback import elman_network
from .._networks.pooling import POOLS
from .base import RecurrentEstimator


class PooledEstimator(RecurrentEstimator):
    """An estimator whose output layer sees the pooled states of all steps."""

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        "bidirectional": ["boolean"],
        "pooling": [StrOptions(set(POOLS)), tuple, list, np.ndarray],
        "features_per_step": [COUNT],
    }

    def _structure(self):
        pools = (self.pooling,) if isinstance(self.pooling, str) else tuple(self.pooling)
        if not pools or not all(isinstance(pool, str) and pool in POOLS for pool in pools):
            raise ValueError(
                f"pooling must be one of {sorted(POOLS)} or several of them, got "
                f"{format_value(self.pooling)}."
            )
        return {
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes),
            "activation": self.activation,
            "bidirectional": bool(self.bidirectional),
            "pooling": tuple(map(str, pools)),
        }

    def _build_network(self, structure, n_features, n_outputs):
        return elman_network(
            n_features,
            structure["hidden_layer_sizes"],
            n_outputs,
            self._targets.output,
            structure["activation"],
            structure["pooling"],
            1 + structure["bidirectional"],
        )
