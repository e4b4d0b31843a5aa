"""How values become operands: Python scalars are weak, arrays are constants, mixed dtypes and devices raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import array_module, device_of
from ..errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError, type_of
from . import late

if TYPE_CHECKING:
    from .tensor import Tensor

DEFAULT_DTYPE = np.dtype(np.float32)


def is_floating(array: Any) -> bool:
    """Return whether the array's (or Tensor's) dtype is a float."""
    return array.dtype.kind == "f"


def has_numbers(dtype: np.dtype) -> bool:
    """Return whether a dtype is one of NumPy's own bools, integers or floats.

    Other packages register dtypes of their own, some of which pass for floats, such as the float8_e5m2 of ml_dtypes.
    """
    return dtype.kind in "biuf" and dtype.isbuiltin != 2


def dtype_of(op: str, argument: str, dtype: Any) -> np.dtype:
    """Return a NumPy dtype of bools, integers or floats from whatever names one."""
    if not is_dtype(dtype):
        raise ArgumentTypeError(op, argument, "a dtype of bools, integers or floats", repr(dtype))
    return np.dtype(dtype)


def is_dtype(value: Any) -> bool:
    """Return whether a value names a dtype of bools, integers or floats; None does not, though NumPy reads it as float64."""
    try:
        return value is not None and has_numbers(np.dtype(value))
    except (TypeError, ValueError):
        return False


def as_tensor(op: str, argument: str, value: Any, like: Tensor | None = None) -> Tensor:
    """Return a Tensor: the value itself, an array as a constant, or a Python scalar in the dtype of ``like``."""
    if isinstance(value, late.Tensor):
        return value
    if isinstance(value, (bool, int, float)):
        try:
            value = _weak(value, like)
        except OverflowError:
            dtype = "int64" if like is None else f"{like.dtype}, the dtype of the other operand"
            raise ArgumentError(op, argument, f"a number of {dtype}", value) from None
    elif not device_of(value) and not isinstance(value, np.generic):
        raise ArgumentTypeError(op, argument, "a Tensor, an array or a Python number", type_of(value))
    if not has_numbers(value.dtype):
        raise DTypeError(op, argument, "bools, integers or floats", value.dtype)
    return late.Tensor(value)


def _weak(value: float, like: Tensor | None) -> Any:
    """Return a Python scalar as a 0-d array that leaves the other operand's dtype alone where it can."""
    if like is None:
        return np.asarray(value, DEFAULT_DTYPE if isinstance(value, float) else None)
    if is_floating(like):
        dtype = like.dtype
    elif isinstance(value, float):
        dtype = DEFAULT_DTYPE
    else:
        dtype = np.dtype(np.int64) if like.dtype.kind == "b" and not isinstance(value, bool) else like.dtype
    return array_module(like.array).asarray(value, dtype)


def pair_of_operands(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Return two Tensors of one dtype on one device.

    A Python float that meets an integer Tensor turns it into the default dtype, float32, as in PyTorch.
    """
    if not (isinstance(a, late.Tensor) and isinstance(b, late.Tensor)):
        a, b = _both_tensors(op, a, b)
    if a.dtype != b.dtype:
        raise DTypeError(op, "other", f"{a.dtype}, the dtype of input (convert one with .astype)", b.dtype)
    if a.device != b.device:
        raise DeviceError(op, "other", f"{a.device}, the device of input", b.device)
    return a, b


def _both_tensors(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Return two operands as Tensors, of one dtype if one of them is a Python number."""
    first = a if isinstance(a, late.Tensor) else None
    second = b if isinstance(b, late.Tensor) else None
    left, right = as_tensor(op, "input", a, second), as_tensor(op, "other", b, first)
    if left.dtype == right.dtype:
        return left, right
    if isinstance(a, (bool, int, float)):
        return left, right.astype(left.dtype)
    if isinstance(b, (bool, int, float)):
        return left.astype(right.dtype), right
    return left, right


def wide(function: Any, x: Any) -> Any:
    """Apply a transcendental function in float64 and round once, so that every backend gives the same float32."""
    return function(x.astype(np.float64)).astype(x.dtype) if x.dtype == np.float32 else function(x)
