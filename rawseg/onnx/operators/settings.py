"""Settings of a node: numbers that came as attributes, or as small tensors, checked before they are used."""

from __future__ import annotations

from typing import Any

from ..node import Node

__all__ = ["axes_of", "axis_of", "integers", "number", "setting"]


def integers(node: Node, argument: str, tensor: Any) -> tuple[int, ...]:
    """Return what a tensor of at most one axis holds, as Python ints."""
    if tensor.dtype.kind not in "iu" or tensor.ndim > 1:
        node.refuse(argument, "integers along at most one axis", f"{tensor.dtype} of shape {tensor.shape}")
    return tuple(tensor.numpy().reshape(-1).tolist())


def number(node: Node, argument: str, tensor: Any) -> Any:
    """Return the only element of a tensor as a Python number."""
    if tensor.size != 1:
        node.refuse(argument, "one number", f"shape {tensor.shape}")
    return tensor.item()


def setting(node: Node, argument: str, tensor: Any) -> tuple[int, ...] | None:
    """Return integers that newer operator sets have as an input and older ones as an attribute; None where there are none."""
    if tensor is not None:
        return integers(node, argument, tensor)
    values = node.attribute(argument)
    return None if values is None else tuple(values)


def axis_of(node: Node, axis: Any, ndim: int, argument: str = "axis") -> int:
    """Return an axis as a number of at least 0."""
    if not isinstance(axis, int) or not -ndim <= axis < ndim:
        node.refuse(argument, f"an axis in [{-ndim}, {ndim - 1}]" if ndim else "no axis, for there is none", axis)
    return axis % ndim


def axes_of(node: Node, axes: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as numbers of at least 0, in the order given."""
    found = tuple(axis_of(node, axis, ndim, "axes") for axis in axes)
    if len(set(found)) != len(found):
        node.refuse("axes", "different axes", axes)
    return found
