"""model.json: a graph of TensorFlow's operations, checked, in the order in which they can be computed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rawseg_kernels._memory import limit_bytes

from ..errors import CheckpointError
from ..files import check_path
from .operation import Operation, as_operation, parsed

__all__ = ["in_order", "outputs_of", "reachable", "read_operations", "read_topology"]

LARGEST = 1 << 28  # bytes of a model.json; weights are not in it


def read_topology(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what model.json holds.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is no JSON, or no graph model: a Keras model ("layers-model") has no list of operations.
    """
    check_path("tfjs", path)
    where = str(path)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError("tfjs", where, "a file", "a folder or a device")
        if status.st_size > min(LARGEST, limit_bytes()):
            raise CheckpointError("tfjs", where, f"at most {min(LARGEST, limit_bytes())} bytes of JSON", status.st_size)
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise CheckpointError("tfjs", where, "a file that can be read", error.strerror or error) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError("tfjs", where, "a model.json of TensorFlow.js", f"no JSON ({error})"[:200]) from None
    if not isinstance(content, dict) or not isinstance(content.get("modelTopology"), dict):
        raise CheckpointError("tfjs", where, "a model.json with modelTopology", "JSON without")
    if not isinstance(content["modelTopology"].get("node"), list):
        got = content.get("format", "JSON without")
        raise CheckpointError("tfjs", where, "a graph model, with modelTopology.node", f"{got!r}"[:60])
    return content


def read_operations(topology: Mapping[str, Any]) -> dict[str, Operation]:
    """Return the operations by name; CheckpointError if two have one name, or one reads what is not there."""
    operations: dict[str, Operation] = {}
    for entry in topology["node"]:
        operation = as_operation(entry)
        if operation.name in operations:
            raise CheckpointError("tfjs", "modelTopology", "one node of each name", f"two {operation.name!r}")
        operations[operation.name] = operation
    for operation in operations.values():
        for name, _ in operation.inputs:
            if name not in operations:
                operation.refuse("input", "the name of a node", repr(name))
    return operations


def outputs_of(content: Mapping[str, Any], operations: Mapping[str, Operation]) -> dict[str, tuple[str, int]]:
    """Return the outputs by their names in the signature, in its order; without one, whatever no operation reads."""
    listed = _signature(content).get("outputs")
    if isinstance(listed, dict) and listed:
        names = {key: entry.get("name", key) if isinstance(entry, dict) else key for key, entry in listed.items()}
        found = {parsed(key)[0]: parsed(name if isinstance(name, str) else key) for key, name in names.items()}
    else:
        read = {name for operation in operations.values() for name, _ in operation.inputs}
        last = [name for name, operation in operations.items() if name not in read and operation.op not in UNREAD]
        found = {name: (name, 0) for name in last}
    unknown = [name for name, _ in found.values() if name not in operations]
    if unknown or not found:
        raise CheckpointError("tfjs", "signature", "outputs that are nodes", unknown or "none")
    return found


def _signature(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the signature, which converters have put into two places."""
    metadata = content.get("userDefinedMetadata")
    places = [content.get("signature"), metadata.get("signature") if isinstance(metadata, dict) else None]
    return next((place for place in places if isinstance(place, dict) and place), {})


UNREAD = ("Const", "Placeholder", "NoOp")  # never outputs


def reachable(operations: Mapping[str, Operation], wanted: Iterable[tuple[str, int]]) -> list[str]:
    """Return the names of the operations that the outputs need, in no particular order."""
    found = dict.fromkeys(name for name, _ in wanted)
    stack = list(found)
    while stack:
        for name, _ in operations[stack.pop()].inputs:
            if name not in found:
                found[name] = None
                stack.append(name)
    return list(found)


def in_order(operations: Mapping[str, Operation], wanted: Iterable[tuple[str, int]]) -> list[Operation]:
    """Return the operations that the outputs need, each after those that it reads; CheckpointError for a cycle."""
    done: dict[str, Operation] = {}
    open_now: set[str] = set()
    stack = [(name, False) for name, _ in reversed(list(wanted))]
    while stack:
        name, inputs_done = stack.pop()
        if name in done:
            continue
        operation = operations[name]
        if inputs_done:
            open_now.discard(name)
            done[name] = operation
            continue
        if name in open_now:  # what waits for its inputs has come up again as an input of one of them
            operation.refuse("input", "operations without a cycle", "one that needs its own output")
        open_now.add(name)
        stack.append((name, True))
        stack += [(other, False) for other, _ in reversed(operation.inputs)]
    return list(done.values())
