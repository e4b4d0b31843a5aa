"""The onnx package, which only reads and writes the format: asked for late, and missed in one clear line."""

from __future__ import annotations

import importlib.util

from ..errors import BackendError

__all__ = ["require_onnx"]


def require_onnx(op: str) -> None:
    """Raise a BackendError that says how to install the onnx package, if it is missing."""
    if importlib.util.find_spec("onnx") is None:
        raise BackendError(op, "onnx", "the onnx package: pip install onnx", "no such module")
