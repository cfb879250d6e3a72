"""The two forms of a model: for whole sequences, padded, and for one step of each sequence."""

import numpy as np

from .._networks.hidden_feedback import HiddenFeedback
from .._networks.number_feedback import NumberFeedback
from .._networks.output_feedback import FreeRunning, TeacherForced
from ._graph import INT
from ._hidden_feedback import HiddenFeedbackGraph
from ._output_feedback import FreeRunningGraph, NumberFeedbackGraph, TeacherForcedGraph
from ._steps import Steps

_PATTERNS = {
    HiddenFeedback: HiddenFeedbackGraph,
    TeacherForced: TeacherForcedGraph,
    FreeRunning: FreeRunningGraph,
    NumberFeedback: NumberFeedbackGraph,
}


def pattern_of(network):
    """Return the class that has the operators of a network, None if there is none."""
    return next((graph for kind, graph in _PATTERNS.items() if isinstance(network, kind)), None)


def add_batch(graph, model, decoding):
    """Add inputs, operators and outputs for padded sequences."""
    network = model.network
    X = graph.input("X", ["sequences", "steps", network.n_features])
    lengths = graph.input("lengths", ["sequences"], INT)
    more = {}
    if isinstance(network, NumberFeedback):
        shape = ["sequences", network.n_lags, network.n_outputs]
        more["y_past"] = graph.input("y_past", shape)
    axes = ["sequences", "steps"] if model.per_step else ["sequences"]
    _add_outputs(graph, model, batch_outputs(model, X, lengths, decoding, **more), axes)


def batch_outputs(model, X, lengths, decoding, **more):
    """Return the outputs by their names, from X (S, T, D) and lengths (S,), or None."""
    steps = Steps(X, lengths)
    pattern = pattern_of(model.network)(model.network, model.p)
    X = steps.keep(X.transpose(1, 0, 2))
    values, codes = pattern.outputs(X, steps, decoding, **more)
    if model.per_step:
        values = steps.keep(values).transpose(1, 0, 2)
        codes = codes and codes.transpose(1, 0)
    return _named(model, values, codes)


def add_step(graph, model):
    """Add inputs, operators and outputs for one step of sequences that go on."""
    network = model.network
    pattern = pattern_of(network)(network, model.p)
    sizes = [1, *pattern.sizes]
    x = graph.input("x", ["sequences", network.n_features])
    state = graph.input("state", ["sequences", sum(sizes)])
    n, *states = state.split(sizes)
    is_first = n.equals(0.0)
    n = n + 1.0
    Z, states = pattern.step(x, states, n, is_first)
    is_labels = model.classes is not None
    values = Z.softmax() if is_labels else Z
    outputs = _named(model, values, Z.argmax(-1) if is_labels else None)
    _add_outputs(graph, model, outputs, ["sequences"])
    after = graph.concatenate([n, *states])
    graph.output("next_state", after, ["sequences", sum(sizes)])


def _named(model, values, codes):
    if model.classes is None:
        return {"predictions": values.drop_axis(-1) if model.target_shape == () else values}
    classes = class_tensor(model.classes)
    classes = values.graph.constant(classes, classes.dtype)
    return {"labels": classes.take(codes), "probabilities": values}


def _add_outputs(graph, model, outputs, axes):
    for name, value in outputs.items():
        is_single = name == "labels" or model.target_shape == ()
        graph.output(name, value, axes if is_single else [*axes, model.network.n_outputs])


def class_tensor(classes):
    """Return the classes as an array that a tensor can hold, None if there is no such type."""
    if classes.dtype.kind in "iu":
        return classes.astype(np.int64) if classes.max() <= np.iinfo(np.int64).max else None
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)
    if classes.dtype.kind == "b":
        return classes
    if all(isinstance(label, str) for label in classes.tolist()):
        return classes.astype(object)
    return None
