"""Labels, targets and weights that go with `Sequences`: read, checked, encoded."""

from numbers import Number

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _num_samples

from ._arrays import as_array, check_dense, depth, is_missing, only_numbers, refuse_dates, shown
from ._long_tables import runs
from ._validation import Sequences


def require_y(estimator, y):
    """Refuse y=None, in scikit-learn's words."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )


def read_step_values(values, sequences, name):
    """A value for each step as one flat array (N,), from any layout.

    Parameters
    ----------
    values : array-like
        (N,) for a long table; else one array-like of shape (T_i,) for each sequence.
    sequences : Sequences
    name : str
        What the values are called in messages.

    Raises
    ------
    ValueError
        If they do not fit the sequences.
    """
    lengths = sequences.lengths
    if sequences.layout == "long":
        values = _read_1d(values, name, "row", sequences.name)
        _check_count(values, lengths.sum(), name, "row", sequences.name)
        return values
    check_dense(values, name)
    if depth(values) == 0:
        raise ValueError(
            f"{name} must hold one array for each sequence of {sequences.name}, got "
            f"{shown(values)}."
        )
    if hasattr(values, "columns"):
        values = np.asarray(values)
    _check_count(values, len(lengths), name, "sequence", sequences.name)
    parts = [
        _read_part(part, length, name, f"{name}[{i}]", f"sequence {i} of {sequences.name}")
        for i, (part, length) in enumerate(zip(values, lengths))
    ]
    is_text = [part.dtype.kind in "US" for part in parts if part.dtype != object]
    if any(is_text) and not all(is_text):
        parts = [part.astype(object) for part in parts]  # not to make numbers into strings
    return np.concatenate(parts)


def _read_part(values, length, name, part_name, sequence):
    """The values of one sequence, (T_i,)."""
    part = as_array(values, part_name)
    if part.shape != (length,):
        raise ValueError(
            f"{part_name} has shape {part.shape}, but {sequence} has {length} steps. Pass one "
            f"value of {name} for each step."
        )
    return part


def label_layout(y, name, sequence_ids=None):
    """The `Sequences`, without features, that labels of steps are laid out in.

    Parameters
    ----------
    y : array-like
        (N,), or one array-like of shape (T_i,) for each sequence.
    name : str
        What the labels are called in messages.
    sequence_ids : array-like of shape (N,), optional
        The sequence of each of N labels; without it, they are of one sequence.
    """
    check_dense(y, name)
    if depth(y) == 0:
        raise ValueError(f"{name} must hold the labels of sequences, got {shown(y)}.")
    if not len(y):
        raise ValueError(f"{name} is empty. Pass the labels of at least one sequence.")
    if is_nested(y):
        if sequence_ids is not None:
            raise ValueError(
                f"{name} holds a list for each sequence, so that sequence_ids, which is for a flat "
                "list of the labels of all sequences, has no meaning. Leave it out."
            )
        parts = np.asarray(y) if hasattr(y, "columns") else y
        lengths = np.array([_length(part) for part in parts])
        layout, ids = "ragged", None
    elif sequence_ids is None:
        lengths, ids, layout = np.array([_num_samples(y)]), None, "long"
    else:
        column = column_or_1d(as_array(sequence_ids, "sequence_ids"))
        _check_count(column, _num_samples(y), "sequence_ids", "row", name)
        (lengths, ids), layout = runs(column, "sequence_ids"), "long"
    return Sequences(np.empty((lengths.sum(), 0)), lengths, layout, ids, name)


def _length(part):
    if hasattr(part, "shape"):  # of a sparse part, which is refused later, there is no len
        return part.shape[0] if part.shape else 1
    return len(part) if depth(part) else 1


def is_nested(y):
    """Whether y holds an array-like for each sequence, not a scalar for each row."""
    return depth(y) > 1 or depth(next(iter(y), None)) > 0


def read_step_labels(y, sequences):
    """A label for each step, (N,)."""
    return read_step_values(y, sequences, "y")


def read_sequence_labels(y, sequences):
    """A label for each sequence, (S,)."""
    y = _read_1d(y, "y", "sequence", sequences.name)
    _check_count(y, sequences.n_sequences, "y", "sequence", sequences.name)
    return y


def read_sequence_targets(y, sequences):
    """Targets for each sequence as (S, K), and whether they came as (S,)."""
    y = read_targets(y)
    _check_count(y, sequences.n_sequences, "y", "sequence", sequences.name)
    return y.reshape(len(y), -1), y.ndim == 1


def read_targets(y):
    """Numbers, (S,) or (S, K)."""
    y = y if hasattr(y, "shape") else as_array(y, "y")
    check_dense(y, "y")
    refuse_dates(y, "y")
    with only_numbers("y"):
        y = check_array(
            y, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, input_name="y"
        )
    is_finite = np.isfinite(y)
    if not is_finite.all():
        i = int(np.argwhere(~is_finite)[0, 0])
        raise ValueError(f"y holds NaN or infinity for sequence {i}. Leave the sequence out.")
    return y


def read_row_labels(y, name, n_rows, of):
    """A label for each row of a table, (n_rows,)."""
    labels = _read_1d(y, name, "row", of)
    _check_count(labels, n_rows, name, "row", of)
    check_labels(labels, "row {}".format, name)
    return labels


def _read_1d(values, name, unit, of):
    if isinstance(values, list | tuple) and any(depth(value) > 0 for value in values):
        raise ValueError(
            f"{name} must hold one value for each {unit} of {of}, not a list of lists."
        )
    if isinstance(values, list | tuple) or hasattr(values, "columns"):
        values = as_array(values, name)
    check_dense(values, name)
    return column_or_1d(values, warn=True)


def _check_count(values, expected, name, unit, of):
    given = _num_samples(values)
    if given != expected:
        raise ValueError(
            f"{name} has {given} entries, but {of} has {expected} {unit}s. Pass one entry of "
            f"{name} for each {unit}."
        )


def encode_labels(y, place, name="y"):
    """Sorted classes and the code 0..K-1 of each label; ``place(i)`` tells where label i stands."""
    check_labels(y, place, name)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{name} has only one class, {shown(classes[0])}. Training needs labels of at least "
            "two classes."
        )
    return classes, codes


def read_classes(classes):
    """All classes, sorted, of the argument of `partial_fit`."""
    classes = column_or_1d(as_array(classes, "classes"))
    if not len(classes):
        raise ValueError("classes is empty. Pass all labels there will be, or leave it out.")
    return encode_labels(classes, "position {}".format, "classes")[0]


def check_labels(y, place, name="y"):
    """Refuse labels that are missing, are none, or do not sort; ``place(i)`` tells where i is."""
    if y.dtype == object:
        _check_objects(y, place, name)
    elif y.dtype.kind in "fmM" and not np.isfinite(y).all():
        raise _missing_label(y, int(np.argmin(np.isfinite(y))), place, name)
    elif y.dtype.kind not in "biufmMU":
        raise TypeError(
            f"{name} holds values of type {y.dtype.name}, which are no labels. Labels must be "
            "strings or integers."
        )


def _check_objects(y, place, name):
    for i, label in enumerate(y):
        if is_missing(label):
            raise _missing_label(y, i, place, name)
        if not isinstance(label, str | Number | np.generic):
            raise ValueError(
                f"{name} holds a {type(label).__name__} at {place(i)}, which is no label. Labels "
                "must be strings or integers."
            )
        if isinstance(label, str) != isinstance(y[0], str):
            raise ValueError(
                f"{name} mixes types of labels: {shown(y[0])} at {place(0)}, {shown(label)} at "
                f"{place(i)}. Make them all of one type."
            )


def _missing_label(y, i, place, name):
    return ValueError(
        f"The label of {name} at {place(i)} is missing, {shown(y[i])}. Leave its sequence out."
    )


def check_known(y, classes, place, source="fit", alternative=""):
    """Refuse labels that are not among the classes; ``place(i)`` tells where label i stands.

    ``source`` is where the classes are from, ``alternative`` what one may do other than to leave
    such sequences out.
    """
    check_labels(y, place)
    unknown = np.flatnonzero(~np.isin(y, classes))
    if len(unknown):
        i = unknown[0]
        raise ValueError(
            f"The label {shown(y[i])} of y at {place(i)} was not seen in {source}, which saw "
            f"{len(classes)} classes. Leave such sequences out{alternative}."
        )


def encode_known(y, classes, place, **words):
    """The code of each label of y, all of which must be among the classes, see `check_known`."""
    check_known(y, classes, place, **words)
    return np.searchsorted(classes, y)


def read_sequence_weight(sample_weight, sequences):
    """A weight for each sequence, (S,)."""
    return _read_weight(sample_weight, sequences.n_sequences, "sequence", sequences.name)


def read_step_weight(sample_weight, sequences):
    """A weight for each step, (N,), from one for each step or one for each sequence."""
    check_dense(sample_weight, "sample_weight")
    n_steps = int(sequences.lengths.sum())
    if sequences.layout == "long" or sample_weight is None or depth(sample_weight) == 0:
        return _read_weight(sample_weight, n_steps, "row", sequences.name)
    if all(depth(part) == 0 for part in sample_weight):
        return np.repeat(read_sequence_weight(sample_weight, sequences), sequences.lengths)
    weight = read_step_values(sample_weight, sequences, "sample_weight")
    return _read_weight(weight, n_steps, "step", sequences.name)


def _read_weight(sample_weight, n, unit, of):
    """One weight for each of n units, as scikit-learn reads it; ones for None."""
    if sample_weight is not None and depth(sample_weight) > 0:
        _check_count(sample_weight, n, "sample_weight", unit, of)
    check_dense(sample_weight, "sample_weight")
    refuse_dates(sample_weight, "sample_weight")
    with only_numbers("sample_weight"):
        if np.asarray(sample_weight).dtype.kind == "c":
            raise ValueError("sample_weight must hold real numbers, but holds complex ones.")
        weight = _check_sample_weight(
            sample_weight, np.empty((n, 1)), dtype=np.float64, ensure_non_negative=True
        )
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):  # or the one weight for all is, at which scikit-learn does not look
        raise ValueError("sample_weight, or its sum, is not finite. Scale it down.")
    if not weight.any():
        raise ValueError("sample_weight is zero everywhere. At least one weight must be positive.")
    return weight


def class_factors(class_weight, classes, codes, weight):
    """The factor of each class, (K,), for ``class_weight`` as scikit-learn takes it.

    "balanced" counts weights, not rows, so that a weight of 2 is the same as a row given twice.
    """
    if class_weight == "balanced":
        totals = np.bincount(codes, weights=weight, minlength=len(classes))
        present = totals > 0
        return np.divide(
            totals.sum() / present.sum(), totals, out=np.zeros(len(classes)), where=present
        )
    if isinstance(class_weight, dict):
        for factor in class_weight.values():
            refuse_dates(factor, "class_weight")
    with only_numbers("class_weight"):
        factors = compute_class_weight(class_weight, classes=classes, y=classes)
    for label, factor in zip(classes, factors):
        if not 0 <= factor < np.inf:
            raise ValueError(
                f"class_weight of {shown(label)} is {factor}. Weights must be finite and not "
                "negative."
            )
    if not (weight * factors[codes]).any():
        raise ValueError(
            "class_weight and sample_weight leave no weight on any label. At least one must stay "
            "positive."
        )
    return factors
