"""RoIAlign and RoIWarp: bilinear samples of a box, in their mean or their largest."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import roi_align as roi_align_room

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..autograd.recording import recordable
from ..errors import ArgumentError
from ..functional.naming import operation
from .roi_boxes import as_rois
from .roi_sums import Align, Largest, Mean
from .roi_weights import sample_weights

__all__ = ["roi_align", "roi_warp"]


@recordable
@operation
def roi_align(
    input: Any,
    boxes: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
    *,
    mode: str = "avg",
) -> Tensor:
    """Resample boxes of feature maps to one size, without rounding a coordinate.

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
    sampling_ratio : int
        Samples in a bin along each axis; 0 or less: the bin's size in pixels of the map, rounded up.
    aligned : bool
        Pixel centres lie at halves, as in an image. Without it (torchvision's default, and the original's flaw) a box lies half
        a pixel off, and is at least one pixel long.
    mode : {"avg", "max"}
        The mean of a bin's samples, or the largest (rawseg's own addition).

    Returns
    -------
    Tensor, shape (K, C, out_h, out_w)
        In the order of the boxes.

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        If the arrays do not fit each other.
    ArgumentError
        If a coordinate is not finite, before or after scaling, a box is inverted (``x2 < x1``; torchvision mirrors or crashes),
        a bin would have more than 2**16 samples, or a plain argument is outside its domain.
    IndexRangeError
        If a batch index is not an image.

    Notes
    -----
    The value is the mean of the map's bilinear interpolation at the bin's samples ``y = y1 * spatial_scale - half + (p +
    (i + 1/2) / g) * bin height``, x likewise (He et al., "Mask R-CNN", arXiv 1703.06870, section 3), computed in the dtype. A
    sample beyond -1 or the map's size counts as 0, one between there and the border is clamped; a bin without samples, as of an
    aligned box without area under an adaptive grid, gives 0. With ``mode="max"`` the first of equal samples wins, and NaN wins,
    the last one.

    Differentiable to every order in ``input`` and, unlike torchvision, in ``boxes``: the number of samples, the pixels between
    which a sample lies and the choice of the largest are held fixed; a clamped sample does not move, nor does the far end of a
    box that was lengthened to one pixel. Bitwise deterministic, for any number of threads.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.arange(16.0).reshape(1, 1, 4, 4)
    >>> rawseg.ops.roi_align(x, rawseg.tensor([[0.0, 0.0, 0.0, 4.0, 2.0]]), (1, 2), aligned=True)[0, 0]
    tensor([[2.5, 4.5]])
    """
    if not isinstance(mode, str) or mode not in ("avg", "max"):
        raise ArgumentError("roi_align", "mode", "'avg' or 'max'", repr(mode))
    x = as_tensor("roi_align", "input", input)
    rois = as_rois("roi_align", x, boxes)
    grid = roi_align_room.sample_grid(x.array, rois.array, output_size, spatial_scale, sampling_ratio, aligned)
    weights = sample_weights(grid, rois, spatial_scale, bool(aligned))
    return Largest.apply(x, *weights, grid=grid) if mode == "max" else Align.apply(x, *weights, sums=Mean(grid))


@recordable
@operation
def roi_warp(input: Any, boxes: Any, output_size: Any, spatial_scale: float = 1.0, sampling_ratio: int = -1) -> Tensor:
    """Resample boxes that are first rounded to whole pixels of the map: RoIAlign's rival in the ablation of Mask R-CNN.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
        Feature maps, float32 or float64.
    boxes : Tensor or ndarray, shape (K, 5), or list of N of shape (L, 4)
        As in `roi_align`.
    output_size : int or (int, int)
        Bins of a box, (height, width).
    spatial_scale : float
        Pixels of the feature map per pixel of the image.
    sampling_ratio : int
        Samples in a bin along each axis; 0 or less: the bin's size in pixels of the map, rounded up.

    Returns
    -------
    Tensor, shape (K, C, out_h, out_w)
        The means of the samples.

    Raises
    ------
    ShapeError, DTypeError, DeviceError, ArgumentError, IndexRangeError
        As in `roi_align`.

    Notes
    -----
    The box begins at ``s = round(x1 * spatial_scale)``, halves away from zero, and is
    ``max(round(x2 * spatial_scale) - s + 1, 1)`` long, as in `roi_pool`; then bilinear samples at
    ``s + (p + (i + 1/2) / g) * bin width``, pixel centres at whole numbers, are averaged (Dai, He and Sun, arXiv 1512.04412,
    section 3.2; "RoIWarp" in table 2c of Mask R-CNN). torchvision has no such operation. Differentiable to every order in
    ``input``; the boxes are rounded and have no gradient.
    """
    x = as_tensor("roi_warp", "input", input)
    rois = as_rois("roi_warp", x, boxes)
    grid = roi_align_room.warp_grid(x.array, rois.array, output_size, spatial_scale, sampling_ratio)
    return Align.apply(x, Tensor(grid.row_weights), Tensor(grid.column_weights), sums=Mean(grid))
