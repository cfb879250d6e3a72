"""Training sets in the partitions of Dask collections, each read where it is."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from .._compat import num_samples
from .._execution.dask import Partitions, partitions_of
from .._execution.shards import Data
from .._input.arrays import format_value
from .._input.layouts import read_sequences
from .._input.sequences import Sequences
from .._training.partitions import PartitionedExamples

_NAMES = ("n_features_in_", "feature_names_in_", "_fitted_on_table")


class _Part(NamedTuple):
    """A partition that has been read; of an empty one all but the number is None.

    Attributes
    ----------
    number : int
    names : dict
        What reading X leaves on an estimator.
    summary : tuple
        What `merge` of the targets takes.
    sequences : Sequences
    y, sample_weight
        As they were passed.
    """

    number: int
    names: dict | None = None
    summary: tuple | None = None
    sequences: Sequences | None = None
    y: Any = None
    sample_weight: Any = None

    def facts(self):
        """Return what the client needs: the same without rows and targets."""
        sequences = self.sequences
        if sequences is not None:
            sequences = replace(sequences, rows=sequences.rows[:0])
        return self._replace(sequences=sequences, y=None, sample_weight=None)


def check_supported(estimator, held_out):
    """Refuse what training on partitions cannot do."""
    if estimator.solver not in ("auto", "lbfgs", "trust-ncg"):
        raise ValueError(
            f"solver={estimator.solver!r} needs all sequences in memory, but X is a collection of "
            "Dask. Take 'lbfgs' or 'trust-ncg'."
        )
    if estimator.early_stopping and not held_out:
        raise ValueError(
            "early_stopping=True holds out sequences of X, but not of a collection of Dask. Pass a "
            "validation set in memory (X_val, y_val)."
        )


def read_partitions(reader, X, y, sample_weight, known):
    """Read the partitions of a training set where they are.

    Parameters
    ----------
    reader : RecurrentEstimator
        Gets the names of the features. A copy of it reads each partition.
    X, y, sample_weight : Dask collections, or lists of delayed objects
        ``sample_weight`` may be None.
    known : ndarray of shape (K,) or None
        The classes of a warm start.

    Returns
    -------
    sequences : Sequences
        Without any, but of the kind that X holds.
    targets : Targets
        Without any.
    examples : PartitionedExamples

    Raises
    ------
    ValueError, TypeError
        If the input is malformed: the message names the partition, too.
    """
    read = _partitions(X, y, sample_weight).keep(partial(_read, reader))
    parts = read.gather(_Part.facts)
    has_rows = [part.sequences is not None for part in parts]
    parts = [part for part in parts if part.sequences is not None]
    if not parts:
        raise ValueError("X is empty: none of its partitions has rows. Pass some.")
    _check_alike(parts)
    _check_ids(parts)
    vars(reader).update(parts[0].names, _lengths_seen={})  # there may be too many ids to keep
    summaries = [part.summary for part in parts]
    numbers = [part.number for part in parts]
    targets, class_weight = reader._targets.merge(summaries, numbers, reader._class_weight(), known)
    classes = targets.attributes.get("classes_")
    examples = read.where(has_rows).keep(partial(_examples, reader, class_weight, classes))
    rows = parts[0].sequences.rows
    sequences = replace(parts[0].sequences, lengths=np.zeros(0, int), ids=None)
    data = Data(rows, sequences.lengths, None, None, reader._targets.unit.per_step)
    return sequences, targets, PartitionedExamples(examples, data)


def gather_from_rows(function, X, y, sample_weight):
    """Return ``function(X, y, sample_weight)`` for each partition that has rows."""
    results = _partitions(X, y, sample_weight).gather(partial(_of_rows, function))
    results = [result for result in results if result is not None]
    if not results:
        raise ValueError("X is empty: none of its partitions has rows. Pass some.")
    return results


def _of_rows(function, part):
    number, X, y, *sample_weight = part
    with _reading(number):
        if num_samples(X) == 0:
            return None
        return function(X, y, *sample_weight or [None])


def _partitions(X, y, sample_weight):
    """Return ``(number, X, y)``, or ``(number, X, y, sample_weight)``, as `Partitions`."""
    names = ("X", "y") if sample_weight is None else ("X", "y", "sample_weight")
    columns = [partitions_of(x, name) for x, name in zip((X, y, sample_weight), names)]
    for name, parts in zip(names, columns):
        if len(parts) != len(columns[0]):
            raise ValueError(
                f"{name} has {len(parts)} partitions, but X has {len(columns[0])}. They must be "
                "partitioned alike."
            )
    return Partitions.of(*columns)


def _read(reader, part):
    """Return the `_Part` that a partition is."""
    number, X, y, *sample_weight = part
    with _reading(number):
        if num_samples(X) == 0:
            return _Part(number)
        sample_weight = sample_weight[0] if sample_weight else None
        reader = reader._reader()  # several partitions may be read at a time
        sequences = read_sequences(reader, X, reader._table(), reset=True)
        summary = reader._targets.summary(sequences, y, sample_weight)
        names = {name: vars(reader)[name] for name in _NAMES if name in vars(reader)}
        return _Part(number, names, summary, sequences, y, sample_weight)


def _examples(reader, class_weight, classes, part):
    """Return the `Examples` of a partition."""
    with _reading(part.number):
        targets = reader._targets.read_batch(
            part.sequences, part.y, part.sample_weight, class_weight, classes
        )
        return reader._examples(part.sequences, targets)


@contextmanager
def _reading(number):
    """Add the number of the partition to errors."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error_type = TypeError if isinstance(error, TypeError) else ValueError
        raise error_type(f"In partition {number}: {error}") from error


def _check_alike(parts):
    """Refuse partitions that hold different features, and parts of one sequence."""
    first = parts[0]
    for part in parts:
        if _kind(part) != _kind(first):
            raise ValueError(
                f"Partition {part.number} of X has {_kind(part)}, but partition {first.number} has "
                f"{_kind(first)}."
            )
    if len(parts) > 1 and first.sequences.layout == "long" and first.sequences.ids is None:
        raise ValueError(
            f"X is a table in {len(parts)} partitions, but without sequence_id it is one sequence. "
            "Set sequence_id to the column that tells sequences apart."
        )


def _kind(part):
    rows, layout = part.sequences.rows, part.sequences.layout
    kind = "sparse" if issparse(rows) else "dense"
    kind = f"{rows.shape[1]} features, {kind} {rows.dtype.name}, in {layout} layout"
    if "feature_names_in_" in part.names:
        kind += f" with the columns {format_value(part.names['feature_names_in_'].tolist())}"
    return kind


def _check_ids(parts):
    """Refuse a sequence that has rows in two partitions."""
    if parts[0].sequences.ids is None:
        return
    ids = np.concatenate([part.sequences.ids for part in parts])
    numbers = np.repeat(*np.transpose([(p.number, len(p.sequences.ids)) for p in parts]))
    _, codes = np.unique(ids, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    again = np.flatnonzero(np.diff(codes[order]) == 0)
    if len(again):
        i, j = order[again[0]], order[again[0] + 1]
        raise ValueError(
            f"Sequence {format_value(ids[i])} has rows in partitions {numbers[i]} and {numbers[j]} "
            "of X. Each sequence must be in one partition: for a DataFrame, call "
            "set_index(sequence_id), and sort each partition by time."
        )
