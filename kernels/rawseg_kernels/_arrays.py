"""What every operation asks of its arguments: pairs, dtypes, devices, ranks and sizes, each with one clear error."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ._arena import empty
from ._capture import refuse
from ._errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError, IndexRangeError, ShapeError

MANY = 1 << 14  # numbers of an array: of fewer, NumPy says sooner than threads whether they are within bounds
FLOATING = (np.dtype(np.float32), np.dtype(np.float64))
LARGEST = 2**31 - 1  # of a geometry number: products of two stay inside the kernels' 64-bit arithmetic


def integer(op: str, argument: str, value: Any, minimum: int) -> int:
    """Return an int of at least ``minimum``; bools and floats are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise ArgumentTypeError(op, argument, "an int", repr(value))
    try:
        number = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(op, argument, "an int", repr(value)) from None
    if number < minimum:
        raise ArgumentError(op, argument, f"at least {minimum}", number)
    return number


def pair(op: str, argument: str, value: Any, minimum: int) -> tuple[int, int]:
    """Return ``(height, width)`` from an int or from two; each at least ``minimum`` and at most ``LARGEST``."""
    if not isinstance(value, (tuple, list)):
        value = value, value
    if len(value) != 2:
        raise ArgumentError(op, argument, "an int or a pair (height, width)", value)
    height, width = integer(op, argument, value[0], minimum), integer(op, argument, value[1], minimum)
    if max(height, width) > LARGEST:
        raise ArgumentError(op, argument, f"at most {LARGEST}", (height, width))
    return height, width


def are_plain(values: Iterable[Any]) -> bool:
    """Return whether all arguments are ints, words, or tuples of ints, and nothing that only equals one."""
    for value in values:
        kind = type(value)
        if kind is tuple:
            for number in value:
                if type(number) is not int:
                    return False
        elif kind is not int and kind is not str:
            return False
    return True


def flag(op: str, argument: str, value: Any) -> bool:
    """Return a bool; ints are refused, because one in a flag's place is an argument that slipped."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentTypeError(op, argument, "a bool", repr(value))
    return bool(value)


def real(op: str, argument: str, value: Any) -> float:
    """Return a finite float; bools, strings and arrays are refused."""
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentTypeError(op, argument, "a real number", repr(value))
    number = float(value)
    if not math.isfinite(number):
        raise ArgumentError(op, argument, "a finite number", number)
    return number


def device_of(array: Any) -> str:
    """Return ``"cpu"`` for a NumPy array, ``"cuda:0"`` and so on for a CuPy array, else an empty string."""
    if isinstance(array, np.ndarray):
        return "cpu"
    if type(array).__module__.partition(".")[0] == "cupy":  # asked of the type: cupy need not be installed
        return f"cuda:{array.device.id}"
    return ""


def check_current(op: str, argument: str, array: Any) -> None:
    """Check that a CuPy array is on the current GPU of this thread, where CuPy computes whatever its operands are."""
    here = module_of(array).cuda.runtime.getDevice()
    if array.device.id != here:
        there = array.device.id
        expected = f"an array on cuda:{here}, the current device (rawseg.cuda.set_device({there}) makes another one current)"
        raise DeviceError(op, argument, expected, f"one on cuda:{there}")


def module_of(array: Any) -> Any:
    """Return the module (numpy or cupy) whose functions work on this array."""
    return np if isinstance(array, np.ndarray) else sys.modules[type(array).__module__.partition(".")[0]]


def filled(like: Any, shape: tuple[int, ...], value: float, dtype: Any = None) -> Any:
    """Return an array of one number beside another array, in its dtype unless another is given."""
    dtype = like.dtype if dtype is None else dtype
    if not isinstance(like, np.ndarray):
        with like.device:
            return module_of(like).full(shape, value, dtype)
    out = empty(shape, dtype)
    out.fill(value)
    return out


def check_floating(op: str, **arrays: Any) -> str:
    """Check that all arrays (None is skipped) are float32 or float64, of one dtype, on one device, the current; return it."""
    if _are_usual(arrays.values()):
        return "cpu"
    first_name, first, first_device = "", None, ""
    for name, array in arrays.items():
        if array is None:
            continue
        device = device_of(array)
        if not device:
            raise ArgumentTypeError(op, name, "a NumPy or CuPy array", type(array).__name__)
        if array.dtype not in FLOATING:
            raise DTypeError(op, name, "float32 or float64", array.dtype)
        if first is None:
            if device != "cpu":
                check_current(op, name, array)
            first_name, first, first_device = name, array, device
        elif array.dtype != first.dtype:
            raise DTypeError(op, name, f"{first.dtype}, the dtype of {first_name}", array.dtype)
        elif device != first_device:
            raise DeviceError(op, name, f"{first_device}, the device of {first_name}", device)
    return first_device


def _are_usual(arrays: Iterable[Any]) -> bool:
    """Return whether all arrays but None are NumPy's, of one object for a dtype that is allowed: most are, and soon told."""
    dtype = None
    for array in arrays:
        if array is None:
            continue
        if type(array) is not np.ndarray or (dtype is not None and array.dtype is not dtype):
            return False
        dtype = array.dtype
    return dtype is not None and dtype in FLOATING


def fits(array: Any, shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Return whether an array is NumPy's, of a shape and of one object for a dtype: most are, and soon told.

    Of one that is not, the checks below say what is wrong, if anything is.
    """
    return type(array) is np.ndarray and array.dtype is dtype and array.shape == shape


def are_planes(array: Any) -> bool:
    """Return whether an array is NumPy's (N, C, H, W), floating, with pixels in every plane; soon told, as by `fits`."""
    return type(array) is np.ndarray and array.ndim == 4 and array.dtype in FLOATING and 0 not in array.shape[1:]


def check_array(op: str, argument: str, array: Any) -> None:
    """Check that a required argument is an array at all: `check_floating` lets None pass."""
    if not device_of(array):
        raise ArgumentTypeError(op, argument, "a NumPy or CuPy array", type(array).__name__)


def check_integers(op: str, argument: str, array: Any, device: str) -> None:
    """Check an array of int64 on the device of the call's other arrays."""
    check_array(op, argument, array)
    if device_of(array) != device:
        raise DeviceError(op, argument, f"{device}, the device of the other arrays", device_of(array))
    if array.dtype != np.int64:
        raise DTypeError(op, argument, "int64", array.dtype)


def are_within(array: Any, least: int, end: int) -> bool:
    """Return whether ``least <= number < end`` for every number of a large NumPy array of int64, as threads soon tell.

    Of any other array, the answer is False.
    """
    if type(array) is not np.ndarray or array.size < MANY or array.dtype != np.int64 or not array.flags.carray:
        return False
    from ._bounds import lie_within  # numba

    return lie_within(array, least, end)


def check_range(op: str, argument: str, array: Any, least: int, end: int, expected: str) -> None:
    """Check that every number of an int64 array is in ``least <= number < end``; an error names the first that is not."""
    if array.size == 0 or are_within(array, least, end):
        return

    def error() -> IndexRangeError:
        at = np.unravel_index(int(((array < least) | (array >= end)).argmax()), array.shape)
        return IndexRangeError(op, argument, expected, f"{array[at]} at {tuple(int(axis) for axis in at)}")

    offsets = array - least if least else array
    refuse(offsets.view(np.uint64).max() >= end - least, error)  # one pass: as unsigned, a negative offset is huge


def check_rank(op: str, argument: str, array: Any, dimensions: str) -> None:
    """Check the number of axes against a spelled shape such as ``"(N, C, H, W)"``."""
    check_array(op, argument, array)
    if array.ndim != dimensions.count(",") + (not dimensions.endswith(",)")):
        raise ShapeError(op, argument, f"shape {dimensions}", f"shape {array.shape}")


def check_shape(op: str, argument: str, array: Any, shape: tuple[int, ...]) -> None:
    """Check an exact shape."""
    if array.shape != tuple(shape):
        raise ShapeError(op, argument, f"shape {tuple(shape)}", f"shape {array.shape}")


def check_not_empty(op: str, argument: str, array: Any, axes: str = "CHW") -> None:
    """Check that the named axes of an (N, C, H, W) array are at least 1; an empty batch is always allowed."""
    for axis, name in enumerate("NCHW"):
        if name in axes and array.shape[axis] < 1:
            raise ShapeError(op, argument, f"at least 1 along {name}", f"shape {array.shape}")


def contiguous(array: Any) -> Any:
    """Return the array itself if C-contiguous, else a fresh C-contiguous copy; a read-only one as `_Unlocked` shows it."""
    flags = array.flags
    if type(array) is np.ndarray and flags.carray:
        return array
    if not flags.c_contiguous:
        return _copied(array)
    return array if getattr(flags, "writeable", True) else np.asarray(_Unlocked(array))


def _copied(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return array.copy(order="C")
    out = empty(array.shape, array.dtype)
    np.copyto(out, array)
    return out


class _Unlocked:
    """The memory of a read-only array without the flag: for Numba it is part of the type, and would compile all kernels twice.

    Kernels never write to their inputs.
    """

    def __init__(self, array: np.ndarray) -> None:
        address = array.__array_interface__["data"][0]
        self.array = array  # keeps the memory alive
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}
