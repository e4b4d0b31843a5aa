"""Attributes of nodes, as Python's own values and arrays."""

from __future__ import annotations

from typing import Any

import onnx

from ...errors import CheckpointError
from .tensors import Tensors

__all__ = ["KINDS", "attributes"]

A = onnx.AttributeProto
KINDS = {number: A.AttributeType.Name(number) for number in A.AttributeType.values()}


def attributes(node: Any, label: str, tensors: Tensors) -> dict[str, Any]:
    """Return the attributes of a node by name.

    Raises
    ------
    CheckpointError
        If one stands there twice, or is of a kind that rawseg has not: graphs, sparse tensors, types, references.
    """
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        name = attribute.name
        if name in found:
            raise CheckpointError("load", tensors.label, f"one attribute {name!r} of {label}", "two")
        if attribute.ref_attr_name:
            raise CheckpointError("load", tensors.label, f"a value of {name!r} of {label}", "a reference outside of a function")
        found[name] = _value(attribute, f"{label}: {name}", tensors)
    return found


def _value(attribute: Any, label: str, tensors: Tensors) -> Any:
    kind = attribute.type
    if kind == A.FLOAT:
        return attribute.f
    if kind == A.INT:
        return attribute.i
    if kind == A.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == A.TENSOR:
        return tensors.array(attribute.t, label)
    if kind == A.FLOATS:
        return tuple(attribute.floats)
    if kind == A.INTS:
        return tuple(attribute.ints)
    if kind == A.STRINGS:
        return tuple(text.decode("utf-8", "replace") for text in attribute.strings)
    if kind == A.TENSORS:
        return tuple(tensors.array(tensor, label) for tensor in attribute.tensors)
    expected = f"numbers, text or dense tensors as {label}"
    raise CheckpointError("load", tensors.label, expected, KINDS.get(kind, kind))
