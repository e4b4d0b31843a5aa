"""What a caller of `rawseg.onnx.export` asked for, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from rawseg_kernels._arrays import flag, integer

from ...errors import ArgumentError, ArgumentTypeError, DTypeError, type_of
from ...nn import Module
from .model_builder import OP

__all__ = ["FLOAT64_HAS_TO_BE_SAID", "OLDEST", "Settings", "names_for", "settings_of"]

FLOAT64_HAS_TO_BE_SAID = (
    "float32, or dtype='float32' to convert it (ONNX Runtime lacks float64 convolutions), or dtype='float64'"
)
OLDEST = 11  # the first operator set whose Resize, Pad and Clip have what is needed


@dataclass(frozen=True)
class Settings:
    """The options of `rawseg.onnx.export`, checked; see there. ``dtype`` is float32 where it ``is_float64_open``: not said."""

    opset: int
    dynamic_batch: bool
    dynamic_size: bool
    input_names: tuple[str, ...] | None
    output_names: tuple[str, ...] | None
    dtype: np.dtype
    is_float64_open: bool
    verify: bool


def settings_of(
    model: Any,
    opset: Any,
    dynamic_batch: Any,
    dynamic_size: Any,
    input_names: Any,
    output_names: Any,
    dtype: Any,
    verify: Any,
) -> Settings:
    """Return the options after a check."""
    if not isinstance(model, Module):
        raise ArgumentTypeError(OP, "model", "a rawseg.nn.Module", type_of(model))
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST <= integer(OP, "opset", opset, 0) <= newest:
        raise ArgumentError(OP, "opset", f"{OLDEST} to {newest}, the newest of the installed onnx package", opset)
    names = [_names(model, name, given) for name, given in (("input_names", input_names), ("output_names", output_names))]
    if names[0] and names[1] and set(names[0]) & set(names[1]):
        raise ArgumentError(OP, "output_names", "names that no input has", names[1])
    flags = flag(OP, "dynamic_batch", dynamic_batch), flag(OP, "dynamic_size", dynamic_size), flag(OP, "verify", verify)
    return Settings(int(opset), flags[0], flags[1], names[0], names[1], _dtype(model, dtype), dtype is None, flags[2])


def _names(model: Module, argument: str, given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = tuple(given) if isinstance(given, (tuple, list)) else ()
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ArgumentError(OP, argument, "a list of different names", repr(given))
    taken = set(names) & {name for pairs in (model.named_parameters(), model.named_buffers()) for name, _ in pairs}
    if taken:
        raise ArgumentError(OP, argument, "names that no parameter has", sorted(taken))
    return names


def _dtype(model: Module, dtype: Any) -> np.dtype:
    """Return what float64 becomes."""
    if dtype is None:
        wide = next((name for name, tensor in model.named_parameters() if tensor.dtype == np.float64), None)
        if wide is not None:
            raise DTypeError(OP, "model", FLOAT64_HAS_TO_BE_SAID, f"float64 ({wide})")
        return np.dtype(np.float32)
    if not isinstance(dtype, (str, type, np.dtype)) or str(dtype) not in ("float32", "float64"):
        raise ArgumentError(OP, "dtype", "None, 'float32' or 'float64'", repr(dtype))
    narrow = next((name for name, tensor in model.named_parameters() if tensor.dtype == np.float32), None)
    if np.dtype(dtype) == np.float64 and narrow is not None:
        raise DTypeError(
            OP, "model", "float64, which dtype='float64' keeps (model.double() converts it)", f"float32 ({narrow})"
        )
    return np.dtype(dtype)


def names_for(argument: str, given: Sequence[str] | None, default: str | Sequence[str], count: int) -> list[str]:
    """Return a name for each of ``count`` inputs or outputs."""
    if given is not None:
        if len(given) != count:
            raise ArgumentError(OP, argument, f"{count} names", list(given))
        return list(given)
    if not isinstance(default, str):
        return list(default)
    return [default] if count == 1 else [f"{default}_{i}" for i in range(count)]
