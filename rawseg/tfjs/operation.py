"""Operation: one node of a TensorFlow graph as JSON spells it, checked and decoded."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ..errors import CheckpointError

__all__ = ["Operation", "as_operation"]


WHOLE = re.compile(r"-?[0-9]{1,19}")  # 64 bits


@dataclass(frozen=True)
class Operation:
    """A node of the graph.

    Attributes
    ----------
    name, op : str
        Its own name, and TensorFlow's of what it does.
    inputs : tuple of (str, int)
        Names of the nodes that it reads, and which of their outputs; control inputs are left out.
    attributes : dict
        As JSON spells them; the methods decode them.
    """

    name: str
    op: str
    inputs: tuple[tuple[str, int], ...]
    attributes: Mapping[str, Any]

    def refuse(self, argument: str, expected: str, got: Any) -> NoReturn:
        """Raise a CheckpointError that names this node."""
        raise CheckpointError("tfjs", f"{self.op} ({self.name}), {argument}", expected, got)

    def text(self, name: str, default: str | None = None) -> str:
        """Return an attribute that is text."""
        return _text(self, name, self._field(name, "s")) if name in self.attributes or default is None else default

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an attribute that lists text."""
        return tuple(_text(self, name, item) for item in self._listed(name, "s"))

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return an attribute that lists whole numbers."""
        listed = self._listed(name, "i") if name in self.attributes or default is None else ()
        return tuple(_integer(self, name, item) for item in listed) or default or ()

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        return _integer(self, name, self._field(name, "i")) if name in self.attributes else default

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number; JSON leaves out zeros."""
        value = self._field(name, "f", 0.0) if name in self.attributes else default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(name, "a number", repr(value)[:60])
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return an attribute that is true or false; JSON leaves out what is false."""
        value = self._field(name, "b", False) if name in self.attributes else default
        if not isinstance(value, bool):
            self.refuse(name, "true or false", repr(value)[:60])
        return value

    def shape(self, name: str) -> tuple[int | None, ...] | None:
        """Return an attribute that is a shape, None for sizes that are free; None for one of any rank."""
        found = self._field(name, "shape", {})
        if not isinstance(found, dict) or found.get("unknownRank"):
            return None
        dims = found.get("dim", [])
        if not isinstance(dims, list):
            self.refuse(name, "a list of sizes", repr(dims)[:60])
        sizes = [_integer(self, name, dim.get("size", 0) if isinstance(dim, dict) else dim) for dim in dims]
        return tuple(None if size < 0 else size for size in sizes)

    def dtype(self, name: str) -> str:
        """Return an attribute that is a dtype, e.g. "DT_FLOAT"."""
        value = self._field(name, "type", "DT_FLOAT") if name in self.attributes else "DT_FLOAT"
        return value if isinstance(value, str) else f"type {value!r}"

    def _field(self, name: str, kind: str, default: Any = None) -> Any:
        value = self.attributes.get(name)
        if not isinstance(value, dict) or (kind not in value and default is None):
            self.refuse(name, f"an attribute of kind {kind!r}", repr(value)[:60])
        return value.get(kind, default)

    def _listed(self, name: str, kind: str) -> list[Any]:
        found = self._field(name, "list", {})
        listed = found.get(kind, []) if isinstance(found, dict) else None
        if not isinstance(listed, list):
            self.refuse(name, "a list", repr(found)[:60])
        return listed


def as_operation(entry: Any) -> Operation:
    """Return a checked node of ``modelTopology.node``."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) and entry[key] for key in ("name", "op")):
        raise CheckpointError("tfjs", "modelTopology", "nodes with a name and an op", repr(entry)[:80])
    inputs, attributes = entry.get("input", []), entry.get("attr", {})
    if not isinstance(inputs, list) or not all(isinstance(name, str) for name in inputs) or not isinstance(attributes, dict):
        raise CheckpointError("tfjs", f"{entry['op']} ({entry['name']})", "a list of inputs and attributes by name", "others")
    read = tuple(parsed(name) for name in inputs if not name.startswith("^"))
    return Operation(entry["name"], entry["op"], read, attributes)


def parsed(name: str) -> tuple[str, int]:
    """Return the node and the number of the output that ``node:1`` means."""
    node, colon, slot = name.rpartition(":")
    return (node, int(slot)) if colon and slot.isdecimal() and len(slot) < 6 else (name, 0)


def _text(operation: Operation, name: str, value: Any) -> str:
    """Return text that is written in base 64, or as a list of bytes."""
    try:
        if isinstance(value, list):
            return bytes(value).decode("ascii")
        return base64.b64decode(value, validate=True).decode("ascii")
    except (TypeError, ValueError, binascii.Error):
        operation.refuse(name, "text in base 64", repr(value)[:60])


def _integer(operation: Operation, name: str, value: Any) -> int:
    """Return a whole number of 64 bits, which JSON often spells as text."""
    if isinstance(value, str) and WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        operation.refuse(name, "a whole number", repr(value)[:60])
    return value
