"""Every name of scikit-learn that is private or that not all supported versions have.

All other modules import these names from here; tests/test_structure.py checks it.
"""

from inspect import signature

from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

try:  # scikit-learn 1.9 and later
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Base class of estimators that take no callbacks."""

    def with_callbacks(method):
        """Return the method: there are no callbacks to end after it."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "accepts_sample_weight",
    "check_feature_names_in",
    "check_sample_weight",
    "metric_of",
    "num_samples",
    "output_container",
    "safe_indexing",
    "validate_parameter_constraints",
    "validate_params",
    "with_callbacks",
]


def output_container(transformer):
    """Return the container that `set_output` or scikit-learn's configuration asks for."""
    return _get_output_config("transform", transformer)["dense"]


def metric_of(scorer):
    """Return the metric of a scorer of `make_scorer`; any other callable is returned itself."""
    return getattr(scorer, "_score_func", scorer)


def accepts_sample_weight(scorer):
    """Return whether a scorer takes `sample_weight`; scikit-learn 1.8 and later ask it so."""
    if hasattr(scorer, "_accept_sample_weight"):
        return scorer._accept_sample_weight()
    return "sample_weight" in signature(scorer).parameters
