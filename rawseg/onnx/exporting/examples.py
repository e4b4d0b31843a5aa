"""Example inputs: what the caller gives, and others that show what follows the values and the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...device import device_of
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError, type_of
from .model_builder import OP

__all__ = ["as_inputs", "more_examples"]

LARGEST_STRIDE = 64  # of known networks: sides that grow by as much differ in every map


def as_inputs(x: Any, argument: str = "x") -> list[Tensor]:
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
            raise ArgumentTypeError(OP, argument, "a Tensor, an array or a tuple of them", type_of(one))
        if array.size == 0:
            raise ArgumentError(OP, f"{argument}[{i}]", "at least one element", f"shape {array.shape}")
        found.append(Tensor(array))
    if not found:
        raise ArgumentError(OP, argument, "at least one input", "none")
    return found


def more_examples(inputs: Sequence[Tensor], other: Any, batch: bool, multiple: tuple[int, int] | None) -> list[list[Tensor]]:
    """Return further examples, with other values than the first one.

    Parameters
    ----------
    inputs : sequence of Tensor
        The first example.
    other : as x of `rawseg.onnx.export`, optional
        The second one, instead of random numbers.
    batch : bool
        Whether axis 0 may have any length: the second example then has one image more.
    multiple : (int, int), optional
        What heights and widths of images (N, C, H, W) may grow by: a third example is then taller and a fourth one wider, so
        that what follows the height and what follows the width are told apart in maps of any stride.
    """
    rng = np.random.default_rng(0)
    found = [[_random(rng, x, 1 if batch else 0, (0, 0)) for x in inputs] if other is None else as_inputs(other, "other_x")]
    _check_alike(inputs, found[0], batch)
    if multiple is not None:
        for grown in ((_growth(multiple[0]), 0), (0, _growth(multiple[1]))):
            found.append([_random(rng, x, 0, grown) if x.ndim == 4 else x for x in inputs])
    return found


def _growth(multiple: int) -> int:
    """Return by how much a side grows: an odd number of multiples, so that half of them, rounded up or down, is told apart."""
    return multiple * (-(-LARGEST_STRIDE // multiple) | 1)


def _check_alike(inputs: Sequence[Tensor], others: Sequence[Tensor], batch: bool) -> None:
    """Refuse a second example that is not of the form of the first."""
    if len(inputs) != len(others):
        raise ArgumentError(OP, "other_x", f"{len(inputs)} inputs, as in x", len(others))
    for i, (x, other) in enumerate(zip(inputs, others)):
        if other.dtype != x.dtype:
            raise DTypeError(OP, f"other_x[{i}]", f"{x.dtype}, as in x", other.dtype)
        lengths = other.shape[:1] if batch else x.shape[:1]
        if (*lengths, *x.shape[1:]) != other.shape or (batch and other.shape == x.shape):
            expected = f"another length than {x.shape[0]} along axis 0, then {x.shape[1:]}" if batch else f"shape {x.shape}"
            raise ShapeError(OP, f"other_x[{i}]", expected, f"shape {other.shape}")


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
