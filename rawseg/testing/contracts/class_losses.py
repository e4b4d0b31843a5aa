"""Losses over classes: cross entropy, its weighted and its focal form, and the negative log likelihood."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError, IndexRangeError, RawsegError, ShapeError
from ..case import Case
from ..rounding import Smooth
from ..strategies import losses
from .additions import over_classes
from .contract import Contract, Edge, Refusal

INF, NAN = np.inf, np.nan
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])  # (N, C)
IDS = np.array([2, 0])
MAP = np.linspace(-2, 2, 18).reshape(1, 3, 2, 3)[..., ::-1].copy()  # (N, C, H, W)
MAP_IDS = np.array([[[0, 2, 1], [-100, 1, 1]]])
WEIGHT = np.array([0.5, 2.0, 1.5])
SHARES = np.array([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]])
NOTHING = np.array([-100, -100])


def _case(op: str, x: Any = X, target: Any = IDS, weight: Any = None, /, **options: Any) -> Case:
    """Return a call; where something is ignored it says so, for there are implementations that cannot."""
    if -100 in np.array(target):
        options["ignore_index"] = -100
    arrays = {"input": np.array(x, np.float64), "target": np.array(target)}
    if op == "weighted_cross_entropy":
        arrays["pixel_weight"] = np.linspace(0.5, 2, arrays["target"].size).reshape(arrays["target"].shape)
    if weight is not None:
        arrays["weight"] = np.array(weight)
    return Case(op, arrays, options)


def _shared_edges(op: str) -> list[Edge]:
    """Return what all four have in common."""
    row, of = "cross_entropy.weight", partial(_case, op)
    return [
        Edge(row, "the mean is divided by the weights of the targets", of(X, IDS, WEIGHT), True),
        Edge(row, "the mean is divided by the number of targets", of(MAP, MAP_IDS), True),
        Edge(row, "weights, and pixels that are ignored", of(MAP, MAP_IDS, WEIGHT), True),
        Edge(row, "one loss a pixel", of(MAP, MAP_IDS, WEIGHT, reduction="none"), True),
        Edge("cross_entropy.ignore-real-class", "in the softmax, not in the mean", of(X, IDS, ignore_index=2), True),
        Edge("cross_entropy.empty", "nothing kept: NaN, with a gradient of 0", of(X, NOTHING), True),
        Edge("cross_entropy.empty", "the sum of nothing", of(X, NOTHING, reduction="sum"), True),
        Edge("cross_entropy.empty", "a batch without images", of(MAP[:0], MAP_IDS[:0], reduction="sum"), True),
        Edge("cross_entropy.empty", "the mean of a batch without images", of(MAP[:0], MAP_IDS[:0])),
        Edge("cross_entropy.empty", "zero, if that is asked for", of(X, NOTHING, empty="zero"), True, own=True),
        Edge("cross_entropy.empty", "weights of 0", of(X, IDS, [0.0, 1.0, 0.0]), True, own=True),
    ]


def _softmax_edges(op: str) -> list[Edge]:
    """Return what comes of the softmax."""
    of = partial(_case, op)
    large = [[1000.0, 0.0], [-1000.0, 0.0]]
    ignored = [[NAN, INF, 0.0], [0.0, 1.0, 2.0]]
    return [
        Edge("cross_entropy.infinite", "a target logit of -inf", of([[-INF, 0.0], [0.0, -INF]], [0, 0], reduction="none")),
        Edge("cross_entropy.infinite", "a logit of inf", of([[INF, 0.0], [0.0, 1.0]], [1, 1], reduction="none")),
        Edge("cross_entropy.infinite", "logits of 1000", of(large, [1, 0], reduction="none"), True),
        Edge("cross_entropy.ignored-nonfinite", "NaN in what is ignored", of(ignored, [-100, 1]), True, own=True),
        Edge("cross_entropy.target", "a class alone is certain", of([[3.0], [-3.0]], [0, 0]), True),
    ]


def _edges(op: str) -> list[Edge]:
    of = partial(_case, op)
    special: dict[str, list[Edge]] = {
        "cross_entropy": [
            Edge("cross_entropy.target", "logits of one pixel", of([0.5, -1.0, 2.0], 1), True),
            Edge("cross_entropy.smoothing", "with weights", of(X, IDS, WEIGHT, label_smoothing=0.25), True),
            Edge("cross_entropy.smoothing", "all spread evenly", of(X, IDS, label_smoothing=1.0), True),
            Edge("cross_entropy.target", "class probabilities", of(X, SHARES, WEIGHT, label_smoothing=0.0), True),
        ],
        "nll_loss": [
            Edge("cross_entropy.target", "log probabilities of one pixel", of([-0.5, -1.0, -2.0], 1), True),
        ],
        "weighted_cross_entropy": [
            Edge("weighted_cross_entropy.rule", "divided by the weights of the kept pixels", of(MAP, MAP_IDS), True),
        ],
        "focal_loss": [
            Edge("focal_loss.formula", "gamma 0 is cross entropy", of(X, IDS, WEIGHT, gamma=0.0), True),
            Edge("focal_loss.saturated", "what is certain keeps its digits", of([[40.0, 0.0]], [0]), True, own=True),
            Edge("focal_loss.empty", "a sum of nothing is 0", of(X, NOTHING, gamma=0.5, reduction="sum"), True),
            Edge("focal_loss.saturated", "a gamma below 1", of([[800.0, 0.0]], [0], gamma=0.5), True, own=True),
        ],
    }
    return _shared_edges(op) + (_softmax_edges(op) if op != "nll_loss" else []) + special[op]


def _refusals(op: str) -> list[Refusal]:
    of, ids, row = partial(_case, op), IDS.astype(np.int32), "cross_entropy.target"
    short = of(X, [0])
    if op == "weighted_cross_entropy":
        short = of().having(target=np.array([0]))

    def refused(row: str, what: str, case: Case, argument: str, error: type[RawsegError], own: bool = False) -> Refusal:
        return Refusal(row, what, case, argument, error, own)

    said = [
        refused(row, "an id beyond the classes", of(X, [0, 3]), "target", IndexRangeError),
        refused(row, "a negative id", of(X, [-1, 0]), "target", IndexRangeError),
        refused(row, "ids of int32", of(X, ids), "target", DTypeError),
        refused(row, "ids for fewer pixels", short, "target", ShapeError),
        refused("cross_entropy.weight", "weights for fewer classes", of(X, IDS, WEIGHT[:2]), "weight", ShapeError),
        refused("cross_entropy.weight", "a negative weight", of(X, IDS, -WEIGHT), "weight", ArgumentError, True),
        refused("cross_entropy.weight", "a weight of inf", of(X, IDS, [1, INF, 1]), "weight", ArgumentError, True),
        refused("cross_entropy.weight", "weights of float32", of(X, IDS, WEIGHT.astype("f")), "weight", DTypeError),
        refused("all.errors", "an unknown reduction", of(reduction="average"), "reduction", ArgumentError),
        refused(
            "cross_entropy.empty", "nothing kept, if told to", of(X, NOTHING, empty="raise"), "target", ArgumentError, True
        ),
    ]
    special = {
        "cross_entropy": [
            refused("cross_entropy.smoothing", "too much", of(label_smoothing=1.5), "label_smoothing", ArgumentError),
            refused(row, "an ignored class of probabilities", of(X, X, ignore_index=0), "ignore_index", ArgumentError),
        ],
        "nll_loss": [refused(row, "probabilities for ids", of(X, [0.0, 1.0]), "target", DTypeError)],
        "weighted_cross_entropy": [
            refused("weighted_cross_entropy.rule", what, of().having(pixel_weight=np.array(w)), name, error)
            for what, w, name, error in (
                ("a negative weight", [1.0, -1.0], "pixel_weight", ArgumentError),
                ("weights for other pixels", [[1.0, 1.0]], "pixel_weight", ShapeError),
            )
        ],
        "focal_loss": [refused("focal_loss.formula", "a negative gamma", of(gamma=-0.5), "gamma", ArgumentError)],
    }
    return said + special[op]


NEEDED = "input", "target"
CONTRACTS = [
    Contract(
        op,
        getattr(F, op),
        partial(losses.of_classes, op),
        ("input", "target") if op == "cross_entropy" else ("input",),  # of a pixel's weight it is a difference that may cancel
        Smooth(over_classes),
        partial(_edges, op),
        partial(_refusals, op),
        needed=(*NEEDED, "pixel_weight") if op == "weighted_cross_entropy" else NEEDED,
    )
    for op in ("cross_entropy", "nll_loss", "weighted_cross_entropy", "focal_loss")
]
