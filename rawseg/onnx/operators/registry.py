"""Which function computes which operator, by domain, name and version of the operator set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError
from ..node import Node

__all__ = ["compute", "known", "operator"]

# name -> [(first version, function)], the newest first; a function answers until the next one's first version.
_OPERATORS: dict[tuple[str, str], list[tuple[int, Callable[..., Any]]]] = {}


def operator(name: str, since: int = 1, domain: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register ``function(node, *inputs)`` for an operator from a version of its set on.

    The function gets Tensors, and None for optional inputs that the node leaves out at the end or in between; it returns a
    Tensor, or a tuple of them, one for each output. Several decorators may stand over one function.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        versions = _OPERATORS.setdefault((domain, name), [])
        versions.append((since, function))
        versions.sort(key=lambda entry: -entry[0])
        return function

    return register


def known(node: Node) -> Callable[..., Any] | None:
    """Return what computes a node's operator at its version, or None."""
    versions = _OPERATORS.get((node.domain, node.op), [])
    return next((function for since, function in versions if since <= node.version), None)


def compute(node: Node, *inputs: Any) -> tuple[Any, ...]:
    """Return the outputs of one node.

    Raises
    ------
    ArgumentError
        If rawseg lacks the operator, or the node asks for what the operator's function does not do.
    """
    function = known(node)
    if function is None:
        names = ", ".join(sorted({name for domain, name in _OPERATORS if domain == node.domain}))
        operators = f"an operator that rawseg has ({names})" if names else f"an operator of ONNX's own set, not of {node.domain}"
        raise ArgumentError("onnx", node.label, operators, f"{node.op} of version {node.version}")
    found = function(node, *inputs)
    return found if isinstance(found, tuple) else (found,)
