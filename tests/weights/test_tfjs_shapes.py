"""TensorFlow's operations on shapes, translated: every element keeps its place in (N, H, W, C)."""

from __future__ import annotations

import numpy as np
import pytest
from tfjs_files import images, node, placeholder, run, whole


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("axes", [[1, 2], [2], [3], [-1], [1, 2, 3], [0, 1], [1, 3], []])
def test_a_mean_over_any_axes_of_images(axes, kept, tmp_path):
    x = whole(0, 2, 4, 4, 4)
    nodes = [placeholder(x.shape), node("y", "Mean", ["x", "axes"], keep_dims=kept)]
    want = x.mean(tuple(axes), keepdims=kept)
    found = run(tmp_path, nodes, {"axes": np.int32(axes)}, x)
    assert np.array_equal(found, images(want) if kept else want)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_images_are_joined_along_any_axis(axis, tmp_path):
    x, c = whole(0, 1, 2, 3, 4), whole(1, 1, 2, 3, 4)
    nodes = [placeholder(x.shape), node("y", "ConcatV2", ["x", "c", "x", "axis"])]
    found = run(tmp_path, nodes, {"c": c, "axis": np.array(axis, np.int32)}, x)
    assert np.array_equal(found, images(np.concatenate([x, c, x], axis)))


def test_elements_keep_tensorflows_order_through_a_reshape_and_back(tmp_path):
    x = whole(0, 2, 2, 3, 4)
    arrays = {"flat": np.int32([-1, 24]), "images": np.int32([-1, 3, 2, 4]), "w": np.ones((1, 1, 4, 1), np.float32)}
    nodes = [
        placeholder((-1, 2, 3, 4)),
        node("a", "Reshape", ["x", "flat"]),
        node("b", "Reshape", ["a", "images"]),
        node("c", "Conv2D", ["b", "w"], strides=[1, 1, 1, 1], padding="VALID"),
    ]
    flat, summed = run(tmp_path, nodes, arrays, x, outputs=["a", "c"])
    assert np.array_equal(flat, x.reshape(2, 24))
    assert np.array_equal(summed, images(x.reshape(2, 3, 2, 4).sum(3, keepdims=True)))


def test_shapes_that_a_network_computes_are_known_when_it_is_loaded(tmp_path):
    """Reshape to (batch, H * W, C), as detectors end; the batch stays free."""
    x = whole(0, 3, 2, 5, 4)
    arrays = {"zero": np.int32([0]), "one": np.int32([1]), "many": np.array(-1, np.int32), "four": np.array(4, np.int32)}
    nodes = [
        placeholder((-1, 2, 5, 4)),
        node("shape", "Shape", ["x"]),
        node("batch", "StridedSlice", ["shape", "zero", "one", "one"], shrink_axis_mask=1),
        node("sizes", "Pack", ["batch", "many", "four"]),
        node("y", "Reshape", ["x", "sizes"]),
    ]
    assert np.array_equal(run(tmp_path, nodes, arrays, x), x.reshape(3, 10, 4))


def test_sizes_are_halved_while_a_network_is_loaded(tmp_path):
    x = whole(0, 1, 4, 6, 2)
    arrays = {"one": np.int32([1]), "three": np.int32([3]), "halves": np.int32([2, 4])}
    nodes = [
        placeholder(x.shape),
        node("shape", "Shape", ["x"]),
        node("sides", "StridedSlice", ["shape", "one", "three", "one"]),
        node("half", "FloorDiv", ["sides", "halves"]),
        node("y", "ResizeNearestNeighbor", ["x", "half"]),
    ]
    assert np.array_equal(run(tmp_path, nodes, arrays, x), images(x[:, ::2, ::6]))  # 4 // 2 rows, 6 // 4 columns


def test_pad_squeeze_transpose_slice_and_blocks(tmp_path):
    x = whole(0, 1, 4, 4, 8)
    arrays = {
        "pads": np.int32([[0, 0], [1, 2], [0, 3], [2, 0]]),
        "value": np.array(9, np.float32),
        "order": np.int32([0, 2, 1, 3]),
        "begin": np.int32([0, 1, 0, 2]),
        "end": np.int32([0, 3, 4, 3]),
        "stride": np.int32([1, 1, 2, 1]),
        "axis": np.array(1, np.int32),
    }
    nodes = [
        placeholder(x.shape),
        node("padded", "Pad", ["x", "pads"]),
        node("filled", "PadV2", ["x", "pads", "value"]),
        node("turned", "Transpose", ["x", "order"]),
        node("part", "StridedSlice", ["x", "begin", "end", "stride"], begin_mask=1, end_mask=1, shrink_axis_mask=8),
        node("wide", "DepthToSpace", ["x"], block_size=2),
        node("deep", "SpaceToDepth", ["x"], block_size=2),
        node("five", "ExpandDims", ["x", "axis"]),
        node("four", "Squeeze", ["five"], squeeze_dims=[1]),
    ]
    names = ["padded", "filled", "turned", "part", "wide", "deep", "four"]
    padded, filled, turned, part, wide, deep, four = run(tmp_path, nodes, arrays, x, outputs=names)
    pads = [(0, 0), (1, 2), (0, 3), (2, 0)]
    assert np.array_equal(padded, images(np.pad(x, pads)))
    assert np.array_equal(filled, images(np.pad(x, pads, constant_values=9)))
    assert np.array_equal(turned, x.transpose(0, 2, 1, 3))  # no image any more: as TensorFlow has it
    assert np.array_equal(part, x[:, 1:3, 0:4:2, 2])
    blocks = x.reshape(1, 4, 4, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(1, 8, 8, 2)
    assert np.array_equal(wide, images(blocks))
    squares = x.reshape(1, 2, 2, 2, 2, 8).transpose(0, 1, 3, 2, 4, 5).reshape(1, 2, 2, 32)
    assert np.array_equal(deep, images(squares))
    assert np.array_equal(four, x)
