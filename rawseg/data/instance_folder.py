"""A dataset of instances from two folders: images, and masks of the same names that number the instances."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from .folder import check_same_size, paired
from .images import read_image, read_mask
from .instances import Target, annotation_of, target_of

OP = "InstanceFolder"
OF_A_CLASS = 1000  # a value is OF_A_CLASS * class + instance, as in Cityscapes


class InstanceFolder:
    """Images and masks of instances in two folders, paired by file name without suffix.

    Parameters
    ----------
    root : str or path
        The folder with the subfolders ``images`` and ``masks``. A mask, PNG or TIFF, holds 0 for background and the same
        value for all pixels of an instance: any with one class, else 1000 * class + instance, classes from 1 (the
        convention of Cityscapes).
    class_names : sequence of str
        Names of the classes, without a background.
    channels : {1, 3}
        Read every image as grey or RGB.

    Attributes
    ----------
    names : list of str
        Stems in natural order: ``cell2`` before ``cell10``.
    image_ids : list of int
        1 to the number of images.
    category_ids : list of int
        1 to the number of classes: label k is ``category_ids[k - 1]``.
    class_names : list of str
        As given.

    Raises
    ------
    DataError
        If the folders do not pair up as `SegmentationFolder` wants it, or a mask is damaged or holds a value that names no
        class. Reading a sample raises it for a damaged image and for one of another size than its mask.

    Notes
    -----
    All masks are read once at the start, because instances are numbered over the whole dataset: from 1, in the order of the
    samples and, within one, of their values.
    """

    def __init__(self, root: str | os.PathLike[str], class_names: Sequence[str] = ("object",), channels: int = 3) -> None:
        if channels not in (1, 3):
            raise ArgumentError(OP, "channels", "1 or 3", repr(channels))
        self.class_names, self.channels = _checked_names(class_names), channels
        self.names, self._images, self._masks = paired(OP, Path(root) / "images", Path(root) / "masks")
        self.image_ids = list(range(1, len(self.names) + 1))
        self.category_ids = list(range(1, len(self.class_names) + 1))
        counts = [len(self._read(name)[1]) for name in self.names]
        self._ends = np.cumsum([0, *counts]).tolist()  # instances before each sample, and in all

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Target]:
        """Return an image, float32 of shape (C, H, W), and its target: see `target_of`."""
        index = range(len(self))[index]
        name = self.names[index]
        image = read_image(self._images[name], self.channels)
        mask, values = self._numbered(index)
        check_same_size(OP, self._images[name], image, self._masks[name], mask)
        ids = range(self._ends[index] + 1, self._ends[index + 1] + 1)
        return image, target_of(self._labels(values), mask == values[:, None, None], ids, index + 1)

    def ground_truth(self) -> dict[str, Any]:
        """Return the data in COCO's form, for pycocotools to evaluate against; the segmentations are uncompressed RLE.

        Raises
        ------
        DataError
            If a mask is damaged.
        """
        images, annotations = [], []
        for index, name in enumerate(self.names):
            mask, values = self._numbered(index)
            size = {"height": mask.shape[0], "width": mask.shape[1]}
            images.append({"id": index + 1, "file_name": self._images[name].name, **size})
            ids = range(self._ends[index] + 1, self._ends[index + 1] + 1)
            for identity, value, label in zip(ids, values, self._labels(values).tolist()):
                annotations.append(annotation_of(mask == value, identity, index + 1, label))
        categories = [{"id": key, "name": name} for key, name in zip(self.category_ids, self.class_names)]
        return {"info": {}, "images": images, "categories": categories, "annotations": annotations}

    def _numbered(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Read a mask that must still have as many instances as when they were numbered."""
        mask, values = self._read(self.names[index])
        count = self._ends[index + 1] - self._ends[index]
        if len(values) != count:
            path = self._masks[self.names[index]]
            raise DataError(OP, str(path), f"{count} instances, as when the dataset was made", len(values))
        return mask, values

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a mask, int64 of shape (H, W), and the values of its instances, shape (M,), ascending."""
        path = self._masks[name]
        mask = read_mask(path)
        values = np.unique(mask[mask != 0])
        labels = self._labels(values)
        wrong = values[(values < 0) | (labels < 1) | (labels > len(self.class_names))]
        if len(wrong):
            classes = len(self.class_names)
            one = "0 for background, else a number above 0"
            many = f"0 for background, else {OF_A_CLASS} * class + instance, classes 1 to {classes}"
            raise DataError(OP, str(path), one if classes == 1 else many, f"the value {wrong[0]}")
        return mask, values

    def _labels(self, values: np.ndarray) -> np.ndarray:
        """Return the classes of values of instances."""
        return np.ones_like(values) if len(self.class_names) == 1 else values // OF_A_CLASS


def _checked_names(names: Sequence[str]) -> list[str]:
    fits = isinstance(names, (list, tuple)) and all(isinstance(name, str) and name for name in names)
    if not fits or not names or len(set(names)) != len(names):
        raise ArgumentError(OP, "class_names", "a list of different names, without a background", repr(names))
    return list(names)
