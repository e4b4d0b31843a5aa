"""Operators whose form depends on the operator set: axes became an input of most of them, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from .model_builder import ModelBuilder

__all__ = ["reduced", "smaller", "unsqueezed"]


def reduced(b: ModelBuilder, op: str, x: str, axes: Sequence[int], keepdims: bool) -> str:
    """Add a reduction such as ``ReduceMax``."""
    if b.opset >= (13 if op == "ReduceSum" else 18):
        return b.node(op, x, b.ints(*axes), keepdims=int(keepdims))
    return b.node(op, x, axes=list(axes), keepdims=int(keepdims))


def unsqueezed(b: ModelBuilder, x: str, axis: int) -> str:
    """Add a new axis."""
    return b.node("Unsqueeze", x, b.ints(axis)) if b.opset >= 13 else b.node("Unsqueeze", x, axes=[axis])


def smaller(b: ModelBuilder, first: str, second: str) -> str:
    """Add the smaller of two int64 vectors."""
    if b.opset >= 12:
        return b.node("Min", first, second)
    return b.node("Where", b.node("Less", first, second), first, second)
