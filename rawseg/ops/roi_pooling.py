"""RoIPool: the largest pixel of every bin of a rounded box."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import roi_pool as roi_pool_room

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..autograd.recording import recordable
from ..functional.naming import operation
from .roi_boxes import as_rois

__all__ = ["roi_pool"]


class RoIMax(Function):
    """The largest pixel of each bin."""

    @staticmethod
    def forward(ctx, x, *, bins):
        out, indices = roi_pool_room.forward(x, bins)
        ctx.places = {"indices": indices, "batch": bins.batch}
        ctx.input_shape = x.shape
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return RoIScatter.apply(grad_output, places=ctx.places, input_shape=ctx.input_shape)


class RoIScatter(Function):
    """Add each element to the pixel that its bin chose; adjoint of `RoIGather`."""

    @staticmethod
    def forward(ctx, grad_output, *, places, input_shape):
        ctx.places = places
        return roi_pool_room.backward(grad_output, **places, input_shape=input_shape)

    @staticmethod
    def backward(ctx, grad_input):
        return RoIGather.apply(grad_input, places=ctx.places)


class RoIGather(Function):
    """Read the pixel that each bin chose; adjoint of `RoIScatter`."""

    @staticmethod
    def forward(ctx, x, *, places):
        ctx.places, ctx.input_shape = places, x.shape
        return roi_pool_room.gather(x, **places)

    @staticmethod
    def backward(ctx, grad_output):
        return RoIScatter.apply(grad_output, places=ctx.places, input_shape=ctx.input_shape)


@recordable
@operation
def roi_pool(input: Any, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Tensor:
    """Return the largest pixel in every bin of boxes that are rounded to whole pixels of the map.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
        Feature maps, float32 or float64.
    boxes : Tensor or ndarray, shape (K, 5), or list of N of shape (L, 4)
        ``(batch index, x1, y1, x2, y2)``, or one entry ``(x1, y1, x2, y2)`` an image; pixels of the *image*, in the dtype of
        ``input``.
    output_size : int or (int, int)
        Bins of a box, (height, width).
    spatial_scale : float
        Pixels of the feature map per pixel of the image, e.g. 1/16 after four stages of stride 2.

    Returns
    -------
    Tensor, shape (K, C, out_h, out_w)
        In the order of the boxes; 0 for a bin that lies outside the map.

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        If the arrays do not fit each other.
    ArgumentError
        If a coordinate is not finite, before or after scaling, a box is inverted (torchvision makes it one pixel wide), or a
        plain argument is outside its domain.
    IndexRangeError
        If a batch index is not an image.

    Notes
    -----
    Both ends of a box are rounded, halves away from zero, and belong to it; bin p of P reaches from row ``floor(p * h / P)`` to
    before row ``ceil((p + 1) * h / P)``, so bins overlap (Girshick, "Fast R-CNN", arXiv 1504.08083, section 2.1). The first of
    equal pixels wins. NaN wins, the last one (torchvision skips NaN), and -inf is a value like others. Differentiable to every
    order in ``input`` with the choice held fixed; the boxes are rounded and have no gradient. Bitwise deterministic, for any
    number of threads.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.arange(16.0).reshape(1, 1, 4, 4)
    >>> rawseg.ops.roi_pool(x, rawseg.tensor([[0.0, 0.0, 0.0, 3.0, 1.0]]), (1, 2))[0, 0]
    tensor([[5., 7.]])
    """
    x = as_tensor("roi_pool", "input", input)
    rois = as_rois("roi_pool", x, boxes)
    return RoIMax.apply(x, bins=roi_pool_room.bins(x.array, rois.array, output_size, spatial_scale))
