"""Running means and variances of channels: what may be given, and how a batch moves them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels import batch_norm as batch_norm_room
from rawseg_kernels._arrays import FLOATING, check_floating, check_shape, real

from ..autograd import Tensor, no_grad
from ..autograd.deferred import stand_in
from ..autograd.operands import as_tensor
from ..errors import ArgumentError


def checked_statistics(op: str, x: Tensor, running_mean: Any, running_var: Any, updating: bool) -> list[Tensor]:
    """Return the running statistics as two Tensors on the caller's memory, or none, which only those who update may pass."""
    if _fit(x, running_mean, updating) and _fit(x, running_var, updating):
        tensors = [running_mean, running_var]
    else:
        tensors = _as_statistics(op, x, running_mean, running_var, updating)
    if updating and tensors:  # who only normalises by them has them checked by the kernel
        batch_norm_room.check_statistics(*(tensor.array for tensor in tensors))
    return tensors


def _as_statistics(op: str, x: Tensor, running_mean: Any, running_var: Any, updating: bool) -> list[Tensor]:
    """Return what was given as two Tensors, or none."""
    if (running_mean is None) != (running_var is None) or (running_mean is None and not updating):
        missing = "running_mean" if running_mean is None else "running_var"
        raise ArgumentError(op, missing, "running_mean and running_var, or neither, in training only", None)
    if running_mean is None:
        return []
    statistics = {"running_mean": as_tensor(op, "running_mean", running_mean)}
    statistics["running_var"] = as_tensor(op, "running_var", running_var)
    for name, tensor in statistics.items():
        check_floating(op, input=stand_in(x), **{name: tensor.array})
        check_shape(op, name, tensor, x.shape[1:2])
        if updating and isinstance(tensor.array, np.ndarray) and not tensor.array.flags.writeable:
            raise ArgumentError(op, name, "a writeable array in training", "a read-only one")
    return list(statistics.values())


def _fit(x: Tensor, statistic: Any, updating: bool) -> bool:
    """Return whether a statistic is a Tensor on the CPU that fits x: the usual case, soon told."""
    array = statistic._array if isinstance(statistic, Tensor) else None
    if not isinstance(array, np.ndarray) or array.shape != x.shape[1:2] or (updating and not array.flags.writeable):
        return False
    return array.ndim == 1 and array.dtype == x.dtype and array.dtype in FLOATING and x.device == "cpu"


def checked_momentum(op: str, momentum: Any) -> float:
    """Return the weight of a batch, 0 to 1."""
    if not 0 <= real(op, "momentum", momentum) <= 1:
        raise ArgumentError(op, "momentum", "between 0 and 1", momentum)
    return float(momentum)


def update(running: list[Tensor], mean: Any, variance: Any, momentum: float) -> None:
    """Move the statistics towards a batch's, arrays of float64, shape (C,); the variance is unbiased.

    A channel whose new variance would not be finite keeps both: one batch with inf or NaN, which a training loop may well skip,
    must not make the statistics unusable for ever.
    """
    arrays = running[0].array, running[1].array
    moved = batch_norm_room.moved_statistics(arrays[0], arrays[1], mean, variance, momentum)
    with no_grad():
        for tensor, array in zip(running, moved):
            tensor.copy_(Tensor(array))
