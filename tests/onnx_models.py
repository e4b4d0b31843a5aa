"""Small models for the tests of `rawseg.onnx`, written with the onnx package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def value(
    name: str, shape: Sequence[int | str | None] | None = None, kind: int = onnx.TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[str],
    weights: Mapping[str, np.ndarray] | None = None,
    opset: int = 17,
    **options: Any,
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(list(nodes), "graph", list(inputs), [onnx.ValueInfoProto(name=name) for name in outputs], tensors)
    options.setdefault("opset_imports", [helper.make_opsetid("", opset)])
    options.setdefault("ir_version", 8)
    return helper.make_model(graph, **options)


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """Return a node; names are written in one text, "-" for an absent one."""
    names = ([("" if name == "-" else name) for name in text.split()] for text in (inputs, outputs))
    return helper.make_node(op, *names, **attributes)


def of_one_node(
    op: str, arrays: Mapping[str, np.ndarray | None], opset: int, outputs: str = "y", **attributes: Any
) -> onnx.ModelProto:
    """Return a model of one node whose inputs are all inputs of the model; None leaves one out."""
    kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in arrays.items() if array is not None}
    reads = " ".join("-" if array is None else name for name, array in arrays.items())
    inputs = [value(name, arrays[name].shape, kind) for name, kind in kinds.items()]
    return model([node(op, reads, outputs, **attributes)], inputs, outputs.split(), opset=opset)


def network() -> onnx.ModelProto:
    """Return a small network of segmentation: convolutions, normalisation, pooling, a way across, and upsampling."""
    rng = np.random.default_rng(0)
    weights = {
        "enc.weight": rng.standard_normal((4, 3, 3, 3)).astype(np.float32) / 5,
        "enc.bias": rng.standard_normal(4).astype(np.float32),
        "norm.weight": np.float32([1, 2, 0.5, 1]),
        "norm.bias": np.float32([0, 0.1, -0.1, 0]),
        "norm.mean": np.float32([0.1, 0, -0.2, 0]),
        "norm.var": np.float32([1, 0.5, 2, 1]),
        "up.weight": rng.standard_normal((4, 4, 2, 2)).astype(np.float32) / 4,
        "scales": np.float32([1, 1, 2, 2]),
        "head.bias": np.float32([0.3]),
    }
    nodes = [
        node("Conv", "image enc.weight enc.bias", "a", pads=[1, 1, 1, 1], kernel_shape=[3, 3], name="enc"),
        node("BatchNormalization", "a norm.weight norm.bias norm.mean norm.var", "b", name="norm"),
        node("Relu", "b", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", "d up.weight", "e", strides=[2, 2], kernel_shape=[2, 2], name="up"),
        node("Resize", "d - scales", "f", mode="linear"),
        node("Concat", "c e f", "g", axis=1),
        node(
            "Constant", "", "head.weight", value=numpy_helper.from_array(rng.standard_normal((1, 12, 1, 1)).astype(np.float32))
        ),
        node("Constant", "", "three", value_float=3.0),
        node("Dropout", "g", "h"),
        node("Conv", "h head.weight head.bias", "i", name="head"),
        node("Mul", "i three", "logits"),
    ]
    return model(nodes, [value("image", ["N", 3, 8, 8])], ["logits"], weights)
