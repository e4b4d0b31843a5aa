"""What is made of labels alone: one-hot rows, and the weights of borders."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from ..case import Case
from ..rounding import Moved, Smooth
from ..strategies import labels
from .contract import Contract, Edge, Refusal


@wraps(F.border_weights)
def border_weights(*arguments: Any, **options: Any) -> Tensor:
    """Return what `rawseg.functional.border_weights` does, as a Tensor: all operations here do."""
    return Tensor(F.border_weights(*arguments, **options))


def _ids(ids: Any, dtype: Any = np.int64, /, **options: Any) -> Case:
    return Case("one_hot", {"tensor": np.array(ids, dtype)}, options)


def _one_hot_edges() -> list[Edge]:
    row = "one_hot.rule"
    return [
        Edge(row, "one class more than the largest id", _ids([2, 0])),
        Edge(row, "a single class", _ids([0, 0], num_classes=1)),
        Edge(row, "an id alone", _ids(1, num_classes=3)),
        Edge(row, "a new last axis", _ids([[0, 3], [1, 1]], num_classes=5)),
        Edge(row, "no ids", _ids(np.zeros((2, 0)), num_classes=3)),
    ]


def _one_hot_refusals() -> list[Refusal]:
    row = "one_hot.rule"
    return [
        Refusal(row, "an id beyond the classes", _ids([0, 3], num_classes=3), "tensor", IndexRangeError),
        Refusal(row, "a negative id", _ids([-1, 0]), "tensor", IndexRangeError),
        Refusal(row, "numbers that are no integers", _ids([0.0, 1.0], np.float64), "tensor", DTypeError),
        Refusal(row, "ids of int32", _ids([0, 1], np.int32), "tensor", DTypeError),
        Refusal(row, "classes to be taken from no ids", _ids([]), "num_classes", ArgumentError),
        Refusal(row, "no classes", _ids([0], num_classes=0), "num_classes", ArgumentError),
    ]


def _mask(mask: Any, dtype: Any = np.int64, /, **options: Any) -> Case:
    return Case("border_weights", {"mask": np.array(mask, dtype)}, options)


def _border_edges() -> list[Edge]:
    row, two = "border_weights.rule", [[1, 0, 0, 2], [0, 0, 0, 0], [1, 1, 0, 2]]
    return [
        Edge(row, "right between two", _mask([[1, 0, 2]], sigma=1.0)),
        Edge(row, "diagonal distances", _mask([[1, 0], [0, 0], [0, 3]], w0=2.0, sigma=1.0)),
        Edge(row, "the two nearest of many", _mask([[5, 0, 9, 0, 0, 2]], sigma=2.0)),
        Edge(row, "instances that touch, inside of them too", _mask([[1, 2], [1, 2]])),
        Edge(row, "one instance has no border", _mask([[0, 4, 0]])),
        Edge(row, "no instance, no border", _mask([[0, 0], [0, 0]])),
        Edge(row, "an instance in two parts is one", _mask([[3, 0, 3]])),
        Edge(row, "a weight a class", _mask(two, class_weights=(0.5, 3.0))),
        Edge(row, "both classes in balance", _mask(two, class_weights="balanced")),
        Edge(row, "one class alone is in balance", _mask([[1, 2]], class_weights="balanced")),
    ]


def _border_refusals() -> list[Refusal]:
    row, mask = "border_weights.rule", [[1, 0, 2]]
    return [
        Refusal(row, "numbers that are no integers", _mask(mask, np.float64), "mask", DTypeError),
        Refusal(row, "one axis", _mask(mask[0]), "mask", ShapeError),
        Refusal(row, "a width of 0", _mask(mask, sigma=0.0), "sigma", ArgumentError),
        Refusal(row, "a negative weight", _mask(mask, w0=-1.0), "w0", ArgumentError),
        Refusal(row, "three classes", _mask(mask, class_weights=(1.0, 2.0, 3.0)), "class_weights", ArgumentError),
        Refusal(row, "a negative class weight", _mask(mask, class_weights=(-1.0, 2.0)), "class_weights", ArgumentError),
    ]


CONTRACTS = [
    Contract(
        "one_hot",
        F.one_hot,
        labels.one_hot,
        (),
        Moved(),
        _one_hot_edges,
        _one_hot_refusals,
        dtypes=(np.float64,),
        second=False,
        needed=("tensor",),
    ),
    Contract(
        "border_weights",
        border_weights,
        labels.border_weights,
        (),
        Smooth(lambda case: 0),  # a pixel at a time; its classes are counted in whole numbers
        _border_edges,
        _border_refusals,
        dtypes=(np.float64,),
        second=False,
        needed=("mask",),
    ),
]
