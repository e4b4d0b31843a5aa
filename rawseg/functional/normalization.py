"""Batch normalisation: the running statistics are written only after everything else has succeeded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rawseg_kernels import batch_norm as batch_norm_room
from rawseg_kernels._arrays import check_floating, check_shape, real

from ..autograd import Function, Tensor, is_grad_enabled, no_grad
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError

__all__ = ["batch_norm"]

OP = "batch_norm"


class BatchNormTraining(Function):
    """Normalise by the batch's own statistics, which leave as constants beside the output."""

    @staticmethod
    def forward(ctx, x, weight, bias, *, eps):
        out, mean, inv_std, var = batch_norm_room.forward_train(x, weight, bias, eps)
        ctx.eps = eps
        ctx.save(x, weight, mean, inv_std)
        return out, mean, var

    @staticmethod
    def backward(ctx, grad_output, _grad_mean, _grad_var):
        x, weight, mean, inv_std = ctx.saved
        if is_grad_enabled():  # the gradient will be differentiated: compose it of operations that can be
            axes = _axes(x)
            centre = x.mean(axes, keepdim=True)
            spread = ((x - centre) * (x - centre)).mean(axes, keepdim=True)
            return _composed(grad_output, x, weight, centre, 1 / (spread + ctx.eps).sqrt(), ctx.needs_grad, True)
        arrays = grad_output.array, x.array, None if weight is None else weight.array, mean.array, inv_std.array
        return _wanted(ctx, batch_norm_room.backward_train(*arrays))


class BatchNormEvaluation(Function):
    """Normalise by running statistics, which are constants."""

    @staticmethod
    def forward(ctx, x, weight, bias, *, mean, var, eps):
        ctx.eps, ctx.statistics = eps, (mean.copy(), var.copy())  # (C,) each; they may move on before backward
        ctx.save(x, weight)
        return batch_norm_room.forward_eval(x, weight, bias, mean, var, eps)

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved
        mean, var = ctx.statistics
        if is_grad_enabled():
            centre, spread = (Tensor(s.reshape(_channels(x))) for s in (mean, var))
            return _composed(grad_output, x, weight, centre, 1 / (spread + ctx.eps).sqrt(), ctx.needs_grad, False)
        arrays = grad_output.array, x.array, None if weight is None else weight.array, mean, var, ctx.eps
        return _wanted(ctx, batch_norm_room.backward_eval(*arrays))


def _composed(grad_output, x, weight, mean, inv_std, needs_grad, through_statistics):
    """Return the three gradients as compositions of Tensor operations."""
    axes = _axes(x)
    z = (x - mean) * inv_std
    total, moment = grad_output.sum(axes, keepdim=True), (grad_output * z).sum(axes, keepdim=True)
    grad_input = None
    if needs_grad[0]:
        count = max(1, math.prod(x.shape[axis] for axis in axes))
        inner = grad_output - total / count - z * (moment / count) if through_statistics else grad_output
        grad_input = inner * inv_std if weight is None else inner * inv_std * weight.reshape(_channels(x))
    return grad_input, moment.squeeze(axes) if needs_grad[1] else None, total.squeeze(axes) if needs_grad[2] else None


def _wanted(ctx, arrays):
    return tuple(Tensor(array) if need else None for array, need in zip(arrays, ctx.needs_grad))


def _axes(x: Tensor) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _channels(x: Tensor) -> tuple[int, ...]:
    return (1, x.shape[1], *[1] * (x.ndim - 2))


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Shift and scale every channel to mean 0 and variance 1, then by ``weight`` and ``bias``.

    Parameters
    ----------
    input : Tensor, shape (N, C, ...)
        Feature maps, float32 or float64.
    running_mean, running_var : Tensor or ndarray, shape (C,), or None
        Statistics to normalise by, or, in training, to update in place: ``(1 - momentum) * running + momentum * batch``, with
        the unbiased variance. May be None in training.
    weight, bias : Tensor, shape (C,), optional
        Scale and shift; 1 and 0 by default.
    training : bool
        Normalise by the mean and the biased variance of the batch.
    momentum : float
        Weight of the batch in the running statistics, 0 to 1.
    eps : float
        Added to the variance; positive.

    Returns
    -------
    Tensor, shape (N, C, ...)
        The normalised maps.

    Raises
    ------
    ShapeError
        If a channel has exactly one value in training, or an array does not fit.
    ArgumentError
        If running statistics are missing, not finite or negative, or a number is outside its domain.

    Notes
    -----
    Ioffe and Szegedy, arXiv 1502.03167. Statistics are computed in float64. After an exception, and for an empty batch, the
    running statistics are what they were. PyTorch accepts invalid running statistics and returns NaN.
    """
    x = as_tensor(OP, "input", input)
    weight = None if weight is None else as_tensor(OP, "weight", weight)
    bias = None if bias is None else as_tensor(OP, "bias", bias)
    running = _checked_statistics(x, running_mean, running_var, training)
    if not training:
        return BatchNormEvaluation.apply(x, weight, bias, mean=running[0].array, var=running[1].array, eps=eps)
    if running and not 0 <= real(OP, "momentum", momentum) <= 1:
        raise ArgumentError(OP, "momentum", "between 0 and 1", momentum)
    out, mean, var = BatchNormTraining.apply(x, weight, bias, eps=eps)
    if running and x.size:
        count = x.size // x.shape[1]
        batch = mean.array, var.array * (count / (count - 1))
        updated = [batch_norm_room.updated_running(r.array, b, momentum) for r, b in zip(running, batch)]
        with no_grad():
            for tensor, array in zip(running, updated):
                tensor.copy_(Tensor(array))
    return out


def _checked_statistics(x: Tensor, running_mean: Any, running_var: Any, training: bool) -> list[Tensor]:
    """Return the running statistics as two Tensors on the caller's memory, or none."""
    if (running_mean is None) != (running_var is None) or (running_mean is None and not training):
        missing = "running_mean" if running_mean is None else "running_var"
        raise ArgumentError(OP, missing, "running_mean and running_var, or neither, in training only", None)
    if running_mean is None:
        return []
    statistics = {"running_mean": as_tensor(OP, "running_mean", running_mean)}
    statistics["running_var"] = as_tensor(OP, "running_var", running_var)
    for name, tensor in statistics.items():
        check_floating(OP, input=x.array, **{name: tensor.array})
        check_shape(OP, name, tensor, x.shape[1:2])
        if not array_module(tensor.array).isfinite(tensor.array).all():
            raise ArgumentError(OP, name, "finite values", tensor.array)
        if training and isinstance(tensor.array, np.ndarray) and not tensor.array.flags.writeable:
            raise ArgumentError(OP, name, "a writeable array in training", "a read-only one")
    if (statistics["running_var"].array < 0).any():
        raise ArgumentError(OP, "running_var", "no negative value", statistics["running_var"].array)
    return list(statistics.values())
