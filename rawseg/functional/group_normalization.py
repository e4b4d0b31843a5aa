"""Normalisation of every image by itself: in groups of channels, and channel by channel."""

from __future__ import annotations

import math
from typing import Any

from rawseg_kernels import group_norm as group_norm_room
from rawseg_kernels._arrays import flag

from ..autograd import Function, Tensor, is_grad_enabled
from ..autograd.operands import as_tensor
from ..errors import ShapeError
from .naming import operation
from .normalization import BatchNormEvaluation
from .normalization_gradient import composed, statistics
from .running_statistics import checked_momentum, checked_statistics, update

__all__ = ["group_norm", "instance_norm"]


class GroupNorm(Function):
    """Normalise every group of channels by its own statistics, which leave as constants beside the output."""

    @staticmethod
    def forward(ctx, x, weight, bias, *, groups, eps):
        out, mean, inv_std, var = group_norm_room.forward(x, groups, weight, bias, eps)
        ctx.groups, ctx.eps = groups, eps
        ctx.save(x, weight, mean, inv_std)
        return out, mean, var

    @staticmethod
    def backward(ctx, grad_output, _grad_mean, _grad_var):
        x, weight, mean, inv_std = ctx.saved
        if is_grad_enabled():  # the gradient will be differentiated: compose it of operations that can be
            n, c = x.shape[:2]
            shape = n, ctx.groups, c // ctx.groups, math.prod(x.shape[2:])
            scale = None if weight is None else weight.reshape(1, *shape[1:3], 1)
            grouped = x.reshape(shape)
            moments = statistics(grouped, (2, 3), ctx.eps)
            grads = composed(grad_output.reshape(shape), grouped, scale, *moments, (2, 3), (0, 3))
            return grads[0].reshape(x.shape), grads[1].reshape(c), grads[2].reshape(c)
        arrays = x.array, ctx.groups, None if weight is None else weight.array, mean.array, inv_std.array
        grads = group_norm_room.backward(grad_output.array, *arrays)
        return tuple(Tensor(array) if need else None for array, need in zip(grads, ctx.needs_grad))


@operation
def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Shift and scale every group of an image's channels to mean 0 and variance 1, then channels by ``weight`` and ``bias``.

    Parameters
    ----------
    input : Tensor, shape (N, C, ...)
        Feature maps, float32 or float64.
    num_groups : int
        How many groups of equally many neighbouring channels; a divisor of C.
    weight, bias : Tensor, shape (C,), optional
        Scale and shift; 1 and 0 by default.
    eps : float
        Added to the biased variance; positive.

    Returns
    -------
    Tensor, shape (N, C, ...)
        The normalised maps.

    Raises
    ------
    ShapeError
        If a group has exactly one value, or an array does not fit.
    ArgumentError
        If ``num_groups`` does not divide C, or a number is outside its domain.

    Notes
    -----
    Wu and He, arXiv 1803.08494. Statistics are computed in float64, in one order for any number of threads; no image sees
    another. PyTorch refuses groups of one value in a batch of one image alone, and returns ``bias`` for more; it accepts
    ``eps`` of 0 and less. Differentiable to every order.
    """
    x = as_tensor("group_norm", "input", input)
    scale = None if weight is None else as_tensor("group_norm", "weight", weight)
    shift = None if bias is None else as_tensor("group_norm", "bias", bias)
    return GroupNorm.apply(x, scale, shift, groups=num_groups, eps=eps)[0]


@operation
def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Shift and scale every channel of every image to mean 0 and variance 1, then by ``weight`` and ``bias``.

    Parameters
    ----------
    input : Tensor, shape (N, C, L, ...)
        Feature maps with at least one spatial axis, float32 or float64.
    running_mean, running_var : Tensor or ndarray, shape (C,), optional
        Statistics to normalise by, or, with ``use_input_stats``, to update in place:
        ``(1 - momentum) * running + momentum * average``, with the averages over the images of means and unbiased variances.
    weight, bias : Tensor, shape (C,), optional
        Scale and shift; 1 and 0 by default.
    use_input_stats : bool
        Normalise by the mean and the biased variance of each channel of each image.
    momentum : float
        Weight of the batch in the running statistics, 0 to 1.
    eps : float
        Added to the variance; positive.

    Returns
    -------
    Tensor, shape (N, C, L, ...)
        The normalised maps.

    Raises
    ------
    ShapeError
        If a channel of an image has exactly one value with ``use_input_stats``, or an array does not fit.
    ArgumentError
        If running statistics are missing, not finite or negative, or a number is outside its domain.

    Notes
    -----
    Ulyanov, Vedaldi and Lempitsky, arXiv 1607.08022. The rules for running statistics are those of `batch_norm`: after an
    exception, for an empty batch and for a channel whose statistics are not finite they are what they were (PyTorch writes
    NaN). Differentiable to every order.
    """
    op = "instance_norm"
    use_input_stats = flag(op, "use_input_stats", use_input_stats)
    x = as_tensor(op, "input", input)
    if x.ndim < 3:
        raise ShapeError(op, "input", "shape (N, C, L, ...)", f"shape {x.shape}")
    scale = None if weight is None else as_tensor(op, "weight", weight)
    shift = None if bias is None else as_tensor(op, "bias", bias)
    running = checked_statistics(op, x, running_mean, running_var, use_input_stats)
    if not use_input_stats:
        return BatchNormEvaluation.apply(x, scale, shift, mean=running[0].array, var=running[1].array, eps=eps)
    share = checked_momentum(op, momentum) if running else 0.0
    count = math.prod(x.shape[2:])
    if count == 1 and x.size:
        raise ShapeError(op, "input", "more than 1 value per channel of an image", f"1 (input shape {x.shape})")
    out, mean, var = GroupNorm.apply(x, scale, shift, groups=max(1, x.shape[1]), eps=eps)
    if running and x.size:
        update(running, mean.array.mean(0), var.array.mean(0), count, share)
    return out
