"""Sliding windows as columns, and columns added back: two linear maps, each the other's adjoint."""

from __future__ import annotations

from functools import partial
from typing import Any

from rawseg_kernels import unfold as unfold_room

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..errors import ShapeError
from .images import batch_of_images
from .naming import operation

__all__ = ["fold", "unfold"]


class Unfold(Function):
    """Every window as a column; adjoint of `Fold`."""

    @staticmethod
    def forward(ctx, x, *, geometry):
        ctx.size, ctx.geometry = x.shape[2:], geometry
        return unfold_room.forward(x, **geometry)

    @staticmethod
    def backward(ctx, grad_output):
        return Fold.apply(grad_output, size=ctx.size, geometry=ctx.geometry)


class Fold(Function):
    """Every column added back to the pixels of its window; adjoint of `Unfold`."""

    @staticmethod
    def forward(ctx, columns, *, size, geometry):
        ctx.geometry = geometry
        return unfold_room.backward(columns, size, **geometry)

    @staticmethod
    def backward(ctx, grad_output):
        return Unfold.apply(grad_output, geometry=ctx.geometry)


@operation
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Lay every sliding window out as a column (im2col).

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Images, float32 or float64.
    kernel_size : int or (int, int)
        Window in pixels, (height, width).
    dilation, stride : int or (int, int)
        Steps inside the window and of it.
    padding : int or (int, int)
        Zeros around the image.

    Returns
    -------
    Tensor, shape (N, C * kH * kW, L) or (C * kH * kW, L)
        L is the number of windows, ``out_h * out_w`` with
        ``out_h = (H + 2 * padding - dilation * (kH - 1) - 1) // stride + 1``; a column goes through the channels, then the
        rows, then the columns of its window.

    Raises
    ------
    ShapeError
        If the padded image is smaller than the window.
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    Linear, with `fold` as its adjoint; differentiable to every order. Chellapilla, Puri and Simard, High performance
    convolutional neural networks for document processing, 2006.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.functional.unfold(rawseg.tensor([[[[1.0, 2, 3], [4, 5, 6]]]]), 2)
    tensor([[[1., 2.],
             [2., 3.],
             [4., 5.],
             [5., 6.]]])
    """
    x, restored = batch_of_images("unfold", input)
    geometry = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    return restored(Unfold.apply(x, geometry=geometry))


@partial(operation, names={"grad_output": "input", "input_size": "output_size", "x": "output_size"})
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Add the columns of sliding windows back into images (col2im): overlapping windows are summed.

    Parameters
    ----------
    input : Tensor, shape (N, C * kH * kW, L) or (C * kH * kW, L)
        One column for each of the L windows that such an image has, laid out as by `unfold`.
    output_size : int or (int, int)
        Height and width of the images.
    kernel_size, dilation, padding, stride : int or (int, int)
        Those of the windows.

    Returns
    -------
    Tensor, shape (N, C, H, W) or (C, H, W)
        Sums over the windows; 0 where there is none.

    Raises
    ------
    ShapeError
        If the number of rows is no multiple of ``kH * kW``, or L is not the number of windows.
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    Linear, with `unfold` as its adjoint; differentiable to every order. A pixel's sum runs over its taps in row-major order, in
    float64, for any number of threads.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.functional.fold(rawseg.ones(1, 2, 3), (1, 4), (1, 2))
    tensor([[[[1., 2., 2., 1.]]]])
    """
    columns = as_tensor("fold", "input", input)
    if columns.ndim not in (2, 3):
        raise ShapeError("fold", "input", "shape (N, C * kH * kW, L) or (C * kH * kW, L)", f"shape {columns.shape}")
    batch = columns if columns.ndim == 3 else columns.unsqueeze(0)
    geometry = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    out = Fold.apply(batch, size=output_size, geometry=geometry)
    return out if columns.ndim == 3 else out.squeeze(0)
