"""A dataset from two folders: images, and masks of the same names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError, DataError
from ..labels import check_class_ids
from .dataset import Sample
from .images import MAX_PIXELS, SUFFIXES, read_image, read_mask

SHOWN = 8  # stems that an error message lists before it counts the rest


class SegmentationFolder:
    """Images and masks in two folders, paired by file name without suffix.

    Parameters
    ----------
    root_or_images : str or path
        The folder of images, or, if ``masks`` is not given, a folder with the subfolders ``images`` and ``masks``.
    masks : str or path, optional
        The folder of masks.
    classes : int or sequence of str, optional
        Number of classes, or their names in the order of their ids; ids outside are then refused.
    channels : {1, 3, None}
        Read every image as grey or RGB; None leaves each as it is.
    ignore_index : int, optional
        An id outside the classes that a mask may hold too, e.g. 255 for unlabelled pixels.
    max_pixels : int
        Refuse larger files.

    Attributes
    ----------
    names : list of str
        Stems in natural order: ``cell2`` before ``cell10``.
    num_classes : int or None
        Number of classes, if given.

    Raises
    ------
    DataError
        If a folder is missing or empty, holds anything but image files (hidden files are passed over), two files of one
        stem, or an image without a mask or the reverse. Reading a sample raises it for a damaged file, a mask of another
        size than its image, and a class id out of range.
    """

    def __init__(
        self,
        root_or_images: str | os.PathLike[str],
        masks: str | os.PathLike[str] | None = None,
        classes: int | Sequence[str] | None = None,
        channels: int | None = None,
        ignore_index: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        root = Path(root_or_images)
        images_folder, masks_folder = (root / "images", root / "masks") if masks is None else (root, Path(masks))
        if channels not in (1, 3, None):
            raise ArgumentError("SegmentationFolder", "channels", "1, 3 or None", repr(channels))
        self.names, self._images, self._masks = paired("SegmentationFolder", images_folder, masks_folder)
        count = len(classes) if isinstance(classes, (list, tuple)) else classes
        self.num_classes = None if count is None else integer("SegmentationFolder", "classes", count, 1)
        self.channels, self.ignore_index, self.max_pixels = channels, ignore_index, max_pixels

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Return an image, float32 of shape (C, H, W), and its mask, int64 of shape (H, W)."""
        image_path, mask_path = self._images[self.names[index]], self._masks[self.names[index]]
        image = read_image(image_path, self.channels, self.max_pixels)
        mask = read_mask(mask_path, self.max_pixels)
        check_same_size("SegmentationFolder", image_path, image, mask_path, mask)
        if self.num_classes is not None:
            kept = None if self.ignore_index is None else mask != self.ignore_index
            check_class_ids("SegmentationFolder", str(mask_path), mask, self.num_classes, kept, DataError)
        return image, mask


def paired(op: str, images_folder: Path, masks_folder: Path) -> tuple[list[str], dict[str, Path], dict[str, Path]]:
    """Return the stems of two folders in natural order, and the files of either by stem; errors begin with ``op``."""
    images, masks = _by_stem(op, images_folder), _by_stem(op, masks_folder)
    _check_partners(op, images, masks, images_folder, masks_folder)
    return sorted(images, key=_natural), images, masks


def check_same_size(op: str, image_path: Path, image: np.ndarray, mask_path: Path, mask: np.ndarray) -> None:
    """Check that a mask of shape (H, W) fits its image of shape (C, H, W)."""
    if image.shape[1:] != mask.shape:
        expected = f"the size of its image {image_path}, {image.shape[1]} x {image.shape[2]} (height x width)"
        raise DataError(op, str(mask_path), expected, f"{mask.shape[0]} x {mask.shape[1]}")


def _by_stem(op: str, folder: Path) -> dict[str, Path]:
    """Return the image files of a folder by stem."""
    if not folder.is_dir():
        raise DataError(op, str(folder), "a folder of image files", "no such folder")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() not in SUFFIXES:  # passing it over would lose a sample in silence
            raise DataError(op, str(folder), f"nothing but {', '.join(SUFFIXES)} files", path.name)
        if path.stem in files:
            expected = "one file for each stem"
            raise DataError(op, str(folder), expected, f"{files[path.stem].name} and {path.name}")
        files[path.stem] = path
    if not files:
        raise DataError(op, str(folder), f"{', '.join(SUFFIXES)} files", "none")
    return files


def _check_partners(op: str, images: dict[str, Path], masks: dict[str, Path], images_folder: Path, masks_folder: Path) -> None:
    """Raise with all stems that lack a partner."""
    for have, want, folder in ((images, masks, masks_folder), (masks, images, images_folder)):
        lonely = sorted(have.keys() - want.keys(), key=_natural)
        if lonely:
            kind = "a mask for every image" if want is masks else "an image for every mask"
            more = f" and {len(lonely) - SHOWN} more" if len(lonely) > SHOWN else ""
            expected = f"{kind}, of the same name without suffix"
            raise DataError(op, str(folder), expected, f"none for {', '.join(lonely[:SHOWN])}{more}")


def _natural(stem: str) -> tuple[list[str | int], str]:
    """Sort key with runs of digits as numbers; the stem itself decides between ``a1`` and ``a01``."""
    parts = re.split(r"([0-9]+)", stem)
    return [int(part) if position % 2 else part for position, part in enumerate(parts)], stem
