"""Boxes as shifts and scalings of other boxes: the two ways of `rawseg.ops.BoxCoder` as functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ops
from ...autograd import Tensor
from ...errors import ArgumentError, ShapeError
from ..case import Case
from ..rounding import Smooth
from ..strategies import boxes
from .contract import Contract, Edge, Refusal

SQUARE, INVERTED = (0.0, 0, 4, 4), (3.0, 0, 1, 1)
ONES = (1.0, 1.0, 1.0, 1.0)


def _rows(rows: Any) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 4)


def encode_single(reference_boxes: Any, proposals: Any, weights: Any) -> Tensor:
    """Return the codes of boxes, by a coder of these weights."""
    return ops.BoxCoder(weights).encode_single(reference_boxes, proposals)


def decode_single(rel_codes: Any, boxes: Any, weights: Any, bbox_xform_clip: float = math.log(1000 / 16)) -> Tensor:
    """Return boxes from codes, by a coder of these weights."""
    return ops.BoxCoder(weights, bbox_xform_clip).decode_single(rel_codes, boxes)


def _encode(one: Any, other: Any, weights: Any = ONES, op: str = "BoxCoder.encode_single") -> Case:
    return Case(op, {"reference_boxes": _rows(one), "proposals": _rows(other)}, {"weights": weights})


def _decode(codes: Any, rows: Any, op: str = "BoxCoder.decode_single", **options: Any) -> Case:
    return Case(op, {"rel_codes": np.array(codes, np.float64), "boxes": _rows(rows)}, {"weights": ONES, **options})


def _encode_edges() -> list[Edge]:
    return [
        Edge("box_coder.coding", "the same box", _encode([SQUARE], [SQUARE]), True),
        Edge("box_coder.coding", "weights", _encode([(2, 3, 6, 11)], [(0, 1, 2, 5)], (1.0, 2.0, 0.5, 4.0)), True),
        Edge("box_coder.coding", "no box", _encode([], []), True),
    ]


def _encode_refusals() -> list[Refusal]:
    row, op, flat = "box_coder.domain", "BoxCoder", (1, 1, 1, 3)
    return [
        Refusal(row, "a box without a width", _encode([flat], [SQUARE], op=op), "reference_boxes", ArgumentError, True),
        Refusal(row, "a proposal without a width", _encode([SQUARE], [flat], op=op), "proposals", ArgumentError, True),
        Refusal(row, "x2 below x1", _encode([INVERTED], [SQUARE], op=op), "reference_boxes", ArgumentError, True),
        Refusal(
            "box_coder.coding", "three weights", _encode([SQUARE], [SQUARE], (1.0, 1.0, 1.0), op), "weights", ArgumentError
        ),
        Refusal("all.errors", "a proposal too many", _encode([SQUARE], [SQUARE] * 2, op=op), "proposals", ShapeError, True),
    ]


def _decode_edges() -> list[Edge]:
    clip = 0.25
    return [
        Edge("box_coder.coding", "no change", _decode([[0, 0, 0, 0]], [SQUARE]), True),
        Edge("box_coder.coding", "scalings are held", _decode([[0, 0, 1, -1]], [SQUARE], bbox_xform_clip=clip), True),
        Edge(
            "box_coder.coding", "scalings where they are held", _decode([[0, 0, clip, 0]], [SQUARE], bbox_xform_clip=clip), True
        ),
        Edge("box_coder.coding", "held at log(1000 / 16)", _decode([[0, 0, 100.0, 5.0]], [SQUARE]), True),
        Edge("box_coder.coding", "two classes", _decode([[0, 0, 0, 0, 0.5, 1, 0.25, -0.5]], [SQUARE]), True),
        Edge("box_coder.coding", "no box", _decode(np.zeros((0, 4)), []), True),
    ]


def _decode_refusals() -> list[Refusal]:
    codes, op = [[0.0, 0, 0, 0]], "BoxCoder"
    return [
        Refusal("box_coder.domain", "x2 below x1", _decode(codes, [INVERTED], op), "boxes", ArgumentError, True),
        Refusal("all.errors", "three numbers", _decode([[0.0, 0, 0]], [SQUARE], op), "rel_codes", ShapeError),
        Refusal("all.errors", "a box too many", _decode(codes, [SQUARE] * 2, op), "rel_codes", ShapeError, True),
    ]


CONTRACTS = [
    Contract(
        "BoxCoder.encode_single",
        encode_single,
        boxes.encode_single,
        ("reference_boxes", "proposals"),
        Smooth(lambda case: 0),  # a box at a time
        _encode_edges,
        _encode_refusals,
        needed=("reference_boxes", "proposals", "weights"),
    ),
    Contract(
        "BoxCoder.decode_single",
        decode_single,
        boxes.decode_single,
        ("rel_codes", "boxes"),
        Smooth(lambda case: 0),  # a box at a time
        _decode_edges,
        _decode_refusals,
        needed=("rel_codes", "boxes", "weights"),
    ),
]
