"""What `score` returns: of data in memory, or merged from the partitions of Dask collections.

An estimator has ``_outcomes(X, y, sample_weight)``, which returns true and predicted values of the
targets, and their weights; before them a regressor returns what kind its targets are.
"""

from functools import partial

import numpy as np
from sklearn.metrics import accuracy_score

from .._execution.dask import is_collection
from .._input.labels import require_y
from .base import fitted_model
from .partitions import gather_from_rows
from .quantiles import has_r2


def score_labels(estimator, X, y, sample_weight):
    """Return the accuracy."""
    require_y(estimator, y)
    if not is_collection(X):
        return _accuracy(*estimator._outcomes(X, y, sample_weight))
    parts = gather_from_rows(partial(_part_of_accuracy, estimator), X, y, sample_weight)
    accuracy, total = np.transpose(parts)
    return float(np.average(accuracy, weights=total))


def _accuracy(labels, predicted, weight):
    return accuracy_score(labels, predicted, sample_weight=weight)


def _part_of_accuracy(estimator, *data):
    outcomes = estimator._outcomes(*data)
    return _accuracy(*outcomes), outcomes[-1].sum()


def score_numbers(estimator, X, y, sample_weight):
    """Return the score of the targets' kind: R^2, or D^2 of quantiles."""
    require_y(estimator, y)
    if not is_collection(X):
        kind, *outcomes = estimator._outcomes(X, y, sample_weight)
        return kind.score(*outcomes)
    if not has_r2(fitted_model(estimator).network):
        raise ValueError(
            "The score of quantiles needs all targets at once, but X is a collection of Dask. Pass "
            "arrays, or take the mean of sklearn.metrics.mean_pinball_loss over the partitions."
        )
    parts = gather_from_rows(partial(_part_of_r2, estimator), X, y, sample_weight)
    total, mean, variance, error = map(np.array, zip(*parts))
    share = (total / total.sum())[:, None]
    between = np.square(mean - (share * mean).sum(axis=0))
    variance, error = (share * (variance + between)).sum(axis=0), (share * error).sum(axis=0)
    # of targets that do not vary as scikit-learn has it
    varies = variance > 0
    r2 = np.where(varies, 1 - error / np.where(varies, variance, 1), 1.0 * (error == 0))
    return float(r2.mean())


def _part_of_r2(estimator, *data):
    _, y, predictions, weight = estimator._outcomes(*data)
    total = weight.sum()
    mean = weight @ y / total
    variance, error = (weight @ np.square(y - x) / total for x in (mean, predictions))
    return total, mean, variance, error
