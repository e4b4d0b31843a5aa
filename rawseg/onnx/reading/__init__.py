"""From a file to a Graph: everything that it says is checked before it is believed, and nothing in it is executed.

The steps, a file each: `content` (bytes to a message), `header` (versions), `functions` (expansion), `nodes` with `attributes`
and `schema`, `tensors` with `external` (weights), `declarations` (inputs).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...errors import ArgumentError, CheckpointError, RawsegError
from ..graph import Graph
from ..node import Node
from ..structure import check_operators
from ..weights import statistics
from .content import message
from .declarations import signatures
from .functions import expanded
from .header import versions
from .nodes import bare_node, complete_nodes, is_constant
from .tensors import Tensors

__all__ = ["read"]


def read(source: Any, free_dims: bool = False) -> Graph:
    """Return the Graph of a file, its content, or an onnx.ModelProto; see `rawseg.onnx.load`."""
    model, label, folder = message(source)
    try:
        return _graph(model, label, folder, free_dims)
    except RawsegError:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError, MemoryError) as cause:
        text = (
            f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"  # of protobuf or NumPy: text that is no UTF-8, say
        )
        raise CheckpointError("load", label, "an intact ONNX model", text) from cause


def _graph(model: Any, label: str, folder: str | None, free_dims: bool) -> Graph:
    graph = model.graph
    protos, imported = expanded(model, versions(model, label), label)
    try:
        check_operators([bare_node(proto, imported) for proto in protos if not is_constant(proto)])
    except ArgumentError as error:
        raise ArgumentError("onnx.load", label, error.expected, error.got) from error
    tensors = Tensors(label, folder)
    nodes, constants = complete_nodes(protos, imported, tensors)
    merged = _merged_statistics(nodes, {tensor.name for tensor in graph.initializer})
    nodes = [node for node in nodes if node.outputs[0] not in merged]
    own = {name for proto in graph.node for name in proto.output}  # other constants come from the standard's definitions
    outputs = [value.name for value in graph.output]
    used = {name for node in nodes for name in node.inputs} | set(outputs)
    weights = dict(constants)
    for tensor in graph.initializer:
        if tensor.name in weights:
            raise CheckpointError("load", label, "one tensor of each name", f"two of {tensor.name!r}")
        if tensor.name in used:
            weights[tensor.name] = tensors.array(tensor, tensor.name)
        weights |= {name: tensors.array(tensor, name) for name, source in merged.items() if source == tensor.name}
    sparse = [tensor.values.name for tensor in graph.sparse_initializer]
    if sparse:
        raise ArgumentError("load", label, "dense initializers", f"{len(sparse)} sparse ones: {', '.join(sparse[:8])}")
    stored = {tensor.name for tensor in graph.initializer}
    inputs = signatures([value for value in graph.input if value.name not in stored], label)
    try:
        return Graph(
            nodes,
            [signature.name for signature in inputs],
            outputs,
            weights,
            constants=constants.keys() - own,
            signatures=[signature.freed() for signature in inputs] if free_dims else inputs,
        )
    except ArgumentError as error:
        raise CheckpointError("load", label, error.expected, error.got) from error


def _merged_statistics(nodes: Sequence[Node], stored: Collection[str]) -> dict[str, str]:
    """Return running statistics that are an Identity of a stored tensor, and which one that is.

    PyTorch stores equal tensors once, as those of norms that have not been trained; each of them has to move by itself.
    """
    read = statistics(nodes)
    return {
        node.outputs[0]: node.inputs[0]
        for node in nodes
        if node.op == "Identity" and node.domain == "" and node.inputs[0] in stored and node.outputs[0] in read
    }
