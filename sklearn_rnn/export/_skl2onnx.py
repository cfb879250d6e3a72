"""Converters for skl2onnx, so that a Pipeline that ends with ours converts in one call."""

import numpy as np

from .._estimators.base import fitted_model
from .._input.layouts import WideTable
from ._forms import batch_outputs, class_tensor
from ._graph import OPSET, Graph, Value
from ._to_onnx import check_parts, decoding_of, require


def register_converters():
    """Tell skl2onnx how to convert the estimators and `PerStepTransformer`.

    After that, ``skl2onnx.convert_sklearn`` (and ``to_onnx`` of skl2onnx) convert a fitted
    :class:`~sklearn.pipeline.Pipeline` of scikit-learn's transformers and an estimator of ours in
    one call. What it takes in is declared by ``initial_types``:

    - a 3-D tensor (S, T, D) of sequences, which are equally long in each call;
    - a 2-D tensor (S, T * `features_per_step`) of a classifier or regressor of sequences, a row a
      sequence; of other estimators (T, D), which is one sequence.

    Outputs are `labels` and `probabilities`, or `predictions`, as of the batch form of
    :func:`to_onnx`. What :class:`~sklearn_rnn.preprocessing.PerStepTransformer` wraps must have a
    converter of its own. Opset 18 or later is needed (``target_opset``).

    Raises
    ------
    ImportError
        If the package skl2onnx is not installed.

    See Also
    --------
    to_onnx : An estimator alone, also for sequences of different lengths and step by step.

    Examples
    --------
    >>> import numpy as np
    >>> from skl2onnx import convert_sklearn
    >>> from skl2onnx.common.data_types import FloatTensorType
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_rnn import SequenceClassifier
    >>> from sklearn_rnn.datasets import load_digit_sequences
    >>> from sklearn_rnn.export import register_converters
    >>> from sklearn_rnn.preprocessing import PerStepTransformer
    >>> register_converters()
    >>> X, y = load_digit_sequences(return_X_y=True)
    >>> pipeline = make_pipeline(
    ...     PerStepTransformer(StandardScaler()), SequenceClassifier(random_state=0)
    ... ).fit(X[:500], y[:500])
    >>> model = convert_sklearn(
    ...     pipeline, initial_types=[("X", FloatTensorType([None, None, X.shape[2]]))]
    ... )
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(model.SerializeToString())
    >>> (P,) = session.run(["probabilities"], {"X": X.astype("float32")})
    >>> bool(np.allclose(P, pipeline.predict_proba(X), atol=1e-5))
    True
    """
    require("skl2onnx", "register_converters")
    from skl2onnx import update_registered_converter

    import sklearn_rnn

    for name in sklearn_rnn.__all__:
        kind = getattr(sklearn_rnn, name)
        update_registered_converter(kind, _alias(kind), _set_shapes, _convert, parser=_parse)
    kind = sklearn_rnn.preprocessing.PerStepTransformer
    update_registered_converter(kind, _alias(kind), _set_shape_per_step, _convert_per_step)


def _alias(kind):
    """Return the name by which skl2onnx knows a class."""
    return f"SklearnRnn{kind.__name__}"


def _parse(scope, estimator, inputs, custom_parsers=None):
    """Declare the estimator and its outputs; refuse what has no form in ONNX."""
    from skl2onnx.common.data_types import guess_tensor_type

    (X,) = inputs
    model = fitted_model(estimator)
    number = guess_tensor_type(X.type)
    check_parts(model, _dtype(X))
    operator = scope.declare_local_operator(_alias(type(estimator)), estimator)
    operator.inputs = inputs
    types = {"predictions": number}
    if model.classes is not None:
        types = {"labels": _type_of_labels(model.classes), "probabilities": number}
    for name, type_ in types.items():
        operator.outputs.append(scope.declare_local_variable(name, type_))
    return operator.outputs


def _dtype(X):
    from skl2onnx.common.data_types import DoubleTensorType

    return np.dtype("float64" if isinstance(X.type, DoubleTensorType) else "float32")


def _type_of_labels(classes):
    from skl2onnx.common import data_types

    types = {"i": "Int64TensorType", "b": "BooleanTensorType", "f": "DoubleTensorType"}
    return getattr(data_types, types.get(class_tensor(classes).dtype.kind, "StringTensorType"))()


def _layout(model, X):
    """Return how an input holds sequences: as `Sequences` name it, None if it cannot be read."""
    n_axes = len(X.type.shape)
    if n_axes == 2 and isinstance(model.table, WideTable):
        return "wide"
    if n_axes == 2 and model.table.sequence_id is None:
        return "long"
    return "3d" if n_axes == 3 else None


def _check_layout(estimator, model, X):
    """Refuse an input whose shape is not that of sequences as the estimator reads them."""
    shape, D = X.type.shape, model.network.n_features
    layout = _layout(model, X)
    of_input = f"The input of {type(estimator).__name__} has the shape {shape}"
    if layout is None:
        raise ValueError(
            f"{of_input}, which cannot be read as sequences. Declare (S, T, {D}) in initial_types."
        )
    n_columns = model.table.features_per_step if layout == "wide" else shape[-1]
    if n_columns not in (None, D):
        raise ValueError(f"{of_input}: {n_columns} features a step, but fit saw {D}.")


def _set_shapes(operator):
    """Set the shapes of the outputs; that of the input is not known before."""
    (X,), estimator = operator.inputs, operator.raw_operator
    model, shape = fitted_model(estimator), X.type.shape
    _check_layout(estimator, model, X)
    axes = list(shape[: len(shape) - 1]) if model.per_step else [shape[0]]
    for variable in operator.outputs:
        is_single = variable.raw_name == "labels" or model.target_shape == ()
        variable.type.shape = axes if is_single else [*axes, model.network.n_outputs]


def _convert(scope, operator, container):
    """Add the operators of an estimator."""
    from onnx.helper import get_attribute_value

    if container.target_opset < OPSET:
        raise ValueError(
            f"target_opset={container.target_opset} is too old: estimators of sklearn_rnn need "
            f"opset {OPSET} or later."
        )
    (variable,) = operator.inputs
    estimator = operator.raw_operator
    model = fitted_model(estimator)
    layout = _layout(model, variable)
    prefix = scope.get_unique_operator_name(type(estimator).__name__)
    graph = Graph(_dtype(variable), f"{prefix}_")
    X = Value(graph, variable.full_name, graph.dtype).cast(graph.dtype)
    if layout == "wide":
        X = X.reshape(0, -1, model.network.n_features)
    elif layout == "long":
        X = X.insert_axis(0)
    outputs = batch_outputs(model, X, None, decoding_of(estimator))
    for output in operator.outputs:
        value = outputs[output.raw_name]
        value = value.drop_axis(0) if layout == "long" else value
        graph.output(output.full_name, value, None)
    for tensor in graph.constants:
        # of a tensor of strings skl2onnx takes the strings alone
        content = list(tensor.string_data) or tensor
        container.add_initializer(tensor.name, tensor.data_type, list(tensor.dims), content)
    for node in graph.nodes:
        attributes = {a.name: get_attribute_value(a) for a in node.attribute}
        container.add_node(
            node.op_type, list(node.input), list(node.output), name=node.name, **attributes
        )


def _set_shape_per_step(operator):
    """Set the shape of what a `PerStepTransformer` puts out; only its transformer knows D."""
    (X,) = operator.inputs
    for output in operator.outputs:
        output.type.shape = [*X.type.shape[:-1], None]


def _convert_per_step(scope, operator, container):
    """Add the operators of a `PerStepTransformer`: its transformer takes all steps as rows."""
    from skl2onnx.algebra.onnx_operator import OnnxSubEstimator
    from skl2onnx.algebra.onnx_ops import OnnxConcat, OnnxFlatten, OnnxReshape, OnnxShape

    (X,), version = operator.inputs, {"op_version": container.target_opset}
    n_axes = len(X.type.shape)
    rows = OnnxFlatten(X, axis=n_axes - 1, **version)
    types = [type(X.type)([None, X.type.shape[-1]])]
    changed = OnnxSubEstimator(
        operator.raw_operator.transformer_, rows, input_types=types, **version
    )
    before = OnnxShape(X, start=0, end=n_axes - 1, **version)
    shape = OnnxConcat(before, np.array([-1]), axis=0, **version)
    OnnxReshape(changed, shape, output_names=operator.outputs, **version).add_to(scope, container)
