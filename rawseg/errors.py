"""The error classes of rawseg; every one has ``.op``, ``.argument``, ``.expected`` and ``.got``."""

from rawseg_kernels._errors import (
    ArgumentError,
    ArgumentTypeError,
    BackendError,
    CheckpointError,
    DataError,
    DeviceError,
    DTypeError,
    GraphError,
    IndexRangeError,
    RawsegError,
    ShapeError,
    type_of,
)

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "BackendError",
    "CheckpointError",
    "DTypeError",
    "DataError",
    "DeviceError",
    "GraphError",
    "IndexRangeError",
    "RawsegError",
    "ShapeError",
    "type_of",
]
