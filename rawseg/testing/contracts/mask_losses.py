"""Losses over masks: soft overlaps, and Lovász's extension of the intersection over union."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from ..case import Case
from ..rounding import Smooth
from ..strategies import losses
from .additions import over_masks, over_ranks
from .contract import Contract, Edge, Refusal

SOFTMAX, HINGE = "lovasz_softmax", "lovasz_hinge"
OVERLAPS = "dice_loss", "jaccard_loss", "tversky_loss"
P = np.array([[[0.5, 0.9, 0.2], [0.3, 0.1, 0.75]], [[0.6, 0.4, 0.8], [0.05, 0.7, 0.35]]])  # (N, C, pixels)
IDS = np.array([[0, 0, 1], [1, 0, 1]])
G = (IDS[:, None] == np.arange(2)[:, None]).astype(np.float64)
X, OBJECT = np.array([[1.5, -0.5, 0.25], [-2.0, 0.75, -1.25]]), np.array([[1, 0, 0], [0, 1, 1]])
IGNORED = np.array([[0, 7, 1], [7, 7, 7]])  # all of the second image
NOTHING = np.full((2, 3), 7)


def _case(op: str, x: Any = None, target: Any = None, /, **options: Any) -> Case:
    x = (X if op == HINGE else P) if x is None else x
    target = (OBJECT if op == HINGE else IDS) if target is None else target
    return Case(op, {"input": np.array(x, np.float64), "target": np.array(target)}, options)


def _overlap_edges(op: str) -> list[Edge]:
    of, row = partial(_case, op, P), "tversky_loss.formula" if op == "tversky_loss" else "dice_loss.formula"
    nothing, none, ids = np.zeros((1, 1, 3)), {"reduction": "none"}, {"ignore_index": -100}
    parts = [("image and class", "image-class"), ("image", "image"), ("class", "class"), ("batch", "batch")]
    edges = [
        *(Edge(row, f"an overlap for each {what}", of(G, per=per, **none), True) for what, per in parts),
        Edge(row, "masks of bool", of(G.astype(bool)), True),
        Edge(row, "class ids", of(IDS, **ids), True),
        Edge(row, "an absent class", of(0 * IDS, **ids, **none), True),
        Edge("dice_loss.both-empty", "agree, and push down", _case(op, nothing, nothing, smooth=0.5), True),
        Edge("dice_loss.both-empty", "cost 0, if asked for", _case(op, nothing, nothing, smooth=0.0, empty="zero"), True),
        Edge("dice_loss.ignore", "ignored pixels leave all sums", of(IGNORED, ignore_index=7), True),
        Edge("dice_loss.domain", "the sum of no images", _case(op, P[:0], G[:0], reduction="sum"), True),
    ]
    if op == "tversky_loss":
        one = of(G, alpha=1.0, beta=1.0), of(G, alpha=0.25, beta=0.75)
        edges += [Edge(row, "Jaccard's loss", one[0], True), Edge(row, "misses cost more than false alarms", one[1], True)]
    return edges


def _overlap_refusals(op: str) -> list[Refusal]:
    of, row, empty = partial(_case, op), "dice_loss.domain", (np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))
    said = [
        Refusal(row, "probabilities above 1", of(P + 1), "input", ArgumentError),
        Refusal(row, "an id beyond the classes", of(P, IDS + 1), "target", IndexRangeError),
        Refusal(row, "masks of other numbers", of(P, G / 2), "target", ArgumentError),
        Refusal(row, "ids for fewer images", of(P, IDS[:1]), "target", ShapeError),
        Refusal(row, "masks for fewer images", of(P, G[:1]), "target", ShapeError),
        Refusal(row, "one axis", of(P[0, 0], IDS), "input", ShapeError),
        Refusal(row, "masks of float32", of(P, G.astype(np.float32)), "target", DTypeError),
        Refusal(row, "negative smoothing", of(smooth=-1.0), "smooth", ArgumentError),
        Refusal(row, "an unknown part", of(per="pixel"), "per", ArgumentError),
        Refusal("all.errors", "an unknown reduction", of(reduction="average"), "reduction", ArgumentError),
        Refusal("dice_loss.both-empty", "nothing to compare", of(*empty, smooth=0.0), "target", ArgumentError),
    ]
    if op == "tversky_loss":
        said += [
            Refusal("tversky_loss.formula", f"a negative {name}", of(**{name: -0.5}), name, ArgumentError)
            for name in ("alpha", "beta")
        ]
    return said


def _lovasz_edges(op: str) -> list[Edge]:
    of = partial(_case, op)
    tied = of([[1.5, 1.5, 1.5]], [[1, 0, 1]]) if op == HINGE else of(np.full((1, 2, 3), 0.5), IDS[:1])
    images = [("each image", True), ("the batch", False)]
    edges = [
        *(Edge("lovasz.extension", f"one loss for {what}", of(per_image=alone), True) for what, alone in images),
        Edge("lovasz.ties", "equal errors in the order of the pixels", tied, True),
        Edge("lovasz.ignore", "ignored pixels are not there", of(None, IGNORED, ignore_index=7), True),
        Edge("lovasz.per-image", "an image without a pixel", of(None, IGNORED, ignore_index=7, per_image=True), True),
        Edge("lovasz.empty", "no pixel: 0", of(None, NOTHING, ignore_index=7), True),
        Edge("lovasz.empty", "no image: 0", of(P[:0] if op == SOFTMAX else X[:0], IDS[:0]), True),
        Edge("lovasz.empty", "NaN, if that is asked for", of(None, NOTHING, ignore_index=7, empty="nan"), True),
    ]
    if op == SOFTMAX:
        return [
            *edges,
            Edge("lovasz.extension", "on masks one minus the intersection over union", of(G[::-1], IDS), True),
            Edge("lovasz.classes", "those that occur", of(P, np.zeros_like(IDS)), True),
            Edge("lovasz.classes", "an absent one costs its largest probability", of(P, 0 * IDS, classes="all"), True),
        ]
    return [
        *edges,
        Edge("lovasz.hinge", "no gradient at an error of 0", of([[1.0, -1.0, 0.5]], [[1, 0, 1]]), True),
        Edge("lovasz.hinge", "beyond the margin no error", of([[3.0, -3.0, 2.0]], [[1, 0, 1]]), True),
        Edge("lovasz.hinge", "without an object the largest error", of(X, 0 * OBJECT), True),
        Edge("lovasz.hinge", "targets of bool", of(X, OBJECT.astype(bool)), True),
    ]


def _lovasz_refusals(op: str) -> list[Refusal]:
    of, row = partial(_case, op), "lovasz.hinge" if op == HINGE else "lovasz.extension"
    ids = OBJECT if op == HINGE else IDS
    said = [
        Refusal(row, "an id beyond the classes", of(None, ids + 1), "target", IndexRangeError),
        Refusal(row, "a negative id", of(None, ids - 1), "target", IndexRangeError),
        Refusal(row, "ids for fewer images", of(None, ids[:1]), "target", ShapeError),
        Refusal(row, "ids of int32", of(None, ids.astype(np.int32)), "target", DTypeError),
        Refusal("lovasz.empty", "no pixel", of(None, NOTHING, ignore_index=7, empty="raise"), "target", ArgumentError),
    ]
    if op == SOFTMAX:
        said += [
            Refusal(row, "logits for probabilities", of(3 * P), "input", ArgumentError),
            Refusal("lovasz.classes", "an unknown choice", of(classes="some"), "classes", ArgumentError),
        ]
    return said


CONTRACTS = [
    Contract(
        op,
        getattr(F, op),
        partial(losses.of_masks, op) if op in OVERLAPS else getattr(losses, op),
        ("input",),
        Smooth(over_masks if op in OVERLAPS else over_ranks),
        partial(_overlap_edges if op in OVERLAPS else _lovasz_edges, op),
        partial(_overlap_refusals if op in OVERLAPS else _lovasz_refusals, op),
        needed=("input", "target"),
    )
    for op in (*OVERLAPS, SOFTMAX, HINGE)
]
