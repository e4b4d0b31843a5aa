"""Functions of a model's own, and operators that the standard defines by others, expanded to plain nodes.

The onnx package expands them, in a model without weights: their names alone are there, as inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import onnx
import onnx.defs
from onnx import helper, inliner

from rawseg_kernels._memory import limit_bytes

from ...errors import CheckpointError
from ..operators import known
from .header import domain_of, versions
from .nodes import bare_node

__all__ = ["expanded"]

MOST_NODES = 1_000_000  # of an expanded model: ten functions that call each other twice are already a thousand nodes
MOST_BYTES = 2**28  # of its nodes: each call copies the tensors in its function, and the onnx package some more
ROUNDS = 4  # in which what the standard defines is expanded: definitions use operators that are themselves defined so
Key = tuple[str, str, str]


def expanded(model: onnx.ModelProto, imported: Mapping[str, int], label: str) -> tuple[list[Any], dict[str, int]]:
    """Return the nodes of a model with no functions left, and the operator sets that they use.

    Raises
    ------
    CheckpointError
        If a function calls itself, also by way of others, the nodes would be too many or too large, or the onnx package
        refuses.
    """
    functions: dict[Key, Any] = {(domain_of(f.domain), f.name, f.overload): f for f in model.functions}
    called = any(_key(node) in functions for node in model.graph.node)
    if called:
        _check_calls(model.graph.node, functions, label)
    if not called and not _defined(model.graph.node, imported):
        return list(model.graph.node), dict(imported)
    plain = _without_weights(model)
    if called:
        plain = _inlined(plain, label)
    for _ in range(ROUNDS):
        names = _defined(plain.graph.node, versions(plain, label))
        if not names:
            break
        _say_defaults(plain.graph.node, names, versions(plain, label))
        try:
            plain = inliner.inline_selected_functions(plain, sorted(names), inline_schema_functions=True)
        except Exception:  # the definition does not suit these nodes: they are then named as what rawseg lacks
            break
        if len(plain.graph.node) > MOST_NODES:
            raise CheckpointError("load", label, f"at most {MOST_NODES} nodes", len(plain.graph.node))
    return list(plain.graph.node), versions(plain, label)


def _inlined(model: onnx.ModelProto, label: str) -> onnx.ModelProto:
    try:
        return inliner.inline_local_functions(model)
    except Exception as cause:  # the C++ library's own classes
        text = " ".join(str(cause).split())[:300]
        raise CheckpointError("load", label, "functions that the onnx package can expand", text) from cause


def _key(node: Any) -> Key:
    return domain_of(node.domain), node.op_type, node.overload


class Size(NamedTuple):
    """What nodes take when they are expanded."""

    nodes: int
    bytes: int


def _check_calls(nodes: Iterable[Any], functions: Mapping[Key, Any], label: str) -> None:
    """Raise if functions call each other in a ring, or expand to too many nodes or bytes."""
    calls = {key: dict.fromkeys(map(_key, function.node)) for key, function in functions.items()}
    sizes: dict[Key, Size] = {}
    waiting = [key for key in dict.fromkeys(map(_key, nodes)) if key in functions]
    path: set[Key] = set()
    while waiting:  # depth first, without recursion: a file may nest as deep as it likes
        key = waiting[-1]
        if key in sizes:
            waiting.pop()
            continue
        fresh = [callee for callee in calls[key] if callee in functions and callee not in sizes]
        if not fresh:
            sizes[key] = _expanded_size(functions[key].node, sizes)
            _check_size(sizes[key], label, f"the function {key[1]!r}")
            path.discard(waiting.pop())
        elif key in path:
            raise CheckpointError("load", label, "functions that do not call themselves", repr(key[1]))
        else:
            path.add(key)
            waiting += fresh
    _check_size(_expanded_size(nodes, sizes), label, "the graph")


def _expanded_size(nodes: Iterable[Any], sizes: Mapping[Key, Size]) -> Size:
    """Return what nodes take after those that call functions became the functions' own."""
    found = [sizes.get(_key(node)) or Size(1, node.ByteSize()) for node in nodes]
    return Size(sum(size.nodes for size in found), sum(size.bytes for size in found))


def _check_size(size: Size, label: str, what: str) -> None:
    most = min(limit_bytes(), MOST_BYTES)
    if size.nodes > MOST_NODES:
        raise CheckpointError("load", label, f"at most {MOST_NODES} nodes of {what}, its functions expanded", size.nodes)
    if size.bytes > most:
        raise CheckpointError("load", label, f"at most {most} bytes of {what}, its functions expanded", size.bytes)


def _defined(nodes: Iterable[Any], imported: Mapping[str, int]) -> set[tuple[str, str]]:
    """Return the operators that rawseg lacks and the standard defines by others."""
    found = set()
    for proto in nodes:
        node = bare_node(proto, imported)
        if known(node) is not None or not onnx.defs.has(node.op, node.domain):
            continue
        try:
            schema = onnx.defs.get_schema(node.op, node.version, node.domain)
        except onnx.defs.SchemaError:
            continue
        if schema.has_function or schema.has_context_dependent_function:  # type: ignore[attr-defined]  # of the C++ library
            found.add((node.domain, node.op))
    return found


def _say_defaults(nodes: Iterable[Any], names: Collection[tuple[str, str]], imported: Mapping[str, int]) -> None:
    """Write attributes that nodes leave to their default, which definitions refer to."""
    for proto in nodes:
        node = bare_node(proto, imported)
        if (node.domain, node.op) in names:
            said = {attribute.name for attribute in proto.attribute}
            schema = onnx.defs.get_schema(node.op, node.version, node.domain)
            for name, described in schema.attributes.items():
                if name not in said and described.default_value.type:  # type: ignore[attr-defined]  # of the C++ library
                    proto.attribute.append(described.default_value)  # type: ignore[attr-defined]


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which initializers are inputs, so that their elements are not copied."""
    plain = onnx.ModelProto(ir_version=model.ir_version)
    plain.opset_import.extend(model.opset_import)
    plain.functions.extend(model.functions)
    graph = plain.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    graph.input.extend(model.graph.input)
    declared = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.name not in declared:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return plain
