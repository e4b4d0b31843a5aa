"""Stored tensors that contradict themselves or point out of their folder are refused with a clear word."""

from __future__ import annotations

import os
import re

import numpy as np
import onnx
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
