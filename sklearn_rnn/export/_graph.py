"""A small builder of ONNX graphs, in which formulas of NumPy's notation become operators."""

from dataclasses import dataclass
from hashlib import sha256
from itertools import count

import numpy as np

# Where the axes of all reductions are inputs, and the opset that came with it.
OPSET, IR_VERSION = 18, 8
BOOL, INT = np.dtype(bool), np.dtype(np.int64)


@dataclass(frozen=True, eq=False)
class Value:
    """An array that a graph computes. What it is combined with may be an array or a number."""

    graph: "Graph"
    name: str
    dtype: np.dtype

    # an array on the left leaves the operation to us
    __array_ufunc__ = None

    def _apply(self, operator, other, dtype=None):
        return self.graph.apply(operator, self, self._value(other), dtype=dtype)

    def _value(self, other):
        if isinstance(other, Value):
            return other
        return self.graph.constant(np.asarray(other, self.dtype))

    def __add__(self, other):
        return self._apply("Add", other)

    def __sub__(self, other):
        return self._apply("Sub", other)

    def __mul__(self, other):
        return self._apply("Mul", other)

    def __truediv__(self, other):
        return self._apply("Div", other)

    def __matmul__(self, other):
        return self._apply("MatMul", other)

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other):
        return self._apply("Less", other, BOOL)

    def __gt__(self, other):
        return self._apply("Greater", other, BOOL)

    def __ge__(self, other):
        return self._apply("GreaterOrEqual", other, BOOL)

    def equals(self, other):
        return self._apply("Equal", other, BOOL)

    def minimum(self, other):
        return self._apply("Min", other)

    def maximum(self, other):
        return self._apply("Max", other)

    def cast(self, dtype):
        dtype = np.dtype(dtype)
        return self.graph.apply("Cast", self, dtype=dtype, to=_onnx_type(dtype))

    def transpose(self, *axes):
        return self.graph.apply("Transpose", self, perm=list(axes))

    def reshape(self, *shape):
        return self.graph.apply("Reshape", self, _integers(shape))

    def flatten(self):
        """Return the array with all axes but the first as one."""
        return self.graph.apply("Flatten", self, axis=1)

    def insert_axis(self, axis):
        return self.graph.apply("Unsqueeze", self, _integers([axis]))

    def drop_axis(self, axis):
        return self.graph.apply("Squeeze", self, _integers([axis]))

    def size(self, axis):
        """Number of entries along an axis, (1,)."""
        return self.graph.apply("Shape", self, dtype=INT, start=axis, end=axis + 1)

    def first(self, n, axis=0):
        """Return the first n entries along an axis, or all if there are fewer."""
        return self.graph.apply("Slice", self, _integers([0]), n, _integers([axis]))

    def take(self, indices, axis=0):
        """Return the entries along an axis that ``indices``, a `Value` or an int, names."""
        if not isinstance(indices, Value):
            indices = np.array(indices, INT)
        return self.graph.apply("Gather", self, indices, axis=axis)

    def take_along(self, indices, axis):
        return self.graph.apply("GatherElements", self, indices, axis=axis)

    def split(self, sizes, axis=-1):
        """Return a list of parts with these sizes along an axis."""
        if len(sizes) == 1:
            return [self]
        parts = self.graph.apply_many("Split", len(sizes), self, _integers(sizes), axis=axis)
        return list(parts)

    def sum(self, axis):
        return self._reduce("ReduceSum", axis)

    def max(self, axis, keepdims=False):
        return self._reduce("ReduceMax", axis, keepdims)

    def min(self, axis):
        return self._reduce("ReduceMin", axis)

    def log_sum_exp(self, axis):
        return self._reduce("ReduceLogSumExp", axis)

    def _reduce(self, operator, axis, keepdims=False):
        return self.graph.apply(operator, self, _integers([axis]), keepdims=int(keepdims))

    def argmax(self, axis):
        return self.graph.apply("ArgMax", self, dtype=INT, axis=axis, keepdims=0)

    def tanh(self):
        return self.graph.apply("Tanh", self)

    def logistic(self):
        return self.graph.apply("Sigmoid", self)

    def relu(self):
        return self.graph.apply("Relu", self)

    def identity(self):
        return self

    def sqrt(self):
        return self.graph.apply("Sqrt", self)

    def is_nan(self):
        return self.graph.apply("IsNaN", self, dtype=BOOL)

    def softmax(self):
        return self.graph.apply("Softmax", self, axis=-1)

    def log_softmax(self):
        return self.graph.apply("LogSoftmax", self, axis=-1)

    def where(self, condition, other):
        """Return this where the condition is true, the other elsewhere."""
        other = self._value(other)
        return self.graph.apply("Where", condition, self, other, dtype=self.dtype)


class Graph:
    """Nodes, constants, inputs and outputs of a graph that is being built.

    Parameters
    ----------
    dtype : dtype
        Of all real numbers: float32 or float64.
    prefix : str
        Of all names within, so that it can be part of a larger graph.
    """

    def __init__(self, dtype, prefix=""):
        self.dtype = np.dtype(dtype)
        self.constants, self.inputs, self.outputs = [], [], []
        self._constants = {}  # by their content
        self._nodes = [[]]  # of the graph, and of the loop bodies that are open
        self._numbers, self._prefix = count(), prefix

    @property
    def nodes(self):
        return self._nodes[0]

    def input(self, name, shape, dtype=None):
        """Return a new input; names in the shape stand for sizes that may differ."""
        dtype = np.dtype(dtype or self.dtype)
        self.inputs.append(_value_info(name, dtype, shape))
        return Value(self, name, dtype)

    def output(self, name, value, shape):
        """Make a value an output of that name."""
        self._node("Identity", [value.name], [name])
        self.outputs.append(_value_info(name, value.dtype, shape))

    def constant(self, array, dtype=None):
        """Return an array as a value; real numbers take the precision of the graph by default."""
        from onnx.numpy_helper import from_array

        array = np.asarray(array, order="C")
        if array.dtype.kind == "f":
            array = array.astype(dtype or self.dtype)
        tensor = from_array(array)
        # equal arrays once: others merge them, and runtimes then warn of loops that have them
        content = sha256(tensor.SerializeToString()).digest()
        if content not in self._constants:
            tensor.name = self._name("constant")
            self.constants.append(tensor)
            self._constants[content] = Value(self, tensor.name, array.dtype)
        return self._constants[content]

    def apply(self, operator, *inputs, dtype=None, **attributes):
        """Return the result of an operator, which has the type of the first input by default."""
        return self.apply_many(operator, 1, *inputs, dtype=dtype, **attributes)[0]

    def apply_many(self, operator, n_outputs, *inputs, dtype=None, **attributes):
        values = [value if isinstance(value, Value) else self.constant(value) for value in inputs]
        names = [self._name(operator) for _ in range(n_outputs)]
        self._node(operator, [value.name for value in values], names, **attributes)
        return [Value(self, name, dtype or values[0].dtype) for name in names]

    def concatenate(self, values, axis=-1):
        return values[0] if len(values) == 1 else self.apply("Concat", *values, axis=axis)

    def zeros(self, rows, n_columns, dtype=None):
        """Return zeros (rows, n_columns), where ``rows`` is the size of an axis."""
        zero = self.constant(np.zeros((1, 1), dtype or self.dtype))
        return self.apply("Expand", zero, self.concatenate([rows, self._integer(n_columns)], 0))

    def range(self, n):
        """Return 0, ..., n - 1, where n is the size of an axis."""
        return self.apply("Range", np.array(0, INT), n.drop_axis(0), np.array(1, INT))

    def scan(self, step, states, sequences, from_end=False):
        """Loop over the first axis of the sequences, and return the states and outputs.

        All that comes into a step, and all that comes out, is a matrix.

        Parameters
        ----------
        step : callable
            ``step(states, parts)`` returns the new states and outputs, both lists, from the old
            ones and the part of each sequence.
        states, sequences : list of Value
        from_end : bool
            Whether to go from the last part to the first.

        Returns
        -------
        states, outputs : list of Value
            The states at the end, and the outputs of all steps, in the order of the sequences.
        """
        from onnx.helper import make_graph

        before, parts = ([self._inner(value) for value in part] for part in (states, sequences))
        self._nodes.append([])
        after, outputs = step(before, parts)
        results = self._distinct([*after, *outputs])
        # runtimes want to know the rank of what comes out of a body
        inner, outer = (
            [_value_info(value.name, value.dtype, [None, None]) for value in values]
            for values in ([*before, *parts], results)
        )
        body = make_graph(self._nodes.pop(), self._name("body"), inner, outer)
        names = [self._name("Scan") for _ in results]
        self._node(
            "Scan",
            [value.name for value in [*states, *sequences]],
            names,
            body=body,
            num_scan_inputs=len(sequences),
            scan_input_directions=[int(from_end)] * len(sequences),
            scan_output_directions=[int(from_end)] * len(outputs),
        )
        values = [Value(self, name, value.dtype) for name, value in zip(names, results)]
        return values[: len(states)], values[len(states) :]

    def _distinct(self, values):
        """Return values as outputs of a body, each of a node in it and with a name of its own."""
        computed = {name for node in self._nodes[-1] for name in node.output}
        results = []
        for value in values:
            is_free = value.name in computed
            results.append(value if is_free else self.apply("Identity", value))
            computed.discard(value.name)
        return results

    def _inner(self, value):
        """Return what stands for a value, or a part of it, in the body of a loop."""
        return Value(self, self._name("part"), value.dtype)

    def _integer(self, number):
        return self.constant(_integers([number]))

    def _name(self, what):
        return f"{self._prefix}{what}_{next(self._numbers)}"

    def _node(self, operator, inputs, outputs, **attributes):
        from onnx.helper import make_node

        node = make_node(operator, inputs, outputs, name=self._name(operator), **attributes)
        self._nodes[-1].append(node)

    def to_model(self, name, documentation, version):
        """Return the graph as an ONNX model."""
        from onnx.helper import make_graph, make_model, make_opsetid

        graph = make_graph(
            self.nodes, name, self.inputs, self.outputs, self.constants, documentation
        )
        return make_model(
            graph,
            opset_imports=[make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sklearn_rnn",
            producer_version=version,
        )


def _integers(numbers):
    return np.array(numbers, INT)


def _onnx_type(dtype):
    from onnx.helper import np_dtype_to_tensor_dtype

    return np_dtype_to_tensor_dtype(dtype)


def _value_info(name, dtype, shape):
    from onnx.helper import make_tensor_value_info

    return make_tensor_value_info(name, _onnx_type(dtype), shape)
