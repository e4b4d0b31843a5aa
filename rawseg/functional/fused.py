"""A convolution, a batch normalisation by constants and a clamp in one step, for layers that follow each other.

`rawseg.autograd.deferred` computes the three in one pass over memory, whoever calls them; on small maps most of the time would
then go into what lies between the passes. The same kernels, the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rawseg_kernels import batch_norm as batch_norm_room
from rawseg_kernels import conv2d as conv2d_room
from rawseg_kernels._epilogue import NOTHING, Epilogue

from ..autograd import Tensor
from ..autograd.deferred import Deferred, may_defer
from ..autograd.grad_mode import modes
from ..errors import RawsegError
from .convolution import DeferredConvolution

__all__ = ["Fold", "convolved", "unwatched"]


def unwatched() -> bool:
    """Return whether nobody sees results between operations: no recorder, no search for what is not finite."""
    return not (modes.anomaly or modes.recorder is not None)


class Fold:
    """What a normalisation by constants comes to, kept for as long as its arrays hold the same bytes: to see that is sooner."""

    def __init__(self) -> None:
        self._kept: tuple[Any, Any] = (None, None)  # replaced as a whole: several threads may be here

    def __reduce__(self) -> tuple:
        return Fold, ()  # soon found again

    def __call__(self, scale: Any, shift: Any, mean: Any, var: Any, eps: float) -> tuple[Any, Any, Any]:
        """Return centre, scale and shift of every channel, as `rawseg_kernels.batch_norm.fold` does."""
        arrays = scale, shift, mean, var
        now = [type(eps), eps, *(None if array is None else _content(array) for array in arrays)]
        seen, constants = self._kept
        if seen != now:
            constants = batch_norm_room.fold(*arrays, eps)
            self._kept = now, constants
        return constants


def _content(array: Any) -> tuple:
    return type(array), array.dtype, array.shape, array.tobytes()


def convolved(input: Any, kernels: tuple, geometry: tuple, norm: tuple | None, low: float, high: float) -> Tensor | None:
    """Return a convolution of images on the CPU, normalised and held between two numbers.

    Parameters
    ----------
    input : Tensor, shape (N, C_in, H, W)
        Images.
    kernels : (Tensor, Tensor or None)
        Weight and bias, as in `conv2d`.
    geometry : tuple
        Stride, padding, dilation and groups.
    norm : (Tensor or None, Tensor or None, Tensor, Tensor, float, Fold), optional
        Scale, shift, running mean, running variance and eps, as in `batch_norm`, and what they came to before.
    low, high : float
        Bounds; infinite ones hold nothing.

    Returns
    -------
    Tensor, shape (N, C_out, out_h, out_w), or None
        None where an argument is not what it should be, or lies elsewhere: the operations, one by one, say what is wrong.
    """
    if not isinstance(input, Tensor) or not isinstance(input._array, (np.ndarray, Deferred)):
        return None
    x, (weight, bias) = input.array, _arrays(kernels)
    try:
        shape, run = conv2d_room.prepare(x, weight, bias, *geometry)
        after = Epilogue(*NOTHING[:3], low, high)
        if norm is not None:
            *constants, eps, fold = norm
            arrays = _arrays(constants)
            if not isinstance(arrays[2], np.ndarray) or arrays[2].shape != shape[1:2] or arrays[2].dtype != x.dtype:
                return None
            centre, scale, shift = fold(*arrays, eps)
            after = Epilogue(centre, scale, shift, low, high)
        if math.isinf(low) and math.isinf(high) and may_defer(x, weight, bias):  # a clamp may follow from elsewhere
            return Tensor(DeferredConvolution(shape, run, after, x, weight, bias))
        with np.errstate(all="ignore"):
            return Tensor(run(after))
    except (RawsegError, MemoryError):
        return None


def _arrays(tensors: Any) -> list:
    return [None if tensor is None else tensor.anywhere for tensor in tensors]
