"""Nodes of a file as Nodes of a Graph; Constant nodes as weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ...errors import CheckpointError
from ..node import Node
from .attributes import attributes
from .header import domain_of
from .schema import check
from .tensors import Tensors

__all__ = ["bare_node", "complete_nodes", "is_constant"]


def bare_node(proto: Any, imported: Mapping[str, int], found: Mapping[str, Any] = MappingProxyType({})) -> Node:
    """Return a Node with attributes that were found; without any it is enough to tell which operator is wanted."""
    domain = domain_of(proto.domain)
    version = imported.get(domain, 0)  # a domain that is not imported has no operators
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), dict(found), proto.name, domain, version)


def is_constant(proto: Any) -> bool:
    """Return whether a node is a Constant, which becomes a weight."""
    return proto.op_type == "Constant" and domain_of(proto.domain) == ""


def complete_nodes(
    nodes: Iterable[Any], imported: Mapping[str, int], tensors: Tensors
) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Return checked Nodes, and the values of the Constant ones by the names that they write."""
    found: list[Node] = []
    constants: dict[str, np.ndarray] = {}
    for proto in nodes:
        label = bare_node(proto, imported).label
        node = bare_node(proto, imported, attributes(proto, label, tensors))
        check(node, {attribute.name: attribute.type for attribute in proto.attribute}, tensors.label)
        if not is_constant(proto):
            found.append(node)
        elif node.outputs[0] in constants:
            raise CheckpointError("load", tensors.label, "one Constant of each name", f"two of {node.outputs[0]!r}")
        else:
            constants[node.outputs[0]] = _constant(node, tensors.label)
    return found, constants


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
