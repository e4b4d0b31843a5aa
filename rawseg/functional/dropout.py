"""Dropout: random zeros from rawseg's own generator, so that `rawseg.manual_seed` repeats them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import flag

from .. import random
from ..autograd import Tensor
from ..device import drawn
from ..errors import ArgumentError, ShapeError
from .activation import floating
from .naming import operation

__all__ = ["dropout", "dropout2d"]


@operation
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to 0 with probability ``p`` and divide the others by ``1 - p``.

    Parameters
    ----------
    input : Tensor, any shape
        float32 or float64.
    p : float
        Probability of a zero, 0 to 1.
    training : bool
        If false the input is returned.
    inplace : bool
        Accepted for PyTorch's sake; the result is never written into the input.

    Returns
    -------
    Tensor, the shape of ``input``
        With the expectation of ``input``.

    Raises
    ------
    ArgumentError
        If ``p`` is outside [0, 1].

    Notes
    -----
    Srivastava et al., JMLR 15 (2014). The zeros do not depend on dtype or device.
    """
    x = floating("dropout", input)
    return _dropped("dropout", x, x.shape, p, training)


@operation
def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each whole channel to 0 with probability ``p`` and divide the others by ``1 - p``.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
        Feature maps.
    p, training, inplace
        As in `dropout`.

    Returns
    -------
    Tensor, the shape of ``input``
        Neighbouring pixels are alike, so zeros of single ones would hide little (Tompson et al., arXiv 1411.4280).

    Notes
    -----
    PyTorch takes three axes for (N, C, L), with a warning; here they are one image, as in `conv2d`.
    """
    x = floating("dropout2d", input)
    if x.ndim not in (3, 4):
        raise ShapeError("dropout2d", "input", "shape (N, C, H, W) or (C, H, W)", f"shape {x.shape}")
    return _dropped("dropout2d", x, (*x.shape[:-2], 1, 1), p, training)


def _dropped(op: str, x: Tensor, mask_shape: tuple[int, ...], p: float, training: bool) -> Tensor:
    if not (isinstance(p, (int, float, np.integer, np.floating)) and 0 <= p <= 1):
        raise ArgumentError(op, "p", "a probability, 0 to 1", repr(p))
    if not flag(op, "training", training) or p == 0:
        return x
    p, dtype = float(p), x.dtype  # a graph keeps `scale`, which must not keep x
    share = dtype.type(0 if p == 1 else 1 / (1 - p))

    def scale() -> np.ndarray:
        kept = random.generator().random(mask_shape, np.float32) >= p
        return kept.astype(dtype) * share

    return x * Tensor(drawn(scale, x.device))
