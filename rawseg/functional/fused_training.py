"""A convolution, a batch normalisation by its own batch and a clamp as one node of a graph, for layers that follow each other.

`rawseg.autograd.deferred` computes the three in as few passes over memory, whoever calls them; on small maps a third of the
time would then go into what lies between the passes. The same kernels, the same bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rawseg_kernels import batch_norm as batch_norm_room
from rawseg_kernels import conv2d as conv2d_room
from rawseg_kernels._arrays import fits

from ..autograd import Function, Tensor, is_grad_enabled
from ..autograd.deferred import Deferred, may_defer
from ..errors import RawsegError
from .convolution import Convolution, ConvolutionBackwardInput, ConvolutionBackwardWeight
from .nonlinearity import SLOPES, DeferredSlope, clamp_of
from .normalization import DeferredNormalisation
from .normalization_gradient import of_batch
from .running_statistics import checked_momentum, update

__all__ = ["Norm", "are_images", "normalised_convolution"]


class Norm(NamedTuple):
    """What normalises the result of a convolution, as in `batch_norm`."""

    scale: Tensor | None
    shift: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    eps: float
    momentum: float


class NormalisedConvolution(Function):
    """Convolve, normalise by the batch's own statistics, which are added to ``moments``, and hold between two numbers."""

    compiled = True

    @staticmethod
    def forward(ctx, x, weight, scale, shift, *, geometry, eps, clamp, moments):
        y = conv2d_room.forward(x, weight, None, *geometry)
        ctx.geometry, ctx.eps, ctx.clamp, ctx.origin = geometry, eps, clamp, object()
        ctx.shapes = x.shape, weight.shape
        ctx.shift = None if shift is None else shift.copy()  # only where a clamp held anything depends on it
        ctx.save(x if ctx.needs_grad[1] else None, weight if ctx.needs_grad[0] else None, scale, y)
        if math.isinf(clamp[0]) and may_defer(x):  # a clamp may follow from elsewhere
            mean, inv_std, var = batch_norm_room.statistics(y, eps)
            out = DeferredNormalisation(y, scale, shift, mean, inv_std, ctx.origin)
        else:
            out, mean, inv_std, var = batch_norm_room.forward_held(y, scale, shift, eps, *clamp)
        ctx.statistics = mean, inv_std
        moments += mean, var, y.size // y.shape[1]
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, weight, scale, y = ctx.saved
        if is_grad_enabled():
            return _composed(ctx, grad_output, x, weight, scale, y)
        slope, (low, high) = grad_output.deferred(DeferredSlope), ctx.clamp
        if slope is not None and slope.origin is ctx.origin:
            given, low, high = slope.grad_output, slope.low, slope.high
        else:
            given = grad_output.array
        arrays = y.array, _array(scale), *ctx.statistics
        grad_y, *of_norm = batch_norm_room.backward_train(given, *arrays, bias=ctx.shift, low=low, high=high)
        if not ctx.retained:
            ctx.free()
        del y, arrays  # the memory of which serves for the gradient of x
        gradients = [None, None, *of_norm]
        if ctx.needs_grad[0]:
            gradients[0] = conv2d_room.backward_input(grad_y, weight.array, ctx.shapes[0], *ctx.geometry)
        if ctx.needs_grad[1]:
            gradients[1] = conv2d_room.backward_weight(grad_y, x.array, ctx.shapes[1], *ctx.geometry)
        return tuple(Tensor(array) if need else None for array, need in zip(gradients, ctx.needs_grad))


def _composed(ctx, grad_output, x, weight, scale, y):
    """Return the gradients, made of operations that can be differentiated: they will be."""
    names = "stride", "padding", "dilation", "groups"
    options = {"room": conv2d_room, "geometry": dict(zip(names, ctx.geometry)), "sizing": {}}
    low, high = ctx.clamp
    if not math.isinf(low):
        mean, inv_std = ctx.statistics
        held = batch_norm_room.normalise(y.array, _array(scale), ctx.shift, mean, inv_std, low, high)
        kind, parameters = clamp_of(low, high)
        grad_output = SLOPES[kind].apply(grad_output, Tensor(held), kind=kind, parameters=parameters)
    operands = [_connected(ctx, position, saved, y.dtype) for position, saved in enumerate((x, weight))]
    y = Convolution.apply(*operands, None, **options, known=y.array)
    grad_y, grad_scale, grad_shift = of_batch(grad_output, y, scale, ctx.eps)
    grad_x = grad_weight = None
    if ctx.needs_grad[0]:
        grad_x = ConvolutionBackwardInput.apply(grad_y, weight, shape=ctx.shapes[0], **options)
    if ctx.needs_grad[1]:
        grad_weight = ConvolutionBackwardWeight.apply(grad_y, x, shape=ctx.shapes[1], **options)
    gradients = grad_x, grad_weight, grad_scale, grad_shift
    return tuple(gradient if need else None for gradient, need in zip(gradients, ctx.needs_grad))


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.array


def _connected(ctx: Any, position: int, saved: Tensor | None, dtype: np.dtype) -> Tensor:
    """Return an input of forward with its place in the graph; of one that was not saved nobody wants the numbers."""
    edge = ctx._node.edges[position]
    if saved is not None or isinstance(edge, Tensor):
        return edge if saved is None else saved
    tensor = Tensor(np.broadcast_to(dtype.type(0), ctx.shapes[position]))
    if edge is not None:
        tensor._connect(*edge)
    return tensor


def normalised_convolution(input: Any, weight: Any, geometry: tuple, norm: Norm, clamp: tuple[float, float]) -> Tensor | None:
    """Return a convolution of images on the CPU, normalised by its own statistics and held between two numbers.

    Parameters
    ----------
    input : Tensor, shape (N, C_in, H, W)
        Images.
    weight : Tensor, shape (C_out, C_in / groups, kH, kW)
        Kernels. There is no bias, which the norm would take off again.
    geometry : tuple
        Stride, padding, dilation and groups.
    norm : Norm
        As in `batch_norm` in training; its running statistics are moved.
    clamp : (float, float)
        Bounds; infinite ones hold nothing.

    Returns
    -------
    Tensor, shape (N, C_out, out_h, out_w), or None
        None where an argument is not what it should be, or lies elsewhere: the operations, one by one, say what is wrong.
    """
    if not (are_images(input) and isinstance(weight, Tensor) and _fit(weight, *norm[:4])):
        return None
    if (norm.running_mean is None) != (norm.running_var is None):
        return None
    running, moments = [] if norm.running_mean is None else [norm.running_mean, norm.running_var], []
    try:
        momentum = checked_momentum("batch_norm", norm.momentum) if running else 0.0
        options = {"geometry": geometry, "eps": norm.eps, "clamp": clamp, "moments": moments}
        out = NormalisedConvolution.apply(input, weight, norm.scale, norm.shift, **options)
        if running:
            mean, var, count = moments
            update(running, mean, var, count, momentum)
    except (RawsegError, MemoryError):
        return None
    return out


def are_images(input: Any) -> bool:
    """Return whether these are images on the CPU, at least one."""
    array = input._array if isinstance(input, Tensor) else None
    return isinstance(array, (np.ndarray, Deferred)) and array.ndim == 4 and array.size > 0


def _fit(weight: Tensor, *tensors: Any) -> bool:
    """Return whether Tensors, or None, have a number for every output channel."""
    array = weight._array
    for tensor in tensors:
        if tensor is not None and not (isinstance(tensor, Tensor) and fits(tensor._array, array.shape[:1], array.dtype)):
            return False
    return True
