"""Softmax, its logarithm and layer normalisation: rows that are normalised by themselves."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Smooth
from ..strategies import rows
from .additions import over_layer, over_layer_gradient, over_softmax, over_softmax_gradient
from .contract import Contract, Edge, Refusal

INF = np.inf


def _softmax(op: str, x: Any, dim: int = -1, dtype: Any = np.float64) -> Case:
    return Case(op, {"input": np.array(x, dtype)}, {"dim": dim})


def _softmax_edges(op: str) -> list[Edge]:
    row, square = "softmax.infinite", [[1.0, 2.0, -1.0], [0.0, 3.0, 1.0], [2.0, 0.0, 1.0]]
    return [
        Edge("softmax.dim", "columns of a square, not its rows", _softmax(op, square, 0), True),
        Edge("softmax.dim", "an axis of one: certainty", _softmax(op, [[3.0], [-2.0]]), True),
        Edge("softmax.dim", "no rows", _softmax(op, np.zeros((0, 3))), True),
        Edge(row, "at 1000, where e**x overflows", _softmax(op, [[0.0, 1000.0, 999.0]]), True),
        Edge(row, "at -1000, where e**x vanishes", _softmax(op, [[-1000.0, -1001.0], [-1000.0, 0.0]]), True),
        Edge(row, "at 100 in float32", _softmax(op, [[0.0, 100.0, 99.0]], -1, np.float32), True),
        Edge(row, "one of -inf among others", _softmax(op, [-INF, 0.0, 0.0])),
        Edge(row, "a row of -inf beside another", _softmax(op, [[-INF, -INF], [0.0, 1.0]])),
        Edge(row, "inf in a row", _softmax(op, [[INF, 0.0], [0.0, 1.0]])),
    ]


def _softmax_refusals(op: str) -> list[Refusal]:
    whole = _softmax(op, [1, 2], -1, np.int64)
    return [
        Refusal("softmax.dim", "an axis that is not there", _softmax(op, [[1.0, 2.0]], 2), "dim", ArgumentError),
        Refusal("softmax.dim", "an axis without elements", _softmax(op, np.ones((2, 0)), 1), "input", ShapeError, own=True),
        Refusal("all.layout", "whole numbers", whole, "input", DTypeError),
    ]


def _layer(shape: tuple[int, ...], last: int = 1, affine: bool = False, dtype: Any = np.float64, /, **options: Any) -> Case:
    rng = np.random.default_rng(sum(shape))
    arrays = {"input": rng.standard_normal(shape).astype(dtype)}
    if affine:
        arrays |= {name: rng.standard_normal(shape[-last:]).astype(dtype) for name in ("weight", "bias")}
    return Case("layer_norm", arrays, {"normalized_shape": shape[len(shape) - last :], **options})


def _shifted(shape: tuple[int, ...], by: float) -> Case:
    case = _layer(shape, 1, False, np.float32)
    return case.having(input=case.arrays["input"] + np.float32(by))


def _layer_norm_edges() -> list[Edge]:
    row = "layer_norm.statistics"
    learned = _layer((3, 3), 1, True)
    constant = Case("layer_norm", {"input": np.full((2, 3), 7.0)}, {"normalized_shape": (3,)})
    return [
        Edge(row, "the last axis, not the leading ones", learned, True),
        Edge(row, "two axes together, with a weight an element", _layer((2, 2, 3), 2, True), True),
        Edge(row, "a shift without a scale", learned.having(weight=None), True),
        Edge(row, "the variance is the biased one", _layer((1, 3)), True),
        Edge(row, "a mean far above the deviation, in float32", _shifted((2, 6), 4096.0)),
        Edge(row, "equal numbers: 0", constant),
        Edge("layer_norm.one-value", "gives the bias", _layer((3, 1), 1, True)),
        Edge("layer_norm.empty", "no rows", _layer((0, 3), 1, True), True),
        Edge("layer_norm.empty", "rows of nothing", _layer((2, 0), 1, True), True),
        Edge("layer_norm.backward", "through mean and variance", _layer((1, 5), 1, False, eps=0.5), True),
    ]


def _layer_norm_refusals() -> list[Refusal]:
    op, domain, fitting = "layer_norm", "layer_norm.domain", _layer((2, 3), 1, True)
    short = fitting.having(weight=np.ones(2))
    mixed = fitting.having(bias=np.ones(3, np.float32))
    other = Case(op, {"input": np.ones((2, 3))}, {"normalized_shape": (2,)})
    return [
        Refusal(domain, "no size", _layer((2, 3), 0), "normalized_shape", ArgumentError),
        Refusal(domain, "an eps of 0", _layer((2, 3), eps=0.0), "eps", ArgumentError, own=True),
        Refusal(domain, "a negative eps", _layer((2, 3), eps=-1.0), "eps", ArgumentError, own=True),
        Refusal("layer_norm.statistics", "sizes that the input does not end with", other, "input", ShapeError),
        Refusal("layer_norm.statistics", "weights of another shape", short, "weight", ShapeError),
        Refusal("all.layout", "two dtypes", mixed, "bias", DTypeError),
    ]


CONTRACTS = [
    *(
        Contract(
            op,
            getattr(F, op),
            partial(rows.softmax, op),
            ("input",),
            Smooth(over_softmax, over_softmax_gradient),
            partial(_softmax_edges, op),
            partial(_softmax_refusals, op),
            needed=("input", "dim"),
        )
        for op in ("softmax", "log_softmax")
    ),
    Contract(
        "layer_norm",
        F.layer_norm,
        rows.layer_norm,
        ("input", "weight", "bias"),
        Smooth(over_layer, over_layer_gradient),
        _layer_norm_edges,
        _layer_norm_refusals,
        needed=("input", "normalized_shape"),
    ),
]
