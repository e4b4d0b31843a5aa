"""Files that lie, point elsewhere or ask for the impossible are refused with a clear word, and nothing of them is run."""

from __future__ import annotations

import os
import re

import numpy as np
import onnx
import onnx_models
import pytest
from onnx import TensorProto, helper, numpy_helper
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


# tensors


def test_raw_bytes_that_do_not_fill_the_shape_are_refused():
    for size in (0, 23, 25, 48):
        tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[2, 3], raw_data=bytes(size))
        refused(reading(tensor), f"load: model: w: expected 24 bytes for shape (2, 3) of float32, got {size}")


def test_lists_that_do_not_fill_the_shape_are_refused():
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[2, 3], float_data=[1, 2])
    refused(reading(tensor), "w: expected 6 elements for shape (2, 3), got 2")
    tensor = TensorProto(data_type=TensorProto.INT64, dims=[2], float_data=[1, 2])  # the list of another type
    refused(reading(tensor), "w: expected 2 elements for shape (2,), got 0")


@pytest.mark.parametrize("dims", [[2**62, 2**62], [2**40], [2**63 - 1], [3, 0, 2**62, 2**62]])
def test_sizes_beyond_memory_are_refused(dims):
    refused(reading(TensorProto(data_type=TensorProto.FLOAT, dims=dims)), "w: expected tensors of at most ")


def test_negative_and_too_many_sizes_are_refused():
    refused(reading(TensorProto(data_type=TensorProto.FLOAT, dims=[-1])), "at most 64 sizes, none of them negative, got (-1,)")
    refused(reading(TensorProto(data_type=TensorProto.FLOAT, dims=[1] * 100)), "at most 64 sizes, none of them negative")


KINDS = {
    TensorProto.STRING: "STRING",
    TensorProto.COMPLEX64: "COMPLEX64",
    TensorProto.BFLOAT16: "BFLOAT16",
    0: "UNDEFINED",
    999: "type 999",
}


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_types_that_rawseg_has_not_are_refused(kind, name):
    refused(
        reading(TensorProto(data_type=kind, dims=[1])), f"w: expected bools, integers or floats of at least 8 bits, got {name}"
    )


def test_numbers_that_do_not_fit_their_type_are_refused():
    tensor = TensorProto(data_type=TensorProto.INT8, dims=[2], int32_data=[1, 300])
    refused(reading(tensor), "w: expected numbers that fit into int8, got others")
    tensor = TensorProto(data_type=TensorProto.FLOAT16, dims=[1], int32_data=[1 << 16])
    refused(reading(tensor), "w: expected numbers that fit into uint16, got others")


def test_every_way_to_store_numbers_is_read():
    for array in (
        np.float32([1.5, -2]),
        np.float64([1.5, -2]),
        np.float16([1.5, -0.0]),
        np.int8([-128, 127]),
        np.uint8([0, 255]),
        np.int16([-32768, 5]),
        np.uint16([65535, 5]),
        np.int32([-(2**31), 5]),
        np.uint32([2**32 - 1, 5]),
        np.int64([-(2**63), 5]),
        np.uint64([2**64 - 1, 5]),
        np.array([True, False]),
        np.zeros((0, 3), np.float32),
        np.array(7.0, np.float32),
    ):
        raw = numpy_helper.from_array(array)
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        listed = helper.make_tensor("w", kind, array.shape, array.reshape(-1).tolist())
        for tensor in (raw, listed):
            found = rawseg.onnx.load(reading(tensor))().numpy()
            assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_a_byte_that_is_no_bool_is_true():
    tensor = TensorProto(data_type=TensorProto.BOOL, dims=[3], raw_data=bytes([0, 1, 2]))
    assert rawseg.onnx.load(reading(tensor))().numpy().tobytes() == bytes([0, 1, 1])


def test_many_tensors_are_counted_together(monkeypatch):
    monkeypatch.setattr("rawseg.onnx.reading.tensors.limit_bytes", lambda: 100)
    weights = {f"w{i}": FLOATS for i in range(5)}
    proto = model([node("Sum", " ".join(weights), "y")], [], ["y"], weights)
    refused(proto, "expected tensors of at most 100 bytes together, got 120 with shape (2, 3)")


def test_sparse_and_split_tensors_are_refused():
    proto = of_one()
    values = numpy_helper.from_array(np.float32([1]), "s")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(np.int64([0]), "i"), [4]))
    refused(proto, "expected dense initializers, got 1 sparse ones: s", ArgumentError)
    tensor = numpy_helper.from_array(FLOATS)
    tensor.segment.begin = 0
    refused(reading(tensor), "expected a tensor in one piece")


def test_two_initializers_of_one_name_are_refused():
    proto = model([node("Identity", "w", "y")], [], ["y"], {"w": FLOATS})
    proto.graph.initializer.append(numpy_helper.from_array(FLOATS, "w"))
    refused(proto, "expected one tensor of each name, got two of 'w'")


# files beside the model


def external(folder, location: str, **entries) -> str:
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(text))
    path = folder / "model.onnx"
    path.write_bytes(reading(tensor).SerializeToString())
    return str(path)


@pytest.fixture
def folder(tmp_path):
    inner = tmp_path / "inner"
    (inner / "sub").mkdir(parents=True)
    (inner / "w.bin").write_bytes(b"abcd" + FLOATS.tobytes())
    (inner / "sub" / "w.bin").write_bytes(FLOATS.tobytes())
    (tmp_path / "secret.bin").write_bytes(FLOATS.tobytes())
    return inner


def test_elements_in_a_file_of_the_folder_are_read(folder):
    for path in (
        external(folder, "w.bin", offset=4),
        external(folder, "w.bin", offset=4, length=24),
        external(folder, "sub/w.bin"),
    ):
        np.testing.assert_array_equal(rawseg.onnx.load(path)().numpy(), FLOATS)


OUTSIDE = ["", "../secret.bin", "sub/../../secret.bin", "/etc/hostname", "sub\\..\\w.bin", "C:\\w.bin", "a\0b", "//w.bin"]


@pytest.mark.parametrize("location", OUTSIDE)
def test_paths_that_leave_the_folder_are_refused(folder, location):
    refused(
        external(folder, location),
        "load: " + str(folder / "model.onnx") + ": w: expected a path inside the model's folder, got ",
    )


def test_links_that_leave_the_folder_are_refused(folder):
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    (folder / "out").symlink_to(folder.parent)
    for location in ("link.bin", "out/secret.bin"):
        refused(external(folder, location), "expected a file inside the model's folder, got ")


def test_offsets_and_lengths_that_lie_are_refused(folder):
    refused(external(folder, "w.bin", offset=5), "of at least 29 bytes, got 28")
    refused(external(folder, "w.bin", offset=10**17), f"of at least {10**17 + 24} bytes, got 28")
    refused(external(folder, "w.bin", length=20), "expected 24 bytes for its shape and dtype, got 20")
    for text in ("-1", "1.5", "x", "9" * 30, "0x10"):
        refused(external(folder, "w.bin", offset=text), "expected an offset in bytes, got ")


def test_pipes_folders_and_missing_files_are_refused(folder):
    os.mkfifo(folder / "pipe")
    refused(external(folder, "pipe"), "got something else")
    refused(external(folder, "sub"), "got something else")
    refused(external(folder, "none.bin"), "that can be read, got No such file or directory")


def test_without_a_path_there_are_no_other_files(folder):
    path = external(folder, "w.bin", offset=4)
    with open(path, "rb") as file:
        refused(file.read(), "expected elements inside the model (or load it by its path), got elements in another file")


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
        refused(proto, "If of version 17 (n)", ArgumentError)
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
