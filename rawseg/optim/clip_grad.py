"""Keep gradients small: by the norm of all of them together, or each element by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd.grad_mode import no_grad
from ..autograd.tensor import Tensor
from ..device import array_module
from ..errors import ArgumentError, DataError
from .blocks import blocks
from .optimizer import check_number

QUIET: Any = {"over": "ignore", "under": "ignore", "invalid": "ignore"}


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients by one factor so that their common norm is at most ``max_norm``.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are left out.
    max_norm : float
        At least 0.
    norm_type : float
        The p of the p-norm, above 0; may be inf.
    error_if_nonfinite : bool
        Raise if the norm is inf or NaN; otherwise the gradients become 0 or NaN, as in torch.

    Returns
    -------
    total_norm : Tensor, shape ()
        The norm before scaling, in the dtype of the first gradient; 0 without gradients.

    Raises
    ------
    DataError
        If the norm is not finite and ``error_if_nonfinite`` is set. Then nothing has changed.

    Notes
    -----
    The factor is ``min(1, max_norm / (norm + 1e-6))``. Sums are in float64 and in a fixed order. Where all gradients are on one
    GPU, the norm is there, too, and nobody waits for it unless ``error_if_nonfinite`` is set.
    """
    check_number("clip_grad_norm_", "max_norm", max_norm)
    if not norm_type > 0:
        raise ArgumentError("clip_grad_norm_", "norm_type", "a number above 0, or inf", norm_type)
    gradients = _gradients(parameters)
    if _on_one_gpu(gradients):
        return _clip_norm_on_gpu(gradients, float(max_norm), float(norm_type), error_if_nonfinite)
    with np.errstate(over="ignore", invalid="ignore"):
        norm = _total_norm([gradient.array for gradient in gradients], float(norm_type))
    if error_if_nonfinite and not math.isfinite(norm):
        raise DataError("clip_grad_norm_", "parameters", "gradients with a finite norm", norm)
    factor = min(1.0, float(max_norm) / (norm + 1e-6)) if norm == norm else norm  # min() would swallow a NaN
    if factor != 1.0:
        with np.errstate(**QUIET):
            for array in _written("clip_grad_norm_", gradients):
                np.multiply(array, factor, out=array)
    dtype = gradients[0].dtype if gradients else np.float32
    return Tensor(np.asarray(norm, dtype))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bring every element of every gradient into ``[-clip_value, clip_value]``; NaN stays NaN.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are left out.
    clip_value : float
        At least 0.
    """
    check_number("clip_grad_value_", "clip_value", clip_value)
    limit, gradients = float(clip_value), _gradients(parameters)
    if _on_one_gpu(gradients):
        from . import clip_together

        clip_together.limit(_written("clip_grad_value_", gradients), limit)
        return
    with np.errstate(**QUIET):
        for array in _written("clip_grad_value_", gradients):
            array.clip(-limit, limit, out=array)


def all_finite(array: Any) -> bool:
    """Return whether an array holds neither inf nor NaN."""
    xp = array_module(array)
    return all(bool(xp.isfinite(block).all()) for block, _, _ in blocks(array))


def gradients_finite(gradients: list[Tensor]) -> bool:
    """Return whether no gradient holds inf or NaN; all of one GPU are looked at in one launch, and waited for once."""
    if _on_one_gpu(gradients):
        from . import clip_together

        largest, _ = clip_together.norm_and_factor([gradient.array for gradient in gradients], math.inf, 1.0)
        return math.isfinite(float(largest))
    return all(all_finite(gradient.array) for gradient in gradients)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [param.grad for param in given if param.grad is not None]


def _on_one_gpu(gradients: list[Tensor]) -> bool:
    devices = {gradient.device for gradient in gradients}
    return len(devices) == 1 and "cpu" not in devices


def _clip_norm_on_gpu(gradients: list[Tensor], max_norm: float, p: float, error_if_nonfinite: bool) -> Tensor:
    from . import clip_together

    norm, factor = clip_together.norm_and_factor([gradient.array for gradient in gradients], p, max_norm)
    if error_if_nonfinite and not math.isfinite(float(norm)):
        raise DataError("clip_grad_norm_", "parameters", "gradients with a finite norm", float(norm))
    clip_together.scale(_written("clip_grad_norm_", gradients), factor)
    return Tensor(norm.astype(gradients[0].dtype))


def _written(op: str, gradients: list[Tensor]) -> list[Any]:
    """Return the arrays of gradients that are about to be changed; none is counted as changed if one cannot be."""
    for position, gradient in enumerate(gradients):
        if not getattr(gradient.array.flags, "writeable", True):  # CuPy's arrays have no such flag
            raise ArgumentError(op, "parameters", "gradients that can be written to", f"a read-only one at {position}")
    with no_grad():
        return [gradient._write(op) for gradient in gradients]


def _total_norm(arrays: list[Any], p: float) -> float:
    """Return the p-norm of all elements of all arrays."""
    wide = (block.astype(np.float64) for array in arrays for block, _, _ in blocks(array))
    if p == math.inf:
        largest = [float(abs(block).max()) for block in wide if block.size]
        return float(np.max(largest, initial=0.0))
    return sum(float((abs(block) ** p).sum()) for block in wide) ** (1 / p)
