"""What a detector does with its boxes: suppression, levels, and masks that are pasted into images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Moved, Smooth
from ..strategies import boxes
from .contract import Contract, Edge, Refusal

NAN = float("nan")
SQUARE, INVERTED, NOTHING = (0.0, 0, 4, 4), (3.0, 0, 1, 1), (0.0, 0, 1, NAN)


def _rows(rows: Any, dtype: Any = np.float64) -> np.ndarray:
    return np.array(rows, dtype).reshape(-1, 4)


def _nms(rows: Any, scores: Any, threshold: Any = 0.5, idxs: Any = None, dtype: Any = np.float64) -> Case:
    arrays = {"boxes": _rows(rows, dtype), "scores": np.array(scores, dtype)}
    if idxs is not None:
        arrays["idxs"] = np.asarray(idxs)
    return Case("nms" if idxs is None else "batched_nms", arrays, {"iou_threshold": threshold})


def _nms_edges() -> list[Edge]:
    row, half = "nms.order", (0, 0, 4, 2)
    far = _nms(
        [(0, 0, 2**24, 4), (0, 0, 2**24 - 1, 3)], (2, 1), math.nextafter(0.75 * (2.0**24 - 1) / 2.0**24, 0), dtype=np.float32
    )
    return [
        Edge(row, "of equal scores the first", _nms([SQUARE, SQUARE, half, (0, 0, 4, 3)], (1, 1, 1, 1), 0.6)),
        Edge(row, "equal scores apart stay in order", _nms([(5 * i, 0, 5 * i + 4, 4) for i in range(4)], (1, 2, 1, 2))),
        Edge(row, "an overlap of the threshold stays", _nms([SQUARE, half], (1, 2))),
        Edge(row, "boxes that touch do not overlap", _nms([SQUARE, (4, 0, 8, 4), (1, 1, 2, 2)], (1, 2, 3), 0.0)),
        Edge(row, "the same box stays with a threshold of 1", _nms([SQUARE, SQUARE], (1, 2), 1.0)),
        Edge(row, "what is suppressed suppresses nothing", _nms([SQUARE, (0, 0, 4, 6), (0, 1, 4, 8)], (3, 2, 1))),
        Edge(row, "points do not overlap", _nms([(1, 1, 1, 1), (1, 1, 1, 1), SQUARE], (3, 2, 1), 0.0)),
        Edge("nms.domain", "no box", _nms([], ())),
        Edge("nms.float64", "overlaps of far corners in float32", far, own=True),
    ]


def _nms_refusals() -> list[Refusal]:
    row = "nms.domain"
    return [
        Refusal(row, "x2 below x1", _nms([SQUARE, INVERTED], (1, 2)), "boxes", ArgumentError, True),
        Refusal(row, "a corner that is no number", _nms([NOTHING], (1,)), "boxes", ArgumentError, True),
        Refusal(row, "a score that is no number", _nms([SQUARE], (NAN,)), "scores", ArgumentError, True),
        Refusal(row, "a threshold above 1", _nms([SQUARE], (1,), 2.0), "iou_threshold", ArgumentError, True),
        Refusal(row, "a negative threshold", _nms([SQUARE], (1,), -0.5), "iou_threshold", ArgumentError, True),
        Refusal("all.errors", "a score too many", _nms([SQUARE], (1, 2)), "scores", ShapeError),
        Refusal("all.errors", "one box without an axis", _flat_nms(), "boxes", ShapeError),
    ]


def _flat_nms() -> Case:
    return Case("nms", {"boxes": np.array(SQUARE), "scores": np.ones(4)}, {"iou_threshold": 0.5})


def _batched_edges() -> list[Edge]:
    row, near = "batched_nms.groups", [SQUARE, SQUARE, (0, 0, 4, 3)]
    left = [(-5, -5, -1, -1)] * 2
    return [
        Edge(row, "boxes of two classes never meet", _nms(near, (3, 2, 1), 0.5, (0, 1, 0))),
        Edge(row, "of equal scores the first", _nms(near, (1, 1, 1), 0.5, (0, 0, 1))),
        Edge(row, "no box", _nms([], (), 0.5, np.zeros(0, np.int64))),
        Edge(row, "boxes left of the image", _nms(left, (2, 1), 0.5, (0, 1)), own=True),
        Edge(row, "far classes in float32", _nms(near, (3, 2, 1), 0.74, (2**30, 2**30 + 1, 2**30), np.float32), own=True),
    ]


def _batched_refusals() -> list[Refusal]:
    pair = [SQUARE, SQUARE], (1, 2)
    return [
        Refusal("batched_nms.groups", "classes that are floats", _nms(*pair, 0.5, (0.0, 1.0)), "idxs", DTypeError, True),
        Refusal("batched_nms.groups", "a class too many", _nms(*pair, 0.5, (0, 1, 2)), "idxs", ShapeError),
        Refusal("nms.domain", "x2 below x1", _nms([SQUARE, INVERTED], (1, 2), 0.5, (0, 1)), "boxes", ArgumentError, True),
        Refusal("nms.domain", "a threshold above 1", _nms(*pair, 2.0, (0, 1)), "iou_threshold", ArgumentError, True),
    ]


def _levels(rows: Any, low: int = 2, high: int = 5, dtype: Any = np.float64, **options: Any) -> Case:
    return Case("roi_levels", {"boxes": _rows(rows, dtype)}, {"k_min": low, "k_max": high, **options})


def _levels_edges() -> list[Edge]:
    row, exact = "roi_levels.rule", [(0, 0, side, side) for side in (56, 112, 224, 448, 896)]
    side = np.float32(896 * (1 - 7.5e-7))  # the level 6 - 1.1e-6, which 1e-6 is not enough for
    return [
        Edge(row, "sizes at which levels begin", _levels(exact, 0, 9)),
        Edge(row, "held between the lowest and the highest", _levels([(0, 0, 1, 1), (0, 0, 5000, 5000)])),
        Edge(row, "no area", _levels([(1, 1, 1, 1), (0, 0, 0, 9)])),
        Edge(row, "a rounding error below a level", _levels([(0, 0, 224 * (1 - 2.0**-24), 224)])),
        Edge(row, "other canons", _levels(exact, canonical_scale=448.0, canonical_level=3)),
        Edge(row, "no box", _levels([])),
        Edge("roi_levels.float64", "just below a level in float32", _levels([(0, 0, side, side)], 2, 9, np.float32), own=True),
    ]


def _levels_refusals() -> list[Refusal]:
    row = "roi_levels.rule"
    return [
        Refusal(row, "x2 below x1", _levels([INVERTED]), "boxes", ArgumentError),
        Refusal(row, "a corner that is no number", _levels([NOTHING]), "boxes", ArgumentError),
        Refusal(row, "the highest below the lowest", _levels([SQUARE], 5, 2), "k_max", ArgumentError),
        Refusal(row, "no scale", _levels([SQUARE], canonical_scale=0.0), "canonical_scale", ArgumentError),
    ]


def _paste(masks: Any, rows: Any, size: Any = (4, 5), **options: Any) -> Case:
    masks = np.array(masks, np.float64)
    return Case("paste_masks", {"masks": masks[:, None], "boxes": _rows(rows)}, {"image_size": size, **options})


def _paste_edges() -> list[Edge]:
    row, outside = "paste_masks.rule", "paste_masks.outside"
    cells = [[1.0, 0.5], [0.25, 0.75]]
    places = {"left": (-9, 1, -5, 3), "above": (1, -9, 3, -6), "right": (9, 1, 12, 3), "below": (1, 9, 3, 12)}
    return [
        Edge(row, "a frame of one cell", _paste([cells], [(1.25, 1.25, 2.75, 2.75)])),
        Edge(row, "a box grows with its frame", _paste([cells], [(1.5, 1.5, 4, 4)], (6, 7))),
        Edge(row, "no frame", _paste([cells], [(1, 0, 2, 1)], padding=0)),
        Edge(row, "corners are cut towards 0", _paste([cells], [(-0.9, 0.9, 1.9, 2.0)], padding=0)),
        Edge(row, "a box across the image's edges", _paste([cells], [(-1.25, 2.25, 1.5, 4.75)], padding=0)),
        Edge(row, "one pixel reads the middle", _paste([[[0.5]]], [(3, 0, 3, 0)])),
        Edge(
            row, "no mask", Case("paste_masks", {"masks": np.zeros((0, 1, 2, 2)), "boxes": _rows([])}, {"image_size": (2, 3)})
        ),
        *(
            Edge(outside, f"a box {name} of the image", _paste([cells], [box]), own=name in ("left", "above"))
            for name, box in places.items()
        ),
    ]


def _paste_refusals() -> list[Refusal]:
    row, cells = "paste_masks.rule", [[[1.0, 0], [0, 1]]]
    return [
        Refusal(row, "x2 below x1", _paste(cells, [INVERTED]), "boxes", ArgumentError),
        Refusal(row, "masks that are not square", _paste([[[1.0, 0]]], [SQUARE]), "masks", ShapeError),
        Refusal(row, "a box too many", _paste(cells, [SQUARE, SQUARE]), "boxes", ShapeError),
        Refusal(row, "an image without a row", _paste(cells, [SQUARE], (0, 3)), "image_size", ArgumentError),
        Refusal(row, "a negative frame", _paste(cells, [SQUARE], padding=-1), "padding", ArgumentError),
    ]


CONTRACTS = [
    Contract("nms", ops.nms, boxes.nms, (), Moved(), _nms_edges, _nms_refusals, needed=("boxes", "scores", "iou_threshold")),
    Contract(
        "batched_nms",
        ops.batched_nms,
        boxes.batched_nms,
        (),
        Moved(),
        _batched_edges,
        _batched_refusals,
        needed=("boxes", "scores", "idxs", "iou_threshold"),
    ),
    Contract(
        "roi_levels",
        ops.roi_levels,
        boxes.roi_levels,
        (),
        Moved(),
        _levels_edges,
        _levels_refusals,
        needed=("boxes", "k_min", "k_max"),
    ),
    Contract(
        "paste_masks",
        ops.paste_masks,
        boxes.paste_masks,
        (),
        Smooth(lambda case: 0),  # four cells at a time
        _paste_edges,
        _paste_refusals,
        needed=("masks", "boxes", "image_size"),
    ),
]
