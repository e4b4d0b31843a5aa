"""Functions of a model's own, and operators that the standard defines by others, expanded to plain nodes.

The onnx package expands them, in a model without weights: their names alone are there, as inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import onnx
import onnx.defs
from onnx import helper, inliner

from ...errors import CheckpointError
from ..operators import known
from .header import domain_of, versions
from .nodes import bare_node

__all__ = ["expanded"]

MOST_NODES = 1_000_000  # of an expanded model: ten functions that call each other twice are already a thousand nodes
ROUNDS = 4  # in which what the standard defines is expanded: definitions use operators that are themselves defined so
Key = tuple[str, str, str]


def expanded(model: onnx.ModelProto, imported: Mapping[str, int], label: str) -> tuple[list[Any], dict[str, int]]:
    """Return the nodes of a model with no functions left, and the operator sets that they use.

    Raises
    ------
    CheckpointError
        If a function calls itself, also by way of others, the nodes would be too many, or the onnx package refuses.
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


def _check_calls(nodes: Iterable[Any], functions: Mapping[Key, Any], label: str) -> None:
    """Raise if functions call each other in a ring, or expand to too many nodes."""
    sizes: dict[Key, int] = {}
    waiting: list[Key] = [key for node in nodes if (key := _key(node)) in functions]
    path: set[Key] = set()
    while waiting:  # depth first, without recursion: a file may nest as deep as it likes
        key = waiting[-1]
        callees = [callee for node in functions[key].node if (callee := _key(node)) in functions]
        fresh = [callee for callee in callees if callee not in sizes]
        if key in sizes:
            waiting.pop()
        elif not fresh:
            sizes[key] = len(functions[key].node) - len(callees) + sum(sizes[callee] for callee in callees)
            if sizes[key] > MOST_NODES:
                raise CheckpointError("load", label, f"functions of at most {MOST_NODES} nodes", f"more in {key[1]!r}")
            path.discard(waiting.pop())
        elif key in path:
            raise CheckpointError("load", label, "functions that do not call themselves", repr(key[1]))
        else:
            path.add(key)
            waiting += set(fresh)
    total = sum(sizes.get(_key(node), 1) for node in nodes)
    if total > MOST_NODES:
        raise CheckpointError("load", label, f"at most {MOST_NODES} nodes", total)


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
