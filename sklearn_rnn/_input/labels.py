"""Labels: read, checked and encoded; class weights."""

from functools import partial
from numbers import Number

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._compat import num_samples
from .arrays import (
    as_array,
    as_numeric_array,
    check_dense,
    concatenate,
    depth,
    format_value,
    is_missing,
)
from .long_tables import runs
from .of_sequences import read_of_sequences
from .sequences import Sequences, check_count, read_1d, read_step_values, refuse_nested

LABEL = str | Number | np.generic


def require_y(estimator, y):
    """Refuse y=None with scikit-learn's message."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )


def label_layout(y, name, sequence_ids=None):
    """Return the `Sequences`, without features, to which labels of steps belong.

    Parameters
    ----------
    y : array-like
        (N,), or one array-like of shape (T_i,) for each sequence.
    name : str
        The name of the argument in messages.
    sequence_ids : array-like of shape (N,), optional
        The sequence of each of N labels; without it, there is one sequence.
    """
    check_dense(y, name)
    if depth(y) == 0:
        raise ValueError(f"{name} must hold the labels of sequences, got {format_value(y)}.")
    if not len(y):
        raise ValueError(f"{name} is empty. Pass the labels of at least one sequence.")
    ids, layout = None, "long"
    if is_nested(y):
        if sequence_ids is not None:
            raise ValueError(f"sequence_ids are for a flat list, but {name} holds lists.")
        parts = np.asarray(y) if hasattr(y, "columns") else y
        lengths, layout = np.array([_length(part) for part in parts]), "ragged"
    elif sequence_ids is None:
        lengths = np.array([num_samples(y)])
    else:
        column = column_or_1d(as_array(sequence_ids, "sequence_ids"))
        check_count(column, num_samples(y), "sequence_ids", "row", name)
        lengths, ids = runs(column, "sequence_ids")
    return Sequences(np.empty((lengths.sum(), 0)), lengths, layout, ids, name=name)


def _length(part):
    if hasattr(part, "shape"):  # a sparse part, which is refused later, has no len
        return part.shape[0] if part.shape else 1
    return len(part) if depth(part) else 1


def is_nested(y):
    """Return whether y holds an array-like for each sequence, not a scalar for each row."""
    return depth(y) > 1 or depth(next(iter(y), None)) > 0


def read_step_labels(y, sequences):
    """Return a label for each step, (N,)."""
    if sequences.layout == "long":
        refuse_nested(y, sequences)
    return read_step_values(y, sequences, "y")


def read_sequence_labels(y, sequences):
    """Return a label for each sequence, (S,)."""

    def read(y, n, unit):
        labels = read_1d(y, "y", n, unit, sequences.name)
        check_labels(labels, partial(sequences.describe_target, per_step=unit == "row"))
        return labels

    return read_of_sequences(y, sequences, "y", read)


def read_row_labels(y, name, n_rows, of):
    """Return a label for each row of a table, (n_rows,)."""
    labels = read_1d(y, name, n_rows, "row", of)
    check_labels(labels, "row {}".format, name)
    return labels


def encode_labels(y, place, name="y"):
    """Return the sorted classes and the code 0..K-1 of each label.

    ``place(i)`` describes where label i is.
    """
    classes, codes = distinct_labels(y, place, name)
    _check_several(classes, name)
    return classes, codes


def distinct_labels(y, place, name="y"):
    """Return the same as `encode_labels`, also if there is one class only."""
    check_labels(y, place, name)
    _check_range(y, place, name)
    _check_discrete(y)
    return np.unique(y, return_inverse=True)


def merge_classes(parts, place):
    """Return the sorted classes of all parts, and the codes of their classes, one after the other.

    ``parts`` are arrays of distinct labels; ``place(i)`` describes the part of label i of all.
    """
    labels = concatenate(parts, "y")
    check_labels(labels, place)
    classes, codes = np.unique(labels, return_inverse=True)
    _check_several(classes, "y")
    return classes, codes


def _check_several(classes, name):
    if len(classes) < 2:
        only = format_value(classes[0])
        raise ValueError(f"{name} has only one class, {only}. Training needs two.")


def _check_discrete(y):
    """Refuse numbers that are no classes, in scikit-learn's words and with the remedy."""
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise ValueError(
            f"{error} For numbers take SequenceRegressor, or PerStepRegressor for numbers at each "
            "step."
        ) from error


def read_classes(classes, unlabeled=None):
    """Return the argument `classes` of `partial_fit`, sorted."""
    classes = column_or_1d(as_array(classes, "classes"))
    if is_unlabelled(classes, unlabeled).any():
        raise ValueError(
            f"classes holds {format_value(unlabeled)}, which unlabeled declares to be no label."
        )
    if not len(classes):
        raise ValueError("classes is empty. Pass all labels there will be, or leave it out.")
    return encode_labels(classes, "position {}".format, "classes")[0]


def leave_out_unlabelled(y, unlabeled):
    """Return which entries of y (n,) are labels, and these labels.

    ``unlabeled`` stands for no label, None for nothing, NaN for all that is missing.
    """
    is_known = ~is_unlabelled(y, unlabeled)
    if unlabeled is None:
        return is_known, y
    labels = y[is_known]
    # what stood for no label may have made them objects
    return is_known, as_array(labels.tolist(), "y") if y.dtype == object else labels


def is_unlabelled(y, unlabeled):
    """Return which entries of y (n,) stand for no label."""
    nothing = np.zeros(len(y), bool)
    if unlabeled is None:
        return nothing
    if is_missing(unlabeled):
        if y.dtype == object:
            return np.fromiter(map(is_missing, y), bool, len(y))
        return np.isnan(y) if y.dtype.kind == "f" else nothing
    kinds = str if isinstance(unlabeled, str) else Number | np.number
    if y.dtype == object:
        equal = (isinstance(v, kinds) and not is_missing(v) and v == unlabeled for v in y)
        return np.fromiter(equal, bool, len(y))
    is_same_kind = y.dtype.kind in ("U" if kinds is str else "iuf")
    return y == unlabeled if is_same_kind else nothing


def check_labels(y, place, name="y"):
    """Refuse labels that are missing, are no labels, or do not sort."""
    if y.dtype == object:
        _check_objects(y, place, name)
    elif y.dtype.kind in "fmM" and not np.isfinite(y).all():
        raise _missing_label(y, int(np.argmin(np.isfinite(y))), place, name)
    elif y.dtype.kind not in "biufmMU":
        raise TypeError(f"{name} holds {y.dtype.name}. Labels must be strings or integers.")


def _check_objects(y, place, name):
    for i, label in enumerate(y):
        if is_missing(label):
            raise _missing_label(y, i, place, name)
        if not isinstance(label, LABEL):
            kind = type(label).__name__
            raise ValueError(f"{name} holds a {kind} at {place(i)}, not a string or an integer.")
        if isinstance(label, str) != isinstance(y[0], str):
            raise ValueError(
                f"{name} mixes types of labels: {format_value(y[0])} at {place(0)}, "
                f"{format_value(label)} at {place(i)}."
            )


def _missing_label(y, i, place, name):
    value = format_value(y[i])
    return ValueError(f"The label of {name} at {place(i)} is missing, {value}. Leave it out.")


def _check_range(y, place, name):
    """Refuse numbers beyond 64 bits, which NumPy holds as objects or as inexact floats."""
    if y.dtype == object:
        outside = np.array([not isinstance(y[0], str)])
    else:
        outside = (abs(y) >= 2.0**63) if y.dtype.kind == "f" else np.array([False])
    if outside.any():
        i = int(np.argmax(outside))
        raise ValueError(
            f"Unknown label type: {name} holds {format_value(y[i])} at {place(i)}. Pass labels as "
            "integers of 64 bits or as strings."
        )


def check_known(y, classes, place, source="fit", alternative=""):
    """Refuse labels that are not among the classes.

    Parameters
    ----------
    y : ndarray of shape (n,)
    classes : ndarray of shape (K,)
    place : callable
        ``place(i)`` describes where label i is.
    source : str
        Which call saw the classes.
    alternative : str
        What one can do other than to leave such sequences out.
    """
    check_labels(y, place)
    unknown = np.flatnonzero(~np.isin(y, classes))
    if len(unknown):
        i = unknown[0]
        raise ValueError(
            f"The label {format_value(y[i])} of y at {place(i)} was not seen in {source}, which "
            f"saw {len(classes)} classes. Leave such sequences out{alternative}."
        )


def encode_known(y, classes, place, source="fit", alternative=""):
    """Return the code of each label of y, all of which must be among the classes."""
    check_known(y, classes, place, source, alternative)
    return np.searchsorted(classes, y)


def class_factors(class_weight, classes, codes, weight):
    """Return the factor of each class, (K,), for ``class_weight`` as scikit-learn takes it.

    "balanced" counts weights, not rows, so that a weight of 2 is the same as a row given twice.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        # summed in the order of the weights: that of the labels must not change the rounding
        order = np.lexsort((weight, codes))
        totals = np.bincount(codes[order], weights=weight[order], minlength=len(classes))
        present = totals > 0
        return np.divide(
            totals.sum() / present.sum(), totals, out=np.zeros(len(classes)), where=present
        )
    factors = as_numeric_array(_look_up(class_weight, classes), "class_weight", dtype=np.float64)
    for label, factor in zip(classes, factors):
        if not 0 <= factor < np.inf:
            raise ValueError(f"class_weight of {format_value(label)} is {factor}, not a weight.")
    if not (weight * factors[codes]).any():
        raise ValueError("class_weight and sample_weight leave no weight on any label.")
    return factors


def _look_up(class_weight, classes):
    """Return the weight of each class, 1 where there is none.

    scikit-learn's `compute_class_weight` looks up "1" as 1. As there, keys that are no classes are
    an error only if a class has no weight.
    """
    absent = [label for label in classes if label not in class_weight]
    if absent and len(classes) - len(absent) != len(class_weight):
        raise ValueError(
            f"class_weight has no weight of the class {format_value(absent[0])}, but has "
            f"labels that are not among the classes {format_value(classes.tolist())}."
        )
    return [class_weight.get(label, 1) for label in classes]
