"""Pattern 2, one output for each sequence: what the classifier and the regressor share."""

from importlib import import_module

import numpy as np
from scipy.sparse import issparse

from .._compat import StrOptions
from .._input.arrays import format_value
from .._input.constraints import COLUMN, COUNT, NOT_NEGATIVE, layer_sizes
from .._input.layouts import LongTable, WideTable
from .._networks.direct import PositionDirect
from .._networks.hidden_feedback import recurrent_network
from .._networks.pooling import POOLS
from .._training.recipe import (
    LEAKS,
    TRAINED_POOLS,
    TRAINED_SIZES,
    WIDE_POOLS,
    choose_wide,
    choose_wide_units,
)
from .._training.solvers import GENERAL_SOLVERS
from .base import RecurrentEstimator, read_fitted
from .cells import CELL_CONSTRAINTS, cell_structure


class PooledEstimator(RecurrentEstimator):
    """An estimator whose output layer sees the pooled states of all steps."""

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        "hidden_layer_sizes": [COUNT, tuple, list, np.ndarray, None],
        "alpha": [NOT_NEGATIVE, None],
        "solver": [StrOptions({"auto", "ridge", *GENERAL_SOLVERS})],
        **CELL_CONSTRAINTS,
        "pooling": [StrOptions(set(POOLS)), tuple, list, np.ndarray, None],
        "features_per_step": [COUNT],
        "sequence_id": [*COLUMN, None],
    }
    _METHODS: tuple = ()  # those that predict
    _STRUCTURE_BEFORE = {"leaks": (), "direct_steps": 0}

    def _table(self):
        """Return what 2-D input means: rows are steps, or sequences."""
        if self.sequence_id is None:
            return WideTable(self.features_per_step)
        if self.features_per_step != 1:
            raise ValueError(
                f"sequence_id={self.sequence_id!r} says that a row of a 2-D X is a step, and "
                f"features_per_step={self.features_per_step} that it is a sequence. Set one only."
            )
        return LongTable(self.sequence_id)

    def _structure(self):
        sizes, pools = self.hidden_layer_sizes, self.pooling
        if self.solver == "ridge" and self.cell != "elman":
            raise ValueError(
                f"solver='ridge' fits an output to Elman cells that are not trained, not to "
                f"cell={self.cell!r}. Take cell='elman', or another solver."
            )
        return {
            "hidden_layer_sizes": None if sizes is None else layer_sizes(sizes),
            **cell_structure(self),
            "pooling": None if pools is None else _pools(pools),
            "leaks": None,
            "direct_steps": None,
        }

    def _check_iterates(self):
        if self.solver == "ridge":
            raise ValueError(
                "solver='ridge' has no iterations that early_stopping=True, or a validation set "
                "(X_val), could end. Leave both out; the penalty is chosen by leave-one-out."
            )

    def _choose(self, structure, examples, needs_iterations):
        is_sized = structure["hidden_layer_sizes"] is not None
        is_chosen = is_sized or self.cell != "elman"
        data, members = examples.data, examples.members
        if not choose_wide(self.solver, is_chosen, len(members), needs_iterations):
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
        return recurrent_network(
            n_features,
            structure["hidden_layer_sizes"],
            n_outputs,
            self._output(structure),
            structure["activation"],
            structure["pooling"],
            1 + structure["bidirectional"],
            PositionDirect(n_steps, n_features, n_outputs) if n_steps else None,
            structure["leaks"],
            structure["cell"],
        )

    def _output(self, structure):
        """Return the output of the network."""
        raise NotImplementedError

    def _infer(self, model, sequences, method):
        """Return what a method predicts for each sequence, (S, ...)."""
        raise NotImplementedError

    def _predict_rows(self, X, method):
        model, sequences = read_fitted(self, X)
        return sequences.give_back_of_sequences(self._infer(model, sequences, method))

    def predict_sequences(self, X, method="predict"):
        """One prediction for each sequence, also of a table with a row for each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.
        method : str, default="predict"
            Which of the methods of the estimator predicts; of a classifier also "predict_proba",
            "predict_log_proba" or "decision_function".

        Returns
        -------
        ndarray, pandas Series or DataFrame
            (S,), or (S, K) with a column for each class or target, in the order of the sequences in
            X. Of a pandas DataFrame with `sequence_id` it is a Series or DataFrame whose index has
            the ids.

        Raises
        ------
        ValueError
            If there is no such method.

        Examples
        --------
        Who gets better, by the visits of each:

        >>> import pandas as pd
        >>> from sklearn_rnn import SequenceClassifier
        >>> visits = pd.DataFrame({
        ...     "patient": ["ada"] * 3 + ["bo"] * 2 + ["cy"] * 3 + ["di"] * 2,
        ...     "fever": [40.0, 39.0, 37.0, 37.0, 39.0, 40.0, 38.0, 37.0, 37.0, 40.0],
        ... })
        >>> outcome = pd.Series({"ada": "better", "bo": "worse", "cy": "better", "di": "worse"})
        >>> classifier = SequenceClassifier(sequence_id="patient", random_state=0)
        >>> classifier.fit(visits, outcome).predict_sequences(visits).to_dict()
        {'ada': 'better', 'bo': 'worse', 'cy': 'better', 'di': 'worse'}
        """
        if method not in self._METHODS:
            raise ValueError(
                f"method must be one of {list(self._METHODS)}, got {format_value(method)}."
            )
        model, sequences = read_fitted(self, X)
        values = self._infer(model, sequences, method)
        if sequences.ids is None or not hasattr(X, "iloc"):
            return values
        return _by_id(values, X, model.table.sequence_id, sequences.ids, model.classes)


def _by_id(values, X, sequence_id, ids, classes):
    """Return values for each sequence of a DataFrame of pandas as a Series or DataFrame."""
    pandas = import_module("pandas")
    name = sequence_id if isinstance(sequence_id, str) else X.columns[sequence_id]
    index = pandas.Index(ids, name=name)
    if values.ndim == 1:
        return pandas.Series(values, index)
    return pandas.DataFrame(values, index, columns=classes)


def _pools(pooling):
    """Return the names of pools as a tuple, checked."""
    pools = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    if not pools or not all(isinstance(pool, str) and pool in POOLS for pool in pools):
        raise ValueError(
            f"pooling must be one of {sorted(POOLS)} or several of them, got "
            f"{format_value(pooling)}."
        )
    return tuple(map(str, pools))
