"""Where each output pixel reads from, one axis at a time: small tables in float64 and int64, made before any kernel runs.

Both axes of a resize are independent, so that a kernel is a pair of loops over two tables, and its adjoint the same pair
over the transposed tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arena import zeros


def nearest(in_size: int, out_size: int, scale: float | None = None) -> Any:
    """Return ``floor(dst * in / out)`` of every output index, in integers: exact for every pair of sizes.

    A given ``scale`` replaces ``in / out``, in float64, but for an axis that is copied or doubled, as in PyTorch.
    """
    if scale is not None and out_size not in (in_size, 2 * in_size):
        return _nearest_float64(in_size, out_size, scale, 0.0)
    return np.arange(out_size, dtype=np.int64) * in_size // out_size


def nearest_exact(in_size: int, out_size: int, scale: float | None = None) -> Any:
    """Return ``floor((dst + 1/2) * in / out)``, the pixel under the centre of each output pixel, in integers.

    A given ``scale`` replaces ``in / out``, in float64.
    """
    if scale is not None:
        return _nearest_float64(in_size, out_size, scale, 0.5)
    return (2 * np.arange(out_size, dtype=np.int64) + 1) * in_size // (2 * out_size)


def _nearest_float64(in_size: int, out_size: int, scale: float, centre: float) -> Any:
    source = np.floor((np.arange(out_size, dtype=np.float64) + centre) * scale)
    return np.minimum(source, in_size - 1).astype(np.int64)


def nearest_float32(in_size: int, out_size: int, scale: float | None, centre: float) -> Any:
    """Return ``floor((dst + centre) * scale)`` as PyTorch computes it for float32: rounded to float32 at every step.

    ``centre`` is 0 for "nearest" and 1/2 for "nearest-exact"; ``scale`` None means ``in / out``.
    """
    if centre == 0 and out_size in (in_size, 2 * in_size):  # there PyTorch copies or doubles in integers, whatever the scale
        return nearest(in_size, out_size)
    step = np.float32(in_size) / np.float32(out_size) if scale is None else np.float32(scale)
    source = np.floor((np.arange(out_size, dtype=np.float32) + np.float32(centre)) * step)
    return np.minimum(source.astype(np.int64), in_size - 1)


def bilinear(in_size: int, out_size: int, align_corners: bool, scale: float | None, dtype: Any) -> tuple[Any, Any, Any, Any]:
    """Return ``(first, second, first_weight, second_weight)``: the two pixels beside every output pixel's source coordinate.

    Parameters
    ----------
    align_corners : bool
        Map the centres of the corner pixels onto each other, else the corners of the planes.
    scale : float or None
        Input pixels per output pixel; None means ``in / out``. Not used with ``align_corners``.
    dtype : dtype
        Of the weights, which are computed in float64 and rounded once.
    """
    if out_size == in_size:  # an axis that keeps its size is copied, whatever the scale, as in PyTorch
        same = np.arange(in_size, dtype=np.int64)
        return same, same.copy(), np.ones(in_size, dtype), zeros(in_size, dtype)
    dst = np.arange(out_size, dtype=np.float64)
    if align_corners:
        source = dst * ((in_size - 1) / (out_size - 1) if out_size > 1 else 0.0)
    else:
        source = np.maximum(0.0, (dst + 0.5) * (in_size / out_size if scale is None else scale) - 0.5)
    first = np.minimum(np.floor(source), in_size - 1)  # beyond the last pixel, when a given scale is too large: the last pixel
    fraction = np.minimum(source - first, 1.0)
    second = np.minimum(first + 1, in_size - 1)
    return first.astype(np.int64), second.astype(np.int64), (1 - fraction).astype(dtype), fraction.astype(dtype)


def transposed(in_size: int, sources: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Turn "which inputs does an output read" into "which outputs read an input", compressed by rows (CSR).

    Parameters
    ----------
    sources, weights : ndarray, shape (terms, out_size)
        Input index and weight of every term of every output pixel.

    Returns
    -------
    starts : ndarray of int64, shape (in_size + 1,)
        Input pixel i owns the entries ``starts[i]`` up to ``starts[i + 1]``.
    outputs, weights : ndarray, shape (out_size * terms,)
        Output index and weight of each entry, in the order of the outputs.
    """
    terms = len(sources)
    order = np.argsort(sources.T.ravel(), kind="stable")  # (out_size, terms), so that the outputs stay in order
    starts = zeros(in_size + 1, np.int64)
    np.cumsum(np.bincount(sources.ravel(), minlength=in_size), out=starts[1:])
    return starts, order // terms, weights.T.ravel()[order]
