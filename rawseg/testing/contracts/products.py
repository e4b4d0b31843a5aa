"""The affine map."""

from __future__ import annotations

import numpy as np

from ... import functional as F
from ...errors import DTypeError, ShapeError
from ..case import Case
from ..rounding import Counted, Multilinear
from ..strategies import products
from ..strategies.values import integers
from .contract import Contract, Edge, Refusal

OP, ROW = "linear", "linear.rule"


def _case(x: tuple[int, ...], weight: tuple[int, ...], bias: int = 0) -> Case:
    rng = np.random.default_rng(len(x) + sum(x))
    arrays = {"input": integers(rng, x), "weight": integers(rng, weight)}
    if bias:
        arrays["bias"] = integers(rng, (bias,))
    return Case(OP, arrays)


def _with_infinity() -> Case:
    weight = np.array([[np.inf, 1.0], [2.0, 3.0]])
    return Case(OP, {"input": np.array([[0.0, 1.0], [-1.0, 2.0]]), "weight": weight})


def _edges() -> list[Edge]:
    return [
        Edge(ROW, "a vector without other axes", _case((3,), (2, 3), 2), True),
        Edge(ROW, "as many outputs as inputs: the weights are transposed", _case((1, 3), (3, 3)), True),
        Edge(ROW, "several leading axes", _case((2, 3, 4), (5, 4), 5), True),
        Edge(ROW, "no rows", _case((0, 3), (2, 3), 2), True),
        Edge(ROW, "no features: the bias", _case((2, 0), (3, 0), 3), True),
        Edge("all.nonfinite", "0 times a weight of inf is NaN, and stays in its place", _with_infinity()),
    ]


def _refusals() -> list[Refusal]:
    mixed = _case((2, 4), (3, 4))
    mixed = mixed.having(weight=mixed.arrays["weight"].astype(np.float32))
    return [
        Refusal(ROW, "weights for other features", _case((2, 4), (3, 5)), "input", ShapeError),
        Refusal(ROW, "a bias for other outputs", _case((2, 4), (3, 4), 4), "bias", ShapeError),
        Refusal(ROW, "a number alone", _case((), (3, 4)), "input", ShapeError),
        Refusal("all.layout", "two dtypes", mixed, "weight", DTypeError),
    ]


CONTRACTS = [
    Contract(
        OP,
        F.linear,
        products.linear,
        ("input", "weight", "bias"),
        Multilinear(2, Counted()),
        _edges,
        _refusals,
        needed=("input", "weight"),
    )
]
