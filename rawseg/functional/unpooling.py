"""Max unpooling: elements put back where max pooling found them. Linear for fixed indices; its adjoint stands beside it."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import max_unpool2d as max_unpool2d_room
from rawseg_kernels._arrays import check_not_empty, integer, pair

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..errors import ArgumentError, ShapeError
from .images import batch_of_images
from .naming import operation
from .pooling import PoolIndices

__all__ = ["max_unpool2d"]

OP = "max_unpool2d"


class MaxUnpool2d(Function):
    """Elements put where the indices point; adjoint of `MaxUnpool2dBackward`."""

    @staticmethod
    def forward(ctx, x, indices, *, size, duplicates):
        ctx.input_size, ctx.size, ctx.duplicates = x.shape[2:], size, duplicates
        ctx.save(indices)
        return max_unpool2d_room.forward(x, indices, size, duplicates)

    @staticmethod
    def backward(ctx, grad_output):
        (indices,) = ctx.saved
        return MaxUnpool2dBackward.apply(grad_output, indices, duplicates=ctx.duplicates), None


class MaxUnpool2dBackward(Function):
    """Elements read where the indices point; adjoint of `MaxUnpool2d`."""

    @staticmethod
    def forward(ctx, grad_output, indices, *, duplicates):
        ctx.size, ctx.duplicates = grad_output.shape[2:], duplicates
        ctx.save(indices)
        return max_unpool2d_room.backward(grad_output, indices, duplicates)

    @staticmethod
    def backward(ctx, grad_input):
        (indices,) = ctx.saved
        return MaxUnpool2d.apply(grad_input, indices, size=ctx.size, duplicates=ctx.duplicates), None


@operation
def max_unpool2d(
    input: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
    *,
    duplicates: str = "raise",
) -> Tensor:
    """Put every element back where `max_pool2d` found it, into planes of zeros.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Elements, float32 or float64.
    indices : Tensor or ndarray of int64, shape of ``input``
        ``oh * out_w + ow`` of each. Those of ``max_pool2d(..., return_indices=True)`` know their plane.
    kernel_size, stride, padding : int or (int, int)
        Those of the pooling; ``stride`` is ``kernel_size`` by default.
    output_size : (int, int) or (int, int, int, int), optional
        ``(out_h, out_w)`` or the whole output shape. Indices that know their plane need none. For others the default is
        ``(H - 1) * stride - 2 * padding + kernel_size``, and a given size differs from it by less than ``stride``.
    duplicates : {"raise", "last", "sum"}
        What to do where several elements of a plane have one index, as overlapping windows give: refuse, keep the last in
        row-major order (and give it alone the gradient), or add (and give all of them the gradient).

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w) or (C, out_h, out_w)
        0 where no index points.

    Raises
    ------
    IndexRangeError
        If an index lies outside its plane; all are checked before anything is returned.
    ArgumentError
        If indices are repeated and ``duplicates`` is "raise", or an output size does not fit.
    ShapeError
        If input and indices differ in shape, or the default size is not positive.

    Notes
    -----
    Zeiler and Fergus, arXiv 1311.2901, section 2.1. Linear; differentiable to every order. PyTorch takes the default size even
    where the pooled plane was larger, and so scrambles odd planes; it keeps one of several duplicates without saying which, and
    gives all of them the gradient; it ignores the first two numbers of a four-dimensional ``output_size``.

    Examples
    --------
    >>> import rawseg
    >>> y, indices = rawseg.functional.max_pool2d(rawseg.tensor([[[1.0, 2, 0], [4, 3, 0]]]), 2, return_indices=True)
    >>> rawseg.functional.max_unpool2d(y, indices, 2)
    tensor([[[0., 0., 0.],
             [4., 0., 0.]]])
    """
    image, where = as_tensor(OP, "input", input), as_tensor(OP, "indices", indices)
    x, restored = batch_of_images(OP, image)
    if where.shape != image.shape:
        raise ShapeError(OP, "indices", f"shape {image.shape}, that of input", f"shape {where.shape}")
    kernel_size = pair(OP, "kernel_size", kernel_size, 1)
    stride = kernel_size if stride is None else pair(OP, "stride", stride, 1)
    padding = pair(OP, "padding", padding, 0)
    asked = None if output_size is None else _asked_size(output_size, x.shape)
    if isinstance(indices, PoolIndices):
        size = indices.plane
        if asked not in (None, size):
            raise ArgumentError(OP, "output_size", f"{size}, the plane that the indices point into", output_size)
    else:
        size = _plain_size(x, asked, kernel_size, stride, padding)
    return restored(MaxUnpool2d.apply(x, batch_of_images(OP, where)[0], size=size, duplicates=duplicates))


def _asked_size(output_size: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return a given output size, two or four numbers, as a pair."""
    if not isinstance(output_size, (tuple, list)) or len(output_size) not in (2, 4):
        raise ArgumentError(OP, "output_size", "(out_h, out_w) or (N, C, out_h, out_w)", output_size)
    sizes = tuple(integer(OP, "output_size", number, 0) for number in output_size)
    if len(sizes) == 4 and sizes[:2] != shape[:2]:
        raise ArgumentError(OP, "output_size", f"(N, C) = {tuple(shape[:2])} at the front", sizes)
    return sizes[-2], sizes[-1]


def _plain_size(x: Tensor, asked: Any, kernel_size: Any, stride: Any, padding: Any) -> tuple[int, int]:
    """Return the size of planes that the indices do not tell: PyTorch's formula, or what was asked for if it is near."""
    check_not_empty(OP, "input", x)
    default = tuple((x.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + kernel_size[i] for i in (0, 1))
    if asked is None:
        if min(default) < 1:
            raise ShapeError(OP, "padding", "an output of at least 1 x 1", f"{default} (input {x.shape}, padding {padding})")
        return default[0], default[1]
    low, high = (tuple(default[i] + sign * (stride[i] - 1) for i in (0, 1)) for sign in (-1, 1))
    if not all(max(1, low[i]) <= asked[i] <= high[i] for i in (0, 1)):
        raise ArgumentError(OP, "output_size", f"between {low} and {high} (and at least 1)", asked)
    return asked
