"""Softmax, LogSoftmax, Hardmax and Dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...device import array_module
from ..node import Node
from .registry import operator
from .settings import axis_of


@operator("Softmax", widens=True)
def softmax(node: Node, x: Tensor) -> Tensor:
    """Return probabilities along an axis; until version 13 of the set along all axes from one on."""
    return _along(node, x, F.softmax)


@operator("LogSoftmax", widens=True)
def log_softmax(node: Node, x: Tensor) -> Tensor:
    """Return the logarithms of what Softmax returns."""
    return _along(node, x, F.log_softmax)


@operator("Hardmax")
def hardmax(node: Node, x: Tensor) -> Tensor:
    """Return 1 at the first of the largest elements along an axis, else 0."""
    return _along(node, x, _one_at_largest)


def _one_at_largest(x: Tensor, axis: int) -> Tensor:
    xp = array_module(x.array)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    places = xp.arange(x.shape[axis]).reshape(shape)
    return Tensor((places == x.array.argmax(axis, keepdims=True)).astype(x.dtype))


def _along(node: Node, x: Tensor, function: Callable[..., Tensor]) -> Tensor:
    if node.version >= 13:
        return function(x, axis_of(node, node.attribute("axis", -1), x.ndim))
    axis = axis_of(node, node.attribute("axis", 1), x.ndim)
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    return function(x.reshape(rows, x.size // rows if rows else 0), 1).reshape(x.shape)


@operator("Dropout", trains=True, widens=True)
def dropout_by_attribute(node: Node, x: Tensor, *, training: bool) -> Any:
    """Return the input; while the graph is trained, with random zeros."""
    return _dropped(x, node.attribute("ratio", 0.5), training)


@operator("Dropout", since=12, trains=True, widens=True)
def dropout(node: Node, x: Tensor, ratio: Tensor | None = None, training_mode: Tensor | None = None, *, training: bool) -> Any:
    """Return the input; where ``training_mode`` says so, or while the graph is trained, with random zeros."""
    dropping = training or (training_mode is not None and bool(training_mode))
    return _dropped(x, 0.5 if ratio is None else float(ratio), dropping)


def _dropped(x: Tensor, ratio: float, dropping: bool) -> tuple[Tensor, Tensor]:
    """Return the output and which elements were kept. Zeros are drawn by `rawseg.manual_seed`'s generator."""
    if not dropping or ratio == 0:
        return x, Tensor(array_module(x.array).ones(x.shape, np.bool_))
    scale = F.dropout(x.ones_like(), ratio)
    return x * scale, scale != 0
