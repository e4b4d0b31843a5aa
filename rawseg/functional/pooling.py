"""Pooling: the largest or the mean of a window. With fixed indices both are linear, and each adjoint stands beside its map."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import avg_pool2d as avg_pool2d_room
from rawseg_kernels import max_pool2d as max_pool2d_room
from rawseg_kernels._arrays import flag

from ..autograd import Function, Tensor, is_grad_enabled
from .images import batch_of_images
from .naming import operation

__all__ = ["PoolIndices", "avg_pool2d", "max_pool2d"]


class PoolIndices(Tensor):
    """Where the largest elements were: int64, ``ih * w + iw`` inside one plane.

    `detach` and `clone` keep the plane; what indexing or reshaping returns is a plain Tensor without it.

    Attributes
    ----------
    plane : (int, int)
        Height and width of the plane that they point into.
    """

    __slots__ = ("plane",)

    def __init__(self, array: Any, plane: tuple[int, int]) -> None:
        super().__init__(array)
        self.plane = plane

    def detach(self) -> PoolIndices:
        """Return them on the same memory."""
        twin = PoolIndices(self.array, self.plane)
        twin._version = self._version
        return twin

    def clone(self) -> PoolIndices:
        """Return a fresh copy."""
        return PoolIndices(self.array.copy(), self.plane)


def pool_indices(indices: Tensor, image_shape: tuple[int, ...]) -> PoolIndices:
    """Return the indices of a pooling with the plane of its image."""
    chosen = PoolIndices(indices.array, (image_shape[-2], image_shape[-1]))
    chosen._version = indices._version  # backward reads this memory
    return chosen


class MaxPool2d(Function):
    """The largest element of each window, and where it was."""

    @staticmethod
    def forward(ctx, x, *, geometry):
        out, indices = max_pool2d_room.forward(x, **geometry)
        ctx.input_shape, ctx.geometry = x.shape, geometry
        ctx.save(indices)
        return out, indices

    @staticmethod
    def backward(ctx, grad_output, _grad_indices):
        (indices,) = ctx.saved
        return Scatter.apply(grad_output, indices, input_shape=ctx.input_shape)


class MaxPool2dTaps(Function):
    """The largest element of each window; where it was is kept in a byte each, an eighth of its index."""

    @staticmethod
    def forward(ctx, x, *, geometry):
        out, taps = max_pool2d_room.forward_taps(x, **geometry)
        ctx.input_shape, ctx.geometry = x.shape, geometry
        ctx.save(taps)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (taps,) = ctx.saved
        if is_grad_enabled():  # the gradient will be differentiated
            indices = max_pool2d_room.indices_of_taps(taps.array, ctx.input_shape, **ctx.geometry)
            return Scatter.apply(grad_output, Tensor(indices), input_shape=ctx.input_shape)
        return Tensor(max_pool2d_room.backward_taps(grad_output.array, taps.array, ctx.input_shape, **ctx.geometry))


class Scatter(Function):
    """Add each element to where its index points; adjoint of `Gather`."""

    @staticmethod
    def forward(ctx, grad_output, indices, *, input_shape):
        ctx.save(indices)
        return max_pool2d_room.backward(grad_output, indices, input_shape)

    @staticmethod
    def backward(ctx, grad_input):
        (indices,) = ctx.saved
        return Gather.apply(grad_input, indices), None


class Gather(Function):
    """Read where each index points; adjoint of `Scatter`."""

    @staticmethod
    def forward(ctx, x, indices):
        ctx.input_shape = x.shape
        ctx.save(indices)
        return max_pool2d_room.gather(x, indices)

    @staticmethod
    def backward(ctx, grad_output):
        (indices,) = ctx.saved
        return Scatter.apply(grad_output, indices, input_shape=ctx.input_shape), None


class AvgPool2d(Function):
    """The mean of each window; adjoint of `AvgPool2dBackward`."""

    compiled = True

    @staticmethod
    def forward(ctx, x, *, geometry):
        ctx.input_shape, ctx.geometry = x.shape, geometry
        return avg_pool2d_room.forward(x, **geometry)

    @staticmethod
    def backward(ctx, grad_output):
        return AvgPool2dBackward.apply(grad_output, input_shape=ctx.input_shape, geometry=ctx.geometry)


class AvgPool2dBackward(Function):
    """Every element shared out over its window; adjoint of `AvgPool2d`."""

    compiled = True

    @staticmethod
    def forward(ctx, grad_output, *, input_shape, geometry):
        ctx.geometry = geometry
        return avg_pool2d_room.backward(grad_output, input_shape, **geometry)

    @staticmethod
    def backward(ctx, grad_input):
        return AvgPool2d.apply(grad_input, geometry=ctx.geometry)


@operation
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Feature maps, float32 or float64.
    kernel_size : int or (int, int)
        Window, (height, width).
    stride : int or (int, int), optional
        Steps of the window; ``kernel_size`` by default.
    padding : int or (int, int)
        Width of a frame that is never chosen; at most half of ``kernel_size``.
    dilation : int or (int, int)
        Steps inside the window.
    ceil_mode : bool
        Let the last window hang over the edge.
    return_indices : bool
        Also return where the elements were.

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w) or (C, out_h, out_w)
        The elements; with ``return_indices`` a pair of them and their `PoolIndices`.

    Raises
    ------
    ArgumentError
        If an argument is outside its domain, or a window would hold no element (PyTorch corrupts memory there).

    Notes
    -----
    Ties go to the first element in row order, and so does the gradient. NaN wins: the last one in the window. Differentiable to
    every order with the choice held fixed.
    """
    x, restored = batch_of_images("max_pool2d", input)
    wanted = flag("max_pool2d", "return_indices", return_indices)
    geometry = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    if not wanted and max_pool2d_room.has_few_taps(kernel_size):
        return restored(MaxPool2dTaps.apply(x, geometry=geometry))
    out, indices = MaxPool2d.apply(x, geometry=geometry)
    return (restored(out), pool_indices(restored(indices), x.shape)) if wanted else restored(out)


@operation
def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Feature maps, float32 or float64.
    kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`.
    count_include_pad : bool
        Count padded zeros in the divisor.
    divisor_override : int, optional
        Divide by this instead of the number of elements.

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w) or (C, out_h, out_w)
        The means.

    Notes
    -----
    Linear; differentiable to every order. Sums run in float64. PyTorch also takes a negative ``divisor_override``.
    """
    x, restored = batch_of_images("avg_pool2d", input)
    geometry = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
        "divisor_override": divisor_override,
    }
    return restored(AvgPool2d.apply(x, geometry=geometry))
