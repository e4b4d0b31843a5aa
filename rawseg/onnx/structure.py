"""The order of a graph: every value is written once, before it is read, and is dropped after its last reader."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import ArgumentError
from .node import Node
from .operators import missing

__all__ = ["check_operators", "check_order", "last_readers"]


def check_order(nodes: Sequence[Node], inputs: Sequence[str], outputs: Sequence[str], weights: Collection[str]) -> None:
    """Raise an ArgumentError unless every value has one writer, which comes before its readers."""
    written: dict[str, str] = {}

    def write(name: str, writer: str) -> None:
        if name in written:
            raise ArgumentError("Graph", "nodes", "one writer of each value", f"{name!r} of {written[name]} and of {writer}")
        written[name] = writer

    for name in inputs:
        write(name, "the inputs")
    for name in weights:
        write(name, "the weights")
    for node in nodes:
        for name in node.inputs:
            if name and name not in written:
                later = any(name in other.outputs for other in nodes)
                found = (
                    f"{name!r} of {node.label}, written {'later: the nodes have a cycle or no order' if later else 'nowhere'}"
                )
                raise ArgumentError("Graph", "nodes", "inputs that were written before", found)
        for name in node.outputs:
            if name:
                write(name, node.label)
    for name in outputs:
        if name not in written:
            raise ArgumentError("Graph", "outputs", "values that a node writes", repr(name))


def check_operators(nodes: Sequence[Node]) -> None:
    """Raise one ArgumentError that names every operator that rawseg lacks."""
    lacking = missing(nodes)
    if lacking:
        raise ArgumentError("Graph", "nodes", "operators that rawseg has", f"others: {', '.join(lacking)}")


def last_readers(nodes: Sequence[Node], kept: Collection[str]) -> list[tuple[str, ...]]:
    """Return for each node the names that nobody reads after it, ``kept`` ones left out; its own unread outputs included."""
    read_later = set(kept)
    spent: list[tuple[str, ...]] = []
    for node in reversed(nodes):
        names = {name for name in (*node.inputs, *node.outputs) if name and name not in read_later}
        spent.append(tuple(names))
        read_later |= names
    return spent[::-1]
