"""Graphs in TensorFlow.js's form that are damaged, forged or foreign: refused with the file's name and what is wrong."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tfjs_files
from tfjs_files import ARRAYS, CONV, NODES, manifest, node, placeholder, refused

import rawseg
from rawseg import tfjs


def test_the_model_that_the_others_are_changed_from_loads(tmp_path):
    net = tfjs.load(tfjs_files.write(tmp_path, NODES, ARRAYS))
    assert net(rawseg.ones(1, 2, 4, 4)).shape == (1, 3, 4, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a model.json of TensorFlow.js, got no JSON"),
        ("{", "got no JSON"),
        ("[" * 100_000, "got no JSON"),
        ("\xff", "got no JSON"),
        ("[]", "expected a model.json with modelTopology, got JSON without"),
        (
            '{"modelTopology": {"model_config": {}}, "format": "layers-model"}',
            "expected a graph model, with modelTopology.node",
        ),
        ('{"modelTopology": {"node": 3}}', "expected a graph model"),
    ],
)
def test_a_file_that_is_no_graph_model_is_refused(text, message, tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(text.encode("latin-1"))
    assert message in refused(path)


def test_a_file_that_cannot_be_opened(tmp_path):
    assert f"{tmp_path}/no.json: expected a file that can be read, got No such file" in refused(tmp_path / "no.json")


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    """Reading a pipe would wait for ever, reading a device for the end of its zeros."""
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: expected a file, got a folder or a device" in refused(tmp_path / "pipe")
    assert "/dev/zero: expected a file, got a folder or a device" in refused("/dev/zero")
    path = tfjs_files.write(tmp_path, [placeholder((2,)), node("y", "Relu", ["x"])], {}, weightsManifest=manifest({}, ["pipe"]))
    assert "expected paths of files, got a folder or a device among them" in refused(path)


def test_a_model_cut_off_anywhere_is_refused(tmp_path):
    path = tfjs_files.write(tmp_path, NODES, ARRAYS, ["y"])
    whole = path.read_bytes()
    for kept in range(0, len(whole), 37):
        path.write_bytes(whole[:kept])
        refused(path)


ADD = node("a", "Add", ["b", "x"]), node("b", "Relu", ["a"])


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([*NODES, *ADD, node("z", "Add", ["y", "b"])], "expected operations without a cycle"),
        ([NODES[0], node("z", "Relu", ["z"])], "expected outputs that are nodes, got none"),
        ([NODES[0], NODES[0], NODES[1]], "expected one node of each name, got two 'x'"),
        ([NODES[1]], "input: expected the name of a node, got 'x'"),
        ([*NODES, 3], "expected nodes with a name and an op, got 3"),
        ([*NODES, {"name": "", "op": "Relu"}], "expected nodes with a name and an op"),
        ([*NODES, {"name": "z", "op": "Relu", "input": "y"}], "expected a list of inputs"),
        ([*NODES, {"name": "z", "op": "Relu", "attr": []}], "attributes by name"),
        ([*NODES, node("z", "Relu")], "input: expected at least 1 inputs, got 0"),
        ([*NODES, node("z", "Relu", ["y:1"])], "input: expected an output that its operation has, got y:1"),
        ([NODES[0], node("y", "Relu", ["x"]), node("c", "Const"), node("z", "Add", ["y", "c"])], "a weight of that name"),
        ([{**NODES[0], "attr": {"dtype": {"type": "DT_STRING"}, "shape": NODES[0]["attr"]["shape"]}}, NODES[1]], "DT_STRING"),
        ([{**NODES[0], "attr": {"shape": {"shape": {"unknownRank": True}}}}, NODES[1]], "expected a known number of axes"),
    ],
)
def test_a_graph_that_cannot_be_computed_is_refused(nodes, message, tmp_path):
    assert message in refused(tfjs_files.write(tmp_path, nodes, ARRAYS))


def test_an_output_that_needs_itself_is_refused(tmp_path):
    nodes = [*NODES, node("z", "Add", ["z", "y"])]
    assert "Add (z), input: expected operations without a cycle, got one that needs its own output" in refused(
        tfjs_files.write(tmp_path, nodes, ARRAYS, ["z"])
    )


def test_operations_that_are_lacking_are_all_named_even_where_loops_need_them(tmp_path):
    nodes = [*NODES, node("a", "Enter", ["y"]), node("m", "Merge", ["a", "n2"]), node("n2", "NextIteration", ["m"])]
    nodes += [node("b", "Enter", ["m"]), node("z", "NonMaxSuppressionV5", ["b"])]
    message = refused(tfjs_files.write(tmp_path, nodes, ARRAYS))
    assert "expected operations that rawseg has (rawseg.tfjs.operations()), got " in message
    for part in ("Enter (2)", "Merge (1)", "NextIteration (1)", "NonMaxSuppressionV5 (1)"):
        assert part in message
    assert "Conv2D" in tfjs.operations()
    assert "Enter" not in tfjs.operations()


def test_operations_that_no_output_needs_are_left_out(tmp_path):
    nodes = [*NODES, node("z", "NonMaxSuppressionV5", ["y"])]
    net = tfjs.load(tfjs_files.write(tmp_path, nodes, ARRAYS, ["y"]))
    assert [n.op for n in net.nodes] == ["Conv"]


@pytest.mark.parametrize(
    "outputs", [{"q": {"name": "q:0"}}, {"w": {"name": "w:0"}}, {"y": {"name": "y:3"}}, {"y": {"name": 3}}]
)
def test_a_signature_of_what_is_not_there_is_refused(outputs, tmp_path):
    path = tfjs_files.write(tmp_path, NODES, ARRAYS, signature={"outputs": outputs})
    if outputs == {"y": {"name": 3}}:  # the key is the name then
        assert tfjs.load(path).output_names == ["y"]
    else:
        assert "signature: expected outputs that are" in refused(path)


def conv(**changes) -> list[dict]:
    return [NODES[0], node("y", "Conv2D", ["x", "w"], **{**CONV, **changes})]


def raw(**attributes) -> list[dict]:
    """Return the model with attributes as no converter writes them."""
    changed = node("y", "Conv2D", ["x", "w"], **CONV)
    changed["attr"].update(attributes)
    return [NODES[0], changed]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (conv(strides=[1, 0, 1, 1]), "Conv2D (y), strides: expected (1, height, width, 1), got (1, 0, 1, 1)"),
        (conv(strides=[2, 1, 1, 1]), "expected (1, height, width, 1)"),
        (conv(strides=[1, 1 << 40, 1, 1]), "expected (1, height, width, 1)"),
        (conv(strides=[]), "expected (1, height, width, 1)"),
        (conv(padding="SOME"), "padding: expected SAME, VALID, or EXPLICIT"),
        (conv(padding="EXPLICIT", explicit_paddings=[0, 0, -1, 0, 0, 0, 0, 0]), "padding: expected SAME"),
        (conv(padding="EXPLICIT"), "padding: expected SAME"),
        (conv(data_format="NCHW"), "data_format: expected NHWC, got NCHW"),
        (raw(padding={"s": "???"}), "padding: expected text in base 64"),
        (raw(padding={"s": [300]}), "padding: expected text in base 64"),
        (raw(padding=3), "padding: expected an attribute of kind 's', got 3"),
        (raw(strides={"list": 3}), "strides: expected a list"),
        (raw(strides={"list": {"i": ["1", "x", "1", "1"]}}), "strides: expected a whole number, got 'x'"),
        (raw(strides={"list": {"i": ["1", "9" * 30, "1", "1"]}}), "strides: expected a whole number"),
        (raw(strides={"list": {"i": ["1", "--5", "1", "1"]}}), "strides: expected a whole number, got '--5'"),
        (raw(strides={"list": {"i": [1, True, 1, 1]}}), "strides: expected a whole number, got True"),
        ([placeholder((1, 4, 4, 5)), NODES[1]], "filter: expected one for 5 channels, got shape (1, 1, 2, 3)"),
        ([placeholder((4, 2)), NODES[1]], "input: expected images and a filter of four axes"),
        ([NODES[0], node("y", "DepthwiseConv2dNative", ["x", "x"], **CONV)], "filter"),
        ([NODES[0], node("y", "_FusedConv2D", ["x", "w", "n"], fused_ops=["BiasAdd"], **CONV)], "bias: expected one axis"),
        ([NODES[0], node("y", "_FusedConv2D", ["x", "w"], fused_ops=["Gelu"], **CONV)], "fused_ops: expected an activation of"),
        ([NODES[0], node("y", "_FusedConv2D", ["x", "w"], fused_ops=["Relu", "Elu"], **CONV)], "a bias and one activation"),
        ([NODES[0], node("y", "MaxPool", ["x"], ksize=[1, 0, 1, 1], strides=[1, 1, 1, 1], padding="SAME")], "ksize: expected"),
        ([NODES[0], node("y", "ResizeBilinear", ["x", "n"])], "size: expected images of four axes, and a height and a width"),
        ([NODES[0], node("y", "ResizeBilinear", ["x", "x"])], "input 1: expected whole numbers that are known before it runs"),
        ([placeholder((4, 2)), node("y", "Reshape", ["x", "n"])], "shape: expected one for the elements of"),
        ([NODES[0], node("y", "ConcatV2", ["x", "x", "w"])], "axis: expected one of 4 axes"),
        ([NODES[0], node("y", "ConcatV2", ["n"])], "input: expected values of one number of axes"),
        ([NODES[0], node("y", "Mean", ["x", "w"])], "input 1: expected whole numbers"),
        ([NODES[0], node("y", "Pad", ["x", "n"])], "paddings: expected 4 pairs of whole numbers"),
        ([NODES[0], node("y", "PadV2", ["x", "pads", "w"])], "constant_values: expected one number, got shape (1, 1, 2, 3)"),
        (
            [*NODES, node("z", "Prelu", ["y", "five"])],
            "five: expected at most four axes beside images, got shape (1, 1, 1, 1, 3)",
        ),
        ([NODES[0], node("y", "FloorDiv", ["x", "n"])], "FloorDiv (y), input: expected two lists of sizes, got other values"),
        ([NODES[0], node("y", "Add", ["x", "w2"])], "expected the name of a node"),
        ([NODES[0], node("y", "Add", ["x", "w"]), node("z", "Add", ["y", "x"])], "expected shapes that broadcast"),
        ([NODES[0], node("y", "MatMul", ["x", "w"])], "input: expected two matrices"),
        ([NODES[0], node("y", "DepthToSpace", ["x"], block_size=1)], "block_size: expected at least 2"),
        ([NODES[0], node("y", "Squeeze", ["x"], squeeze_dims=[1])], "squeeze_dims: expected axes of length 1"),
        ([NODES[0], node("y", "Transpose", ["x", "n"])], "perm: expected an order of 4 axes"),
        ([NODES[0], node("y", "Add", ["x"])], "input: expected two inputs, got 1"),
        (
            [NODES[0], node("m0", "Shape", ["x"]), *[node(f"m{i + 1}", "Mul", [f"m{i}"] * 2) for i in range(6)]],
            "Mul (m5), input: expected sizes whose result has 64 bits",
        ),
        ([node("y", "SquaredDifference")], "SquaredDifference (y), input: expected at least 1 inputs, got 0"),
    ],
)
def test_an_operation_that_cannot_be_is_refused_with_its_name(nodes, message, tmp_path):
    more = {"pads": np.zeros((4, 2), np.int32), "five": np.ones((1, 1, 1, 1, 3), np.float32)}
    assert message in refused(tfjs_files.write(tmp_path, nodes, ARRAYS | more))


def test_a_filter_whose_channels_are_known_when_it_runs(tmp_path):
    order = {"order": np.int32([1, 2, 3, 0])}
    nodes = [
        NODES[0],
        placeholder((3, 1, 1, 2), "given"),  # its first axis is free
        node("filter", "Transpose", ["given", "order"]),
        node("y", "Conv2D", ["x", "filter"], **CONV),
    ]
    net = tfjs.load(tfjs_files.write(tmp_path, nodes, order))
    assert net(rawseg.ones(1, 2, 4, 4), rawseg.ones(3, 2, 1, 1)).tolist() == np.full((1, 3, 4, 4), 2.0).tolist()


def test_what_no_check_foresaw_is_an_error_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("rawseg.tfjs.registry.translate", lambda _translator, operation: [][len(operation.name)])
    assert "expected an intact graph, got IndexError: list index out of range" in refused(
        tfjs_files.write(tmp_path, NODES, ARRAYS)
    )


def test_an_image_of_another_size_is_refused_when_it_runs(tmp_path):
    net = tfjs.load(tfjs_files.write(tmp_path, NODES, ARRAYS))
    with pytest.raises(rawseg.errors.ShapeError, match=r"expected shape \(\?, 2, 4, 4\), got shape \(1, 2, 5, 4\)"):
        net(rawseg.ones(1, 2, 5, 4))
    assert net(rawseg.ones(3, 2, 4, 4)).shape == (3, 3, 4, 4)
