"""ONNX's numbers for types of elements, those of TensorProto.DataType, and the dtypes that arrays have for them."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

__all__ = ["DTYPES", "OTHERS"]

DTYPES = MappingProxyType(
    {
        1: np.dtype(np.float32),
        2: np.dtype(np.uint8),
        3: np.dtype(np.int8),
        4: np.dtype(np.uint16),
        5: np.dtype(np.int16),
        6: np.dtype(np.int32),
        7: np.dtype(np.int64),
        9: np.dtype(np.bool_),
        10: np.dtype(np.float16),
        11: np.dtype(np.float64),
        12: np.dtype(np.uint32),
        13: np.dtype(np.uint64),
    }
)
# Those that no array of NumPy or CuPy can hold, by name, for messages.
OTHERS = MappingProxyType(
    {
        8: "string",
        14: "complex64",
        15: "complex128",
        16: "bfloat16",
        17: "float8e4m3fn",
        18: "float8e4m3fnuz",
        19: "float8e5m2",
        20: "float8e5m2fnuz",
        21: "uint4",
        22: "int4",
        23: "float4e2m1",
        24: "float8e8m0",
        25: "uint2",
        26: "int2",
    }
)
