"""Boxes one by one: area, format, the image's edges, levels, the boxes of masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from hypothesis import given
from hypothesis import strategies as st
from twins import DTYPES, SEEDS, numbers, ours, torchs

import rawseg
from rawseg import ops
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.testing.strategies.boxes import grid_boxes, scattered_boxes

FORMATS = ["xyxy", "xywh", "cxcywh"]
BOXES = np.array([[1, 2, 4, 6], [0, 0, 0, 3]], np.float32)


def test_areas_by_hand():
    assert ops.box_area(BOXES).tolist() == [12, 0]
    assert ops.box_area(np.array([[1, 2, 4, 6]], np.float32), "xywh").tolist() == [24]
    assert ops.box_area(rawseg.tensor([[1, 2, 4, 6]], dtype="float64"), "cxcywh").tolist() == [24]
    assert ops.box_area(BOXES[:0]).shape == (0,)


@pytest.mark.spec("box_convert.formats")
def test_formats_by_hand():
    same = {"xyxy": [1, 2, 4, 6], "xywh": [1, 2, 3, 4], "cxcywh": [2.5, 4, 3, 4]}
    for source, numbers_in in same.items():
        for target, numbers_out in same.items():
            out = ops.box_convert(np.array(numbers_in, np.float32), source, target)
            assert (out.dtype, out.tolist()) == (np.float32, numbers_out)
    boxes = rawseg.Tensor(BOXES)
    assert not np.shares_memory(ops.box_convert(boxes, "xyxy", "xyxy").array, boxes.array)
    assert ops.box_convert(np.zeros((2, 0, 3, 4)), "xyxy", "xywh").shape == (2, 0, 3, 4)


@pytest.mark.spec("box_convert.formats")
@given(grid_boxes(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_there_and_back_is_exact_on_integers(boxes, source, target):
    there = ops.box_convert(boxes, source, target)
    np.testing.assert_array_equal(ops.box_convert(there, target, source).numpy(), boxes)


def torch_convert(boxes, source, target):
    first, second = boxes[..., :2], boxes[..., 2:]
    if source != "xyxy":
        first, second = (first, first + second) if source == "xywh" else (first - 0.5 * second, first + 0.5 * second)
    if target == "xyxy":
        return torch.cat([first, second], -1)
    return torch.cat([first if target == "xywh" else (first + second) / 2, second - first], -1)


@pytest.mark.proves("box_convert", "torch", "first order", "bound")
@given(st.sampled_from(FORMATS), st.sampled_from(FORMATS), DTYPES, SEEDS)
def test_formats_as_torch(source, target, dtype, seed):
    boxes, g = numbers(seed, 2, 3, 4, dtype=dtype), numbers(seed + 1, 2, 3, 4, dtype=dtype)
    out, (gradient,) = ours(lambda b: ops.box_convert(b, source, target), [boxes], g)
    want, (oracle,) = torchs(lambda b: torch_convert(b, source, target), [boxes], g)
    # at most four numbers are added up, with weights of at most 1 and four roundings
    assert_within(out, want, 2 * gamma(4, dtype) * 4 * abs(boxes).max(), "value")
    assert_within(gradient, oracle, 2 * gamma(4, dtype) * 4 * abs(g).max(), "gradient")


@pytest.mark.proves("box_area", "torch", "first order", "bound")
@given(DTYPES, SEEDS)
def test_areas_as_torch(dtype, seed):
    boxes, g = scattered_boxes(seed, 5, dtype), numbers(seed, 5, dtype=dtype)
    out, (gradient,) = ours(ops.box_area, [boxes], g)
    want, (oracle,) = torchs(lambda b: (b[:, 2:] - b[:, :2]).prod(1), [boxes], g)
    assert_within(out, want, gamma(4, dtype) * want, "value")
    assert_within(gradient, oracle, gamma(4, dtype) * abs(oracle), "gradient")


@pytest.mark.spec("clip_boxes_to_image.range")
def test_corners_are_moved_into_the_image():
    boxes = rawseg.tensor([[-1.0, -2, 9, 9], [0, 0, 6, 4], [7, 5, 8, 6], [math.nan, 1, 2, 3]], requires_grad=True)
    out = ops.clip_boxes_to_image(boxes, (4, 6))
    np.testing.assert_array_equal(out.detach().numpy(), [[0, 0, 6, 4], [0, 0, 6, 4], [6, 4, 6, 4], [np.nan, 1, 2, 3]])
    out.sum().backward()
    # 1 on the edges, 0 outside and at NaN
    assert boxes.grad.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]]
    assert ops.clip_boxes_to_image(np.full((2, 3, 4), 9.0), (0, 5)).tolist() == [[[5, 0, 5, 0]] * 3] * 2


def test_small_boxes_are_named():
    boxes = np.array([[0, 0, 2, 3], [0, 0, 3, 2], [0, 0, 1.9, 3], [0, 0, 3, 1.9]])
    kept = ops.remove_small_boxes(boxes, 2)
    assert (kept.dtype, kept.tolist()) == (np.int64, [0, 1])
    assert ops.remove_small_boxes(boxes[:0], 2).shape == (0,)
    assert ops.remove_small_boxes(BOXES, 0).tolist() == [0, 1]


@pytest.mark.spec("masks_to_boxes.rule")
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_boxes_of_masks_by_hand(dtype):
    masks = np.zeros((3, 4, 5), dtype)
    masks[0, 1, 2] = masks[1, 0, 4] = masks[1, 3, 1] = 1
    masks[2] = 1
    out = ops.masks_to_boxes(masks)
    assert (out.dtype, out.tolist()) == (np.float32, [[2, 1, 2, 1], [1, 0, 4, 3], [0, 0, 4, 3]])
    assert ops.masks_to_boxes(masks[:0]).shape == (0, 4)


@pytest.mark.spec("roi_levels.rule")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_levels_by_hand(dtype):
    sides = np.array([(224, 224), (223.9, 224), (112, 448), (448, 448), (56, 56), (5, 5), (2000, 2000), (0, 9), (0, 0)])
    boxes = np.concatenate([np.full((9, 2), 16.0), 16 + sides], 1).astype(dtype)
    assert ops.roi_levels(boxes, 2, 5).tolist() == [4, 3, 4, 5, 2, 2, 5, 2, 2]
    assert ops.roi_levels(boxes, 0, 9).tolist() == [4, 3, 4, 5, 2, 0, 7, 0, 0]
    assert ops.roi_levels(boxes[:1], 2, 5, canonical_scale=448, canonical_level=3).tolist() == [2]
    assert ops.roi_levels(boxes[:0], 2, 5).dtype == np.int64


@pytest.mark.spec("roi_levels.rule")
def test_a_rounding_error_below_a_level_is_forgiven():
    box = np.array([[0, 0, 224 * (1 - 2.0**-24), 224]])
    assert ops.roi_levels(box, 2, 5).tolist() == [4]
    assert ops.roi_levels(box, 2, 5, eps=0).tolist() == [3]


@pytest.mark.spec("roi_levels.rule")
@given(DTYPES, SEEDS)
def test_levels_are_the_logarithm_of_the_size(dtype, seed):
    rng = np.random.default_rng(seed)
    sides = (2 ** rng.uniform(0, 11, (20, 2))).astype(dtype)
    boxes = np.concatenate([np.zeros_like(sides), sides], 1)
    want = [math.floor(4 + math.log2(math.sqrt(float(w) * float(h)) / 224) + 1e-6) for w, h in sides]
    assert ops.roi_levels(boxes, 2, 5).tolist() == [min(max(k, 2), 5) for k in want]


INVERTED = np.array([[0, 0, 1, 1], [3, 0, 1, 1]], np.float32)
NAN = np.array([[0, 0, 1, np.nan]], np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.box_area(INVERTED), ArgumentError, r"box_area: boxes: expected x1 <= x2 and y1 <= y2, got \(3.0, .* at 1"),
        (lambda: ops.box_area(NAN), ArgumentError, r"box_area: boxes: expected finite corners, got nan at \(0, 3\)"),
        (lambda: ops.box_area(-BOXES, "xywh"), ArgumentError, r"box_area: boxes: expected x1 <= x2 and y1 <= y2"),
        (
            lambda: ops.box_area(BOXES, "yxyx"),
            ArgumentError,
            r"box_area: fmt: expected one of \('xyxy', 'xywh', 'cxcywh'\), got",
        ),
        (lambda: ops.box_area(BOXES[0]), ShapeError, r"box_area: boxes: expected shape \(N, 4\), got shape \(4,\)"),
        (lambda: ops.box_area([BOXES]), ArgumentTypeError, "box_area: boxes: expected a Tensor, an array"),
        (lambda: ops.box_area(BOXES.astype(int)), DTypeError, "box_area: boxes: expected float32 or float64, got int64"),
        (lambda: ops.box_convert(BOXES, "xyxy", "yx"), ArgumentError, "box_convert: out_fmt: expected one of"),
        (lambda: ops.box_convert(BOXES, BOXES, "xyxy"), ArgumentError, "box_convert: in_fmt: expected one of"),
        (
            lambda: ops.box_convert(BOXES[:, :3], "xyxy", "xywh"),
            ShapeError,
            r"box_convert: boxes: expected shape \(..., 4\), got",
        ),
        (
            lambda: ops.box_convert(np.float32(1), "xyxy", "xywh"),
            ShapeError,
            r"boxes: expected shape \(..., 4\), got shape \(\)",
        ),
        (lambda: ops.clip_boxes_to_image(BOXES, (4,)), ArgumentError, "clip_boxes_to_image: size: expected an int or a pair"),
        (
            lambda: ops.clip_boxes_to_image(BOXES, (4, -1)),
            ArgumentError,
            "clip_boxes_to_image: size: expected at least 0, got -1",
        ),
        (lambda: ops.clip_boxes_to_image(BOXES > 0, (4, 4)), DTypeError, "boxes: expected float32 or float64, got bool"),
        (lambda: ops.remove_small_boxes(NAN, 1), ArgumentError, "remove_small_boxes: boxes: expected finite corners"),
        (lambda: ops.remove_small_boxes(INVERTED, 1), ArgumentError, "remove_small_boxes: boxes: expected x1 <= x2"),
        (lambda: ops.remove_small_boxes(BOXES, -1), ArgumentError, "remove_small_boxes: min_size: expected at least 0, got -1"),
        (lambda: ops.remove_small_boxes(BOXES, "1"), ArgumentTypeError, "min_size: expected a real number, got '1'"),
        (
            lambda: ops.masks_to_boxes(np.zeros((2, 3, 3))),
            ArgumentError,
            "masks_to_boxes: masks: expected at least one .* none at 0",
        ),
        (lambda: ops.masks_to_boxes(np.ones((1, 0, 3))), ArgumentError, "masks_to_boxes: masks: expected at least one pixel"),
        (lambda: ops.masks_to_boxes(np.ones((3, 3))), ShapeError, r"masks_to_boxes: masks: expected shape \(N, H, W\)"),
        (lambda: ops.roi_levels(NAN, 2, 5), ArgumentError, "roi_levels: boxes: expected finite corners"),
        (lambda: ops.roi_levels(INVERTED, 2, 5), ArgumentError, "roi_levels: boxes: expected x1 <= x2"),
        (lambda: ops.roi_levels(BOXES, 5, 2), ArgumentError, "roi_levels: k_max: expected at least 5, got 2"),
        (lambda: ops.roi_levels(BOXES, 2, 2**31), ArgumentError, "roi_levels: k_max: expected at most 2147483647, got"),
        (lambda: ops.roi_levels(BOXES, -1, 2), ArgumentError, "roi_levels: k_min: expected at least 0, got -1"),
        (
            lambda: ops.roi_levels(BOXES, 2, 5, 0),
            ArgumentError,
            "roi_levels: canonical_scale: expected greater than 0, got 0.0",
        ),
        (lambda: ops.roi_levels(BOXES, 2, 5, 224, -4), ArgumentError, "canonical_level: expected at least 0, got -4"),
        (lambda: ops.roi_levels(BOXES, 2, 5, eps=math.inf), ArgumentError, "eps: expected a finite number, got inf"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
