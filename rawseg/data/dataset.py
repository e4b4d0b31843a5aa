"""What a dataset is, where its random numbers come from, and datasets made of others: parts and random crops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np

from rawseg_kernels._arrays import integer, pair

from ..errors import ArgumentError, IndexRangeError, ShapeError

Sample: TypeAlias = tuple[np.ndarray, Any]  # image (C, H, W) float32; mask (H, W) int64, a label, an image, or instances


class Dataset(Protocol):
    """Samples by index.

    A dataset that is random by itself, as `Crops`, also has ``sample(index, rng)``, which a `Loader` calls instead.
    """

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, index: int, /) -> Sample:
        """Return an image, float32 of shape (C, H, W), and its mask, int64 of shape (H, W)."""
        ...


def sample_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Return the random numbers of one sample in one epoch: a stream of its own, whoever draws from it and when."""
    return np.random.default_rng(np.random.SeedSequence([seed, epoch, index]))


def draw(dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
    """Return a sample, with the sample's own random numbers if the dataset wants any."""
    sample = getattr(dataset, "sample", None)
    return dataset[index] if sample is None else sample(index, rng)


class Fixed:
    """A dataset as it is by index, the same each time and for every `Loader`: what others are compared on.

    Parameters
    ----------
    dataset : Dataset
        One that is random by itself, such as `Crops` or `Scenes`.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[index]


class Subset:
    """Some samples of a dataset, in a given order.

    Parameters
    ----------
    dataset : Dataset
        The whole.
    indices : sequence of int
        Which samples, as indices into the whole.
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = [int(index) for index in indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return a sample as the whole dataset draws it."""
        return draw(self.dataset, self.indices[index], rng)

    @property
    def names(self) -> list[str]:
        """Names of the samples, if the whole dataset has names."""
        names: Any = self.dataset.names  # type: ignore[attr-defined]
        return [names[index] for index in self.indices]


def split(dataset: Dataset, fractions: Sequence[float], seed: int) -> tuple[Subset, ...]:
    """Divide a dataset at random into parts without a common sample.

    Parameters
    ----------
    dataset : Dataset
        The whole.
    fractions : sequence of float
        Size of each part, e.g. ``(0.8, 0.2)``; they sum to 1.
    seed : int
        The same seed gives the same parts.

    Returns
    -------
    parts : tuple of Subset
        Every sample is in exactly one part; within a part the samples keep their order.

    Raises
    ------
    ArgumentError
        If the fractions are not positive or do not sum to 1, or a part would be empty.
    """
    seed = integer("split", "seed", seed, 0)
    if not all(fraction > 0 for fraction in fractions) or not abs(sum(fractions) - 1) < 1e-9:
        raise ArgumentError("split", "fractions", "positive numbers that sum to 1", fractions)
    ends = [round(end * len(dataset)) for end in np.cumsum([0.0, *fractions])]
    if any(first == last for first, last in pairwise(ends)):
        expected = f"at least one of {len(dataset)} samples in each part"
        raise ArgumentError("split", "fractions", expected, f"{fractions}: parts of {np.diff(ends).tolist()}")
    order = np.random.default_rng(seed).permutation(len(dataset))
    return tuple(Subset(dataset, np.sort(order[first:last]).tolist()) for first, last in pairwise(ends))


class Crops:
    """Random crops of one large image, as many an epoch as asked for.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        float32.
    mask : ndarray of int64, shape (H, W)
        Class ids.
    size : int or (int, int)
        Height and width of a crop.
    count : int
        Crops in an epoch.

    Notes
    -----
    A `Loader` draws new crops every epoch, each from the random numbers of its own seed, epoch and index. ``crops[index]``
    is the crop of seed 0 and epoch 0.
    """

    def __init__(self, image: np.ndarray, mask: np.ndarray, size: int | tuple[int, int], count: int) -> None:
        if image.ndim != 3 or image.shape[1:] != mask.shape:
            expected = "an image of shape (C, H, W) and a mask of shape (H, W)"
            raise ShapeError("Crops", "image, mask", expected, f"{image.shape} and {mask.shape}")
        self.size = pair("Crops", "size", size, 1)
        if self.size[0] > mask.shape[0] or self.size[1] > mask.shape[1]:
            raise ArgumentError("Crops", "size", f"at most the image's {mask.shape}", self.size)
        self.count = integer("Crops", "count", count, 1)
        self.image, self.mask = image, mask

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.count:
            raise IndexRangeError("Crops", "index", f"0..{self.count - 1}", index)
        return self.sample(index, sample_rng(0, 0, index))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return one crop; which one is up to ``rng`` alone."""
        height, width = self.size
        top = int(rng.integers(0, self.mask.shape[0] - height + 1))
        left = int(rng.integers(0, self.mask.shape[1] - width + 1))
        rows, columns = slice(top, top + height), slice(left, left + width)
        return self.image[:, rows, columns], self.mask[rows, columns]
