"""Targets on two independent axes: their unit (step, sequence) and their kind (label, number)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from .._input.arrays import format_value
from .._input.labels import (
    check_known,
    class_factors,
    distinct_labels,
    encode_known,
    encode_labels,
    leave_out_unlabelled,
    merge_classes,
    read_classes,
    read_sequence_labels,
    read_step_labels,
)
from .._input.targets import read_sequence_targets, read_step_targets
from .._input.weights import read_sequence_weight, read_step_weight
from .._networks.network import infer, infer_logits


@dataclass(frozen=True)
class Unit:
    """Whether there is a target for each step or for each sequence, and how they are read."""

    per_step: bool
    read_labels: Callable
    read_numbers: Callable
    read_weight: Callable


STEP = Unit(True, read_step_labels, read_step_targets, read_step_weight)
SEQUENCE = Unit(False, read_sequence_labels, read_sequence_targets, read_sequence_weight)


class Targets(NamedTuple):
    """Targets as training wants them.

    Attributes
    ----------
    y : ndarray of int, shape (n,), or of float, shape (n, K)
        Codes of labels, or numbers.
    weight : ndarray of shape (n,)
    n_outputs : int
        K.
    attributes : dict
        What a fitted estimator has to know of them.
    """

    y: np.ndarray
    weight: np.ndarray
    n_outputs: int
    attributes: dict


class LabelTargets:
    """Labels: encoded as 0..K-1, softmax output, scored by accuracy.

    Parameters
    ----------
    unit : Unit
    unlabeled : str, number or None
        What stands for no label in y, whose code is then -1; None for nothing.
    sums_out : bool
        Whether the network sums such targets out. If not, they have weight 0, and a code that does
        not matter.
    """

    min_held_out = 1

    def __init__(self, unit: Unit, unlabeled=None, sums_out=False):
        self.unit = unit
        self.unlabeled = unlabeled
        self.sums_out = sums_out

    def read(self, sequences, y, sample_weight, class_weight, known=None) -> Targets:
        """Read the labels of `fit`; those of a warm start must have the classes ``known``."""
        is_known, labels, weight, describe = self._read(sequences, y, sample_weight)
        classes, codes = encode_labels(labels, describe)
        _check_classes(classes, known)
        return self._weighted(class_weight, classes, is_known, codes, weight)

    def summary(self, sequences, y, sample_weight):
        """Return the distinct labels of a part of the targets, and the weight of each."""
        is_known, labels, weight, describe = self._read(sequences, y, sample_weight)
        classes, codes = distinct_labels(labels, describe)
        return classes, np.bincount(codes, weights=weight[is_known], minlength=len(classes))

    def merge(self, summaries, numbers, class_weight, known):
        """Return the `Targets` of all parts, without values, and the weights of classes as a dict.

        ``numbers`` are those of the parts, for messages.
        """
        parts, weights = zip(*summaries)
        part_of = np.repeat(numbers, list(map(len, parts)))
        classes, codes = merge_classes(parts, lambda i: f"partition {part_of[i]}")
        _check_classes(classes, known)
        totals = np.bincount(codes, weights=np.concatenate(weights), minlength=len(classes))
        if class_weight is not None:
            factors = class_factors(class_weight, classes, np.arange(len(classes)), totals)
            class_weight = dict(zip(classes.tolist(), factors.tolist()))
        return Targets(None, None, len(classes), {"classes_": classes}), class_weight

    def read_batch(
        self, sequences, y, sample_weight, class_weight, known=None, classes=None
    ) -> Targets:
        """Read the labels of `partial_fit`.

        ``known`` are the classes of earlier calls, ``classes`` those that this call names.
        """
        if isinstance(class_weight, str):
            raise ValueError(
                "partial_fit cannot tell what class_weight='balanced' is, as it does not see all "
                "labels. Pass the weights as a dict, or in sample_weight."
            )
        is_known, labels, weight, describe = self._read(sequences, y, sample_weight)
        if classes is not None:
            classes = read_classes(classes, self.unlabeled)
        if known is None:
            known = encode_labels(labels, describe)[0] if classes is None else classes
        elif classes is not None and not np.array_equal(classes, known):
            raise ValueError(
                f"classes must be those of the first call, {known}, got {classes}. Leave it out."
            )
        codes = encode_known(
            labels,
            known,
            describe,
            source="the first call",
            alternative=", or begin anew and pass all classes then",
        )
        return self._weighted(class_weight, known, is_known, codes, weight)

    def read_known(self, sequences, y, sample_weight, classes):
        """Return which targets have a label, these labels and their weights, to score with.

        All labels must be among the classes.
        """
        is_known, labels, weight, describe = self._read(sequences, y, sample_weight)
        check_known(
            labels,
            classes,
            describe,
            alternative=", or score with a metric of sklearn.metrics, which counts unknown labels "
            "as errors",
        )
        return is_known, labels, weight[is_known]

    def read_validation(self, sequences, y, sample_weight, class_weight, training):
        """Return codes and weights of a validation set, for the `Targets` of ``training``."""
        is_known, labels, weight, describe = self._read(sequences, y, sample_weight)
        classes = training.attributes["classes_"]
        codes = encode_known(labels, classes, describe)
        validation = self._weighted(class_weight, classes, is_known, codes, weight)
        return validation.y, validation.weight

    def read_codes(self, sequences, y, classes):
        """Return the code of each label, -1 for none; all must be among the classes."""
        is_known, labels, describe = self._read_labels(sequences, y)
        return _spread(encode_known(labels, classes, describe), is_known, -1)

    def _read(self, sequences, y, sample_weight):
        """Which targets have a label, these labels, all weights, and what describes a label."""
        is_known, labels, describe = self._read_labels(sequences, y)
        if not is_known.any():
            raise ValueError(
                f"y holds nothing but {format_value(self.unlabeled)}, which unlabeled declares to "
                "be no label. Pass some labels."
            )
        return is_known, labels, self.unit.read_weight(sample_weight, sequences), describe

    def _read_labels(self, sequences, y):
        y = self.unit.read_labels(y, sequences)
        is_known, labels = leave_out_unlabelled(y, self.unlabeled)
        rows = np.flatnonzero(is_known)
        per_step = self.unit.per_step
        return is_known, labels, lambda i: sequences.describe_target(rows[i], per_step=per_step)

    def _weighted(self, class_weight, classes, is_known, codes, weight):
        weight_known = weight[is_known]
        if not weight_known.any():
            raise ValueError("sample_weight is zero at all steps that have a label.")
        factors = class_factors(class_weight, classes, codes, weight_known)[codes]
        if self.sums_out:
            codes, weight = _spread(codes, is_known, -1), weight * _spread(factors, is_known, 1.0)
        else:
            codes, weight = (_spread(part, is_known, 0) for part in (codes, weight_known * factors))
        return Targets(codes, weight, len(classes), {"classes_": classes})

    def strata(self, targets):
        """Return what early stopping holds out evenly, None for labels of steps."""
        return None if self.unit.per_step else targets.y

    def predict(self, network, p, shard):
        """Return the code of each target's most probable label, -1 where the network overflows."""
        Z = infer_logits(network, p, shard)
        return np.where(np.isnan(Z).any(axis=1), -1, Z.argmax(axis=1))

    def score(self, y, codes, weight):
        """Return the accuracy, -inf where the network overflows."""
        if (codes < 0).any():
            return -np.inf
        is_known = y >= 0
        if not weight[is_known].any():
            raise ValueError(
                "No step of the sequences that early stopping holds out has a label. Pass X_val "
                "and y_val, or a larger validation_fraction."
            )
        return accuracy_score(y[is_known], codes[is_known], sample_weight=weight[is_known])


def _check_classes(classes, known):
    """Refuse other classes than those of a warm start, if it is one."""
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"warm_start=True continues with the classes of the last fit, {known}, but y has "
            f"{classes}. Fit with warm_start=False."
        )


def _spread(values, is_known, rest):
    """Return values of known targets as those of all targets."""
    spread = np.full(len(is_known), rest, values.dtype)
    spread[is_known] = values
    return spread


class NumberTargets:
    """Numbers: standardised for training, squared error, scored by R^2.

    Parameters
    ----------
    unit : Unit
    """

    min_held_out = 2  # for R^2 to be defined

    def __init__(self, unit: Unit):
        self.unit = unit

    def read(
        self, sequences, y, sample_weight, class_weight=None, known=None, classes=None
    ) -> Targets:
        """Read the numbers of `fit`, or of `partial_fit`; class weights and classes are None."""
        targets, is_single = self.unit.read_numbers(y, sequences)
        weight = self.unit.read_weight(sample_weight, sequences)
        shape = () if is_single else (targets.shape[1],)
        return Targets(targets, weight, targets.shape[1], {"_target_shape": shape})

    read_batch = read

    def summary(self, sequences, y, sample_weight):
        """Return what is to know of a part of the targets beside its values."""
        targets = self.read(sequences, y, sample_weight)
        return targets.n_outputs, targets.attributes

    def merge(self, summaries, numbers, class_weight, known):
        """Return the `Targets` of all parts, without values, and None for weights of classes."""
        for number, summary in zip(numbers, summaries):
            if summary != summaries[0]:
                raise ValueError(
                    f"y has {summary[0]} targets in partition {number}, but {summaries[0][0]} in "
                    f"partition {numbers[0]}."
                )
        return Targets(None, None, *summaries[0]), None

    def read_validation(self, sequences, y, sample_weight, class_weight, training):
        """Return numbers and weights of a validation set, for the `Targets` of ``training``."""
        targets, weight, n_outputs, _ = self.read(sequences, y, sample_weight)
        if n_outputs != training.n_outputs:
            raise ValueError(f"y has {n_outputs} targets, but {training.n_outputs} for training.")
        if len(targets) < self.min_held_out:
            raise ValueError(
                f"X has only {len(targets)} target. R^2 needs {self.min_held_out}: pass more."
            )
        return targets, weight

    def strata(self, targets):
        """Return None: numbers have no strata."""
        return None

    def predict(self, network, p, shard):
        """Return predictions (n, K), NaN where the network overflows."""
        return infer(network, p, shard)

    def score(self, y, predictions, weight):
        """Return R^2, -inf where the network overflows."""
        if not np.isfinite(predictions).all():
            return -np.inf
        return r2_score(y, predictions, sample_weight=weight)
