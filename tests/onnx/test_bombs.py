"""Small graphs that ask for more memory than there is are refused by the node that asks, before it allocates."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnx_models import model, node, value

import rawseg.onnx
from rawseg.errors import ArgumentError, CheckpointError, RawsegError, ShapeError
from rawseg.onnx.reading import functions as expansion

LARGE = 1 << 24  # of a side: a plane of 2**48 elements
IMAGE = np.ones((1, 1, 2, 2), np.float32)


def of_one(op: str, weights: dict[str, np.ndarray], inputs: str = "x", opset: int = 19, **attributes) -> rawseg.onnx.Graph:
    nodes = [node(op, f"{inputs} {' '.join(weights)}", "y", name="bomb", **attributes)]
    return rawseg.onnx.load(model(nodes, [value("x", None)] if inputs else [], ["y"], weights, opset=opset, ir_version=9))


def numbers(*sizes: int) -> np.ndarray:
    return np.array(sizes, np.int64)


BOMBS = {
    "Expand": ({"shape": numbers(LARGE, LARGE, 1, 1)}, {}),
    "Tile": ({"repeats": numbers(LARGE, LARGE, 1, 1)}, {}),
    "Resize": ({"roi": np.zeros(0, np.float32), "scales": np.float32([1, 1, LARGE, LARGE])}, {}),
    "Pad": ({"pads": numbers(0, 0, 0, 0, 0, 0, LARGE, LARGE)}, {}),
    "CenterCropPad": ({"shape": numbers(LARGE, LARGE, 1, 1)}, {}),
    "ConvTranspose": ({"w": IMAGE}, {"strides": [1 << 30, 1 << 30]}),
    "Conv": ({"w": IMAGE}, {"pads": [LARGE] * 4}),
    "MaxPool": ({}, {"kernel_shape": [2, 2], "pads": [LARGE] * 4}),
    "AveragePool": ({}, {"kernel_shape": [2, 2], "pads": [LARGE] * 4}),
    "LpPool": ({}, {"kernel_shape": [2, 2], "pads": [LARGE] * 4}),
    "MaxUnpool": ({"i": numbers(0, 1, 2, 3).reshape(1, 1, 2, 2)}, {"kernel_shape": [2, 2], "strides": [1 << 30, 1 << 30]}),
}


def assert_refused_unallocated(graph, *inputs, error: type[RawsegError] = ArgumentError) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(error, match=r"^\w+ \(bomb\)"):
        graph(*inputs)
    # of kilobytes: room for what is imported and compiled on a first call
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 18


@pytest.mark.parametrize("op", BOMBS)
def test_a_node_that_would_fill_the_memory_is_refused(op):
    weights, attributes = BOMBS[op]
    assert_refused_unallocated(of_one(op, weights, **attributes), IMAGE)


def test_constants_that_would_fill_the_memory_are_refused():
    assert_refused_unallocated(of_one("ConstantOfShape", {"shape": numbers(LARGE, LARGE)}, inputs=""))
    ends = {"start": np.array(0, np.int64), "end": np.array(1 << 60, np.int64), "step": np.array(1, np.int64)}
    assert_refused_unallocated(of_one("Range", ends, inputs=""))
    grid = {"theta": np.zeros((1, 2, 3), np.float32), "size": numbers(1, 1, LARGE, LARGE)}
    assert_refused_unallocated(of_one("AffineGrid", grid, inputs="", opset=20))
    columns = {"columns": np.zeros((1, 1, 1), np.float32), "image": numbers(LARGE, LARGE), "block": numbers(1, 1)}
    assert_refused_unallocated(of_one("Col2Im", columns, inputs="", strides=[LARGE, LARGE]))


def test_products_that_would_fill_the_memory_are_refused():
    column = np.zeros((1 << 20, 1), np.float32)
    for op in ("Add", "MatMul"):
        nodes = [node(op, "a b", "y", name="bomb")]
        graph = rawseg.onnx.load(model(nodes, [value("a", None), value("b", None)], ["y"]))
        assert_refused_unallocated(graph, column, column.reshape(1, -1))
    integers = rawseg.onnx.load(
        model([node("MatMul", "a b", "y", name="bomb")], [value("a", None, 7), value("b", None, 7)], ["y"])
    )
    assert_refused_unallocated(integers, column.astype(np.int64), column.reshape(1, -1).astype(np.int64))
    gemm = rawseg.onnx.load(model([node("Gemm", "a a c", "y", name="bomb")], [value("a", None), value("c", None)], ["y"]))
    assert_refused_unallocated(gemm, np.ones((1, 1), np.float32), column)


@pytest.mark.parametrize("op", ["AveragePool", "LpPool", "MaxPool"])
def test_windows_larger_than_the_image_are_refused_before_they_are_made(op):
    side = 1 << 14  # a window of 1 GB
    assert_refused_unallocated(of_one(op, {}, kernel_shape=[side, side], dilations=[2, 2]), IMAGE, error=ShapeError)


def test_windows_with_more_taps_than_memory_are_counted_without_them():
    """A mean over a window of a million taps, half of them padding, is one number."""
    taps = 1 << 20
    attributes = {"kernel_shape": [taps], "pads": [taps // 2, taps // 2 - 4], "count_include_pad": 0}
    graph = rawseg.onnx.load(
        model([node("AveragePool", "x", "y", **attributes)], [value("x", None)], ["y"], opset=19, ir_version=9)
    )
    assert graph(np.float32([[[1, 2, 3, 6]]])).tolist() == [[[3.0]]]


# functions that call each other

IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def function(name: str, calls: list[str], op: str = "Relu"):
    """Return a function that calls others in a row, or one plain operator."""
    steps = [("own", call) for call in calls] or [("", op)]
    nodes = [helper.make_node(each, [f"v{i}"], [f"v{i + 1}"], domain=domain) for i, (domain, each) in enumerate(steps)]
    return helper.make_function("own", name, ["v0"], [f"v{len(steps)}"], nodes, IMPORTS)


def calling(name: str, functions: list):
    nodes = [helper.make_node(name, ["x"], ["y"], domain="own")]
    return model(nodes, [value("x", None)], ["y"], functions=functions, opset_imports=IMPORTS)


def test_functions_of_the_model_are_expanded():
    graph = rawseg.onnx.load(calling("Outer", [function("Outer", ["Inner", "Inner"]), function("Inner", [], op="Neg")]))
    assert [each.op for each in graph.nodes] == ["Neg", "Neg"]
    assert graph(np.float32([-1, 2])).tolist() == [-1, 2]


def test_functions_that_call_themselves_are_refused():
    for functions in ([function("A", ["A"])], [function("A", ["B"]), function("B", ["C"]), function("C", ["A"])]):
        with pytest.raises(CheckpointError, match=r"expected functions that do not call themselves, got '[ABC]'"):
            rawseg.onnx.load(calling("A", functions))


def test_functions_that_expand_without_end_are_refused():
    doubling = [function(f"F{i}", [f"F{i + 1}"] * 2) for i in range(60)] + [function("F60", [])]
    with pytest.raises(
        CheckpointError, match="expected at most 1000000 nodes of the function 'F40', its functions expanded, got 1048576"
    ):
        rawseg.onnx.load(calling("F0", doubling))


def test_functions_that_expand_to_many_bytes_are_refused():
    """Each call copies the tensor that stands in the function: 64 kB of a file would become 320 MB."""
    held = helper.make_node("Constant", [], ["held"], value=numpy_helper.from_array(np.zeros(1 << 14, np.float32)))
    body = [held, helper.make_node("Add", ["v0", "held"], ["v1"])]
    inner = helper.make_function("own", "Inner", ["v0"], ["v1"], body, IMPORTS)
    with pytest.raises(
        CheckpointError, match="expected at most 268435456 bytes of the function 'Outer', its functions expanded"
    ):
        rawseg.onnx.load(calling("Outer", [function("Outer", ["Inner"] * 5000), inner]))


def test_a_function_is_read_once_however_often_it_is_called(monkeypatch):
    looks = []
    key_of = expansion._key
    monkeypatch.setattr(expansion, "_key", lambda proto: looks.append(proto.op_type) or key_of(proto))
    wide = helper.make_function(
        "own", "Wide", ["v0"], ["v1"], [helper.make_node("Relu", ["v0"], [f"v{i + 1}"]) for i in range(100)], IMPORTS
    )
    nodes = [helper.make_node("Wide", ["x"], [f"y{i}"], domain="own") for i in range(100)]
    rawseg.onnx.load(model(nodes, [value("x", None)], ["y0"], functions=[wide], opset_imports=IMPORTS))
    assert len(looks) < 10 * 200  # and not 100 * 100


def test_functions_that_nest_deep_end_in_a_clear_error():
    chain = [function(f"F{i}", [f"F{i + 1}"]) for i in range(5000)] + [function("F5000", [])]
    with pytest.raises(CheckpointError, match="expected functions that the onnx package can expand"):
        rawseg.onnx.load(calling("F0", chain))


def test_a_missing_operator_inside_a_function_is_named():
    with pytest.raises(ArgumentError, match="StringNormalizer of version 17"):
        rawseg.onnx.load(calling("A", [function("A", [], op="StringNormalizer")]))


def test_what_the_standard_defines_by_others_is_expanded():
    """The window of Hann is no operator of rawseg's; the standard says what it is, with constants that are not learned."""
    nodes = [node("HannWindow", "n", "y", periodic=0)]
    graph = rawseg.onnx.load(model(nodes, [value("n", [], 7)], ["y"]))
    assert list(graph.parameters()) == []
    # the standard's definition computes in float32
    np.testing.assert_allclose(graph(np.array(7)).numpy(), np.hanning(7), atol=1e-6)
