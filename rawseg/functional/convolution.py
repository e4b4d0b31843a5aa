"""Convolution and transposed convolution: two families of three maps, each closed under differentiation.

Both are bilinear in input and weight. The derivative of one of ``forward``, ``backward_input``, ``backward_weight`` is made of
the other two, so derivatives of every order run on the same three kernels.
"""

from __future__ import annotations

from typing import Any

from rawseg_kernels import conv2d as conv2d_room
from rawseg_kernels import conv_transpose2d as conv_transpose2d_room
from rawseg_kernels._epilogue import NOTHING, Epilogue

from ..autograd import Function, Tensor
from ..autograd.deferred import Deferred, may_defer
from ..autograd.operands import as_tensor
from ..autograd.shaping import Expand
from .images import batch_of_images
from .naming import operation

__all__ = ["conv2d", "conv_transpose2d"]


class DeferredConvolution(Deferred):
    """A convolution of either kind without a graph, which waits for what follows its sums: constant norms, a clamp, or both."""

    __slots__ = ("_after", "_run")

    def __init__(self, shape, run, after, *sources) -> None:
        super().__init__(shape, sources[0].dtype, *sources)
        self._run, self._after = run, after

    def compute(self):
        """Convolve, and finish every block of sums before it is stored, or where it lies."""
        return self._run(self._after)

    def normalised(self, centre, scale, shift):
        """Return another that is ``(y - centre) * scale + shift``, float64 arrays of shape (C,); None after a clamp."""
        if self._after is not NOTHING:
            return None
        return self._then(Epilogue(centre, scale, shift, NOTHING.low, NOTHING.high))

    def clamped(self, low, high):
        """Return another that is held between two numbers; None after a clamp."""
        if self._after[3:] != NOTHING[3:]:
            return None
        centre, scale, shift = self._after[:3]
        return self._then(Epilogue(centre, scale, shift, low, high))

    def _then(self, after):
        return DeferredConvolution(self.shape, self._run, after, *self.sources)


class Convolution(Function):
    """y = w * x + b, in the kernel room ``room``; ``sizing`` only tells the room the size of y, which may be ``known``."""

    compiled = True

    @staticmethod
    def forward(ctx, x, weight, bias, *, room, geometry, sizing, known=None):
        ctx.room, ctx.geometry, ctx.sizing = room, geometry, sizing
        ctx.shapes = x.shape, weight.shape
        ctx.save(x if ctx.needs_grad[1] else None, weight if ctx.needs_grad[0] else None)
        if known is not None:
            return known
        if not any(ctx.needs_grad) and may_defer(x, weight):
            return DeferredConvolution(*room.prepare(x, weight, bias, **geometry, **sizing), NOTHING, x, weight, bias)
        return room.forward(x, weight, bias, **geometry, **sizing)

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved
        options = {"room": ctx.room, "geometry": ctx.geometry, "sizing": ctx.sizing}
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_grad[0]:
            grad_x = ConvolutionBackwardInput.apply(grad_output, weight, shape=ctx.shapes[0], **options)
        if ctx.needs_grad[1]:
            grad_weight = ConvolutionBackwardWeight.apply(grad_output, x, shape=ctx.shapes[1], **options)
        if ctx.needs_grad[2]:
            grad_bias = ChannelSum.apply(grad_output)
        return grad_x, grad_weight, grad_bias


class ConvolutionBackwardInput(Function):
    """The adjoint of `Convolution` in x, of shape ``shape``."""

    compiled = True

    @staticmethod
    def forward(ctx, grad_output, weight, *, shape, room, geometry, sizing):
        ctx.options = {"room": room, "geometry": geometry, "sizing": sizing}
        ctx.weight_shape = weight.shape
        ctx.save(grad_output if ctx.needs_grad[1] else None, weight if ctx.needs_grad[0] else None)
        return room.backward_input(grad_output, weight, shape, **geometry)

    @staticmethod
    def backward(ctx, grad_x):
        grad_output, weight = ctx.saved
        first = second = None
        if ctx.needs_grad[0]:
            first = Convolution.apply(grad_x, weight, None, **ctx.options)
        if ctx.needs_grad[1]:
            second = ConvolutionBackwardWeight.apply(grad_output, grad_x, shape=ctx.weight_shape, **ctx.options)
        return first, second


class ConvolutionBackwardWeight(Function):
    """The adjoint of `Convolution` in w, of shape ``shape``."""

    compiled = True

    @staticmethod
    def forward(ctx, grad_output, x, *, shape, room, geometry, sizing):
        ctx.options = {"room": room, "geometry": geometry, "sizing": sizing}
        ctx.input_shape = x.shape
        ctx.save(grad_output if ctx.needs_grad[1] else None, x if ctx.needs_grad[0] else None)
        return room.backward_weight(grad_output, x, shape, **geometry)

    @staticmethod
    def backward(ctx, grad_weight):
        grad_output, x = ctx.saved
        first = second = None
        if ctx.needs_grad[0]:
            first = Convolution.apply(x, grad_weight, None, **ctx.options)
        if ctx.needs_grad[1]:
            second = ConvolutionBackwardInput.apply(grad_output, grad_weight, shape=ctx.input_shape, **ctx.options)
        return first, second


class ChannelSum(Function):
    """(N, C, H, W) summed to (C,): the gradient of a bias."""

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return conv2d_room.backward_bias(x)

    @staticmethod
    def backward(ctx, grad_output):
        return Expand.apply(grad_output.reshape(1, -1, 1, 1), shape=ctx.shape)


@operation
def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve images with kernels (cross-correlation: the kernels are not flipped).

    Parameters
    ----------
    input : Tensor, shape (N, C_in, H, W) or (C_in, H, W)
        Images, float32 or float64.
    weight : Tensor, shape (C_out, C_in / groups, kH, kW)
        Kernels.
    bias : Tensor, shape (C_out,), optional
        Added to every pixel of its channel.
    stride, dilation : int or (int, int)
        Steps of the window and between its taps, (height, width).
    padding : int, (int, int), "valid" or "same"
        Zeros around the image; "same" keeps the size, wants stride 1 and puts an odd row or column at the bottom or right.
    groups : int
        Channels are split into this many independent convolutions.

    Returns
    -------
    Tensor, shape (N, C_out, out_h, out_w) or (C_out, out_h, out_w)
        ``out_h = (H + 2 * padding - dilation * (kH - 1) - 1) // stride + 1``.

    Raises
    ------
    ShapeError
        If the arrays do not fit each other, or the padded image is smaller than the kernel.
    DTypeError
        If an array is not float32 or float64, or they differ.
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    Differentiable to every order. Deterministic for any number of threads. A padded tap is not an element: an infinite weight
    meets no padded zero, where PyTorch's dense convolution gives NaN.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.functional.conv2d(rawseg.ones(1, 1, 3, 3), rawseg.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return _convolve("conv2d", conv2d_room, input, weight, bias, geometry, {})


@operation
def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    output_size: Any = None,
) -> Tensor:
    """Scatter every pixel, times a kernel, into a larger image: the adjoint of `conv2d` in its input.

    Parameters
    ----------
    input : Tensor, shape (N, C_in, H, W) or (C_in, H, W)
        Images, float32 or float64.
    weight : Tensor, shape (C_in, C_out / groups, kH, kW)
        Kernels.
    bias : Tensor, shape (C_out,), optional
        Added to every pixel of its channel.
    stride, padding, dilation : int or (int, int)
        Those of the convolution whose adjoint this is.
    output_padding : int or (int, int)
        Rows and columns added at the bottom and right; less than the stride or the dilation of the axis.
    groups : int
        Channels are split into this many independent transposed convolutions.
    output_size : (int, int) or (int, int, int, int), optional
        Instead of ``output_padding``: ``(out_h, out_w)`` or the whole output shape, at most ``stride - 1`` above the smallest.

    Returns
    -------
    Tensor, shape (N, C_out, out_h, out_w) or (C_out, out_h, out_w)
        ``out_h = (H - 1) * stride - 2 * padding + dilation * (kH - 1) + output_padding + 1``.

    Raises
    ------
    ShapeError
        If the arrays do not fit each other, or the output would be empty (PyTorch may return an empty Tensor at 0).
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    Differentiable to every order. Deterministic for any number of threads.
    """
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    sizing = {"output_padding": output_padding, "output_size": output_size}
    return _convolve("conv_transpose2d", conv_transpose2d_room, input, weight, bias, geometry, sizing)


def _convolve(op: str, room: Any, input: Any, weight: Any, bias: Any, geometry: dict, sizing: dict) -> Tensor:
    x, restored = batch_of_images(op, input)
    weight = as_tensor(op, "weight", weight)
    bias = None if bias is None else as_tensor(op, "bias", bias)
    return restored(Convolution.apply(x, weight, bias, room=room, geometry=geometry, sizing=sizing))
