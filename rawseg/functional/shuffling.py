"""Pixels to channels and back: permutations of the elements, so that each is the other's inverse and adjoint."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._arrays import integer

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..errors import ShapeError

__all__ = ["pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """Turn every ``r * r`` channels into one of ``r`` times the height and the width, r being ``upscale_factor``.

    Parameters
    ----------
    input : Tensor, shape (..., C * r * r, H, W)
        Feature maps of any dtype, with any leading axes.
    upscale_factor : int
        Pixels along either side that a pixel becomes.

    Returns
    -------
    Tensor, shape (..., C, H * r, W * r)
        ``out[..., c, h * r + i, w * r + j] = input[..., (c * r + i) * r + j, h, w]``.

    Raises
    ------
    ShapeError
        If there are fewer than three axes, or the channels are no multiple of ``r * r``.
    ArgumentError
        If ``upscale_factor`` is less than 1.

    Notes
    -----
    Differentiable to every order. Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network, arXiv 1609.05158, equation 4.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.functional.pixel_shuffle(rawseg.tensor([[[1.0]], [[2]], [[3]], [[4]]]), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    op = "pixel_shuffle"
    x, r = _maps(op, input), integer(op, "upscale_factor", upscale_factor, 1)
    *lead, channels, h, w = x.shape
    if channels % (r * r):
        raise ShapeError(op, "input", f"a multiple of {r * r} channels (upscale_factor {r})", f"{channels} (shape {x.shape})")
    parts = x.reshape(*lead, channels // (r * r), r, r, h, w)  # (..., C, i, j, H, W)
    n = len(lead)
    moved = parts.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2)  # (..., C, H, i, W, j)
    return moved.reshape(*lead, channels // (r * r), h * r, w * r)


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """Turn every ``r`` x ``r`` pixels of a channel into ``r * r`` channels, r being ``downscale_factor``: undo `pixel_shuffle`.

    Parameters
    ----------
    input : Tensor, shape (..., C, H * r, W * r)
        Feature maps of any dtype, with any leading axes.
    downscale_factor : int
        Pixels along either side that become one.

    Returns
    -------
    Tensor, shape (..., C * r * r, H, W)
        ``out[..., (c * r + i) * r + j, h, w] = input[..., c, h * r + i, w * r + j]``.

    Raises
    ------
    ShapeError
        If there are fewer than three axes, or height or width is no multiple of r.
    ArgumentError
        If ``downscale_factor`` is less than 1.

    Notes
    -----
    Differentiable to every order.
    """
    op = "pixel_unshuffle"
    x, r = _maps(op, input), integer(op, "downscale_factor", downscale_factor, 1)
    *lead, channels, height, width = x.shape
    if height % r or width % r:
        multiple = f"height and width that are multiples of downscale_factor {r}"
        raise ShapeError(op, "input", multiple, f"{height} and {width} (shape {x.shape})")
    h, w = height // r, width // r
    parts = x.reshape(*lead, channels, h, r, w, r)  # (..., C, H, i, W, j)
    n = len(lead)
    moved = parts.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3)  # (..., C, i, j, H, W)
    return moved.reshape(*lead, channels * r * r, h, w)


def _maps(op: str, input: Any) -> Tensor:
    x = as_tensor(op, "input", input)
    if x.ndim < 3:
        raise ShapeError(op, "input", "at least three axes, (..., C, H, W)", f"shape {x.shape}")
    return x
