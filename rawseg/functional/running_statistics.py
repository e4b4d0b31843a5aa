"""Running means and variances of channels: what may be given, and how a batch moves them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels import batch_norm as batch_norm_room
from rawseg_kernels._arrays import FLOATING, check_floating, check_shape, real

from ..autograd import Tensor, no_grad
from ..autograd.deferred import settle_readers, stand_in
from ..autograd.grad_mode import modes
from ..autograd.operands import as_tensor
from ..errors import ArgumentError


def checked_statistics(op: str, x: Tensor, running_mean: Any, running_var: Any, updating: bool) -> list[Tensor]:
    """Return the running statistics as two Tensors on the caller's memory, or none, which only those who update may pass."""
    if _fit(x, running_mean, updating) and _fit(x, running_var, updating):
        tensors = [running_mean, running_var]
    else:
        tensors = _as_statistics(op, x, running_mean, running_var, updating)
    if tensors and updating and x.size == 0:  # who normalises by them, or moves them, has them checked by a kernel
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


def update(running: list[Tensor], mean: Any, variance: Any, count: int, momentum: float) -> None:
    """Move the statistics towards a batch's of ``count`` values a channel: float64, shape (C,), the variance divided by it.

    A channel whose new variance would not be finite keeps both: one batch with inf or NaN, which a training loop may well skip,
    must not make the statistics unusable for ever.

    Raises
    ------
    ArgumentError
        If the running statistics are not finite, or a variance is negative. Then nothing has changed.
    """
    arrays = running[0].array, running[1].array
    if modes.recorder is None and _moved_in_place(running, arrays, mean, variance, count, momentum):
        return
    batch_norm_room.check_statistics(*arrays)
    moved = batch_norm_room.moved_statistics(*arrays, mean, variance * (count / (count - 1)), momentum)
    with no_grad():
        for tensor, array in zip(running, moved):
            tensor.copy_(Tensor(array))


def _moved_in_place(
    running: list[Tensor], arrays: tuple[Any, Any], mean: Any, variance: Any, count: int, momentum: float
) -> bool:
    """Do all of `update` in one kernel, which checks the running statistics first; return False if it is not for them."""
    if not isinstance(arrays[0], np.ndarray):
        return False
    for array in arrays:
        settle_readers(array)
    if not batch_norm_room.move(*arrays, mean, variance, count, momentum):
        return False
    for tensor in running:
        tensor._version[0] += 1
    return True
