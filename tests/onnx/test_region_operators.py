"""Regions, samples, frames and rearrangements, beside onnxruntime and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx_models import of_one_node
from onnx_runtime import both

import rawseg
import rawseg.onnx
from rawseg.onnx import Node
from rawseg.onnx.operators import compute

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


# regions

BOXES = np.float32([[0, 0, 7, 5], [2.3, 1.1, 6.8, 9.6], [-3, -2, 4, 4], [8, 8, 20, 20]])


@pytest.mark.parametrize("opset", [10, 16])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_roi_align_is_half_a_pixel_off_before_version_16(opset, sampling_ratio):
    arrays = {"x": floats(2, 3, 10, 12), "rois": BOXES, "batch": np.array([0, 1, 1, 0])}
    both("RoiAlign", arrays, opset, output_height=3, output_width=2, sampling_ratio=sampling_ratio, spatial_scale=0.5)


def test_roi_align_takes_the_largest_sample_not_the_largest_corner():
    """The standard's text says so; onnxruntime takes the largest of a sample's four weighted corners."""
    x = np.float32([[[[0, 0], [0, 8]]]])
    node = Node("RoiAlign", ("x", "r", "b"), ("y",), {"mode": "max", "sampling_ratio": 1}, version=16)
    (out,) = compute(node, rawseg.tensor(x), rawseg.tensor([[0.0, 0.0, 2.0, 2.0]]), rawseg.tensor(np.array([0])))
    assert out.item() == 2.0  # a quarter of each corner: 0 + 0 + 0 + 8 / 4


def test_max_roi_pool():
    rois = np.concatenate([np.float32([[0], [1], [1], [0]]), np.abs(np.round(BOXES))], 1)
    both("MaxRoiPool", {"x": floats(2, 3, 12, 14), "rois": rois}, 9, pooled_shape=[2, 3], spatial_scale=0.5)


@pytest.mark.parametrize("center", [0, 1])
@pytest.mark.parametrize("most", [0, 1, 5])
def test_non_max_suppression(center, most):
    corners = RNG.uniform(0, 10, (2, 30, 4)).astype(np.float32)  # also upside down: any two opposite corners will do
    scores = RNG.permutation(2 * 3 * 30).reshape(2, 3, 30).astype(np.float32) / 180
    limits = {"most": np.array([most]), "iou": np.float32([0.3]), "score": np.float32([0.2])}
    found = both("NonMaxSuppression", {"boxes": corners, "scores": scores, **limits}, 11, center_point_box=center)
    assert (len(found[0]) > 5) is (most > 0)


def test_non_max_suppression_by_hand():
    """Two equal boxes and one elsewhere: the better of the two, then the other."""
    boxes = rawseg.tensor(np.float32([[[0, 0, 1, 1], [1, 1, 0, 0], [5, 5, 6, 6]]]))
    scores = rawseg.tensor(np.float32([[[0.5, 0.9, 0.7]]]))
    node = Node("NonMaxSuppression", ("b", "s", "m", "i"), ("y",), version=11)
    (out,) = compute(node, boxes, scores, rawseg.tensor(np.array(9)), rawseg.tensor(np.float32(0.5)))
    assert out.tolist() == [[0, 0, 1], [0, 0, 2]]


# samples


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [0, 1])
def test_grid_sample(mode, padding_mode, align_corners):
    arrays = {"x": floats(2, 3, 5, 6), "grid": RNG.uniform(-1.6, 1.6, (2, 4, 7, 2)).astype(np.float32)}
    both("GridSample", arrays, 16, mode=mode, padding_mode=padding_mode, align_corners=align_corners)


@pytest.mark.parametrize("align_corners", [False, True])
def test_affine_grid_as_in_torch(align_corners):
    theta = floats(2, 2, 3)
    proto = of_one_node("AffineGrid", {"theta": theta, "size": np.array([2, 3, 4, 5])}, 20, align_corners=int(align_corners))
    want = torch.nn.functional.affine_grid(torch.tensor(theta), [2, 3, 4, 5], align_corners=align_corners)
    np.testing.assert_allclose(rawseg.onnx.load(proto)(theta, np.array([2, 3, 4, 5])).numpy(), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("groups", "moves", "masked"), [(1, 1, False), (2, 1, True), (1, 2, True), (2, 4, False)])
def test_deform_conv(groups, moves, masked):
    taps, size = 6, (5, 3)  # of 2 x 3: (6 + 1 - 3) + 1 rows, (7 + 1 - 3) // 2 + 1 columns
    arrays = {
        "x": floats(2, 4, 6, 7),
        "w": floats(6, 4 // groups, 2, 3),
        "offset": floats(2, 2 * moves * taps, *size),
        "b": floats(6),
    } | ({"mask": floats(2, moves * taps, *size)} if masked else {})
    window = {"pads": [1, 1, 0, 0], "strides": [1, 2], "dilations": [2, 1], "kernel_shape": [2, 3]}
    both("DeformConv", arrays, 19, group=groups, offset_group=moves, **window)


# rearrangements and frames


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_and_back(mode):
    x = floats(2, 12, 3, 4)
    out = both("DepthToSpace", {"x": x}, 13, blocksize=2, mode=mode)[0]
    if mode == "DCR":
        np.testing.assert_array_equal(both("SpaceToDepth", {"x": out}, 13, blocksize=2)[0], x)
    else:
        np.testing.assert_array_equal(out, torch.nn.functional.pixel_shuffle(torch.tensor(x), 2))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_pad(mode):
    x = floats(2, 3, 4, 5)
    arrays = {"x": x, "pads": np.array([0, 0, 2, 1, 0, 0, 1, 3])}
    both("Pad", arrays, 19, mode=mode)
    if mode == "constant":
        both("Pad", arrays | {"value": np.array(7, np.float32)}, 19, mode=mode)
        both("Pad", arrays | {"pads": np.array([-1, 0, 2, -2, 0, -1, 0, 1])}, 19)
        both("Pad", {"x": x, "pads": np.array([1, 2, 3, 4]), "value": np.array(1, np.float32), "axes": np.array([3, -3])}, 19)


def test_pad_before_version_11():
    node = Node("Pad", ("x",), ("y",), {"pads": (1, 0, 0, 2), "value": 1.5}, version=2)
    (out,) = compute(node, rawseg.zeros(1, 1))
    assert out.tolist() == [[1.5, 1.5, 1.5], [0, 1.5, 1.5]]


def test_col2im_as_fold_of_torch():
    x = floats(2, 3 * 6, 6)
    arrays = {"x": x, "image": np.array([6, 5]), "block": np.array([2, 3])}
    node = Node("Col2Im", ("x", "i", "b"), ("y",), {"strides": (2, 2), "dilations": (1, 1), "pads": (0, 0, 0, 0)}, version=18)
    (out,) = compute(node, *(rawseg.tensor(array) for array in arrays.values()))
    want = torch.nn.functional.fold(torch.tensor(x), (6, 5), (2, 3), stride=2)
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-6)


def test_center_crop_pad_keeps_the_centre():
    both("CenterCropPad", {"x": floats(7, 4, 3), "shape": np.array([4, 7, 3])}, 18)
    both("CenterCropPad", {"x": floats(7, 4, 3), "shape": np.array([10, 1])}, 18, axes=[-1, 0])
