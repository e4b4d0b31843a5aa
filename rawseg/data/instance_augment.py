"""Augmentations of instances: callables ``(image, target, rng) -> (image, target)`` that move image, boxes and masks alike.

`rawseg.data.Brightness` and `Contrast`, which leave targets as they are, serve here too, and `Compose` puts them in a row.
"""

from __future__ import annotations

import numpy as np

from .instances import Target

__all__ = ["FlipInstances", "TurnInstances"]


class FlipInstances:
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

    def __call__(self, image: np.ndarray, target: Target, rng: np.random.Generator) -> tuple[np.ndarray, Target]:
        """Flip everything or nothing."""
        across, down = rng.random(2) < 0.5
        if across and self.horizontal:
            image, target = mirrored(image, target)
        if down and self.vertical:
            image, target = turned(*turned(*mirrored(image, target)))
        return image, target


class TurnInstances:
    """Turn by 0, 90, 180 or 270 degrees, exactly; height and width of an image that is not square may change places."""

    def __call__(self, image: np.ndarray, target: Target, rng: np.random.Generator) -> tuple[np.ndarray, Target]:
        """Turn everything by the same number of quarters."""
        for _ in range(int(rng.integers(4))):
            image, target = turned(image, target)
        return image, target


def mirrored(image: np.ndarray, target: Target) -> tuple[np.ndarray, Target]:
    """Return left and right exchanged."""
    x1, y1, x2, y2 = target["boxes"].T
    width = np.float32(image.shape[2])
    boxes = np.stack([width - x2, y1, width - x1, y2], 1)
    return image[..., ::-1], {**target, "boxes": boxes, "masks": target["masks"][..., ::-1]}


def turned(image: np.ndarray, target: Target) -> tuple[np.ndarray, Target]:
    """Return everything turned by a quarter, counter-clockwise as `numpy.rot90`: what was right is on top."""
    x1, y1, x2, y2 = target["boxes"].T
    width = np.float32(image.shape[2])
    boxes = np.stack([y1, width - x2, y2, width - x1], 1)
    masks = np.rot90(target["masks"], axes=(1, 2))
    return np.rot90(image, axes=(1, 2)), {**target, "boxes": boxes, "masks": masks}
