"""The pixel weights of the U-Net paper, which teach a network the thin gaps between touching instances."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import real

from ..autograd import Tensor
from ..device import device_of, move
from ..errors import ArgumentError, DTypeError, ShapeError

__all__ = ["border_weights"]

OP = "border_weights"


def border_weights(
    mask: Any, w0: float = 10.0, sigma: float = 5.0, class_weights: tuple[float, float] | str | None = None
) -> np.ndarray:
    """Return ``w_c + w0 * exp(-(d1 + d2)**2 / (2 sigma**2))`` for each pixel of an instance mask.

    d1 and d2 are the distances in pixels to the nearest and to the second nearest instance, 0 inside one. With fewer than two
    instances there is no border, and the second term is 0.

    Parameters
    ----------
    mask : ndarray or Tensor, shape (H, W)
        Integers: 0 for the background, another number for each instance; on any device, the weights are on the CPU.
    w0 : float
        Weight of a pixel right between two instances, at least 0.
    sigma : float
        Width of the border in pixels, greater than 0.
    class_weights : (float, float) or "balanced", optional
        w_c of background and foreground. By default 1 for both; "balanced" gives both classes the same sum.

    Returns
    -------
    ndarray of float32, shape (H, W)
        For `weighted_cross_entropy`.

    Raises
    ------
    DTypeError
        If the mask does not hold integers.
    ArgumentError
        If a number is outside its domain.

    Notes
    -----
    Ronneberger et al., U-Net, arXiv 1505.04597, equation 2. One distance transform for each instance.

    Examples
    --------
    >>> import numpy as np
    >>> border_weights(np.array([[1, 0, 2]]), w0=10, sigma=1).round(3)
    array([[2.353, 2.353, 2.353]], dtype=float32)
    """
    mask = mask.array if isinstance(mask, Tensor) else mask
    mask = move(mask, "cpu") if device_of(mask) else np.asarray(mask)  # SciPy finds distances there
    if mask.dtype.kind not in "iu":
        raise DTypeError(OP, "mask", "integers", mask.dtype)
    if mask.ndim != 2:
        raise ShapeError(OP, "mask", "shape (H, W)", f"shape {mask.shape}")
    w0, sigma = real(OP, "w0", w0), real(OP, "sigma", sigma)
    if w0 < 0 or sigma <= 0:
        raise ArgumentError(OP, "w0" if w0 < 0 else "sigma", "w0 of at least 0, sigma greater than 0", (w0, sigma))
    background, foreground = _class_weights(mask, class_weights)
    nearest, second = _two_distances(mask)
    with np.errstate(over="ignore"):
        border = w0 * np.exp(-(((nearest + second) / sigma) ** 2) / 2)
    return (np.where(mask == 0, background, foreground) + border).astype(np.float32)


def _class_weights(mask: np.ndarray, class_weights: Any) -> tuple[float, float]:
    if class_weights is None:
        return 1.0, 1.0
    if isinstance(class_weights, str) and class_weights == "balanced":
        counts = int((mask == 0).sum()), int((mask != 0).sum())
        if min(counts) == 0:  # one class alone is in balance
            return 1.0, 1.0
        return mask.size / (2 * counts[0]), mask.size / (2 * counts[1])
    if not isinstance(class_weights, (tuple, list)) or len(class_weights) != 2:
        raise ArgumentError(OP, "class_weights", "None, 'balanced' or (background, foreground)", repr(class_weights))
    pair = real(OP, "class_weights", class_weights[0]), real(OP, "class_weights", class_weights[1])
    if min(pair) < 0:
        raise ArgumentError(OP, "class_weights", "at least 0", pair)
    return pair


def _two_distances(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of each pixel to the nearest and to the second nearest instance; inf where there is none."""
    from scipy.ndimage import distance_transform_edt

    nearest, second = np.full(mask.shape, np.inf), np.full(mask.shape, np.inf)
    for instance in np.unique(mask[mask != 0]):
        distance = np.asarray(distance_transform_edt(mask != instance))
        second = np.minimum(second, np.maximum(nearest, distance))
        nearest = np.minimum(nearest, distance)
    return nearest, second
