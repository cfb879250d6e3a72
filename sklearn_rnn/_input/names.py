"""Names of features: the tables of all sequences must have the columns that `fit` saw."""

import numpy as np
from sklearn.utils.validation import validate_data

from .arrays import format_value


def check_columns(estimator, X, reset):
    """Set or check the number and the names of the columns of a table, in scikit-learn's words."""
    validate_data(estimator, X, reset=reset, skip_check_array=True)


def forget_names(estimator):
    """Of sequences without columns no names are known."""
    vars(estimator).pop("feature_names_in_", None)


def check_same_columns(X, of=" of X"):
    """Refuse a list of sequences of which some have other columns than the first."""
    first = column_names(X[0])
    for i, x in enumerate(X):
        names = column_names(x)
        if names != first:
            raise ValueError(
                f"sequence {i}{of} has {_describe(names)}, but sequence 0 has "
                f"{_describe(first)}. Pass tables with the same columns in the same order, for "
                "instance x[columns], or arrays for all sequences."
            )


def names_of_step(x):
    """Return the names of the features of one step: of a DataFrame or a pandas Series, or None."""
    names = column_names(x)
    if names is None and hasattr(x, "to_numpy") and hasattr(x, "index"):
        names = list(x.index)
    return names if names and all(isinstance(name, str) for name in names) else None


def column_names(x):
    """Return the names of the columns of a DataFrame as a list, of anything else None."""
    return list(x.columns) if hasattr(x, "columns") else None


def check_step_major(X, features_per_step):
    """Refuse a wide table with columns (feature, time), or in any order that is not by steps."""
    columns = getattr(X, "columns", None)
    if getattr(columns, "nlevels", 1) != 2:
        return
    D = features_per_step
    outer, inner = (columns.get_level_values(level).tolist() for level in (0, 1))
    blocks = [outer[i : i + D] for i in range(0, len(outer), D)]
    of_steps = all(len(set(block)) == 1 for block in blocks) and len(set(outer)) == len(blocks)
    alike = all(inner[i] == inner[i % D] for i in range(len(inner)))
    # as many steps as features: either level may be the time, but numbers or dates hardly features
    is_clear = len(blocks) != D or D == 1 or _is_time(columns, 0) > _is_time(columns, 1)
    if not (of_steps and alike and is_clear):
        raise ValueError(
            f"The columns of X have two levels, but are not clearly those of one step after the "
            f"other, {D} features each, as {features_per_step=} says. If the levels are (feature, "
            "time), turn them: X = X.swaplevel(axis=1).sort_index(axis=1). If the order is right, "
            "pass X.to_numpy()."
        )


def _is_time(columns, level):
    return columns.get_level_values(level).dtype.kind in "iufmM"


def without(estimator, column):
    """Return a copy of an estimator that has been fitted to the same table without a column.

    ``column`` is a name, or a position, or None; the copy is for `check_columns` alone.
    """
    names = list(getattr(estimator, "feature_names_in_", ()))
    position = names.index(column) if column in names else column
    copy = object.__new__(type(estimator))
    vars(copy).update(vars(estimator))
    if isinstance(position, str) or position is None:  # an index level, or there is no such column
        return copy
    copy.n_features_in_ = estimator.n_features_in_ - 1
    if names:
        copy.feature_names_in_ = np.delete(estimator.feature_names_in_, position)
    return copy


def _describe(names):
    return "no names of columns" if names is None else f"the columns {format_value(names)}"
