"""Boxes for hypothesis: equal ones, touching ones, boxes in boxes, and, where that is no kink, some without an area."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS

FORMATS = ("xyxy", "xywh", "cxcywh")
SIDES = (0, 1, 1, 2, 3, 6)
LONG = (1, 1, 2, 3, 6)  # of boxes whose corners may move a little
COSTLY_BOXES = st.sampled_from([1, 2, 1, 2, 0])  # boxes, where each costs some derivatives
MANY = st.sampled_from([4, 2, 4, 0])  # boxes at least, so that some suppress others
# No overlap of boxes of whole sides of at most 6 equals one, nor comes nearer than 1 / 6000: unions are below these primes.
THRESHOLDS = st.sampled_from([1 / 83, 20 / 79, 37 / 73, 60 / 83, 78 / 79])
WEIGHTS = st.sampled_from([(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0), (1.0, 2.0, 0.5, 4.0)])


@st.composite
def grid_boxes(draw: Any, most: int = 12, sides: tuple[int, ...] = SIDES, least: int = 0, reach: int = 4) -> np.ndarray:
    """Draw between ``least`` and ``most`` boxes on a small grid."""
    total = draw(st.integers(least, most))
    corner, side = st.integers(-reach, reach), st.sampled_from(sides)
    rows = [(draw(corner), draw(corner), draw(side), draw(side)) for _ in range(total)]
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float64).reshape(total, 4)


def scattered_boxes(seed: int, total: int, dtype: Any, size: float = 8.0) -> np.ndarray:
    """Return boxes of sides from 1 to 4 anywhere in a square."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, size, (total, 2))
    return np.concatenate([low, low + rng.uniform(1, 4, (total, 2))], 1).astype(dtype)


@st.composite
def some_boxes(draw: Any, dtype: Any, most: int = 4) -> np.ndarray:
    """Draw boxes with an area, on a grid or scattered."""
    if draw(st.booleans()):
        return draw(grid_boxes(most, LONG)).astype(dtype)
    return scattered_boxes(draw(SEEDS), draw(st.integers(0, most)), dtype)


def written_as(boxes: np.ndarray, fmt: str) -> np.ndarray:
    """Return corners in another format; exact for halves."""
    low, high = boxes[:, :2], boxes[:, 2:]
    first = low if fmt != "cxcywh" else (low + high) / 2
    return np.concatenate([first, high if fmt == "xyxy" else high - low], 1)


@st.composite
def box_area(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.box_area`."""
    fmt = draw(st.sampled_from(FORMATS)) if offered("fmt") else "xyxy"
    boxes = written_as(draw(some_boxes(dtype)), fmt)
    return Case("box_area", {"boxes": boxes}, {"fmt": fmt} if offered("fmt") else {})


@st.composite
def box_convert(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.box_convert`: boxes of any number of axes, and numbers that need not be boxes.

    None is much smaller than another, as sides that are computed from corners have the rounding of these.
    """
    shape = *draw(st.lists(st.integers(0, 2), max_size=2)), 4
    options = {"in_fmt": draw(st.sampled_from(FORMATS)), "out_fmt": draw(st.sampled_from(FORMATS))}
    rng = np.random.default_rng(draw(SEEDS))
    boxes = rng.uniform(1, 8, shape) * rng.choice([-1, 1], shape)
    return Case("box_convert", {"boxes": boxes.astype(dtype)}, options)


@st.composite
def clip_boxes_to_image(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.clip_boxes_to_image`: odd quarters, and so none of them on an edge."""
    shape = *draw(st.lists(st.integers(0, 2), min_size=1, max_size=2)), 4
    boxes = (2 * np.random.default_rng(draw(SEEDS)).integers(-8, 17, shape) + 1) / 4
    size = draw(st.integers(0, 5)), draw(st.integers(0, 6))
    return Case("clip_boxes_to_image", {"boxes": boxes.astype(dtype)}, {"size": size})


@st.composite
def remove_small_boxes(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.remove_small_boxes`; no side is as long as the limit."""
    boxes = draw(grid_boxes(6)).astype(dtype)
    return Case("remove_small_boxes", {"boxes": boxes}, {"min_size": draw(st.sampled_from([0.5, 1.5, 2.75, 7.5]))})


@st.composite
def box_iou(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.box_iou`."""
    fmt = draw(st.sampled_from(FORMATS)) if offered("fmt") else "xyxy"
    one, other = draw(_two_sets(dtype))
    arrays = {"boxes1": written_as(one, fmt), "boxes2": written_as(other, fmt)}
    return Case("box_iou", arrays, {"fmt": fmt} if offered("fmt") else {})


@st.composite
def generalized_box_iou(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.generalized_box_iou`."""
    one, other = draw(_two_sets(dtype))
    return Case("generalized_box_iou", {"boxes1": one, "boxes2": other})


@st.composite
def _two_sets(draw: Any, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Draw two sets of boxes that often overlap; no edge of one lies on an edge of the other."""
    totals = draw(COSTLY_BOXES), draw(COSTLY_BOXES)
    if draw(st.booleans()):
        one, other = (draw(grid_boxes(total, LONG, total, 2)) for total in totals)
        return one.astype(dtype), (other + 0.25).astype(dtype)
    one, other = (scattered_boxes(draw(SEEDS) + part, total, dtype, 3.0) for part, total in zip((0, 2**17), totals))
    return one, other


@st.composite
def nms(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.nms`; no two scores are equal, and no overlap is near the threshold."""
    boxes = draw(grid_boxes(8, least=draw(MANY), reach=2)).astype(dtype)
    return Case("nms", {"boxes": boxes, "scores": _scores(draw, boxes)}, {"iou_threshold": draw(THRESHOLDS)})


@st.composite
def batched_nms(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.batched_nms`; boxes lie right of and below the origin."""
    boxes = draw(grid_boxes(8, least=draw(MANY), reach=2)).astype(dtype) + dtype(2)
    idxs = np.random.default_rng(draw(SEEDS)).integers(0, 3, len(boxes))
    arrays = {"boxes": boxes, "scores": _scores(draw, boxes), "idxs": idxs}
    return Case("batched_nms", arrays, {"iou_threshold": draw(THRESHOLDS)})


def _scores(draw: Any, boxes: np.ndarray) -> np.ndarray:
    return ((1 + np.random.default_rng(draw(SEEDS)).permutation(len(boxes))) / 16).astype(boxes.dtype)


@st.composite
def masks_to_boxes(draw: Any, dtype: Any = np.float32, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.masks_to_boxes`: no mask is empty."""
    n, h, w = draw(st.integers(0, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(SEEDS))
    masks = rng.random((n, h * w)) < draw(st.sampled_from([0.1, 0.5]))
    masks[np.arange(n), rng.integers(0, h * w, n)] = True
    kind = draw(st.sampled_from([bool, np.uint8, np.int64, dtype]))
    return Case("masks_to_boxes", {"masks": masks.reshape(n, h, w).astype(kind)})


@st.composite
def paste_masks(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.paste_masks`.

    Widened boxes end at quarters of a pixel, and so all arithmetic rounds them to the same pixels; these are 1, 2, 4 or 8, and
    so the weights of the cells are exact.
    """
    total, cells, padding = draw(COSTLY_BOXES), draw(st.integers(1, 4)), draw(st.integers(0, 2))
    padding = padding if offered("padding") else 1
    size = draw(st.sampled_from([(5, 6), (4, 3), (3, 5), (1, 4), (5, 1)]))
    rng = np.random.default_rng(draw(SEEDS))
    low = rng.integers(-3, 4, (total, 2))
    high = low + rng.choice([1, 2, 4, 8], (total, 2)) - 1
    low, high = (end + np.where(end < 0, -0.25, 0.25) for end in (low, high))  # rounded towards 0
    centre, half = (low + high) / 2, (high - low) / 2 / ((cells + 2 * padding) / cells)
    boxes = np.concatenate([centre - half, centre + half], 1)
    arrays = {"masks": rng.random((total, 1, cells, cells)).astype(dtype), "boxes": boxes.astype(dtype)}
    options = {"image_size": size, "padding": padding}
    return Case("paste_masks", arrays, {name: value for name, value in options.items() if name != "padding" or offered(name)})


@st.composite
def roi_levels(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.roi_levels`: sizes a quarter, a half or three quarters of the way to the next level."""
    rng, total = np.random.default_rng(draw(SEEDS)), draw(st.integers(0, 5))
    scale, level = (224.0, 4) if not offered("canonical_scale") or draw(st.booleans()) else (100.0, 3)
    size = scale * 2.0 ** (rng.integers(-4, 4, total) + rng.choice([0.25, 0.5, 0.75], total))
    ratio, low = 2.0 ** rng.uniform(-2, 2, total), rng.integers(0, 99, (total, 2))
    boxes = np.concatenate([low, low + np.stack([size * ratio, size / ratio], 1)], 1)
    lowest = draw(st.integers(0, 4))
    options: dict[str, Any] = {"k_min": lowest, "k_max": lowest + draw(st.integers(0, 4))}
    if scale != 224:
        options["canonical_scale"] = scale
    if offered("canonical_level") and level != 4:
        options["canonical_level"] = level
    return Case("roi_levels", {"boxes": boxes.astype(dtype)}, options)


@st.composite
def encode_single(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.BoxCoder.encode_single`, the coder's weights among the options."""
    total = draw(COSTLY_BOXES)
    boxes, froms = (scattered_boxes(draw(SEEDS), total, dtype) for _ in range(2))
    return Case("BoxCoder.encode_single", {"reference_boxes": boxes, "proposals": froms}, {"weights": draw(WEIGHTS)})


@st.composite
def decode_single(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.BoxCoder.decode_single`; scalings are odd sixteenths, none near where they are held."""
    total, classes, weights = draw(COSTLY_BOXES), draw(st.integers(1, 2)), draw(WEIGHTS)
    options: dict[str, Any] = {"weights": weights}
    if offered("bbox_xform_clip") and draw(st.booleans()):
        options["bbox_xform_clip"] = 0.25
    froms = scattered_boxes(draw(SEEDS), total, dtype)
    codes = (2 * np.random.default_rng(draw(SEEDS)).integers(-16, 16, (total, 4 * classes)) + 1) / 16
    codes *= np.tile(weights, classes)
    return Case("BoxCoder.decode_single", {"rel_codes": codes.astype(dtype), "boxes": froms}, options)
