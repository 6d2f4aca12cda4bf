"""A fitted head as an ONNX graph, node by node, so that equal heads are equal bytes; normalisation is inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corekit.learning.head import Head, MeanHead, MlpHead, RidgeHead, Scaling, SvrHead

Values = npt.NDArray[np.float64]

OPSET = 17
IR_VERSION = 8
INPUT = "features"


def onnx_bytes(
    head: Head, *, features: Sequence[str], output: str, fill: Values | None, metadata: Mapping[str, str]
) -> bytes:
    """The model file: input ``features`` float32 ``[N, len(features)]``, one output float32 ``[N]`` called ``output``.

    Arithmetic inside is float64, as in ``Head.predict``: support vector sums cancel too much for float32. ``fill``, shape
    ``(n_features,)``, stands in for NaN; None lets NaN through. The names of the inputs, in order, are the metadata
    property ``feature_names`` (JSON).
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.node("Cast", INPUT, to=TensorProto.DOUBLE)
    if fill is not None:
        x = graph.node("Where", graph.node("IsNaN", x), graph.constant("fill", fill), x)
    score = _head(graph, head, x, "")
    graph.node("Cast", score, to=TensorProto.FLOAT, output=output)
    built = helper.make_graph(
        graph.nodes,
        "corekit",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", len(features)])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N"])],
        graph.constants,
    )
    model = helper.make_model(
        built, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="corekit"
    )
    helper.set_model_props(model, {"feature_names": json.dumps(list(features)), **metadata})
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes and constants in the order of their making, with names that follow from it."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"node_{len(self.nodes)}", **attributes))
        return name

    def constant(self, name: str, value: Any, dtype: Any = np.float64) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name


def _head(graph: _Graph, head: Head, x: str, prefix: str) -> str:
    """Nodes that turn features into scores of shape ``[N]``; returns their name."""
    match head:
        case MeanHead():
            return _mean(graph, head, x, prefix)
        case RidgeHead():
            z = _scaled(graph, head.scaling, x, prefix)
            product = graph.node("MatMul", z, graph.constant(f"{prefix}weights", head.weights))
            return graph.node("Add", product, graph.constant(f"{prefix}intercept", head.intercept))
        case SvrHead():
            return _svr(graph, head, _scaled(graph, head.scaling, x, prefix), prefix)
        case MlpHead():
            return _mlp(graph, head, _scaled(graph, head.scaling, x, prefix), prefix)
    raise TypeError(f"no graph for {type(head).__name__}")


def _scaled(graph: _Graph, scaling: Scaling, x: str, prefix: str) -> str:
    def constant(name: str) -> str:
        return graph.constant(f"{prefix}{name}", getattr(scaling, name))

    z = graph.node("Div", graph.node("Sub", x, constant("center")), constant("scale"))
    if scaling.squash:  # asinh(z) = sign(z) log(|z| + sqrt(z^2 + 1)): runtimes have no Asinh for float64
        one = graph.constant(f"{prefix}one", 1.0)
        size = graph.node("Abs", z)
        root = graph.node("Sqrt", graph.node("Add", graph.node("Mul", z, z), one))
        z = graph.node("Mul", graph.node("Sign", z), graph.node("Log", graph.node("Add", size, root)))
    return graph.node("Div", graph.node("Sub", z, constant("mean")), constant("deviation"))


def _svr(graph: _Graph, head: SvrHead, z: str, prefix: str) -> str:
    axis = graph.constant(f"{prefix}axis", [1], np.int64)
    own = graph.node("ReduceSum", graph.node("Mul", z, z), axis, keepdims=1)
    norms = graph.constant(f"{prefix}norms", np.einsum("ij,ij->i", head.support, head.support))
    cross = graph.node("MatMul", z, graph.constant(f"{prefix}support_doubled", 2.0 * head.support.T))
    squared = graph.node("Sub", graph.node("Add", own, norms), cross)
    squared = graph.node("Max", squared, graph.constant(f"{prefix}zero", 0.0))
    kernel = graph.node("Exp", graph.node("Mul", squared, graph.constant(f"{prefix}minus_gamma", -head.gamma)))
    product = graph.node("MatMul", kernel, graph.constant(f"{prefix}dual", head.dual))
    return graph.node("Add", product, graph.constant(f"{prefix}intercept", head.intercept))


def _mlp(graph: _Graph, head: MlpHead, z: str, prefix: str) -> str:
    def constant(name: str, value: Any) -> str:
        return graph.constant(f"{prefix}{name}", value)

    centred = graph.node("Sub", z, graph.node("ReduceMean", z, axes=[1], keepdims=1))
    variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), axes=[1], keepdims=1)
    deviation = graph.node("Sqrt", graph.node("Add", variance, constant("epsilon", head.epsilon)))
    z = graph.node("Mul", graph.node("Div", centred, deviation), constant("norm_gain", head.norm_gain))
    z = graph.node("Add", z, constant("norm_bias", head.norm_bias))
    zero = constant("zero", 0.0)
    layers = ((head.weight_1, head.bias_1), (head.weight_2, head.bias_2), (head.weight_3, head.bias_3))
    for number, (weight, bias) in enumerate(layers, start=1):
        product = graph.node("MatMul", z, constant(f"weight_{number}", weight.T))
        z = graph.node("Add", product, constant(f"bias_{number}", bias))
        if number < len(layers):
            z = graph.node("Max", z, zero)
    share = graph.node("Squeeze", graph.node("Sigmoid", z), graph.constant(f"{prefix}last", [1], np.int64))
    span = graph.node("Mul", share, constant("span", head.high - head.low))
    return graph.node("Add", span, constant("low", head.low))


def _mean(graph: _Graph, head: MeanHead, x: str, prefix: str) -> str:
    total = ""
    for number, member in enumerate(head.members):
        score = _head(graph, member, x, f"{prefix}{number}.")
        total = graph.node("Add", total, score) if total else score
    return graph.node("Div", total, graph.constant(f"{prefix}members", float(len(head.members))))
