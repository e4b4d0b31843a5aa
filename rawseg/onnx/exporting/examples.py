"""Example inputs: what the caller gives, and others that show what follows the values and the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...device import device_of
from ...errors import ArgumentError, ArgumentTypeError
from .model_builder import OP

__all__ = ["as_inputs", "others"]

TALLER, WIDER = 3, 5  # by how many multiples: no power of 2 apart, so that heights and widths of no two maps are mixed up


def as_inputs(x: Any) -> list[Tensor]:
    """Return the example as Tensors of its own: one, or one for each argument of the network.

    Raises
    ------
    ArgumentTypeError
        If it is neither a Tensor, an array nor a tuple of them.
    ArgumentError
        If an array has no elements.
    """
    found = []
    for i, one in enumerate(x if isinstance(x, (tuple, list)) else [x]):
        array = one.array if isinstance(one, Tensor) else one
        if not device_of(array):
            raise ArgumentTypeError(OP, "x", "a Tensor, an array or a tuple of them", type(one).__name__)
        if array.size == 0:
            raise ArgumentError(OP, f"x[{i}]", "at least one element", f"shape {array.shape}")
        found.append(Tensor(array))
    if not found:
        raise ArgumentError(OP, "x", "at least one input", "none")
    return found


def others(inputs: Sequence[Tensor], batch: bool, multiple: tuple[int, int] | None) -> list[list[Tensor]]:
    """Return further examples, with other values than the first one.

    Parameters
    ----------
    inputs : sequence of Tensor
        The first example.
    batch : bool
        Whether axis 0 may have any length: one of the examples then has one image more.
    multiple : (int, int), optional
        What heights and widths of images (N, C, H, W) may grow by: one of the examples is then larger.
    """
    rng = np.random.default_rng(0)
    found = [[_random(rng, x, 1 if batch else 0, (0, 0)) for x in inputs]]
    if multiple is not None:
        grown = TALLER * multiple[0], WIDER * multiple[1]
        found.append([_random(rng, x, 0, grown if x.ndim == 4 else (0, 0)) for x in inputs])
    return found


def _random(rng: np.random.Generator, x: Tensor, images: int, grown: tuple[int, int]) -> Tensor:
    """Return random numbers from the range of x; of integers a choice of its own."""
    array = x.numpy()
    shape = list(array.shape)
    if shape:
        shape[0] += images
    for axis in (0, 1):
        if grown[axis]:
            shape[2 + axis] += grown[axis]
    if array.dtype.kind != "f":
        return _like(x, rng.choice(array.ravel(), shape))
    finite = array[np.isfinite(array)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    low, high = (low, high) if low < high else (low - 1, low + 1)
    return _like(x, rng.uniform(low, high, shape).astype(array.dtype))


def _like(x: Tensor, array: np.ndarray) -> Tensor:
    return Tensor(np.ascontiguousarray(array)).to(x.device)
