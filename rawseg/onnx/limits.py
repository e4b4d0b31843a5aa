"""What a graph may ask of the machine: sizes are checked before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rawseg_kernels._memory import limit_bytes

from .node import Node

__all__ = ["allocatable", "broadcasts"]


def allocatable(node: Node, shape: Sequence[int], dtype: Any) -> tuple[int, ...]:
    """Return the shape of an array that a node is about to make, as plain ints.

    Parameters
    ----------
    node : Node
        Who asks.
    shape : sequence of int
        Sizes, any length; possibly from a hostile file.
    dtype : dtype
        Of the elements.

    Returns
    -------
    tuple of int
        The sizes.

    Raises
    ------
    ArgumentError
        If a size is negative, or the array would be larger than ``RAWSEG_MEMORY_LIMIT``, else this machine's memory.
    """
    sizes = tuple(int(size) for size in shape)
    if len(sizes) > 64 or any(size < 0 for size in sizes):
        node.refuse("shape", "at most 64 sizes, none of them negative", sizes[:65])
    spanned = np.dtype(dtype).itemsize
    for size in sizes:
        spanned *= size or 1  # Python ints do not overflow; an empty array, too, must not span more than the 64 bits of NumPy
    if spanned > limit_bytes():
        node.refuse("shape", f"an output of at most {limit_bytes()} bytes", f"{spanned} bytes for {sizes} of {np.dtype(dtype)}")
    return sizes


def broadcasts(node: Node, argument: str, x: Any, shape: tuple[int, ...]) -> None:
    """Raise an ArgumentError that names the argument unless it broadcasts to a shape, which it may not enlarge."""
    longer = x.ndim > len(shape)
    if longer or any(size not in (1, wanted) for size, wanted in zip(x.shape[::-1], shape[::-1])):
        node.refuse(argument, f"what broadcasts to {shape}", f"shape {x.shape}")
