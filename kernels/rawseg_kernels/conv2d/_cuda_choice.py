"""Which algorithm ``"auto"`` is on a GPU: a rule of the shapes, as `_choice` is on the CPU.

A depthwise sum has too few products for a tile of a matrix product; all else is one, at the precision that is set.
"""

from __future__ import annotations

from typing import Any

from .._tensor_cores import chosen
from ._choice import MOST_SHARES, MOST_TAPS


def choose_on_gpu(algorithm: str, array: Any, weight_shape: tuple[int, ...], groups: int, device: str) -> str:
    """Return the name of the algorithm, if it is left open, for an array and weights (C_out, C_in / groups, kH, kW)."""
    shares, taps = weight_shape[0] // groups, weight_shape[2] * weight_shape[3]
    if algorithm == "auto" and weight_shape[1] == 1 and shares <= MOST_SHARES and taps <= MOST_TAPS:
        return "cuda_depthwise"
    return chosen("conv2d", algorithm, array, device)
