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
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError

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
        "onnx.load: model: expected operators that rawseg has",
        "If of version 17, control flow (branch), Loop of version 17, control flow (-> d)",
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
    assert result.stdout.strip() == "load: onnx: expected the onnx package: pip install onnx, got no such module"


def test_importing_rawseg_onnx_does_not_import_the_onnx_package():
    script = "import sys, rawseg.onnx; print([name for name in ('onnx', 'google', 'torch', 'numba') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_standards_interface_needs_no_import_of_its_own():
    script = "import rawseg; print(rawseg.onnx.backend.supports_device('CPU'), hasattr(rawseg.onnx, 'nothing'))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True False\n"


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
