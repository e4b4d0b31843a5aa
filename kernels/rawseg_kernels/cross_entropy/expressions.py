"""Cross entropy in array expressions, image by image: float64 copies of a whole batch of logits would be large."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arrays


def forward(x: Any, target: Any, kept: Any, sharp: Any, smooth: Any) -> tuple[Any, Any]:
    """See ``reference.forward``."""
    xp = _arrays.module_of(x)
    losses, shifts = xp.empty(target.shape, x.dtype), xp.empty(target.shape, np.float64)
    for b in range(x.shape[0]):
        logits = x[b].astype(np.float64)  # (C, D)
        top = logits.max(0)
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, and that is the answer
            shifts[b] = top + xp.log(xp.exp(logits - top).sum(0))
            loss = sharp[b] * (shifts[b] - xp.take_along_axis(logits, target[b][None], 0)[0])
            if smooth.size:
                loss = loss + (smooth[:, None] * (shifts[b] - logits)).sum(0)
        losses[b] = xp.where(kept[b], loss, 0)
    return losses, shifts


def backward(grad_output: Any, x: Any, shifts: Any, target: Any, kept: Any, sharp: Any, smooth: Any) -> Any:
    """See ``reference.backward``."""
    xp = _arrays.module_of(x)
    grad_input = xp.empty(x.shape, x.dtype)
    grad_output = xp.broadcast_to(grad_output, target.shape)
    for b in range(x.shape[0]):
        with np.errstate(invalid="ignore"):
            gradient = xp.exp(x[b] - shifts[b]) * (sharp[b] + smooth.sum())  # float64, as shifts is
            at = target[b][None]
            xp.put_along_axis(gradient, at, xp.take_along_axis(gradient, at, 0) - sharp[b], 0)
            if smooth.size:
                gradient -= smooth[:, None]
            gradient *= grad_output[b]
        grad_input[b] = xp.where(kept[b], gradient, 0)
    return grad_input
