"""`to_onnx`: a fitted estimator as an ONNX model."""

from importlib.util import find_spec

import numpy as np

from .._compat import StrOptions, validate_params
from .._estimators.base import RecurrentEstimator, fitted_model
from .._input.arrays import format_value
from .._version import __version__
from ._forms import add_batch, add_step, class_tensor, pattern_of
from ._graph import Graph

# What a file of protocol buffers holds at most, less room for all but the weights.
MOST_BYTES = 2**31 - 2**20


@validate_params(
    {
        "estimator": "no_validation",
        "form": [StrOptions({"batch", "step"})],
        "dtype": [StrOptions({"float32", "float64"})],
    },
    prefer_skip_nested_validation=True,
)
def to_onnx(estimator, *, form="batch", dtype="float32"):
    """Return a fitted estimator as an ONNX model, which runs without Python.

    Standardisation is in the weights already, so that the model takes the features as they are. It
    has standard operators of opset 18 only; what goes through time is the operator Scan.

    **The batch form** takes padded sequences:

    - ``X`` (S, T, D), whose padding may hold anything, also NaN;
    - ``lengths`` (S,), of int64, from 1 to T;
    - of :class:`~sklearn_rnn.OutputFeedbackRegressor` also ``y_past`` (S, L, K), the L = `n_lags`
      outputs before the first step, the last of them right before it. Where one is NaN,
      `initial_outputs_` stands in.

    **The step form**, for sequences that go on, takes one step of each:

    - ``x`` (S, D);
    - ``state`` (S, P), zeros before the first step of a sequence, then the ``next_state`` that the
      model put out. Each row is on its own: to start a new sequence there, set it to zero.

    Both put out ``probabilities`` and ``labels``, or of regressors ``predictions``: with axes
    (S, T, K) for a target at each step, else (S, K); without K for labels and a single number. In
    the batch form they are those of `predict_proba` and `predict` (of taggers with `decoding` as it
    is now); probabilities and numbers in the padding are zero, and labels there mean nothing. In
    the step form they are what `start` gives, and the label of the largest probability.

    Parameters
    ----------
    estimator : estimator
        Any fitted estimator of `sklearn_rnn`. Later changes of it do not change the model.
    form : {"batch", "step"}, default="batch"
        What the model takes in.
    dtype : {"float32", "float64"}, default="float32"
        The type of all real numbers.

    Returns
    -------
    onnx.ModelProto
        The model, for `onnx.save`, or for a runtime by its method ``SerializeToString``.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    ValueError, TypeError
        If the estimator, or its form, has no form in ONNX: a step form needs what `start` needs;
        labels must be strings, numbers or truth values.

    See Also
    --------
    sklearn_rnn.preprocessing.pad : Padded sequences, from a list of them.
    sklearn_rnn.preprocessing.unpad : The way back.

    Notes
    -----
    Sequences are not checked. Where a network overflows, probabilities are NaN. A step form counts
    steps in its state: in float32 up to 16,777,216, from where means go on as moving means.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import SequenceTagger
    >>> from sklearn_rnn.datasets import make_conversations
    >>> from sklearn_rnn.export import to_onnx
    >>> from sklearn_rnn.preprocessing import pad
    >>> X, y = make_conversations(20, random_state=0)
    >>> tagger = SequenceTagger(8, random_state=0).fit(X, y)
    >>> model = to_onnx(tagger)
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(model.SerializeToString())
    >>> inputs = {"X": pad(X).astype("float32"), "lengths": np.array([len(x) for x in X])}
    >>> labels, probabilities = session.run(["labels", "probabilities"], inputs)
    >>> bool(np.allclose(probabilities[3, : len(X[3])], tagger.predict_proba(X)[3], atol=1e-5))
    True
    """
    model, decoding = _exportable(estimator, form, dtype)
    graph = Graph(dtype)
    if form == "batch":
        add_batch(graph, model, decoding)
    else:
        add_step(graph, model)
    name = type(estimator).__name__
    return graph.to_model(name, f"{name} of sklearn_rnn, {form} form", __version__)


def _exportable(estimator, form, dtype):
    """Return the fitted model and the decoding; refuse what has no form in ONNX."""
    if not isinstance(estimator, RecurrentEstimator):
        raise TypeError(
            f"estimator must be a fitted estimator of sklearn_rnn, got {format_value(estimator)}."
        )
    model = fitted_model(estimator)
    if form == "step":
        estimator.start()  # refuses what must see the whole sequence
    check_parts(model, dtype)
    require("onnx", "to_onnx")
    return model, decoding_of(estimator)


def require(package, name):
    """Say what to install if a package that a function needs is missing."""
    if not find_spec(package):
        raise ImportError(f'{name} needs the package {package}: pip install "sklearn-rnn[onnx]".')


def check_parts(model, dtype):
    """Refuse a fitted model that has a part without a form in ONNX."""
    network, p = model.network, model.p
    pattern = pattern_of(network)
    missing = pattern.missing(network) if pattern else type(network).__name__
    if missing:
        raise ValueError(f"{missing} has no form in ONNX yet.")
    if model.filling and len(model.filling.with_gaps):
        raise ValueError(
            f"X had missing values in fit, in feature {model.filling.with_gaps[0]}, and filling "
            "them has no form in ONNX yet. Fill them before fit, for instance with "
            "PerStepTransformer(SimpleImputer())."
        )
    if model.classes is not None and class_tensor(model.classes) is None:
        raise ValueError(
            f"ONNX has no type for classes such as {format_value(model.classes[-1])}. Fit with "
            "labels that are strings or integers."
        )
    if sum(W.size for W in p.values()) * np.dtype(dtype).itemsize > MOST_BYTES:
        raise ValueError("The weights are larger than the 2 GB that a model of ONNX can hold.")
    largest = max(np.abs(W).max(initial=0) for W in p.values())
    if largest > np.finfo(dtype).max:
        raise ValueError(
            f"The weights reach {largest:.1e}, more than float32 can hold. Take dtype='float64'."
        )


def decoding_of(estimator):
    """Return what `predict` of a tagger goes by, which may have been set after `fit`."""
    if not hasattr(estimator, "decoding"):
        return None
    (names,) = estimator._parameter_constraints["decoding"]
    if not names.is_satisfied_by(estimator.decoding):
        raise ValueError(f"decoding must be {names}, got {format_value(estimator.decoding)}.")
    return estimator.decoding
