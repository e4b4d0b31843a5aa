"""Damage done to a model: to its bytes, and to the numbers and names that it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

NUMBERS = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 5, 64, 1000, 2**20, 2**31 - 1, 2**31, 2**62, 2**63 - 1)
FLOATS = (-np.inf, -1e30, -1.0, -0.0, 0.0, 1e-38, 0.5, 2.0, 1e9, np.inf, np.nan)


def spoiled_bytes(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield damaged copies: cut off, with changed bytes, or with a piece that stands there twice."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        spoiled = bytearray(content)
        if i % 3 == 0:
            del spoiled[int(rng.integers(len(spoiled))) :]
        elif i % 3 == 1:
            for at in rng.integers(len(spoiled), size=1 + i % 7):
                spoiled[at] ^= 1 << int(rng.integers(8))
        else:
            low, high = sorted(int(at) for at in rng.integers(len(spoiled), size=2))
            spoiled[high:high] = spoiled[low : min(high, low + 60)]
        yield bytes(spoiled)


def spoiled_fields(model: onnx.ModelProto, count: int, seed: int) -> Iterator[onnx.ModelProto]:
    """Yield copies in which some numbers, names, kinds or nodes are others."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        spoiled = onnx.ModelProto()
        spoiled.CopyFrom(model)
        for _ in range(1 + i % 3):
            _spoil(spoiled.graph, rng)
        yield spoiled


def _spoil(graph: Any, rng: np.random.Generator) -> None:
    node = graph.node[int(rng.integers(len(graph.node)))]
    names = [name for each in graph.node for name in (*each.input, *each.output)] + [""]
    kind = int(rng.integers(9))
    if kind == 0 and node.attribute:
        attribute = node.attribute[int(rng.integers(len(node.attribute)))]
        if attribute.ints:
            attribute.ints[int(rng.integers(len(attribute.ints)))] = int(rng.choice(NUMBERS))
        attribute.i, attribute.f = int(rng.choice(NUMBERS)), float(rng.choice(FLOATS))
    elif kind == 1 and node.attribute:
        attribute = node.attribute[int(rng.integers(len(node.attribute)))]
        attribute.ints.append(int(rng.choice(NUMBERS))) if rng.integers(2) else attribute.ClearField("ints")
    elif kind == 2 and node.attribute:
        node.attribute[int(rng.integers(len(node.attribute)))].type = int(rng.integers(15))
    elif kind == 3 and node.input:
        node.input[int(rng.integers(len(node.input)))] = str(rng.choice(names))
    elif kind == 4:
        node.op_type = str(rng.choice(["Relu", "Add", "Conv", "Reshape", "Gather", "Slice", "Concat", "MaxPool", "Tile", "If"]))
    elif kind == 5 and graph.initializer:
        tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
        if tensor.dims:
            tensor.dims[int(rng.integers(len(tensor.dims)))] = int(rng.choice(NUMBERS))
    elif kind == 6 and graph.initializer:
        graph.initializer[int(rng.integers(len(graph.initializer)))].data_type = int(rng.integers(24))
    elif kind == 7 and graph.initializer:
        tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
        if len(tensor.raw_data) >= 4 and tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.raw_data = np.full(len(tensor.raw_data) // 4, rng.choice(FLOATS), np.float32).tobytes()
    else:
        del graph.node[int(rng.integers(len(graph.node)))]
