"""What goes into a graph: names, dtypes and shapes, and the check of what is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..errors import DTypeError, ShapeError

__all__ = ["Signature"]


@dataclass(frozen=True)
class Signature:
    """The declaration of one input or output.

    Parameters
    ----------
    name : str
        As in the graph.
    dtype : dtype, optional
        None: any.
    shape : tuple, optional
        Of each axis its size, the name of a size that may vary, or None where nothing is known; None: any number of axes.
    """

    name: str
    dtype: np.dtype | None = None
    shape: tuple[int | str | None, ...] | None = None

    def freed(self) -> Signature:
        """Return it with every size free; the number of axes and the dtype stay."""
        return replace(self, shape=None if self.shape is None else (None,) * len(self.shape))

    def in_dtype(self, dtype: np.dtype) -> Signature:
        """Return it for a graph whose floats were converted."""
        return replace(self, dtype=dtype) if self.dtype is not None and self.dtype.kind == "f" else self

    def checked(self, value: Any) -> Tensor:
        """Return a value as a Tensor.

        Raises
        ------
        ArgumentTypeError
            If it is no Tensor and no array.
        DTypeError, ShapeError
            If it is not what was declared.
        """
        tensor = as_tensor("onnx", self.name, value)
        if self.dtype is not None and tensor.dtype != self.dtype:
            raise DTypeError("onnx", self.name, str(self.dtype), tensor.dtype)
        if self.shape is None:
            return tensor
        fits = len(self.shape) == tensor.ndim and all(
            not isinstance(wanted, int) or wanted == size for wanted, size in zip(self.shape, tensor.shape)
        )
        if not fits:
            raise ShapeError("onnx", self.name, f"shape {self.spelled()}", f"shape {tensor.shape}")
        return tensor

    def spelled(self) -> str:
        """Return the shape as text, "?" for what is free and has no name."""
        if self.shape is None:
            return "(...)"
        sizes = ["?" if size is None else str(size) for size in self.shape]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype or 'any'} {self.spelled()}"
