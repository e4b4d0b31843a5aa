"""All entries: every file beside this one that has some."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from catalogue.entry import KernelCall, OpCall

FAMILIES = [
    import_module(f"catalogue.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if path.stem not in ("__init__", "collected", "digest", "entry", "guarded")
]
KERNELS: list[KernelCall] = [entry for family in FAMILIES for entry in getattr(family, "KERNELS", [])]
OPS: list[OpCall] = [entry for family in FAMILIES for entry in getattr(family, "OPS", [])]


def differentiable(entry: OpCall) -> tuple[bool, ...]:
    """Return for each array whether the operation has a gradient for it."""
    return entry.differentiable or tuple(array.dtype.kind == "f" for array in entry.arrays)
