"""The tables of ONNX's Resize: of each output element of an axis, which elements it reads and with which weights.

Every mode is a linear map along each axis by itself, so a resized array is the product of one sparse matrix an axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["COORDINATES", "ROUNDINGS", "Axis", "coordinates", "nearest", "weighted"]


@dataclass(frozen=True)
class Axis:
    """One axis of a resize.

    Attributes
    ----------
    length, out : int
        Elements before and after.
    scale : float
        Output elements per input element; ``scale * length`` may be no whole number.
    start, end : float
        The part that "tf_crop_and_resize" takes; 0 and 1 are the centres of the first and the last element.
    """

    length: int
    out: int
    scale: float
    start: float = 0.0
    end: float = 1.0

    @property
    def exact(self) -> float:
        """The length of the output before it was rounded."""
        return self.scale * self.length


def _align_corners(o: np.ndarray, axis: Axis) -> np.ndarray:
    return o * 0.0 if axis.exact == 1 else o * (axis.length - 1) / (axis.exact - 1)


def _half_pixel(o: np.ndarray, axis: Axis) -> np.ndarray:
    return (o + 0.5) / axis.scale - 0.5


def _half_pixel_symmetric(o: np.ndarray, axis: Axis) -> np.ndarray:
    """Keep the centre where it is although the output's length was rounded."""
    return axis.length / 2 * (1 - axis.out / axis.exact) + _half_pixel(o, axis)


def _pytorch_half_pixel(o: np.ndarray, axis: Axis) -> np.ndarray:
    return _half_pixel(o, axis) if axis.out > 1 else o * 0.0


def _tf_crop_and_resize(o: np.ndarray, axis: Axis) -> np.ndarray:
    last = axis.length - 1
    if axis.out == 1:
        return o + (axis.start + axis.end) * last / 2
    return axis.start * last + o * (axis.end - axis.start) * last / (axis.out - 1)


# By coordinate_transformation_mode: where the output elements o lie between the input elements.
COORDINATES: MappingProxyType[str, Callable[[np.ndarray, Axis], np.ndarray]] = MappingProxyType(
    {
        "align_corners": _align_corners,
        "asymmetric": lambda o, axis: o / axis.scale,
        "half_pixel": _half_pixel,
        "half_pixel_symmetric": _half_pixel_symmetric,
        "pytorch_half_pixel": _pytorch_half_pixel,
        "tf_crop_and_resize": _tf_crop_and_resize,
        "tf_half_pixel_for_nn": lambda o, axis: (o + 0.5) / axis.scale,
    }
)
# By nearest_mode: the element that a coordinate stands for.
ROUNDINGS: MappingProxyType[str, Callable[[np.ndarray], Any]] = MappingProxyType(
    {
        "ceil": np.ceil,
        "floor": np.floor,
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    }
)


def coordinates(axis: Axis, mode: str) -> np.ndarray:
    """Return where the output elements lie, float64."""
    return COORDINATES[mode](np.arange(axis.out, dtype=np.float64), axis)


def nearest(axis: Axis, mode: str, rounding: str) -> np.ndarray:
    """Return the input element of each output element, int64."""
    return np.clip(ROUNDINGS[rounding](coordinates(axis, mode)), 0, axis.length - 1).astype(np.int64)


def weighted(
    axis: Axis, mode: str, *, cubic: float | None, antialias: bool, exclude_outside: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the taps of each output element and their weights, both of shape (out, taps).

    Parameters
    ----------
    axis : Axis
        Which one.
    mode : str
        The coordinate transformation.
    cubic : float or None
        The coefficient of the cubic (Keys, 1981); None: linear.
    antialias : bool
        Stretch the kernel over as many input elements as an output element covers.
    exclude_outside : bool
        Give taps beyond the ends no weight, rather than that of the end.
    """
    at = coordinates(axis, mode)[:, None]
    shrunk = min(axis.scale, 1.0) if antialias else 1.0
    support = (1 if cubic is None else 2) / shrunk
    taps = np.floor(at - support) + 1 + np.arange(math.ceil(2 * support))
    distances = np.abs(taps - at) * shrunk
    weights = np.maximum(0, 1 - distances) if cubic is None else _cubic(distances, cubic)
    if exclude_outside:
        weights = np.where((taps >= 0) & (taps < axis.length), weights, 0)
    if exclude_outside or antialias:
        weights = weights / weights.sum(1, keepdims=True)
    return np.clip(taps, 0, axis.length - 1).astype(np.int64), weights


def _cubic(distances: np.ndarray, a: float) -> np.ndarray:
    near = ((a + 2) * distances - (a + 3)) * distances**2 + 1
    far = ((distances - 5) * distances + 8) * distances * a - 4 * a
    return np.where(distances <= 1, near, np.where(distances < 2, far, 0))
