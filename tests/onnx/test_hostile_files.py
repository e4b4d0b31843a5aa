"""Files that lie, point elsewhere or ask for the impossible are refused with a clear word, and nothing of them is run."""

from __future__ import annotations

import os
import re

import numpy as np
import onnx
import onnx_models
import pytest
from onnx import TensorProto, helper
from onnx_models import model, node, value

import rawseg.onnx
from rawseg.errors import ArgumentError, CheckpointError

FLOATS = np.arange(6, dtype=np.float32).reshape(2, 3)


def refused(source, expected: str, error=CheckpointError) -> None:
    with pytest.raises(error, match=re.escape(expected)):
        rawseg.onnx.load(source)


def reading(tensor: TensorProto) -> onnx.ModelProto:
    """Return a model whose output is a stored tensor."""
    proto = model([node("Identity", "w", "y")], [], ["y"])
    tensor.name = "w"
    proto.graph.initializer.append(tensor)
    return proto


def of_one(op: str = "Relu", **attributes) -> onnx.ModelProto:
    return model([node(op, "x", "y", name="n", **attributes)], [value("x", [1])], ["y"])


# no file at all


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path / "none.onnx", f"load: {tmp_path}/none.onnx: expected a file that can be read, got ENOENT")
    refused(tmp_path, f"load: {tmp_path}: expected a file, got a folder or a device")
    refused("a\0b", "expected a file that can be read")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "expected a file, got a folder or a device")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(50), b"a" * 100, b"\xff" * 40, b'{"a": 1}'])
def test_what_is_no_model_is_refused(content):
    refused(content, "load: model: expected an ")


def test_a_file_larger_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rawseg.onnx.reading.content.limit_bytes", lambda: 100)
    (tmp_path / "large.onnx").write_bytes(bytes(101))
    expected = "expected at most 100 bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory), got 101"
    refused(tmp_path / "large.onnx", expected)


# versions


@pytest.mark.parametrize("ir_version", [0, 2, 10_000, 2**62])
def test_formats_of_unknown_versions_are_refused(ir_version):
    proto = of_one()
    proto.ir_version = ir_version
    refused(
        proto, f"expected an ir_version from 3 to {onnx.IR_VERSION}, the newest of onnx {onnx.__version__}, got {ir_version}"
    )


@pytest.mark.parametrize("version", [-1, 0, 5, 10_000, 2**62])
def test_operator_sets_of_unknown_versions_are_refused(version):
    proto = of_one()
    proto.opset_import[0].version = version
    refused(proto, "expected an operator set from 6 to ")


def test_two_versions_of_one_set_are_refused():
    proto = of_one()
    proto.opset_import.append(helper.make_opsetid("ai.onnx", 9))
    refused(proto, "expected one version of the operator set '', got several")


def test_a_set_that_is_not_imported_has_no_operators():
    proto = of_one()
    del proto.opset_import[:]
    refused(proto, "Relu of version 0 (n)", ArgumentError)


# nodes


def test_values_are_read_after_they_are_written():
    relu = [value("x", [1])], ["y"]
    refused(
        model([node("Relu", "a", "y"), node("Relu", "x", "a")], *relu), "got 'a' of Relu, written later: the nodes have a cycle"
    )
    refused(
        model([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")], *relu), "'b' of Add, written later"
    )
    refused(model([node("Relu", "ghost", "y")], *relu), "got 'ghost' of Relu, written nowhere")
    refused(model([node("Relu", "x", "z")], *relu), "expected values that a node writes, got 'y'")


def test_values_are_written_once():
    twice = [node("Relu", "x", "y", name="one"), node("Neg", "x", "y", name="two")]
    refused(model(twice, [value("x", [1])], ["y"]), "one writer of each value, got 'y' of Relu (one) and of Neg (two)")
    refused(model([node("Relu", "x", "x")], [value("x", [1])], ["x"]), "got 'x' of the inputs and of Relu")
    refused(model([node("Relu", "x", "w")], [value("x", [1])], ["w"], {"w": FLOATS}), "got 'w' of the weights and of Relu")


def test_numbers_of_inputs_and_outputs_are_those_of_the_standard():
    refused(model([node("Relu", "x x", "y")], [value("x", [1])], ["y"]), "expected 1 to 1 inputs of Relu, got 2")
    refused(model([node("Conv", "x", "y")], [value("x", [1])], ["y"]), "expected 2 to 3 inputs of Conv, got 1")
    refused(model([node("Relu", "x", "y z")], [value("x", [1])], ["y"]), "expected 1 to 1 outputs of Relu, got 2")
    refused(model([node("Relu", "x", "")], [value("x", [1])], ["x"]), "expected 1 to 1 outputs of Relu, got 0")


def test_attributes_are_those_of_the_standard():
    refused(of_one("Relu", alpha=1.0), "expected attributes of Relu (n) among: none, got 'alpha'")
    refused(of_one("MaxPool"), "expected kernel_shape of MaxPool (n), got none")
    refused(of_one("MaxPool", kernel_shape=[1.0]), "expected kernel_shape of MaxPool (n) as INTS, got FLOATS")
    refused(of_one("LeakyRelu", alpha="much"), "expected alpha of LeakyRelu (n) as FLOAT, got STRING")
    proto = of_one("LeakyRelu", alpha=1.0)
    proto.graph.node[0].attribute.append(helper.make_attribute("alpha", 2.0))
    refused(proto, "expected one attribute 'alpha' of LeakyRelu (n), got two")
    proto = of_one("LeakyRelu", alpha=1.0)
    proto.graph.node[0].attribute[0].ref_attr_name = "beta"
    refused(proto, "got a reference outside of a function")
    graph = helper.make_graph([], "g", [], [])
    refused(of_one("LeakyRelu", alpha=graph), "expected numbers, text or dense tensors as LeakyRelu (n): alpha, got GRAPH")


def test_attributes_of_old_versions_are_read_where_they_mean_what_is_done():
    nodes = [node("BatchNormalization", "x s s s s", "y", is_test=0)]
    refused(
        model(nodes, [value("x", [1, 3])], ["y"], {"s": np.ones(3, np.float32)}, opset=6),
        "expected is_test=1 of BatchNormalization, got 0",
    )


def test_operators_that_are_gone_are_refused():
    proto = model([node("Upsample", "x s", "y")], [value("x"), value("s")], ["y"], opset=12)
    refused(proto, "expected an operator that version 12 has, got Upsample, which is gone")


def test_constants_hold_one_value():
    refused(model([node("Constant", "", "y")], [], ["y"]), "expected one value of Constant, got 0")
    refused(
        model([node("Constant", "", "y", value_int=1, value_float=1.0)], [], ["y"]), "expected one value of Constant, got 2"
    )
    refused(
        model([node("Constant", "", "y", value_string="a")], [], ["y"]),
        "expected numbers as the value of Constant, got value_string",
    )


def test_inputs_that_are_no_tensors_of_numbers_are_refused():
    refused(
        model([node("Identity", "x", "y")], [value("x", [1], TensorProto.STRING)], ["y"]),
        "expected an input 'x' of bools, integers or floats, got STRING",
    )
    sequence = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    refused(model([node("Identity", "x", "y")], [sequence], ["y"]), "expected a tensor as input 'x', got sequence_type")
    refused(
        model([node("Identity", "x", "y")], [onnx.ValueInfoProto(name="x")], ["y"]),
        "expected a tensor as input 'x', got nothing",
    )
    refused(
        model([node("Identity", "x", "y")], [value("x", [1]), value("x", [1])], ["y"]), "'x' of the inputs and of the inputs"
    )


def test_text_that_is_no_text_is_refused():
    content = of_one("Relu").SerializeToString().replace(b"Relu", b"R\xff\xfeu")
    refused(content, "load: model: expected ")


# graphs within graphs


def nested(depth: int) -> onnx.GraphProto:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(depth):
        graph = helper.make_graph(
            [node("If", "c", "y", then_branch=graph, else_branch=helper.make_graph([], "e", [], []))], "g", [], []
        )
    return graph


def test_graphs_within_graphs_are_refused_however_deep():
    for depth in (1, 30):
        proto = of_one("If", then_branch=nested(depth), else_branch=nested(0))
        refused(proto, "If of version 17, control flow (n)", ArgumentError)
    inner = b""
    for _ in range(300):  # node { attribute { g { node { ... : deeper than the onnx package can write, so byte by byte
        attribute = b"\x32" + _length(inner) + inner
        attribute = b"\x2a" + _length(attribute) + attribute
        inner = b"\x0a" + _length(attribute) + attribute
    content = b"\x08\x08\x3a" + _length(inner) + inner
    refused(content, "load: model: expected an intact ONNX file")


def _length(content: bytes) -> bytes:
    number, out = len(content), b""
    while True:
        out += bytes([number & 127 | (128 if number > 127 else 0)])
        number >>= 7
        if not number:
            return out


def test_the_network_of_the_other_tests_is_none_of_these():
    assert rawseg.onnx.load(onnx_models.network()).output_names == ["logits"]
