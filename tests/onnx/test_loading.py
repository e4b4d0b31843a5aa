"""What `rawseg.onnx.load` makes of a file: names, parameters, buffers, checks of the inputs, refusals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import onnx_models
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnx_models import model, node, value

import rawseg
import rawseg.onnx
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError, DTypeError, ShapeError
from rawseg.onnx import Graph, Node

IMAGE = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return onnx_models.network()


def runtime(proto: onnx.ModelProto, **inputs: np.ndarray):
    return onnxruntime.InferenceSession(proto.SerializeToString()).run(None, inputs)


def test_a_path_its_bytes_and_a_message_give_the_same_network(network, tmp_path):
    path = tmp_path / "network.onnx"
    onnx.save(network, path)
    expected = runtime(network, image=IMAGE)[0]
    for source in (path, str(path), path.read_bytes(), network):
        out = rawseg.onnx.load(source)(IMAGE)
        # sums of up to 27 products in another order
        np.testing.assert_allclose(out.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_floats_that_are_learned_become_parameters_under_their_own_names(network):
    graph = rawseg.onnx.load(network)
    learned = {"enc.weight", "enc.bias", "norm.weight", "norm.bias", "up.weight", "head.bias", "head.weight"}
    assert {name for name, _ in graph.named_parameters()} == learned
    assert all(parameter.requires_grad for parameter in graph.parameters())
    assert {name for name, _ in graph.named_buffers()} == {"norm.mean", "norm.var", "scales", "three"}
    assert set(graph.state_dict()) == learned | {"norm.mean", "norm.var"}
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in network.graph.initializer}
    for name, tensor in graph.state_dict().items():
        if name in stored:
            np.testing.assert_array_equal(tensor.numpy(), stored[name])


def test_parameters_are_found_by_their_whole_names(network):
    graph = rawseg.onnx.load(network)
    assert graph.get_parameter("enc.bias") is graph._parameters["enc.bias"]
    assert graph.get_buffer("norm.mean").shape == (4,)
    with pytest.raises(ArgumentError, match="get_parameter: target: expected a parameter of Graph, got 'enc'"):
        graph.get_parameter("enc")


def test_a_graph_is_a_module_among_others(network):
    whole = rawseg.nn.Sequential(rawseg.onnx.load(network), rawseg.nn.Sigmoid())
    assert "0.enc.weight" in whole.state_dict()
    whole.load_state_dict(whole.state_dict())
    assert whole(rawseg.tensor(IMAGE)).shape == (2, 1, 8, 8)


def test_a_loaded_network_is_in_evaluation(network):
    graph = rawseg.onnx.load(network)
    assert graph.training is False
    np.testing.assert_array_equal(graph(IMAGE).numpy(), graph(IMAGE).numpy())


def test_weights_nobody_reads_are_left_out():
    proto = model([node("Relu", "x", "y")], [value("x", [1])], ["y"], {"counter": np.int64([3])})
    assert rawseg.onnx.load(proto).state_dict() == {}
    assert list(rawseg.onnx.load(proto).buffers()) == []


def test_initializers_may_be_listed_among_the_inputs_as_old_files_do():
    weights = {"w": np.float32([2, 3])}
    proto = model([node("Mul", "x w", "y")], [value("x", [2]), value("w", [2])], ["y"], weights, opset=9, ir_version=3)
    graph = rawseg.onnx.load(proto)
    assert graph.input_names == ["x"]
    assert graph(np.float32([1, 1])).tolist() == [2, 3]


def test_state_of_one_graph_loads_into_another(network):
    first, second = rawseg.onnx.load(network), rawseg.onnx.load(network)
    with rawseg.no_grad():
        for parameter in first.parameters():
            parameter.mul_(0.5)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(first(IMAGE).numpy(), second(IMAGE).numpy())


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


# refusals


def test_all_missing_operators_are_named_at_once_before_anything_runs():
    nodes = [
        node("StringNormalizer", "x", "a", name="first"),
        node("Relu", "x", "b"),
        node(
            "If",
            "x",
            "c",
            name="branch",
            then_branch=helper.make_graph([], "t", [], []),
            else_branch=helper.make_graph([], "e", [], []),
        ),
        node("Loop", "- x b", "d", body=helper.make_graph([], "b", [], [])),
        node("Fancy", "b", "e", domain="my.own"),
    ]
    proto = model(nodes, [value("x", [1])], ["e"])
    with pytest.raises(ArgumentError) as caught:
        rawseg.onnx.load(proto)
    for text in (
        "StringNormalizer of version 17 (first)",
        "If of version 17 (branch)",
        "Loop of version 17 (-> d)",
        "my.own.Fancy of version 0 (-> e)",
    ):
        assert text in str(caught.value)
    assert "Relu" not in str(caught.value)


def test_a_version_that_an_operator_had_not_yet_is_refused():
    with pytest.raises(ArgumentError, match="GridSample of version 15"):
        rawseg.onnx.load(model([node("GridSample", "x g", "y")], [value("x"), value("g")], ["y"], opset=15))


def test_volumes_are_refused_in_clear_words():
    proto = model([node("Conv", "x w", "y", name="v")], [value("x")], ["y"], {"w": np.zeros((1, 1, 1, 1, 1), np.float32)})
    with pytest.raises(
        ArgumentError, match=r"Conv \(v\): input: expected .* no operators on volumes, got shape \(1, 1, 2, 2, 2\)"
    ):
        rawseg.onnx.load(proto)(np.zeros((1, 1, 2, 2, 2), np.float32))


def test_without_the_onnx_package_an_error_says_what_to_install():
    script = (
        "import sys, rawseg.onnx\n"
        "sys.modules['onnx'] = None\n"
        "try: rawseg.onnx.load('a.onnx')\n"
        "except rawseg.errors.BackendError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "load: onnx: expected the onnx package: pip install 'rawseg[onnx]', got no such module"


def test_importing_rawseg_onnx_does_not_import_the_onnx_package():
    script = "import sys, rawseg.onnx; print([name for name in ('onnx', 'google', 'torch', 'numba') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_sources_of_other_kinds_are_refused():
    with pytest.raises(ArgumentTypeError, match=r"load: source: expected a path, bytes or an onnx.ModelProto, got int"):
        rawseg.onnx.load(3)


# text


def test_repr_and_summary_list_what_is_there(network):
    graph = rawseg.onnx.load(network)
    text = repr(graph)
    assert text.startswith("Graph(image: float32 (N, 3, 8, 8) -> logits; 10 nodes: 2 Conv, ")
    assert text.endswith(f"; {sum(p.size for p in graph.parameters())} parameters)")
    lines = graph.summary().splitlines()
    assert lines[0].split() == ["operator", "name", "weights", "reads", "writes"]
    assert lines[1].split() == ["Conv", "enc", "4x3x3x3", "4", "image", "a"]
    assert len(lines) == 11


def test_a_model_may_have_no_inputs():
    proto = model([node("Identity", "w", "y")], [], ["y"], {"w": np.float32([1, 2])})
    assert rawseg.onnx.load(proto)().tolist() == [1, 2]


def test_two_constants_of_one_name_are_refused():
    nodes = [node("Constant", "", "c", value_float=1.0), node("Constant", "", "c", value_float=2.0)]
    with pytest.raises(CheckpointError, match="expected one Constant of each name, got two of 'c'"):
        rawseg.onnx.load(model(nodes, [], ["c"]))
