"""Losses of binary decisions: cross entropy of probabilities and of logits, and its focal form."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Smooth
from ..strategies import losses
from .additions import over_elements
from .contract import Contract, Edge, Refusal

BCE, LOGITS, FOCAL = "binary_cross_entropy", "binary_cross_entropy_with_logits", "sigmoid_focal_loss"
P, X = np.array([[0.2, 0.7, 0.4], [0.9, 0.5, 0.1]]), np.array([[-1.5, 0.5, 2.0], [1.0, -0.25, 3.0]])
T = np.array([[0.0, 1.0, 0.25], [1.0, 0.5, 0.0]])
WEIGHT, POSITIVE = np.array([0.5, 2.0, 1.5]), np.array([3.0, 1.0, 0.25])
NAMES = {FOCAL: ("inputs", "targets")}
WEIGHTS: dict[str, tuple[str, ...]] = {BCE: ("weight",), LOGITS: ("weight", "pos_weight"), FOCAL: ()}


def _case(op: str, x: Any = None, target: Any = T, arrays: Any = None, dtype: Any = np.float64, /, **options: Any) -> Case:
    x = (P if op == BCE else X) if x is None else x
    given = zip(NAMES.get(op, ("input", "target")), (x, target))
    return Case(op, {**{name: np.array(array, dtype) for name, array in given}, **(arrays or {})}, options)


def _edges(op: str) -> list[Edge]:
    of = partial(_case, op)
    if op == BCE:
        return [
            Edge("bce.floor", "certain and wrong costs 100", of([0.0, 1.0], [1.0, 0.0], reduction="none")),
            Edge("bce.floor", "certain and right costs nothing", of([0.0, 1.0], [0.0, 1.0], reduction="none")),
            Edge("bce.floor", "gradients stay finite", of([0.0, 1.0], [1.0, 1.0], reduction="none"), True, own=True),
            Edge("bce.target", "shares of a class", of(), True),
            Edge("bce.target", "weights multiply, and the mean divides by the number", of(None, T, {"weight": WEIGHT}), True),
            Edge("bce.target", "the mean of nothing", of(P[:0], T[:0])),
        ]
    if op == LOGITS:
        far, none = [1000.0, -1000.0, 1000.0, -1000.0], {"reduction": "none"}
        return [
            Edge("bce.logits", "exact at 1000", of(far, [0.0, 1.0, 1.0, 0.0], **none), True),
            Edge("bce.logits", "at 100 in float32", of([100.0, -100.0], [0.0, 1.0], None, np.float32, **none), True),
            Edge("bce.logits", "all digits where certain and right", of([-30.0, 30.0], [0.0, 1.0], **none), True, own=True),
            Edge("bce.target", "shares of a class", of(), True),
            Edge("bce.derivatives", "a weight for the positive class", of(None, T, {"pos_weight": POSITIVE}), True),
            Edge("bce.derivatives", "both weights", of(None, T, {"weight": WEIGHT, "pos_weight": POSITIVE}), True),
            Edge("bce.target", "the mean of nothing", of(X[:0], T[:0])),
        ]
    certain, none = ([20.0, -20.0], [1.0, 0.0]), {"reduction": "none"}
    return [
        Edge("sigmoid_focal_loss.formula", "targets of 0 and 1, and weights of both classes", of(None, T, alpha=0.75), True),
        Edge("sigmoid_focal_loss.formula", "no weights", of(None, T, alpha=-1), True),
        Edge("sigmoid_focal_loss.formula", "gamma 0 is cross entropy", of(None, T, gamma=0.0), True),
        Edge("sigmoid_focal_loss.formula", "the mean divides by the number", of(None, T, reduction="mean"), True),
        Edge("focal_loss.saturated", "what is certain keeps its digits", of(*certain, **none), True, own=True),
        Edge("focal_loss.saturated", "in float32", of(*certain, None, np.float32, **none), True, own=True),
        Edge("focal_loss.saturated", "a gamma below 1", of([800.0, -800.0], [1.0, 0.0], gamma=0.5), True, own=True),
    ]


def _refusals(op: str) -> list[Refusal]:
    of, (first, second) = partial(_case, op), NAMES.get(op, ("input", "target"))
    fits = of()
    mixed = fits.having(**{second: T.astype(np.float32)})
    said = [
        Refusal("bce.target", "a target of 2", of(None, 2 * T), second, ArgumentError, own=op != BCE),
        Refusal("bce.target", "a target that is no number", of(None, T * np.nan), second, ArgumentError, own=op != BCE),
        Refusal("regression.shapes", "fewer targets", of(None, T[:, :2]), second, ShapeError),
        Refusal("regression.shapes", "targets that would broadcast", of(None, T[:1]), second, ShapeError),
        Refusal("regression.shapes", "targets of float32", mixed, second, DTypeError, own=op != BCE),
        Refusal("all.errors", "an unknown reduction", of(reduction="average"), "reduction", ArgumentError),
    ]
    short = {"weight": WEIGHT[:2]}
    if op == BCE:
        said.append(Refusal("bce.floor", "a probability of 1.5", of(P + 0.6, T), first, ArgumentError))
    if op != FOCAL:
        said.append(Refusal("regression.shapes", "weights that do not broadcast", of(None, T, short), "weight", ShapeError))
    else:
        said.append(Refusal("sigmoid_focal_loss.formula", "an alpha of 1.5", of(alpha=1.5), "alpha", ArgumentError))
    return said


CONTRACTS = [
    Contract(
        op,
        getattr(F, op),
        losses.sigmoid_focal_loss if op == FOCAL else partial(losses.of_decisions, op),
        (*NAMES.get(op, ("input", "target")), *WEIGHTS[op]),
        Smooth(partial(over_elements, usual="none" if op == FOCAL else "mean")),
        partial(_edges, op),
        partial(_refusals, op),
        needed=NAMES.get(op, ("input", "target")),
        may_lack=WEIGHTS[op],
    )
    for op in (BCE, LOGITS, FOCAL)
]
