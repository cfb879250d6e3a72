"""Predictions for Dask collections: each partition by itself, when it is computed."""

from copy import copy
from functools import partial, wraps

import numpy as np

from .._compat import num_samples
from .._execution.dask import is_collection, lazy_array, lazy_list
from .base import fitted_model


def by_partition(method):
    """Let a method that predicts take Dask collections, for which it is lazy."""

    @wraps(method)
    def predict(self, X, *args, **options):
        if not is_collection(X):
            return method(self, X, *args, **options)
        if any(value is not None for value in (*args, *options.values())):
            raise ValueError(f"{method.__name__} takes nothing but X for a collection of Dask.")
        model = fitted_model(self)
        # a copy, since the estimator may be fitted again before the predictions are computed
        call = partial(_predict, copy(self), method.__name__)
        if isinstance(X, list | tuple):
            return lazy_list(call, X)
        tail, dtype = _form(model, method.__name__, X)
        return lazy_array(partial(_as_block, call, tail, dtype), X, tail, dtype)

    return predict


def _predict(estimator, method, X):
    return getattr(estimator, method)(X)


def _as_block(call, tail, dtype, X):
    """Return predictions for a partition, which may be empty, as a block of an array."""
    if num_samples(X) == 0:
        return np.empty((0, *tail), dtype)
    return call(X).astype(dtype, copy=False)


def _form(model, method, X):
    """Return the shape of predictions, without its first axis, and their dtype."""
    n_outputs = model.network.n_outputs
    if method == "predict":
        tail = model.target_shape if model.classes is None else ()
    else:
        tail = () if method == "decision_function" and n_outputs == 2 else (n_outputs,)
    is_label = method == "predict" and model.classes is not None
    is_single = getattr(X, "dtype", None) == np.float32
    dtype = model.classes.dtype if is_label else np.dtype(np.float32 if is_single else np.float64)
    if not model.per_step or hasattr(X, "columns"):
        return tail, dtype
    if not hasattr(X, "ndim"):  # a bag, whose sequences have lengths of their own
        return (), np.dtype(object)
    return (*X.shape[1 : X.ndim - 1], *tail), dtype
