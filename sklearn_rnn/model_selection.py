"""Splitting long tables by sequence, and scoring labels at each step."""

import numpy as np
from sklearn import model_selection
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)
from sklearn.utils import indexable

from ._compat import safe_indexing, validate_parameter_constraints
from ._input.constraints import COLUMN, at_least
from ._input.labels import read_row_labels
from ._input.long_tables import read_times, sequence_runs
from ._input.of_sequences import one_of_each
from ._scoring import sequence_scorer

__all__ = ["SequenceKFold", "SequenceTimeSeriesSplit", "sequence_scorer", "train_test_split"]


def __dir__():
    return __all__


class SequenceKFold(BaseCrossValidator):
    """K-fold cross-validation of a long table, which keeps its sequences whole.

    Each sequence is tested once, and its rows stay in their order. The ids are read from X, so that
    there are no groups to pass, and it goes wherever scikit-learn takes a `cv`: into the searches,
    `cross_val_predict`, nested cross-validation, the curves, and the estimators that cross-validate
    themselves. (3-D arrays and lists of sequences need no such thing:
    :class:`sklearn.model_selection.KFold` does not cut their entries.)

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    sequence_id : str or int
        The column (name or position), or the name of the pandas index level, that tells sequences
        apart, as in the taggers; the rows of a sequence must be contiguous.
    shuffle : bool, default=False
        Whether to draw at random which sequences a fold tests. Otherwise the folds are made to have
        about as many rows.
    random_state : int, RandomState instance or None, default=None
        Determines what is drawn, if `shuffle` is True.
    stratify : bool, default=False
        Whether the labels are to have about the same shares in all folds.

    See Also
    --------
    train_test_split : One split instead of several.
    sklearn.model_selection.GroupKFold : Makes the folds.
    sklearn.model_selection.StratifiedGroupKFold : Makes them with ``stratify=True``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_rnn.model_selection import SequenceKFold
    >>> table = pd.DataFrame({"who": list("aaabbccc"), "x": range(8)})
    >>> for train, test in SequenceKFold(3, sequence_id="who").split(table):
    ...     print(train, test)
    [0 1 2 3 4] [5 6 7]
    [3 4 5 6 7] [0 1 2]
    [0 1 2 5 6 7] [3 4]
    """

    _parameter_constraints = {
        "n_splits": [at_least(2)],
        "sequence_id": [*COLUMN],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "stratify": ["boolean"],
    }

    def __init__(
        self, n_splits=5, *, sequence_id, shuffle=False, random_state=None, stratify=False
    ):
        self.n_splits = n_splits
        self.sequence_id = sequence_id
        self.shuffle = shuffle
        self.random_state = random_state
        self.stratify = stratify
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )
        self._folds(random_state)  # refuses what scikit-learn's splitter does not take

    def _folds(self, random_state):
        kind = StratifiedGroupKFold if self.stratify else GroupKFold
        return kind(self.n_splits, shuffle=self.shuffle, random_state=random_state)

    def split(self, X, y=None, groups=None):
        """Split the rows of a long table into training and test rows, fold by fold.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The table, with its sequence ids.
        y : array-like of shape (N,), optional
            The labels, which only ``stratify=True`` looks at.
        groups : object, optional
            Ignored: the ids of X are the groups.

        Yields
        ------
        train, test : ndarray of int
            Rows, in the order of the table.
        """
        lengths, _ = sequence_runs(X, self.sequence_id)
        sequence = np.repeat(np.arange(len(lengths)), lengths)
        if self.n_splits > len(lengths):
            raise ValueError(f"n_splits={self.n_splits}, but X has only {len(lengths)} sequences.")
        if self.stratify:
            if y is None:
                raise ValueError("stratify=True needs y.")
            y = read_row_labels(y, "y", len(sequence), "X")
        # StackingClassifier gives a random_state to every splitter that has none
        random_state = self.random_state if self.shuffle else None
        yield from self._folds(random_state).split(sequence, y, sequence)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object, optional
            Ignored.

        Returns
        -------
        int
            `n_splits`.
        """
        return self.n_splits


class SequenceTimeSeriesSplit(BaseCrossValidator):
    """Splits of a long table by time: train on the past of all sequences, test on what follows.

    The distinct times of the table are split as :class:`sklearn.model_selection.TimeSeriesSplit`
    splits rows, with a window that expands, or slides (`max_train_size`), and a gap if the target
    of a step is known later only. All sequences are cut at the same times, so that nothing is
    learnt from a time that is tested, and the rows of each stay in their order. A sequence that is
    tested begins with its first row there: nothing is known of its steps before.

    With `sequence_folds`, other sequences than those trained on are tested, at later times.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits by time, at least 2.
    time : str or int
        The column (name or position), or the name of the pandas index level, that has the times:
        dates, numbers, or whatever sorts. In an index level it is no feature.
    max_train_size : int, default=None
        How many distinct times a training part has at most.
    test_size : int, default=None
        How many distinct times a test part has. None is their number divided by ``n_splits + 1``.
    gap : int, default=0
        How many distinct times before each test part to leave out of the training part.
    sequence_folds : int, default=None
        If given, at least 2: each split by time is made once for each of so many folds of the
        sequences, whose late rows are tested and of which no row is trained on.
    sequence_id : str or int, default=None
        With `sequence_folds`, the column (name or position), or the name of the pandas index level,
        that tells sequences apart, as in the taggers.

    See Also
    --------
    SequenceKFold : Splits by sequence alone.
    sklearn.model_selection.TimeSeriesSplit : Splits the distinct times.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_rnn.model_selection import SequenceTimeSeriesSplit
    >>> index = pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]], names=["who", "day"])
    >>> table = pd.DataFrame({"x": range(6)}, index=index)
    >>> for train, test in SequenceTimeSeriesSplit(2, time="day").split(table):
    ...     print(train, test)
    [0 3] [1 4]
    [0 1 3 4] [2 5]
    """

    _parameter_constraints = {
        "n_splits": [at_least(2)],
        "time": [*COLUMN],
        "max_train_size": [at_least(1), None],
        "test_size": [at_least(1), None],
        "gap": [at_least(0)],
        "sequence_folds": [at_least(2), None],
        "sequence_id": [*COLUMN, None],
    }

    def __init__(
        self,
        n_splits=5,
        *,
        time,
        max_train_size=None,
        test_size=None,
        gap=0,
        sequence_folds=None,
        sequence_id=None,
    ):
        self.n_splits = n_splits
        self.time = time
        self.max_train_size = max_train_size
        self.test_size = test_size
        self.gap = gap
        self.sequence_folds = sequence_folds
        self.sequence_id = sequence_id
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )
        if (sequence_folds is None) != (sequence_id is None):
            raise ValueError("sequence_folds and sequence_id must be given together, or neither.")

    def split(self, X, y=None, groups=None):
        """Split the rows of a long table into training and test rows, split by split.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The table, with its times.
        y, groups : object, optional
            Ignored.

        Yields
        ------
        train, test : ndarray of int
            Rows, in the order of the table.
        """
        times, time = read_times(X, self.time)
        splitter = TimeSeriesSplit(
            self.n_splits,
            max_train_size=self.max_train_size,
            test_size=self.test_size,
            gap=self.gap,
        )
        try:
            splits = list(splitter.split(times))
        except ValueError as error:
            raise ValueError(f"X has only {len(times)} distinct times: {error}") from error
        for past, future in splits:
            is_past, is_future = np.isin(time, past), np.isin(time, future)
            for is_trained, is_tested in self._folds(X, len(time)):
                train = np.flatnonzero(is_past & is_trained)
                test = np.flatnonzero(is_future & is_tested)
                if not len(train) or not len(test):
                    raise ValueError(
                        "The sequences of one of the sequence_folds have no rows at the times of "
                        f"{'the test' if len(train) else 'the training'} part. Take fewer "
                        "sequence_folds, or fewer n_splits."
                    )
                yield train, test

    def _folds(self, X, n_rows):
        """Return which rows are of sequences to train on, and which of those to test on."""
        if self.sequence_folds is None:
            return [(np.ones(n_rows, bool), np.ones(n_rows, bool))]
        folds = SequenceKFold(self.sequence_folds, sequence_id=self.sequence_id).split(X)
        is_tested = np.zeros((self.sequence_folds, n_rows), bool)
        for fold, (_, test) in zip(is_tested, folds):
            fold[test] = True
        return list(zip(~is_tested, is_tested))

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object, optional
            Ignored.

        Returns
        -------
        int
            `n_splits`, times `sequence_folds`.
        """
        return self.n_splits * (self.sequence_folds or 1)


def train_test_split(
    *arrays,
    sequence_id,
    test_size=None,
    train_size=None,
    random_state=None,
    shuffle=True,
    stratify=None,
):
    """Split a long table, and what goes with its rows, into sequences to train on and to test on.

    It is :func:`sklearn.model_selection.train_test_split` of the sequences instead of the rows:
    sequences stay whole, and their rows in the order of the table. (3-D arrays and lists of
    sequences need no such thing: scikit-learn's own does not cut their entries.)

    Parameters
    ----------
    *arrays : array-like of length N
        First the table (N, D), with its sequence ids; then what has an entry for each row of it,
        such as labels and weights.
    sequence_id : str or int
        The column (name or position), or the name of the pandas index level, that tells sequences
        apart, as in the taggers; the rows of a sequence must be contiguous.
    test_size, train_size : float or int, default=None
        Share or number of the sequences; if neither is given, a quarter is to be tested on.
    random_state : int, RandomState instance or None, default=None
        Determines which sequences are drawn.
    shuffle : bool, default=True
        Whether to draw the sequences. Otherwise the first ones are to train on.
    stratify : array-like of shape (N,), default=None
        A label for each row, the same in all rows of a sequence, that is to have about the same
        shares in both parts. For labels that change within sequences there is
        ``SequenceKFold(stratify=True)``.

    Returns
    -------
    list
        The training and the test part of each array, one after the other.

    Raises
    ------
    ValueError, TypeError
        If there is nothing to split, the rows of a sequence are not contiguous, or `stratify`
        changes within one.

    See Also
    --------
    SequenceKFold : Several splits instead of one.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_rnn.model_selection import train_test_split
    >>> table = pd.DataFrame({"who": list("aaabbccc"), "x": range(8)})
    >>> train, test, y_train, y_test = train_test_split(
    ...     table, list("uduudduu"), sequence_id="who", random_state=0
    ... )
    >>> list(test["who"]), y_test
    (['c', 'c', 'c'], ['d', 'u', 'u'])
    """
    if not arrays:
        raise ValueError("At least one array required as input")
    for i, array in enumerate(arrays):
        if array is None:
            raise ValueError(f"The array at position {i} is None. Leave it out.")
    arrays = indexable(*arrays)
    lengths, ids = sequence_runs(arrays[0], sequence_id)
    parts = model_selection.train_test_split(
        np.arange(len(lengths)),
        test_size=test_size,
        train_size=train_size,
        random_state=random_state,
        shuffle=shuffle,
        stratify=None if stratify is None else _label_of_sequences(stratify, lengths, ids),
    )
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    rows = [np.flatnonzero(np.isin(sequence, part)) for part in parts]
    return [safe_indexing(array, part) for array in arrays for part in rows]


def _label_of_sequences(labels, lengths, ids):
    """Return the label of each sequence, (S,); refuse labels (N,) that change within one."""
    labels = read_row_labels(labels, "stratify", lengths.sum(), "X")
    remedy = "; SequenceKFold(stratify=True) takes labels that change"
    return one_of_each(labels, lengths, ids, "stratify", remedy)
