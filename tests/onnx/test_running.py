"""What a Graph takes and gives: inputs by order and by name, checks of them, and values that are dropped in time."""

from __future__ import annotations

import numpy as np
import onnx_models
import pytest
from onnx_models import model, node, value

import rawseg
import rawseg.onnx
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.onnx import Graph, Node

IMAGE = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return onnx_models.network()


# inputs


def two_inputs() -> Graph:
    return rawseg.onnx.load(model([node("Sub", "a.1 b", "y")], [value("a.1", ["N", 2]), value("b", [None, 2])], ["y"]))


def test_inputs_by_order_by_name_and_as_tensors():
    graph, one, two = two_inputs(), np.float32([[5, 7]]), np.float32([[1, 2]])
    for out in (graph(one, two), graph(one, b=two), graph(**{"b": two, "a.1": one}), graph(rawseg.tensor(one), two)):
        assert out.tolist() == [[4, 5]]


@pytest.mark.parametrize(
    ("args", "kwargs", "got"),
    [
        ((1,), {}, "1: a.1"),
        ((1, 2, 3), {}, "3"),
        ((1, 2), {"b": 2}, "b twice"),
        ((1,), {"c": 2}, "2: a.1, c"),
        ((), {}, "0: none"),
    ],
)
def test_a_wrong_number_of_inputs_is_refused(args, kwargs, got):
    with pytest.raises(ArgumentError, match="onnx: inputs: expected") as caught:
        two_inputs()(*args, **kwargs)
    assert str(caught.value.got) == got


def test_wrong_dtypes_ranks_and_sizes_are_refused():
    graph, good = two_inputs(), np.zeros((1, 2), np.float32)
    with pytest.raises(DTypeError, match=r"onnx: a\.1: expected float32, got float64"):
        graph(np.zeros((1, 2)), good)
    with pytest.raises(ShapeError, match=r"onnx: b: expected shape \(\?, 2\), got shape \(2,\)"):
        graph(good, np.zeros(2, np.float32))
    with pytest.raises(ShapeError, match=r"onnx: a.1: expected shape \(N, 2\), got shape \(1, 3\)"):
        graph(np.zeros((1, 3), np.float32), good)
    with pytest.raises(ArgumentTypeError, match="onnx: b: expected a Tensor, an array or a Python number, got str"):
        graph(good, "2")


def test_free_dims_takes_other_sizes_but_not_other_ranks():
    proto = model([node("Relu", "x", "y")], [value("x", [10, 3])], ["y"])
    with pytest.raises(ShapeError, match=r"onnx: x: expected shape \(10, 3\), got shape \(1, 4\)"):
        rawseg.onnx.load(proto)(np.zeros((1, 4), np.float32))
    graph = rawseg.onnx.load(proto, free_dims=True)
    assert graph(np.zeros((1, 4), np.float32)).shape == (1, 4)
    with pytest.raises(ShapeError, match=r"onnx: x: expected shape \(\?, \?\), got shape \(4,\)"):
        graph(np.zeros(4, np.float32))


def test_sizes_of_minus_one_are_free():
    graph = rawseg.onnx.load(model([node("Relu", "x", "y")], [value("x", [-1, 2])], ["y"]))
    assert graph(np.zeros((5, 2), np.float32)).shape == (5, 2)


def test_a_graph_in_double_wants_doubles(network):
    graph = rawseg.onnx.load(network).double()
    assert graph(IMAGE.astype(np.float64)).dtype == np.float64
    with pytest.raises(DTypeError, match="onnx: image: expected float64, got float32"):
        graph(IMAGE)


def test_an_error_inside_names_the_node():
    proto = model([node("Conv", "x w", "y", name="stem")], [value("x", None)], ["y"], {"w": np.zeros((1, 3, 3, 3), np.float32)})
    with pytest.raises(ShapeError, match=r"Conv \(stem\): conv2d: (weight|input): expected"):
        rawseg.onnx.load(proto)(np.zeros((1, 2, 8, 8), np.float32))


# several outputs, and what is dropped


def test_outputs_may_be_inputs_weights_or_values_that_are_read_on():
    nodes = [node("Relu", "x", "a"), node("Neg", "a", "b")]
    proto = model(nodes, [value("x", [1])], ["b", "a", "x", "w"], {"w": np.float32([4])})
    assert [out.tolist() for out in rawseg.onnx.load(proto)(np.float32([2]))] == [[-2], [2], [2], [4]]


def test_values_are_dropped_after_their_last_reader():
    alive: list[int] = []

    class Watched(Graph):
        def _value(self, name, values):
            alive.append(len(values))
            return super()._value(name, values)

    nodes = [Node("Relu", (f"v{i}",), (f"v{i + 1}",)) for i in range(20)]
    Watched(nodes, ["v0"], ["v20"], {})(np.zeros(3, np.float32))
    assert max(alive) == 1


def test_outputs_nobody_reads_are_dropped_too():
    graph = Graph([Node("Split", ("x",), ("a", "b"), {"num_outputs": 2}, version=18)], ["x"], ["a"], {})
    assert graph._spent == [("x", "b")] or set(graph._spent[0]) == {"x", "b"}
    assert graph(np.float32([1, 2])).tolist() == [1]


def test_outputs_that_are_left_out_are_not_kept():
    graph = Graph([Node("Split", ("x",), ("", "b"), {"num_outputs": 2}, version=18)], ["x"], ["b"], {})
    assert graph(np.float32([1, 2])).tolist() == [2]


def test_outputs_that_an_operator_does_not_give_are_refused():
    node = Node("Softmax", ("x",), ("y", "", "z"), version=13)
    with pytest.raises(ArgumentError, match=r"Softmax: outputs: expected at most 1, got \('y', '', 'z'\)"):
        Graph([node], ["x"], ["z"], {})(np.float32([1, 2]))
