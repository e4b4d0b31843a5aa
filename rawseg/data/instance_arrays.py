"""Instances of images that lie in memory: as they are, or in random crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError, IndexRangeError, ShapeError
from .dataset import sample_rng
from .instances import Target, target_of

__all__ = ["InstanceArrays", "InstanceCrops"]


class InstanceArrays:
    """Images of any sizes, and maps that number their instances, all of one class.

    Parameters
    ----------
    images : sequence of ndarray, shape (C, H, W)
        float32 in [0, 1].
    instances : sequence of ndarray of int64, shape (H, W)
        0 for background, else the number of the instance.
    least : int
        Instances of fewer pixels, such as those that a cut has left a sliver of, are background.
    """

    def __init__(self, images: Sequence[np.ndarray], instances: Sequence[np.ndarray], least: int = 1) -> None:
        for number, (image, map_) in enumerate(zip(images, instances)):
            if image.ndim != 3 or image.shape[1:] != map_.shape:
                expected = "an image (C, H, W) and its instances (H, W)"
                raise ShapeError("InstanceArrays", f"images[{number}]", expected, f"{image.shape} and {map_.shape}")
        if len(images) != len(instances):
            raise ArgumentError("InstanceArrays", "instances", f"{len(images)}, as images", len(instances))
        self.images, self.instances, self.least = list(images), list(instances), integer("InstanceArrays", "least", least, 1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Target]:
        """Return an image and its instances."""
        if not 0 <= index < len(self.images):
            raise IndexRangeError("InstanceArrays", "index", f"0..{len(self.images) - 1}", index)
        return self.images[index], numbered(self.instances[index], index, self.least)


class InstanceCrops:
    """Random square parts of one image, new ones each epoch.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        float32 in [0, 1].
    instances : ndarray of int64, shape (H, W)
        See `InstanceArrays`.
    size : int
        Height and width of a part.
    count : int
        Parts in an epoch.
    least : int
        See `InstanceArrays`.
    """

    def __init__(self, image: np.ndarray, instances: np.ndarray, size: int, count: int, least: int = 1) -> None:
        self.image, self.instances, self.least = image, instances, integer("InstanceCrops", "least", least, 1)
        self.size, self.count = integer("InstanceCrops", "size", size, 1), integer("InstanceCrops", "count", count, 1)
        if image.ndim != 3 or image.shape[1:] != instances.shape or size > min(instances.shape):
            expected = f"an image (C, H, W) and its instances (H, W), at least {size} pixels a side"
            raise ShapeError("InstanceCrops", "image", expected, f"{image.shape} and {instances.shape}")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, Target]:
        """Return a part that is always the same."""
        if not 0 <= index < self.count:
            raise IndexRangeError("InstanceCrops", "index", f"0..{self.count - 1}", index)
        return self.sample(index, sample_rng(0, 0, index))

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, Target]:
        """Return the part that ``rng`` chooses."""
        top, left = (int(rng.integers(length - self.size + 1)) for length in self.instances.shape)
        part = slice(top, top + self.size), slice(left, left + self.size)
        return np.ascontiguousarray(self.image[:, *part]), numbered(self.instances[part], index, self.least)


def numbered(instances: np.ndarray, image_id: int, least: int) -> Target:
    """Return the instances of a map that have at least so many pixels."""
    values, counts = np.unique(instances[instances > 0], return_counts=True)
    values = values[counts >= least]
    masks: Any = instances == values[:, None, None]
    return target_of(np.ones(len(values), np.int64), masks, values, image_id)
