"""Losses over numbers: squared, absolute, and the two that are squared near 0 and absolute beyond."""

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

X, T = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]]), np.array([[0.5, 0.75, 2.75], [0.0, 4.0, -3.5]])
WEIGHT = np.array([[1.0, 0.5, 2.0], [0.25, 1.0, 3.0]])
BEND = {"smooth_l1_loss": "beta", "huber_loss": "delta"}


def _case(op: str, x: Any = X, target: Any = T, weight: Any = None, dtype: Any = np.float64, /, **options: Any) -> Case:
    arrays = {"input": np.array(x, dtype), "target": np.array(target, dtype)}
    if weight is not None:
        arrays["weight"] = np.array(weight, dtype)
    return Case(op, arrays, options)


def _edges(op: str) -> list[Edge]:
    of, none = partial(_case, op), {"reduction": "none"}
    row = "smooth_l1_loss.beta" if op == "smooth_l1_loss" else "regression.weight"
    edges = [
        Edge(row, "the mean divides by the number of elements", of(), True),
        Edge(row, "the sum", of(reduction="sum"), True),
        Edge(row, "where prediction and truth agree", of(X, X, **none), True),
        Edge(row, "the mean of nothing", of(X[:0], T[:0])),
    ]
    if op in BEND:
        kinks = of([1.0, -1.0, 0.5, -3.0], [0.0, 0.0, 0.0, 0.0], **none)
        edges += [
            Edge(row, "at the bend", kinks, True),
            Edge(row, "a bend elsewhere", of(X, T, **{BEND[op]: 2.0}), True),
        ]
    if op == "smooth_l1_loss":
        edges += [
            Edge(row, "a beta of 0 is L1", of(X, T, beta=0.0), True),
            Edge(row, "an infinite difference", of([np.inf, -np.inf], [0.0, 0.0], **none), True),
        ]
    else:
        edges += [Edge(row, f"weights, {how}", of(X, T, WEIGHT, reduction=how), True) for how in ("mean", "sum", "none")]
    return edges


def _refusals(op: str) -> list[Refusal]:
    of, row = partial(_case, op), "regression.shapes"
    mixed = of().having(target=T.astype(np.float32))
    said = [
        Refusal(row, "fewer targets", of(X, T[:, :2]), "target", ShapeError),
        Refusal(row, "targets that would broadcast", of(X, T[0]), "target", ShapeError, own=True),
        Refusal(row, "targets of float32", mixed, "target", DTypeError, own=True),
        Refusal("all.errors", "an unknown reduction", of(reduction="average"), "reduction", ArgumentError),
    ]
    if op == "smooth_l1_loss":
        said.append(Refusal("smooth_l1_loss.beta", "a negative beta", of(beta=-1.0), "beta", ArgumentError))
    else:
        said.append(Refusal("regression.weight", "weights for a row", of(X, T, WEIGHT[0]), "weight", ShapeError))
    if op == "huber_loss":
        said.append(Refusal("smooth_l1_loss.beta", "a delta of 0", of(delta=0.0), "delta", ArgumentError))
    return said


CONTRACTS = [
    Contract(
        op,
        getattr(F, op),
        partial(losses.of_numbers, op),
        ("input", "target") if op == "smooth_l1_loss" else ("input", "target", "weight"),
        Smooth(over_elements),
        partial(_edges, op),
        partial(_refusals, op),
        needed=("input", "target"),
    )
    for op in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
]
