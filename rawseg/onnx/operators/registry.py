"""Which function computes which operator, by domain, name and version of the operator set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ...errors import ArgumentError, RawsegError
from ..node import Node

__all__ = ["Operator", "compute", "known", "missing", "operator"]


class Operator(NamedTuple):
    """How an operator is computed, from a version of its set on.

    Attributes
    ----------
    since : int
        The first version.
    function : callable
        ``function(node, *inputs)``; with ``trains`` it also takes ``training``.
    trains : bool
        Whether the result depends on the graph being trained, as that of Dropout.
    widens : bool
        Whether halves are computed as float32, and rounded once: rawseg's kernels have no halves.
    """

    since: int
    function: Callable[..., Any]
    trains: bool = False
    widens: bool = False


CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
# of each name, the newest first; one answers until the next one's first version
_OPERATORS: dict[tuple[str, str], list[Operator]] = {}


def operator(
    name: str, since: int = 1, domain: str = "", *, trains: bool = False, widens: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register ``function(node, *inputs)`` for an operator from a version of its set on.

    The function gets Tensors, and None for optional inputs that the node leaves out at the end or in between; it returns a
    Tensor, or a tuple of them, one for each output. Several decorators may stand over one function. With ``trains`` it is also
    told, as ``training``, whether the graph is being trained; with ``widens`` it gets float32 for float16, and what it then
    returns in float32 is rounded.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        versions = _OPERATORS.setdefault((domain, name), [])
        versions.append(Operator(since, function, trains, widens))
        versions.sort(key=lambda entry: -entry.since)
        return function

    return register


def known(node: Node) -> Operator | None:
    """Return what computes a node's operator at its version, or None."""
    versions = _OPERATORS.get((node.domain, node.op), [])
    return next((entry for entry in versions if entry.since <= node.version), None)


def missing(nodes: Iterable[Node]) -> list[str]:
    """Return a line for each operator that rawseg lacks: its name, its version and the nodes that want it."""
    wanted: dict[tuple[str, str, int], list[str]] = {}
    for node in nodes:
        if known(node) is None:
            wanted.setdefault((node.domain, node.op, node.version), []).append(node.name or f"-> {', '.join(node.outputs)}")
    lines = []
    for (domain, op, version), names in wanted.items():
        what = f"{domain + '.' * bool(domain)}{op} of version {version}{', control flow' * (op in CONTROL_FLOW)}"
        lines.append(f"{what} ({'; '.join(names[:8])}{'; ...' if len(names) > 8 else ''})")
    return lines


def _is_half(x: Any) -> bool:
    return x is not None and x.dtype == np.float16


def _rounded(found: Any) -> Any:
    if isinstance(found, tuple):
        return tuple(_rounded(x) for x in found)
    return found.astype(np.float16) if found.dtype == np.float32 else found


def compute(node: Node, *inputs: Any, training: bool = False) -> tuple[Any, ...]:
    """Return the outputs of one node.

    Raises
    ------
    RawsegError
        Of the class that the operation below raises, naming the node; ArgumentError if rawseg lacks the operator, the node
        asks for what its function does not do, or its inputs make no sense.
    """
    entry = known(node)
    if entry is None:
        raise ArgumentError("onnx", "nodes", "operators that rawseg has", missing([node])[0])
    options = {"training": training} if entry.trains else {}
    try:
        if entry.widens and any(_is_half(x) for x in inputs):
            wide = [x.astype(np.float32) if _is_half(x) else x for x in inputs]
            found = _rounded(entry.function(node, *wide, **options))
        else:
            found = entry.function(node, *inputs, **options)
    except RawsegError as error:
        if not error.op.startswith(node.label):
            error.__init__(f"{node.label}: {error.op}", error.argument, error.expected, error.got)  # keeps its traceback
        raise
    except MemoryError as error:
        raise ArgumentError(node.label, "out", "what fits into memory", str(error) or "more") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        text = f"{type(error).__name__}: {error}"  # of NumPy or Python, about inputs that no check foresaw
        raise ArgumentError(node.label, "inputs", "ones that the operator can take", text) from error
    return found if isinstance(found, tuple) else (found,)
