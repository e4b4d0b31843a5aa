"""Boxes one by one, and how much they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Moved, Smooth
from ..strategies import boxes
from .contract import Contract, Edge, Refusal

NAN = float("nan")
ONE, POINT, INVERTED, NOTHING = (1.0, 2, 4, 6), (1.0, 1, 1, 1), (3.0, 0, 1, 1), (0.0, 0, 1, NAN)


def _rows(*rows: Any) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 4)


def _case(op: str, *rows: Any, **options: Any) -> Case:
    return Case(op, {"boxes": _rows(*rows)}, options)


def _pair(op: str, one: Any, other: Any, **options: Any) -> Case:
    return Case(op, {"boxes1": _rows(*one), "boxes2": _rows(*other)}, options)


def _box_area_edges() -> list[Edge]:
    op, row = "box_area", "box_convert.formats"
    return [
        Edge(row, "boxes without an area", _case(op, POINT, (0, 0, 0, 3), ONE), True),
        Edge(row, "no box", _case(op), True),
        Edge(row, "a centre, a width and a height", _case(op, ONE, fmt="cxcywh"), True),
    ]


def _box_area_refusals() -> list[Refusal]:
    op, whole = "box_area", Case("box_area", {"boxes": np.array([ONE], np.int64)})
    return [
        Refusal("all.errors", "x2 below x1", _case(op, ONE, INVERTED), "boxes", ArgumentError, True),
        Refusal("all.errors", "a corner that is no number", _case(op, NOTHING), "boxes", ArgumentError, True),
        Refusal("box_convert.formats", "an unknown format", _case(op, ONE, fmt="yxyx"), "fmt", ArgumentError),
        Refusal("all.errors", "one box without an axis", Case(op, {"boxes": np.array(ONE)}), "boxes", ShapeError, True),
        Refusal("all.layout", "whole numbers", whole, "boxes", DTypeError, True),
    ]


def _box_convert_edges() -> list[Edge]:
    op, row = "box_convert", "box_convert.formats"
    pairs = [(one, other) for one in boxes.FORMATS for other in boxes.FORMATS]
    empty = Case(op, {"boxes": np.zeros((2, 0, 3, 4))}, {"in_fmt": "xyxy", "out_fmt": "xywh"})
    return [
        *(Edge(row, f"{a} as {b}", _case(op, ONE, (0, 0, 0, 3), in_fmt=a, out_fmt=b), True) for a, b in pairs),
        Edge(row, "no box", empty, True),
        Edge(row, "a small box far out", _case(op, (1e6, 0, 1e-12, 1), in_fmt="xywh", out_fmt="cxcywh"), own=True),
    ]


def _box_convert_refusals() -> list[Refusal]:
    op, row, formats = "box_convert", "box_convert.formats", {"in_fmt": "xyxy", "out_fmt": "xywh"}
    return [
        Refusal(row, "an unknown format", _case(op, ONE, in_fmt="xyxy", out_fmt="yx"), "out_fmt", ArgumentError),
        Refusal(row, "three numbers", Case(op, {"boxes": np.zeros((2, 3))}, formats), "boxes", ShapeError),
    ]


def _clip_edges() -> list[Edge]:
    op, row = "clip_boxes_to_image", "clip_boxes_to_image.range"
    return [
        Edge(row, "corners on the image's edges", _case(op, (0, 0, 6, 4), (6, 4, 6, 4), size=(4, 6)), True),
        Edge(row, "corners outside", _case(op, (-1, -2, 9, 9), (7, 5, 8, 6), (-3, -3, -1, -1), size=(4, 6)), True),
        Edge(row, "NaN stays", _case(op, (NAN, 1, 2, 3), size=(4, 6))),
        Edge(row, "an image without a row", _case(op, (1, 2, 3, 4), size=(0, 6)), True),
    ]


def _clip_refusals() -> list[Refusal]:
    op, row = "clip_boxes_to_image", "clip_boxes_to_image.range"
    return [
        Refusal(row, "one side", _case(op, ONE, size=(4,)), "size", ArgumentError),
        Refusal(row, "a negative side", _case(op, ONE, size=(4, -1)), "size", ArgumentError, True),
        Refusal(
            "all.layout",
            "whole numbers",
            Case(op, {"boxes": np.ones((1, 4), int)}, {"size": (4, 4)}),
            "boxes",
            DTypeError,
            True,
        ),
    ]


def _small_edges() -> list[Edge]:
    op = "remove_small_boxes"
    return [
        Edge(
            "remove_small_boxes.domain", "a side of the least size stays", _case(op, (0, 0, 2, 3), (0, 0, 1.5, 3), min_size=2.0)
        ),
        Edge("remove_small_boxes.domain", "nothing is too small", _case(op, POINT, ONE, min_size=0.0)),
        Edge("remove_small_boxes.domain", "no box", _case(op, min_size=1.0)),
    ]


def _small_refusals() -> list[Refusal]:
    op, row = "remove_small_boxes", "remove_small_boxes.domain"
    return [
        Refusal(row, "x2 below x1", _case(op, INVERTED, min_size=1.0), "boxes", ArgumentError, True),
        Refusal(row, "a corner that is no number", _case(op, NOTHING, min_size=1.0), "boxes", ArgumentError, True),
        Refusal(row, "a negative size", _case(op, ONE, min_size=-1.0), "min_size", ArgumentError, True),
    ]


def _overlap_edges(op: str) -> list[Edge]:
    """Boxes that share edges: the gradients of these are halved, as those of `rawseg.maximum`."""
    square, row = (0.0, 0, 4, 4), "generalized_box_iou.rule" if op == "generalized_box_iou" else "box_iou.empty-boxes"
    return [
        Edge(row, "the same box", _pair(op, [square], [square]), True),
        Edge(row, "a box in a box", _pair(op, [square], [(1, 1, 2, 3), (0, 1, 4, 2)]), True),
        Edge(row, "boxes that touch, and boxes apart", _pair(op, [square], [(4, 0, 6, 4), (4, 4, 6, 6), (9, 9, 12, 10)]), True),
        Edge(row, "a point in a box, and one beside it", _pair(op, [square], [POINT, (7, 7, 7, 7)])),
        Edge(row, "no box", _pair(op, [], [square, POINT]), True),
        Edge("box_iou.empty-boxes", "two points", _pair(op, [POINT], [POINT, (2, 2, 2, 2)]), own=True),
        Edge("box_iou.empty-boxes", "lines that cross", _pair(op, [(0, 1, 4, 1)], [(2, 0, 2, 4)]), own=True),
    ]


def _overlap_refusals(op: str) -> list[Refusal]:
    mixed = Case(op, {"boxes1": _rows(ONE), "boxes2": _rows(ONE).astype(np.float32)})
    flat = Case(op, {"boxes1": _rows(ONE), "boxes2": np.array(ONE)})
    return [
        Refusal("all.errors", "x2 below x1", _pair(op, [ONE], [INVERTED]), "boxes2", ArgumentError, True),
        Refusal("all.errors", "a corner that is no number", _pair(op, [NOTHING], [ONE]), "boxes1", ArgumentError, True),
        Refusal("all.layout", "two dtypes", mixed, "boxes2", DTypeError, True),
        Refusal("all.errors", "one box without an axis", flat, "boxes2", ShapeError),
    ]


def _box_iou_refusals() -> list[Refusal]:
    unknown = _pair("box_iou", [ONE], [ONE], fmt="yx")
    return [
        *_overlap_refusals("box_iou"),
        Refusal("box_convert.formats", "an unknown format", unknown, "fmt", ArgumentError),
    ]


def _masks(*rows: Any, dtype: Any = bool) -> Case:
    return Case("masks_to_boxes", {"masks": np.array(rows, dtype)})


def _masks_edges() -> list[Edge]:
    row = "masks_to_boxes.rule"
    one, apart, full = [[0, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]], [[1, 1, 1], [1, 1, 1]]
    return [
        Edge(row, "one pixel", _masks(one)),
        Edge(row, "pixels apart, and all", _masks(apart, full, one)),
        Edge(row, "numbers for bools", _masks(one, apart, dtype=np.int64)),
        Edge(row, "no mask", Case("masks_to_boxes", {"masks": np.zeros((0, 2, 3), bool)})),
    ]


def _masks_refusals() -> list[Refusal]:
    row = "masks_to_boxes.rule"
    return [
        Refusal(row, "a mask without a pixel", _masks([[0, 1]], [[0, 0]]), "masks", ArgumentError, True),
        Refusal(row, "one mask without an axis", _masks([0, 1], [1, 0]), "masks", ShapeError),
    ]


SETS = "boxes1", "boxes2"
CONTRACTS = [
    Contract(
        "box_area",
        ops.box_area,
        boxes.box_area,
        ("boxes",),
        Smooth(lambda case: 0),  # a box or a pair of them at a time
        _box_area_edges,
        _box_area_refusals,
        needed=("boxes",),
    ),
    Contract(
        "box_convert",
        ops.box_convert,
        boxes.box_convert,
        ("boxes",),
        Smooth(lambda case: 0),  # a box or a pair of them at a time
        _box_convert_edges,
        _box_convert_refusals,
        needed=("boxes", "in_fmt", "out_fmt"),
    ),
    Contract(
        "clip_boxes_to_image",
        ops.clip_boxes_to_image,
        boxes.clip_boxes_to_image,
        ("boxes",),
        Moved(),
        _clip_edges,
        _clip_refusals,
        needed=("boxes", "size"),
    ),
    Contract(
        "remove_small_boxes",
        ops.remove_small_boxes,
        boxes.remove_small_boxes,
        (),
        Moved(),
        _small_edges,
        _small_refusals,
        needed=("boxes", "min_size"),
    ),
    Contract(
        "box_iou",
        ops.box_iou,
        boxes.box_iou,
        SETS,
        Smooth(lambda case: 0),  # a box or a pair of them at a time
        lambda: _overlap_edges("box_iou"),
        _box_iou_refusals,
        needed=SETS,
    ),
    Contract(
        "generalized_box_iou",
        ops.generalized_box_iou,
        boxes.generalized_box_iou,
        SETS,
        Smooth(lambda case: 0),  # a box or a pair of them at a time
        lambda: _overlap_edges("generalized_box_iou"),
        lambda: _overlap_refusals("generalized_box_iou"),
        needed=SETS,
    ),
    Contract(
        "masks_to_boxes",
        ops.masks_to_boxes,
        boxes.masks_to_boxes,
        (),
        Moved(),
        _masks_edges,
        _masks_refusals,
        (np.float32,),
        needed=("masks",),
    ),
]
