"""Nodes of a file as Nodes of a Graph; Constant nodes as weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...errors import CheckpointError
from ..node import Node
from .attributes import attributes
from .header import domain_of
from .schema import check
from .tensors import Tensors

__all__ = ["bare_nodes", "complete_nodes"]


def bare_nodes(nodes: Iterable[Any], imported: Mapping[str, int]) -> list[Node]:
    """Return Nodes without attributes, and without the Constant ones: enough to tell which operators are wanted."""
    return [_node(node, imported, {}) for node in nodes if not _is_constant(node)]


def complete_nodes(
    nodes: Iterable[Any], imported: Mapping[str, int], tensors: Tensors
) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Return checked Nodes, and the values of the Constant ones by the names that they write."""
    found: list[Node] = []
    constants: dict[str, np.ndarray] = {}
    for proto in nodes:
        node = _node(proto, imported, {})
        node = _node(proto, imported, attributes(proto, node.label, tensors))
        check(node, {attribute.name: attribute.type for attribute in proto.attribute}, tensors.label)
        if not _is_constant(proto):
            found.append(node)
        elif node.outputs[0] in constants:
            raise CheckpointError("load", tensors.label, "one Constant of each name", f"two of {node.outputs[0]!r}")
        else:
            constants[node.outputs[0]] = _constant(node, tensors.label)
    return found, constants


def _node(proto: Any, imported: Mapping[str, int], found: dict[str, Any]) -> Node:
    domain = domain_of(proto.domain)
    version = imported.get(domain, 0)  # a domain that is not imported has no operators
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), found, proto.name, domain, version)


def _is_constant(proto: Any) -> bool:
    return proto.op_type == "Constant" and domain_of(proto.domain) == ""


def _constant(node: Node, label: str) -> np.ndarray:
    """Return the value of a Constant node, in one of the ways in which it can be written."""
    if len(node.attributes) != 1:
        raise CheckpointError("load", label, f"one value of {node.label}", f"{len(node.attributes)}")
    ((kind, value),) = node.attributes.items()
    if kind == "value":
        return value
    if kind in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if kind in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    raise CheckpointError("load", label, f"numbers as the value of {node.label}", kind)
