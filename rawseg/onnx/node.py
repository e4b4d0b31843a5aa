"""Node: one operator of a graph, as ONNX describes it; free of any file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import ArgumentError

__all__ = ["Node"]


@dataclass(frozen=True)
class Node:
    """One application of an operator.

    Parameters
    ----------
    op : str
        ONNX's name of the operator, e.g. "Conv".
    inputs, outputs : tuple of str
        Names of the values that it reads and writes; "" for an optional one that is absent.
    attributes : dict
        Ints, floats, text, tuples of those, and ndarrays for tensors.
    name : str
        Of the node itself, for messages.
    domain : str
        Of the operator set; "" is ONNX's own.
    version : int
        Of the operator set that the graph asks for.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""
    version: int = 21

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or what it is where the node does not say."""
        return self.attributes.get(name, default)

    def asks_for(self, slot: int) -> bool:
        """Return whether the graph wants this output."""
        return slot < len(self.outputs) and self.outputs[slot] != ""

    def refuse(self, argument: str, expected: str, got: Any) -> NoReturn:
        """Raise an ArgumentError that names this node."""
        raise ArgumentError(self.label, argument, expected, got)

    @property
    def label(self) -> str:
        """The operator and the node's name, as messages begin."""
        return f"{self.op} ({self.name})" if self.name else self.op
