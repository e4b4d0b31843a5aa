"""Stored tensors: what a message says about its shape, its dtype and its elements must agree before it becomes an array."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
import onnx

from rawseg_kernels._memory import limit_bytes

from ...errors import CheckpointError
from ..dtypes import DTYPES
from .external import content_of

__all__ = ["Tensors", "kind_of"]

T = onnx.TensorProto
# The field of a message that holds the elements if they are not raw bytes.
FIELDS = MappingProxyType(
    {T.FLOAT: "float_data", T.DOUBLE: "double_data", T.INT64: "int64_data"} | dict.fromkeys((T.UINT32, T.UINT64), "uint64_data")
)
MOST_AXES = 64  # NumPy's


def kind_of(number: int) -> str:
    """Return the format's word for a type of elements."""
    return {value: name for name, value in T.DataType.items()}.get(number, f"type {number}")


class Tensors:
    """A reader of the tensors of one model.

    Parameters
    ----------
    label : str
        What to call the model in errors.
    folder : str or None
        Where files with the elements of large tensors may lie; None: nowhere.

    Notes
    -----
    All tensors together may take as much memory as `limit_bytes` allows: many can name one and the same part of a file.
    """

    def __init__(self, label: str, folder: str | None) -> None:
        self.label, self.folder, self.total = label, folder, 0

    def array(self, tensor: Any, name: str) -> np.ndarray:
        """Return a fresh array.

        Raises
        ------
        CheckpointError
            If the message contradicts itself, is of a dtype that rawseg has not, or does not fit into memory.
        """
        dtype = DTYPES.get(tensor.data_type)
        if dtype is None:
            self._refuse(name, "bools, integers or floats of at least 8 bits", kind_of(tensor.data_type))
        shape = tuple(tensor.dims)
        if len(shape) > MOST_AXES or any(size < 0 for size in shape):
            self._refuse(name, f"at most {MOST_AXES} sizes, none of them negative", shape[: MOST_AXES + 1])
        if tensor.HasField("segment"):
            self._refuse(name, "a tensor in one piece", "a segment of one")
        needed = math.prod(shape) * dtype.itemsize  # Python ints: cannot overflow
        if self.total + needed > limit_bytes() or math.prod(filter(None, shape)) > np.iinfo(np.int64).max // 8:
            self._refuse(
                name, f"tensors of at most {limit_bytes()} bytes together", f"{self.total + needed} with shape {shape}"
            )
        self.total += needed
        return self._elements(tensor, name, dtype, needed).reshape(shape)

    def _elements(self, tensor: Any, name: str, dtype: np.dtype, needed: int) -> np.ndarray:
        if tensor.data_location == T.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            content = content_of(entries, needed, self.folder, f"{self.label}: {name}")
        elif tensor.HasField("raw_data"):
            content = tensor.raw_data
            if len(content) != needed:
                self._refuse(name, f"{needed} bytes for shape {tuple(tensor.dims)} of {dtype}", len(content))
        else:
            return self._listed(tensor, name, dtype, needed // dtype.itemsize)
        if dtype.kind == "b":  # a byte that is neither 0 nor 1 would be a bool that is neither
            return np.frombuffer(content, np.uint8) != 0
        return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype)

    def _listed(self, tensor: Any, name: str, dtype: np.dtype, count: int) -> np.ndarray:
        """Return elements that are numbers of the message."""
        numbers = getattr(tensor, FIELDS.get(tensor.data_type, "int32_data"))
        if len(numbers) != count:
            self._refuse(name, f"{count} elements for shape {tuple(tensor.dims)}", len(numbers))
        if dtype.kind == "f" and dtype.itemsize == 2:  # the bits of a half stand in an int
            return self._narrowed(np.array(numbers, np.int32), np.dtype(np.uint16), name).view(np.float16)
        if dtype.kind == "f":
            return np.array(numbers, dtype)
        if dtype.kind == "b":
            return np.array(numbers, np.int32) != 0
        return self._narrowed(
            np.array(numbers, np.uint64 if dtype.kind == "u" and dtype.itemsize > 2 else np.int64), dtype, name
        )

    def _narrowed(self, numbers: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
        narrow = numbers.astype(dtype)
        if not np.array_equal(narrow, numbers):
            self._refuse(name, f"numbers that fit into {dtype}", "others")
        return narrow

    def _refuse(self, name: str, expected: str, got: Any) -> NoReturn:
        raise CheckpointError("load", f"{self.label}: {name}", expected, got)
