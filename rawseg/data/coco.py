"""A dataset of instances in COCO's form: one JSON file of annotations and a folder of images."""

from __future__ import annotations

import os
import reprlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from rawseg_kernels._arrays import flag

from ..errors import ArgumentError, DataError
from .coco_file import OP, CocoAnnotation, CocoImage, read_coco
from .folder import SHOWN
from .images import read_image
from .instances import Target, rle_decode, target_of


class CocoInstances:
    """Images with the instances that a JSON file in COCO's form lists.

    Parameters
    ----------
    annotations : str or path
        The JSON file: an object with ``images``, ``annotations`` and ``categories``. Everything that is used of it is
        checked at once; only then does pycocotools draw the polygons.
    images : str or path
        The folder that the file names of the images are relative to.
    channels : {1, 3}
        Read every image as grey or RGB.
    skip_invalid : bool
        Leave wrong annotations out and list them in ``skipped`` instead of raising. Wrong entries of images or categories
        are always refused.

    Attributes
    ----------
    names : list of str
        File names in the order of the file; every image is a sample, those without annotations too.
    image_ids : list of int
        Their ids.
    category_ids : list of int
        Ids of the categories in ascending order: label k is ``category_ids[k - 1]``.
    class_names : list of str
        Names of the categories in the same order, without a background.
    skipped : list of (annotation id, reason)
        What was left out, in the order in which it was found. Whether a polygon covers no pixel is only known when it is
        drawn, so an annotation may join the list when its sample is read, or in `ground_truth`.

    Raises
    ------
    DataError
        If the file or an entry is wrong, or an image is missing. Reading a sample raises it for an image that is damaged or
        of another size than the file says, for a mask without any pixel, and if pycocotools is needed but missing.

    Notes
    -----
    Crowds (``iscrowd`` 1) are in `ground_truth`, because COCO's evaluation uses them, and not in the targets.
    """

    def __init__(
        self,
        annotations: str | os.PathLike[str],
        images: str | os.PathLike[str],
        channels: int = 3,
        skip_invalid: bool = False,
    ) -> None:
        if channels not in (1, 3):
            raise ArgumentError(OP, "channels", "1 or 3", repr(channels))
        self.channels, self.skip_invalid = channels, flag(OP, "skip_invalid", skip_invalid)
        self._file, self._folder = Path(annotations), Path(images)
        self._images, categories, self._annotations, self.skipped = read_coco(self._file, self.skip_invalid)
        self.names = [image.file_name for image in self._images]
        self.image_ids = [image.identity for image in self._images]
        self.category_ids, self.class_names = list(categories), list(categories.values())
        self._labels = {identity: label for label, identity in enumerate(self.category_ids, 1)}
        self._by_image: dict[int, list[CocoAnnotation]] = {identity: [] for identity in self.image_ids}
        for annotation in self._annotations:
            self._by_image[annotation.image_id].append(annotation)
        self._empty: set[int] = set()  # ids of annotations whose masks turned out to be empty
        self._check_files()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Target]:
        """Return an image, float32 of shape (C, H, W), and its target: see `target_of`.

        The boxes are the file's, clipped to the image.
        """
        entry = self._images[index]
        image = read_image(self._folder / entry.file_name, self.channels)
        if image.shape[1:] != (entry.height, entry.width):
            expected = f"{entry.height} x {entry.width} (height x width), as {self._file} says of image {entry.identity}"
            raise DataError(OP, str(self._folder / entry.file_name), expected, f"{image.shape[1]} x {image.shape[2]}")
        kept: list[CocoAnnotation] = []
        masks: list[np.ndarray] = []
        for annotation in self._by_image[entry.identity]:
            if not annotation.iscrowd:
                mask = _mask(annotation, entry)
                if self._keeps(annotation, int(np.count_nonzero(mask))):
                    kept.append(annotation)
                    masks.append(mask)
        labels = [self._labels[annotation.category_id] for annotation in kept]
        stacked = np.array(masks, np.bool_).reshape(-1, entry.height, entry.width)  # (M, H, W), M = 0 included
        boxes = np.array([annotation.box for annotation in kept], np.float32).reshape(-1, 4)
        return image, target_of(labels, stacked, [annotation.identity for annotation in kept], entry.identity, boxes)

    def ground_truth(self) -> dict[str, Any]:
        """Return the checked data in COCO's form, crowds included, for pycocotools to evaluate against.

        An area that the file does not give is that of the mask. An RLE is uncompressed.

        Raises
        ------
        DataError
            If a mask has no pixel, unless ``skip_invalid``, and if pycocotools is missing.

        Notes
        -----
        If the file has an annotation 0, all ids are one higher here: COCO's evaluation takes a match with 0 for none.
        """
        shift = int(any(annotation.identity == 0 for annotation in self._annotations))
        by_id = dict(zip(self.image_ids, self._images))
        found = []
        for annotation in self._annotations:
            pixels = _pixels(annotation, by_id[annotation.image_id])
            if self._keeps(annotation, pixels):
                found.append(_plain(annotation, annotation.identity + shift, pixels))
        return {
            "info": {},
            "images": [dict(zip(("id", "file_name", "height", "width"), image)) for image in self._images],
            "categories": [{"id": key, "name": name} for key, name in zip(self.category_ids, self.class_names)],
            "annotations": found,
        }

    def _check_files(self) -> None:
        """Raise with the images that are missing: not hours later, when an epoch comes to the first of them."""
        if not self._folder.is_dir():
            raise DataError(OP, str(self._folder), "a folder of images", "no such folder")
        missing = [name for name in self.names if not (self._folder / name).is_file()]
        if missing:
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            shown = ", ".join(reprlib.repr(name) for name in missing[:SHOWN])
            raise DataError(OP, str(self._folder), f"all images of {self._file}", f"no {shown}{more}")

    def _keeps(self, annotation: CocoAnnotation, pixels: int) -> bool:
        """Return whether a mask has a pixel; if not, list the annotation once, or raise."""
        if pixels:
            return True
        error = DataError(OP, f"{self._file}, annotation {annotation.identity}", "a mask of at least one pixel", "none")
        if not self.skip_invalid:
            raise error
        if annotation.identity not in self._empty:
            self._empty.add(annotation.identity)
            self.skipped.append((annotation.identity, str(error)))
        return False


def _mask(annotation: CocoAnnotation, image: CocoImage) -> np.ndarray:
    """Return the mask, bool of shape (H, W)."""
    if isinstance(annotation.segmentation, dict):
        return rle_decode(annotation.segmentation)
    rle = _drawn(annotation.segmentation, image)  # which pycocotools' own decode warns about with NumPy 2
    return rle_decode({"size": rle["size"], "counts": rle["counts"].decode()})


def _pixels(annotation: CocoAnnotation, image: CocoImage) -> int:
    """Return the number of pixels of the mask, without making it."""
    if isinstance(annotation.segmentation, dict):
        return sum(annotation.segmentation["counts"][1::2])
    return int(_tool().area(_drawn(annotation.segmentation, image)))


def _drawn(polygons: list[np.ndarray], image: CocoImage) -> dict[str, Any]:
    """Return the union of polygons as pycocotools' RLE."""
    tool = _tool()
    return tool.merge(tool.frPyObjects([polygon.tolist() for polygon in polygons], image.height, image.width))


def _tool() -> Any:
    try:
        return import_module("pycocotools.mask")
    except ImportError:
        raise DataError(OP, "pycocotools", "the package: pip install 'rawseg[coco]'", "no such package") from None


def _plain(annotation: CocoAnnotation, identity: int, pixels: int) -> dict[str, Any]:
    """Return an annotation in COCO's form, of which nothing is shared: pycocotools changes what it is given."""
    found = annotation.segmentation
    if isinstance(found, dict):
        segmentation = {key: list(numbers) for key, numbers in found.items()}
    else:
        segmentation = [polygon.tolist() for polygon in found]
    return {
        "id": identity,
        "image_id": annotation.image_id,
        "category_id": annotation.category_id,
        "bbox": list(annotation.bbox),
        "area": pixels if annotation.area is None else annotation.area,
        "iscrowd": annotation.iscrowd,
        "segmentation": segmentation,
    }
