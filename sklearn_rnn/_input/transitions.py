"""The parameter `allowed_transitions`: which labels may follow which."""

from typing import NamedTuple

import numpy as np

from .arrays import depth, format_value
from .labels import LABEL

_PREFIXES = {"IOB2": "BI", "BIOES": "BIES"}


class Allowed(NamedTuple):
    """Which transitions between K classes are allowed, and which classes may start and end."""

    between: np.ndarray  # bool (K, K): the row is the label before
    start: np.ndarray  # bool (K,)
    end: np.ndarray  # bool (K,)


def read_transitions(allowed_transitions, classes):
    """Return `Allowed` for the parameter, None if all transitions are allowed."""
    if allowed_transitions is None:
        return None
    if isinstance(allowed_transitions, str):
        return _of_scheme(allowed_transitions, classes)
    return _of_pairs(allowed_transitions, classes)


def _of_scheme(scheme, classes):
    """A span goes on with I or E; with BIOES it has to, from B until E."""
    parts = [_parse(label, scheme) for label in classes.tolist()]
    before, kind = np.array([prefix for prefix, _ in parts]), np.array([kind for _, kind in parts])
    is_open, goes_on = np.isin(before, ["B", "I"]), np.isin(before, ["I", "E"])
    continues = is_open[:, None] & goes_on & (kind[:, None] == kind)
    may_end = ~is_open | (scheme == "IOB2")
    return Allowed(continues | (may_end[:, None] & ~goes_on), ~goes_on, may_end)


def _parse(label, scheme):
    """Return the prefix of a label and the kind of its span."""
    prefix, _, kind = label.partition("-") if isinstance(label, str) else ("", "", "")
    if label != "O" and not (len(prefix) == 1 and prefix in _PREFIXES[scheme]):
        names = ", ".join(f"'{prefix}-name'" for prefix in _PREFIXES[scheme])
        raise ValueError(
            f"allowed_transitions={scheme!r} needs the labels 'O', {names}, but y has "
            f"{format_value(label)}. Pass pairs of labels instead."
        )
    return prefix, kind


def _of_pairs(pairs, classes):
    K = len(classes)
    position = {label: i for i, label in enumerate(classes.tolist())} | {None: K}
    allowed = np.zeros((K + 1, K + 1), bool)  # last the start, and the end
    has_start = has_end = False
    for pair in pairs:
        before, after = _read_pair(pair)
        has_start |= before is None
        has_end |= after is None
        if before in position and after in position:
            allowed[position[before], position[after]] = True
    allowed[K, :K] |= not has_start
    allowed[:K, K] |= not has_end
    if not allowed[:K, :K].any():
        raise ValueError(
            "allowed_transitions allows no transition between the classes "
            f"{format_value(classes.tolist())}."
        )
    return Allowed(allowed[:K, :K], allowed[K, :K], allowed[:K, K])


def _read_pair(pair):
    if isinstance(pair, list | tuple | np.ndarray) and depth(pair) and len(pair) == 2:
        before, after = pair
        are_labels = all(label is None or isinstance(label, LABEL) for label in pair)
        if are_labels and not (before is None and after is None):
            return before, after
    raise ValueError(
        f"allowed_transitions holds {format_value(pair)}. Pass pairs (label before, label after), "
        "in one of which None may stand for the start or the end of a sequence."
    )


def refuse_dead_ends(allowed, classes):
    """Refuse transitions by which, from some label or the start, none that may end is next."""
    has_end = (np.vstack([allowed.start, allowed.between]) & allowed.end).any(axis=1)
    if not has_end.all():
        names = ["the start", *map(format_value, classes)]
        raise ValueError(
            f"allowed_transitions allows no label after {names[np.argmin(has_end)]} that may end "
            "the sequence. Output feedback is normalised at each step, and needs one. Allow one, "
            "or take SequenceTagger with output='crf'."
        )


def check_allowed(codes, sequences, allowed, classes):
    """Refuse labels, by their codes (N,), that break what is allowed; -1 is an unknown label."""
    _check_known(codes, sequences, allowed, classes)
    _check_unknown(codes, sequences, allowed)


def _check_known(codes, sequences, allowed, classes):
    follows = np.ones(len(codes), bool)
    follows[sequences.starts] = False
    after = np.flatnonzero(follows)
    breaks = np.zeros(len(codes), bool)
    after = after[(codes[after - 1] >= 0) & (codes[after] >= 0)]
    breaks[after] = ~allowed.between[codes[after - 1], codes[after]]
    starts, ends = sequences.starts, sequences.starts + sequences.lengths - 1
    starts, ends = starts[codes[starts] >= 0], ends[codes[ends] >= 0]
    breaks[starts] |= ~allowed.start[codes[starts]]
    breaks_end = np.zeros(len(codes), bool)
    breaks_end[ends] = ~allowed.end[codes[ends]]
    if not (breaks | breaks_end).any():
        return
    row = int(np.argmax(breaks | breaks_end))
    label = format_value(classes[codes[row]])
    if not breaks[row]:
        what = f"ends with {label}"
    elif follows[row]:
        what = f"goes from {format_value(classes[codes[row - 1]])} to {label}"
    else:
        what = f"starts with {label}"
    raise ValueError(
        f"y {what} at {sequences.describe_position(row)}, which allowed_transitions forbids. "
        "Correct the labels, or allow it."
    )


def _check_unknown(codes, sequences, allowed):
    """Refuse sequences with unlabelled steps for which no labels are allowed."""
    every = np.arange(len(allowed.start))
    has_unknown = np.logical_or.reduceat(codes < 0, sequences.starts)
    for i in np.flatnonzero(has_unknown):
        first, possible = sequences.starts[i], allowed.start
        last = first + sequences.lengths[i] - 1
        for row in range(first, last + 1):
            possible = possible & ((codes[row] < 0) | (every == codes[row]))
            possible = possible & allowed.end if row == last else possible
            if not possible.any():
                raise ValueError(
                    "allowed_transitions allows no labels for the unlabelled steps of y up to "
                    f"{sequences.describe_position(row)}. Correct the labels, or allow more."
                )
            possible = allowed.between[possible].any(axis=0)
