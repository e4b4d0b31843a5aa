"""The versions that a model was written for."""

from __future__ import annotations

import onnx
import onnx.defs

from ...errors import CheckpointError

__all__ = ["OLDEST", "domain_of", "versions"]

OLDEST = 6  # of the operator set; before it, sizes and axes that are inputs today were attributes
OLDEST_FORMAT = 3  # of the file; before it, a file did not say its operator sets


def domain_of(name: str) -> str:
    """Return a domain; ONNX's own has two names."""
    return "" if name == "ai.onnx" else name


def versions(model: onnx.ModelProto, label: str) -> dict[str, int]:
    """Return the version of every operator set that the model imports.

    Raises
    ------
    CheckpointError
        If the format or the set of ONNX's own operators is older than rawseg reads or newer than the onnx package knows, or a
        set is imported twice.
    """
    if not OLDEST_FORMAT <= model.ir_version <= onnx.IR_VERSION:
        expected = f"an ir_version from {OLDEST_FORMAT} to {onnx.IR_VERSION}, the newest of onnx {onnx.__version__}"
        raise CheckpointError("load", label, expected, model.ir_version)
    imported: dict[str, int] = {}
    for entry in model.opset_import:
        domain = domain_of(entry.domain)
        if imported.setdefault(domain, entry.version) != entry.version:
            raise CheckpointError("load", label, f"one version of the operator set {domain!r}", "several")
    newest = onnx.defs.onnx_opset_version()
    if "" in imported and not OLDEST <= imported[""] <= newest:
        expected = f"an operator set from {OLDEST} to {newest}, the newest of onnx {onnx.__version__}"
        raise CheckpointError("load", label, expected, imported[""])
    return imported
