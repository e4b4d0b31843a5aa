"""Normalisation over the last axes."""

from __future__ import annotations

import math
from typing import Any

from rawseg_kernels import layer_norm as layer_norm_room

from ..autograd import Function, Tensor, is_grad_enabled
from ..autograd.operands import as_tensor
from .naming import operation
from .normalization_gradient import composed, statistics

__all__ = ["layer_norm"]


class LayerNorm(Function):
    """Normalise the last axes by their own statistics."""

    @staticmethod
    def forward(ctx, x, weight, bias, *, shape, eps):
        out, mean, inv_std = layer_norm_room.forward(x, shape, weight, bias, eps)
        ctx.shape, ctx.eps = shape, eps
        ctx.save(x, weight, mean, inv_std)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, weight, mean, inv_std = ctx.saved
        if is_grad_enabled():  # the gradient will be differentiated: compose it of operations that can be
            length = math.prod(ctx.shape)
            rows = x.reshape(math.prod(x.shape[: x.ndim - len(ctx.shape)]), length)
            scale = None if weight is None else weight.reshape(1, length)
            grads = composed(grad_output.reshape(rows.shape), rows, scale, *statistics(rows, (1,), ctx.eps), (1,), (0,))
            return grads[0].reshape(x.shape), grads[1].reshape(ctx.shape), grads[2].reshape(ctx.shape)
        arrays = x.array, ctx.shape, None if weight is None else weight.array, mean.array, inv_std.array
        grads = layer_norm_room.backward(grad_output.array, *arrays)
        return tuple(Tensor(array) if need else None for array, need in zip(grads, ctx.needs_grad))


@operation
def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Shift and scale everything behind the leading axes to mean 0 and variance 1, then by ``weight`` and ``bias``.

    Parameters
    ----------
    input : Tensor, shape (..., *normalized_shape)
        float32 or float64.
    normalized_shape : tuple of int
        Sizes of the last axes, at least one.
    weight, bias : Tensor, shape normalized_shape, optional
        Scale and shift of each element; 1 and 0 by default.
    eps : float
        Added to the biased variance; positive.

    Returns
    -------
    Tensor, the shape of ``input``
        The normalised values; where there is just one, ``bias``.

    Raises
    ------
    ShapeError
        If an array does not end with ``normalized_shape``.
    ArgumentError
        If ``normalized_shape`` is empty, or ``eps`` is not positive.

    Notes
    -----
    Ba, Kiros and Hinton, arXiv 1607.06450. Statistics are computed in float64, in one order for any number of threads. PyTorch
    accepts ``eps`` of 0 and less. Differentiable to every order.

    Examples
    --------
    >>> import rawseg
    >>> layer_norm(rawseg.tensor([[1.0, 3.0], [5.0, 5.0]]), (2,), eps=3.0).tolist()
    [[-0.5, 0.5], [0.0, 0.0]]
    """
    x = as_tensor("layer_norm", "input", input)
    scale = None if weight is None else as_tensor("layer_norm", "weight", weight)
    shift = None if bias is None else as_tensor("layer_norm", "bias", bias)
    shape = tuple(normalized_shape) if isinstance(normalized_shape, list) else normalized_shape
    return LayerNorm.apply(x, scale, shift, shape=shape, eps=eps)
