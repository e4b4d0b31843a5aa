"""Images with or without a batch axis, as PyTorch takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..errors import ShapeError


def batch_of_images(op: str, input: Any) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return (N, C, H, W) images, of a single (C, H, W) one a batch of one, and what takes the added axis off a result."""
    x = as_tensor(op, "input", input)
    if x.ndim == 4:
        return x, lambda out: out
    if x.ndim != 3:
        raise ShapeError(op, "input", "shape (N, C, H, W) or (C, H, W)", f"shape {x.shape}")
    return x.unsqueeze(0), lambda out: out.squeeze(0)
