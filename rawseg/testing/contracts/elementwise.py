"""Activations: kinks, infinities and far ends, all of them from tables."""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError
from ..case import Case
from ..rounding import Moved, Pointwise
from ..strategies.elementwise import ACTIVATIONS, elementwise
from .contract import Contract, Edge, Refusal

INF, NAN = np.inf, np.nan
SELECTING = "relu", "relu6", "hardtanh"  # whose results are numbers that were there
OF_INTEGERS = "relu", "relu6", "hardtanh", "sigmoid", "tanh"  # PyTorch has these of whole numbers, too

# The row about kinks, the numbers around them, and the options that move them
KINKS: dict[str, tuple[str, list[float], dict[str, Any]]] = {
    "relu": ("relu.rules", [-1.0, -0.0, 0.0, 1.0], {}),
    "relu6": ("relu6.rules", [-1.0, -0.0, 0.0, 3.0, 6.0, 7.0], {}),
    "hardtanh": ("activation.kinks", [-2.0, -0.5, 0.0, 2.0, 3.0], {"min_val": -0.5, "max_val": 2.0}),
    "leaky_relu": ("activation.kinks", [-1.0, -0.0, 0.0, 1.0], {"negative_slope": 0.5}),
    "elu": ("activation.kinks", [-1.0, -0.0, 0.0, 1.0], {"alpha": 0.5}),
    "selu": ("activation.kinks", [-1.0, -0.0, 0.0, 1.0], {}),
    "celu": ("activation.kinks", [-1.0, -0.0, 0.0, 1.0], {"alpha": 0.5}),
    "hardsigmoid": ("activation.kinks", [-4.0, -3.0, 0.0, 3.0, 4.0], {}),
    "hardswish": ("hardswish.kinks", [-4.0, -3.0, 0.0, 3.0, 4.0], {}),
    "softplus": ("activation.kinks", [0.5, 1.0, 1.5], {"beta": 2.0, "threshold": 2.0}),
}
# What else distinguishes one: the row, in words, the numbers, their dtype, the options, whether PyTorch differs
SPECIAL: dict[str, list[tuple[str, str, list[float], Any, dict[str, Any], bool]]] = {
    "gelu": [
        ("gelu.tail", "all digits far below 0", [-14.0, -9.0, -6.0, -4.0], np.float64, {}, True),
        ("gelu.tail", "all digits far below 0, in float32", [-6.0, -4.0], np.float32, {}, True),
        ("gelu.large", "infinity in float32", [INF] * 16, np.float32, {}, True),
        ("gelu.large", "1e20 in the tanh form, in float32", [1e20], np.float32, {"approximate": "tanh"}, True),
        ("activation.infinite", "infinities in the tanh form", [-INF, INF], np.float64, {"approximate": "tanh"}, False),
    ],
    "relu6": [("relu6.rules", "NaN, wherever it is", [NAN] * 26, np.float32, {}, True)],
    "hardsigmoid": [("hardsigmoid.gradient", "a sixth in float64", [-1.5, 0.5], np.float64, {}, True)],
    "softplus": [("activation.parameters", "no threshold", [30.0, 80.0], np.float64, {"threshold": INF}, False)],
}
# What is wrong, the options, the argument that the error names, whether PyTorch accepts it
WRONG: dict[str, list[tuple[str, dict[str, Any], str, bool]]] = {
    "hardtanh": [
        ("bounds in the wrong order", {"min_val": 1.0, "max_val": -1.0}, "min_val", False),
        ("a bound that is no number", {"min_val": NAN}, "min_val", True),
    ],
    "leaky_relu": [("a slope that is no number", {"negative_slope": NAN}, "negative_slope", True)],
    "elu": [("an alpha that is no number", {"alpha": NAN}, "alpha", True)],
    "celu": [("an alpha of 0", {"alpha": 0.0}, "alpha", False), ("a negative alpha", {"alpha": -1.0}, "alpha", True)],
    "softplus": [("a beta of 0", {"beta": 0.0}, "beta", True), ("a negative beta", {"beta": -1.0}, "beta", True)],
    "gelu": [("an unknown word", {"approximate": "erf"}, "approximate", False)],
}


def _of(op: str, values: list[float], dtype: Any = np.float64, /, **options: Any) -> Case:
    return Case(op, {"input": np.array(values, dtype)}, options)


def _edges(op: str) -> list[Edge]:
    row = KINKS[op][0] if op in ("relu", "relu6") else "activation.infinite"
    edges = [
        Edge(row, "NaN among others", _of(op, [-4.0, NAN, 4.0]), op != "relu6"),
        Edge("activation.infinite", "both infinities", _of(op, [-INF, INF]), True),
        Edge("activation.infinite", "far out, where e**x overflows", _of(op, [-800.0, -90.0, 90.0, 800.0]), True),
    ]
    if op in KINKS:
        row, values, options = KINKS[op]
        dtype = np.float32 if op == "hardsigmoid" else np.float64  # PyTorch's sixth is one of float32
        edges.append(Edge(row, "at the kinks", _of(op, values, dtype, **options), True))
    if "inplace" in signature(getattr(F, op)).parameters:
        edges.append(Edge("activation.inplace", "told to work in place", _of(op, [-1.0, 2.0], inplace=True)))
    return edges + [
        Edge(row, what, _of(op, values, dtype, **options), True, own)
        for row, what, values, dtype, options, own in SPECIAL.get(op, [])
    ]


def _refusals(op: str) -> list[Refusal]:
    said = [
        Refusal("activation.parameters", what, _of(op, [1.0, -2.0], **options), argument, ArgumentError, own)
        for what, options, argument, own in WRONG.get(op, [])
    ]
    if op not in OF_INTEGERS:
        said.append(Refusal("all.layout", "whole numbers", Case(op, {"input": np.array([1, -2])}), "input", DTypeError))
    return said


CONTRACTS = [
    Contract(
        op,
        getattr(F, op),
        partial(elementwise, op),
        ("input",),
        Moved() if op in SELECTING else Pointwise(from_output=op in ("sigmoid", "tanh")),
        partial(_edges, op),
        partial(_refusals, op),
    )
    for op in ACTIVATIONS
]
