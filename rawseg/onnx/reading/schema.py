"""Nodes against the standard's own description of their operator."""

from __future__ import annotations

from types import MappingProxyType

import onnx.defs

from ...errors import CheckpointError
from ..node import Node
from ..operators import known
from .attributes import KINDS

__all__ = ["check"]

# Attributes of versions before 9 that changed what an operator means, with the value that means what it means today;
# None: any value.
OLD_ATTRIBUTES = MappingProxyType({"consumed_inputs": None, "is_test": 1, "spatial": 1})


def check(node: Node, kinds: dict[str, int], label: str) -> None:
    """Check the numbers of inputs and outputs, and the names and kinds of the attributes.

    Parameters
    ----------
    node : Node
        What stands in the file.
    kinds : dict
        The kinds of its attributes.
    label : str
        What to call the model in errors.

    Raises
    ------
    CheckpointError
        If the standard has no such operator at this version, or describes it otherwise.
    """
    try:
        schema = onnx.defs.get_schema(node.op, node.version, node.domain)
    except onnx.defs.SchemaError:
        if node.domain == "":
            raise CheckpointError("load", label, f"an operator of version {node.version}", node.label) from None
        return  # of another domain, which the onnx package does not describe
    entry = known(node)
    if schema.deprecated and entry is not None and entry.since < schema.since_version:
        raise CheckpointError("load", label, f"an operator that version {node.version} has", f"{node.label}, which is gone")
    inputs = len(node.inputs)
    if not schema.min_input <= inputs <= schema.max_input:
        raise CheckpointError("load", label, f"{schema.min_input} to {schema.max_input} inputs of {node.label}", inputs)
    if not 1 <= len(node.outputs) <= schema.max_output:
        raise CheckpointError("load", label, f"1 to {schema.max_output} outputs of {node.label}", len(node.outputs))
    lacking = [name for name, described in schema.attributes.items() if described.required and name not in node.attributes]
    if lacking:
        raise CheckpointError("load", label, f"{', '.join(lacking)} of {node.label}", "none")
    for name, kind in kinds.items():
        if name not in schema.attributes:
            names = ", ".join(schema.attributes) or "none"
            raise CheckpointError("load", label, f"attributes of {node.label} among: {names}", repr(name))
        wanted = int(schema.attributes[name].type.value)  # type: ignore[attr-defined]  # an enum of the C++ library
        if kind != wanted:
            expected = f"{name} of {node.label} as {KINDS.get(wanted, wanted)}"
            raise CheckpointError("load", label, expected, KINDS.get(kind, kind))
        today = OLD_ATTRIBUTES.get(name)
        if today is not None and node.attributes[name] != today:
            raise CheckpointError("load", label, f"{name}={today} of {node.label}", node.attributes[name])
