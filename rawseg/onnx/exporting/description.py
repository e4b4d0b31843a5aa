"""What a file says about itself: its network, and the names of sizes that vary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .program import Program, Size, Varying

__all__ = ["about", "symbols_of"]

AXES = {0: "batch", 2: "height", 3: "width"}


def about(model: Any) -> dict[str, Any]:
    """Return the texts for `ModelBuilder.model`: who wrote the file, and, of a model of `rawseg.models`, how to build it."""
    from ... import __version__

    metadata = {}
    if isinstance(getattr(model, "name", None), str) and isinstance(getattr(model, "config", None), dict):
        metadata = {"model": model.name, "config": json.dumps(model.config)}
        if getattr(model, "class_names", None):
            metadata["class_names"] = json.dumps(model.class_names)
    doc = f"{type(model).__name__}, written by rawseg {__version__}"
    return {"doc": doc, "producer_version": __version__, "metadata": metadata}


def symbols_of(program: Program, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[list[list], list[list]]:
    """Return the shapes of all inputs and outputs, with a name for each size that varies; equal ones have one name."""
    symbols: dict[Varying, str] = {}

    def spelled(size: Size, name: str, axis: int, given: bool) -> int | str:
        if isinstance(size, int):
            return size
        if size not in symbols:
            plain = AXES.get(axis, f"axis_{axis}")
            symbols[size] = plain if given and plain not in symbols.values() else f"{name}_{plain}"
        return symbols[size]

    return tuple(  # type: ignore[return-value]
        [[spelled(size, name, axis, given) for axis, size in enumerate(value.shape)] for value, name in zip(values, names)]
        for values, names, given in ((program.inputs, inputs, True), (program.outputs, outputs, False))
    )
