"""Augmentations: callables ``(image, mask, rng) -> (image, mask)`` that move both alike and never mix class ids.

A warp is a map from output pixels to places in the input; `resample` then reads the image there bilinearly and the mask
at the nearest pixel. Beyond its border the input is mirrored (without repeating the border), as in the U-Net paper.
Every warp samples once, so nothing is blurred twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from rawseg_kernels._arrays import integer, pair

from ..errors import ArgumentError
from .dataset import Sample

Transform: TypeAlias = Callable[[np.ndarray, Any, np.random.Generator], Sample]


def resample(image: np.ndarray, mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Sample:
    """Read an image and its mask at real-valued places.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        Read bilinearly.
    mask : ndarray of int64, shape (H, W)
        Read at the nearest pixel.
    rows, columns : ndarray, shapes that broadcast to (out_h, out_w)
        Places in pixels; whole numbers are pixel centres.

    Returns
    -------
    image : ndarray, shape (C, out_h, out_w)
        Of the image's dtype.
    mask : ndarray of int64, shape (out_h, out_w)
        Holds no id that the input lacks.
    """
    from scipy.ndimage import map_coordinates  # takes longer to import than this whole package, and only warps need it

    places = np.stack(np.broadcast_arrays(rows, columns))  # (2, out_h, out_w)
    channels = [map_coordinates(channel, places, order=1, mode="mirror") for channel in image]
    return np.stack(channels), map_coordinates(mask, places, order=0, mode="mirror")


class Compose:
    """Apply transforms one after another.

    Parameters
    ----------
    transforms : sequence of callable
        Each ``(image, mask, rng) -> (image, mask)``.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: np.ndarray, mask: Any, rng: np.random.Generator) -> Sample:
        """Apply all of them, in order, with one stream of random numbers."""
        for transform in self.transforms:
            image, mask = transform(image, mask, rng)
        return image, mask


class Flip:
    """Mirror, along each axis asked for with probability 1/2.

    Parameters
    ----------
    horizontal : bool
        Left and right may change places.
    vertical : bool
        Top and bottom may change places.
    """

    def __init__(self, horizontal: bool = True, vertical: bool = False) -> None:
        self.horizontal, self.vertical = horizontal, vertical

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Sample:
        """Flip both or neither."""
        horizontally, vertically = rng.random(2) < 0.5
        rows = slice(None, None, -1 if vertically and self.vertical else 1)
        columns = slice(None, None, -1 if horizontally and self.horizontal else 1)
        return image[:, rows, columns], mask[rows, columns]


class Rotate90:
    """Turn by 0, 90, 180 or 270 degrees, exactly; height and width of an image that is not square may change places."""

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Sample:
        """Turn both by the same number of quarters."""
        quarters = int(rng.integers(4))
        return np.rot90(image, quarters, axes=(1, 2)), np.rot90(mask, quarters)


class Rotate:
    """Turn about the centre, counter-clockwise for positive angles; the size stays.

    Parameters
    ----------
    degrees : float
        The angle is uniform in [-degrees, degrees].
    """

    def __init__(self, degrees: float) -> None:
        self.degrees = _amount("Rotate", "degrees", degrees)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Sample:
        """Turn both by one angle."""
        angle = math.radians(rng.uniform(-self.degrees, self.degrees))
        centre_row, centre_column = (mask.shape[0] - 1) / 2, (mask.shape[1] - 1) / 2
        down = np.arange(mask.shape[0])[:, None] - centre_row  # (H, 1)
        right = np.arange(mask.shape[1])[None, :] - centre_column  # (1, W)
        rows = centre_row + math.sin(angle) * right + math.cos(angle) * down
        columns = centre_column + math.cos(angle) * right - math.sin(angle) * down
        return resample(image, mask, rows, columns)


class ScaleCrop:
    """Scale by a random factor and crop a random window, in one step; where the image is smaller, it is mirrored.

    Parameters
    ----------
    size : int or (int, int)
        Height and width of the window.
    scale : (float, float)
        The factor is uniform in this range; the default only crops. There is no smoothing before shrinking, so stay
        above 1/2.
    """

    def __init__(self, size: int | tuple[int, int], scale: tuple[float, float] = (1.0, 1.0)) -> None:
        self.size = pair("ScaleCrop", "size", size, 1)
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] < math.inf:
            raise ArgumentError("ScaleCrop", "scale", "a range (low, high) of positive numbers", scale)
        self.scale = scale

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Sample:
        """Crop both at one place."""
        scale = rng.uniform(*self.scale)
        rows, columns = (self._places(length, out, scale, rng) for length, out in zip(mask.shape, self.size))
        return resample(image, mask, rows[:, None], columns[None, :])

    @staticmethod
    def _places(length: int, out: int, scale: float, rng: np.random.Generator) -> np.ndarray:
        """Return where along one axis the window's pixels lie in the input; a whole offset keeps scale 1 exact."""
        slack = round(length * scale) - out  # negative: the window is larger, and the image lies anywhere inside it
        offset = int(rng.integers(min(slack, 0), max(slack, 0) + 1))
        return (np.arange(out) + offset + 0.5) / scale - 0.5


class ElasticDeform:
    """Smooth random deformation (Ronneberger et al. 2015, section 3.1).

    Parameters
    ----------
    sigma : float
        Standard deviation of the displacement vectors in pixels; the paper's 10 suits images of 512 pixels.
    grid : int
        Displacements are drawn on a coarse grid of this many points along each axis, from border to border.

    Notes
    -----
    Between the grid's points the displacement is an interpolating bicubic spline, so at them it is as drawn.
    """

    def __init__(self, sigma: float = 10.0, grid: int = 3) -> None:
        self.sigma = _amount("ElasticDeform", "sigma", sigma)
        self.grid = integer("ElasticDeform", "grid", grid, 2)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Sample:
        """Deform both by one displacement field."""
        from scipy.ndimage import map_coordinates

        coarse = rng.normal(0, self.sigma, (2, self.grid, self.grid))
        positions = np.meshgrid(*(np.linspace(0, self.grid - 1, length) for length in mask.shape), indexing="ij")
        down, right = (map_coordinates(axis, positions, order=3, mode="mirror") for axis in coarse)  # (H, W) each
        rows = np.arange(mask.shape[0])[:, None] + down
        columns = np.arange(mask.shape[1])[None, :] + right
        return resample(image, mask, rows, columns)


class Brightness:
    """Add one number, uniform in [-amount, amount], to all pixels; the result is clipped to [0, 1].

    Parameters
    ----------
    amount : float
        0 changes nothing.
    """

    def __init__(self, amount: float = 0.1) -> None:
        self.amount = _amount("Brightness", "amount", amount)

    def __call__(self, image: np.ndarray, mask: Any, rng: np.random.Generator) -> Sample:
        """Shift the brightness; the mask is untouched."""
        return np.clip(image + np.float32(rng.uniform(-self.amount, self.amount)), 0, 1), mask


class Contrast:
    """Multiply the distance from the image's mean, by a factor uniform in [1 - amount, 1 + amount]; clipped to [0, 1].

    Parameters
    ----------
    amount : float
        0 changes nothing (but for rounding); at most 1.
    """

    def __init__(self, amount: float = 0.2) -> None:
        self.amount = _amount("Contrast", "amount", amount, most=1)

    def __call__(self, image: np.ndarray, mask: Any, rng: np.random.Generator) -> Sample:
        """Stretch the contrast; the mask is untouched."""
        factor = np.float32(rng.uniform(1 - self.amount, 1 + self.amount))
        mean = np.float32(image.mean(dtype=np.float64))
        return np.clip(mean + factor * (image - mean), 0, 1), mask


def _amount(op: str, argument: str, value: Any, most: float = math.inf) -> float:
    """Return a finite number from 0 to ``most``."""
    if not 0 <= value <= most or value == math.inf:
        limit = f" and at most {most}" if most < math.inf else ""
        raise ArgumentError(op, argument, f"a finite number of at least 0{limit}", value)
    return float(value)
