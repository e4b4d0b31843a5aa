"""Adaptive pooling: a given number of bins, whatever the size of the image."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import adaptive_avg_pool2d as adaptive_avg_pool2d_room
from rawseg_kernels import adaptive_max_pool2d as adaptive_max_pool2d_room
from rawseg_kernels._arrays import flag

from ..autograd import Function, Tensor
from .images import batch_of_images
from .naming import operation
from .pooling import Scatter, pool_indices

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d"]


class AdaptiveAvgPool2d(Function):
    """The mean of each bin; adjoint of `AdaptiveAvgPool2dBackward`."""

    compiled = True

    @staticmethod
    def forward(ctx, x, *, output_size):
        ctx.input_shape = x.shape
        return adaptive_avg_pool2d_room.forward(x, output_size)

    @staticmethod
    def backward(ctx, grad_output):
        return AdaptiveAvgPool2dBackward.apply(grad_output, input_shape=ctx.input_shape)


class AdaptiveAvgPool2dBackward(Function):
    """Every element shared out over its bin; adjoint of `AdaptiveAvgPool2d`."""

    compiled = True

    @staticmethod
    def forward(ctx, grad_output, *, input_shape):
        ctx.output_size = grad_output.shape[2:]
        return adaptive_avg_pool2d_room.backward(grad_output, input_shape)

    @staticmethod
    def backward(ctx, grad_input):
        return AdaptiveAvgPool2d.apply(grad_input, output_size=ctx.output_size)


class AdaptiveMaxPool2d(Function):
    """The largest element of each bin, and where it was."""

    @staticmethod
    def forward(ctx, x, *, output_size):
        out, indices = adaptive_max_pool2d_room.forward(x, output_size)
        ctx.input_shape = x.shape
        ctx.save(indices)
        return out, indices

    @staticmethod
    def backward(ctx, grad_output, _grad_indices):
        (indices,) = ctx.saved
        return Scatter.apply(grad_output, indices, input_shape=ctx.input_shape)


@operation
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """Return the mean of each of ``output_size`` bins; ``output_size`` 1 is global average pooling.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Feature maps, float32 or float64.
    output_size : int or (int or None, int or None)
        Number of bins along height and width; None keeps a side.

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w) or (C, out_h, out_w)
        Bin i holds the rows from ``floor(i * H / out_h)`` up to, without it, ``ceil((i + 1) * H / out_h)``.

    Raises
    ------
    ArgumentError
        If ``output_size`` is less than 1 (PyTorch returns an empty Tensor at 0).
    ShapeError
        If the maps have no channel, row or column.

    Notes
    -----
    Linear; differentiable to every order. Sums run in float64.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.functional.adaptive_avg_pool2d(rawseg.tensor([[[1.0, 2, 6], [3, 4, 8]]]), (1, 2))
    tensor([[[2.5, 5. ]]])
    """
    x, restored = batch_of_images("adaptive_avg_pool2d", input)
    return restored(AdaptiveAvgPool2d.apply(x, output_size=output_size))


@operation
def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest element of each of ``output_size`` bins.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Feature maps, float32 or float64.
    output_size : int or (int or None, int or None)
        Number of bins along height and width; None keeps a side.
    return_indices : bool
        Also return where the elements were.

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w) or (C, out_h, out_w)
        The elements, of bins as in `adaptive_avg_pool2d`; with ``return_indices`` a pair of them and their `PoolIndices`.

    Raises
    ------
    ArgumentError
        If ``output_size`` is less than 1 (PyTorch returns an empty Tensor at 0).
    ShapeError
        If the maps have no channel, row or column.

    Notes
    -----
    Ties, NaN and derivatives as in `max_pool2d`.
    """
    x, restored = batch_of_images("adaptive_max_pool2d", input)
    wanted = flag("adaptive_max_pool2d", "return_indices", return_indices)
    out, indices = AdaptiveMaxPool2d.apply(x, output_size=output_size)
    return (restored(out), pool_indices(restored(indices), x.shape)) if wanted else restored(out)
