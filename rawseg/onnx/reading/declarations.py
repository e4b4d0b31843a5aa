"""The declared inputs of a graph."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from ...errors import CheckpointError
from ..dtypes import DTYPES
from ..signature import Signature
from .tensors import kind_of

__all__ = ["signatures"]


def signatures(values: Iterable[onnx.ValueInfoProto], label: str) -> list[Signature]:
    """Return what the inputs must be.

    Raises
    ------
    CheckpointError
        If an input is no tensor, or one of a type that rawseg has not.
    """
    return [_signature(value, label) for value in values]


def _signature(value: onnx.ValueInfoProto, label: str) -> Signature:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise CheckpointError("load", label, f"a tensor as input {value.name!r}", kind or "nothing")
    declared = value.type.tensor_type
    dtype = DTYPES.get(declared.elem_type)  # type: ignore[arg-type]
    if dtype is None:
        raise CheckpointError(
            "load", label, f"an input {value.name!r} of bools, integers or floats", kind_of(declared.elem_type)
        )
    shape = tuple(_size(dim) for dim in declared.shape.dim) if declared.HasField("shape") else None
    return Signature(value.name, dtype, shape)


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    """Return a fixed size, the name of a free one, or None; exporters also write -1 for a free one."""
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None
