"""The JSON file of COCO instances, with every value checked: nothing that comes from here can harm pycocotools.

It is C code that trusts its input: a polygon with NaN or huge coordinates makes it write outside its memory.
"""

from __future__ import annotations

import json
import reprlib
import sys
from collections.abc import Collection
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..errors import DataError
from .images import MAX_PIXELS
from .instances import check_rle, without_empty_runs

OP = "CocoInstances"
MAX_BYTES = 2**31  # of the JSON; the largest that is in use, LVIS, has 1.1 GB
MAX_ID = 2**63 - 1
MAX_OUTLINE = 1_000_000  # pixels: pycocotools takes about 100 bytes of memory for each
Segmentation: TypeAlias = "list[np.ndarray] | dict[str, Any]"  # polygons, each x, y, x, y, ..., or an uncompressed RLE


class CocoImage(NamedTuple):
    """An image as the file lists it; its name is a relative path."""

    identity: int
    file_name: str
    height: int
    width: int


class CocoAnnotation(NamedTuple):
    """An annotation of the file; ``bbox`` is x, y, width, height, ``box`` float32 x1, y1, x2, y2 inside the image."""

    identity: int
    image_id: int
    category_id: int
    bbox: list[float]
    box: np.ndarray
    area: float | None
    iscrowd: int
    segmentation: Segmentation


class CocoFile(NamedTuple):
    """All of a file: images in their order, names of the categories by ascending id, annotations in their order.

    What was left out because it is wrong stands in ``skipped``, as (annotation id, reason).
    """

    images: list[CocoImage]
    categories: dict[int, str]
    annotations: list[CocoAnnotation]
    skipped: list[tuple[Any, str]]


def read_coco(path: Path, skip_invalid: bool = False) -> CocoFile:
    """Read and check a file of COCO instances.

    Parameters
    ----------
    path : Path
        A JSON file.
    skip_invalid : bool
        Leave annotations out that are wrong, and list them. What is wrong with the rest of the file is always an error.

    Raises
    ------
    DataError
        For the first thing that is wrong: with the file and the id of the image, category or annotation.
    """
    lists = _read_json(path)
    images = _images(str(path), lists["images"])
    categories = _categories(str(path), lists["categories"])
    by_id = {image.identity: image for image in images}
    annotations: list[CocoAnnotation] = []
    skipped: list[tuple[Any, str]] = []
    seen: set[int] = set()
    for place, entry in enumerate(lists["annotations"]):
        try:
            identity = _identity(f"{path}, annotations[{place}]", entry, seen)
            annotations.append(_annotation(f"{path}, annotation {identity}", identity, entry, by_id, categories))
        except DataError as error:
            if not skip_invalid:
                raise
            skipped.append((entry.get("id") if isinstance(entry, dict) else None, str(error)))
    return CocoFile(images, categories, annotations, skipped)


def _read_json(path: Path) -> dict[str, list[Any]]:
    """Return the object of the file, in which the three lists are lists."""
    if not path.is_file():  # nor a device, which might never end
        raise DataError(OP, str(path), "a JSON file of COCO instances", "no such file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(OP, str(path), f"a file of at most {MAX_BYTES} bytes", size)
    try:
        found = json.loads(path.read_bytes(), object_pairs_hook=_object, parse_constant=_constant)
    except OSError as error:
        raise DataError(OP, str(path), "a file that can be read", error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise DataError(OP, str(path), "an undamaged JSON file", f"{type(error).__name__}: {error}") from error
    for key in ("images", "categories", "annotations"):
        if not isinstance(found, dict) or not isinstance(found.get(key), list):
            raise DataError(OP, str(path), f"an object with a list {key}", reprlib.repr(found))
        if not found[key] and key != "annotations":
            raise DataError(OP, str(path), f"at least one entry in {key}", "none")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):  # Python would keep the last and lose the others in silence
        raise ValueError(f"an object with a key twice, of {reprlib.repr([key for key, _ in pairs])}")
    return entries


def _constant(token: str) -> float:
    raise ValueError(f"{token}, which is no JSON number")


def _identity(where: str, entry: Any, seen: set[int]) -> int:
    """Return the id of an entry after adding it to those seen."""
    if not isinstance(entry, dict):
        raise DataError(OP, where, "an object", reprlib.repr(entry))
    identity = entry.get("id")
    if type(identity) is not int or not 0 <= identity <= MAX_ID:
        raise DataError(OP, where, f"an integer id from 0 to {MAX_ID}", reprlib.repr(identity))
    if identity in seen:
        raise DataError(OP, where, "an id of its own", f"{identity} again")
    seen.add(identity)
    return identity


def _images(path: str, entries: list[Any]) -> list[CocoImage]:
    images: list[CocoImage] = []
    seen: set[int] = set()
    names: set[str] = set()
    for place, entry in enumerate(entries):
        identity = _identity(f"{path}, images[{place}]", entry, seen)
        where = f"{path}, image {identity}"
        name, height, width = _file_name(where, entry.get("file_name")), entry.get("height"), entry.get("width")
        if name in names:
            raise DataError(OP, where, "a file_name of its own", f"{reprlib.repr(name)} again")
        names.add(name)
        if type(height) is not int or type(width) is not int or min(height, width) < 1:
            expected = "height and width as integers of at least 1"
            raise DataError(OP, where, expected, f"{reprlib.repr(height)} and {reprlib.repr(width)}")
        if height * width > MAX_PIXELS:
            raise DataError(OP, where, f"at most {MAX_PIXELS} pixels", f"{reprlib.repr(height)} x {reprlib.repr(width)}")
        images.append(CocoImage(identity, name, height, width))
    return images


def _file_name(where: str, name: Any) -> str:
    """Return a path that does not lead out of the folder of images, on any system."""
    path = PureWindowsPath(name if isinstance(name, str) else "")  # divides at slashes of both kinds
    if not path.parts or path.drive or path.root or ".." in path.parts or "\0" in name:
        raise DataError(OP, where, "a file_name: a relative path that does not leave the folder", reprlib.repr(name))
    return str(PurePosixPath(name))


def _categories(path: str, entries: list[Any]) -> dict[int, str]:
    categories: dict[int, str] = {}
    seen: set[int] = set()
    names: set[str] = set()
    for place, entry in enumerate(entries):
        identity = _identity(f"{path}, categories[{place}]", entry, seen)
        name = entry.get("name")
        if not isinstance(name, str) or not name or name in names:
            raise DataError(OP, f"{path}, category {identity}", "a name of its own", reprlib.repr(name))
        names.add(name)
        categories[identity] = name
    return dict(sorted(categories.items()))


def _annotation(
    where: str, identity: int, entry: dict[str, Any], images: dict[int, CocoImage], categories: Collection[int]
) -> CocoAnnotation:
    for key, known in (("image_id", images), ("category_id", categories)):
        if type(entry.get(key)) is not int or entry[key] not in known:
            raise DataError(OP, where, f"the {key} of an entry of the file", reprlib.repr(entry.get(key)))
    iscrowd, area = entry.get("iscrowd", 0), entry.get("area")
    if type(iscrowd) is not int or iscrowd not in (0, 1):
        raise DataError(OP, where, "iscrowd 0 or 1", reprlib.repr(iscrowd))
    if area is not None and (not _finite(area) or area < 0):
        raise DataError(OP, where, "an area: a finite number of at least 0", reprlib.repr(area))
    image = images[entry["image_id"]]
    box = _box(where, entry.get("bbox"), image)
    found = entry.get("segmentation")
    if isinstance(found, dict):
        counts = check_rle(OP, where, found, (image.height, image.width))
        segmentation: Segmentation = {"size": [image.height, image.width], "counts": without_empty_runs(counts)}
    else:
        segmentation = _polygons(where, found, 4 * max(image.height, image.width))
    bbox = [float(number) for number in entry["bbox"]]
    return CocoAnnotation(identity, image.identity, entry["category_id"], bbox, box, area, iscrowd, segmentation)


def _finite(value: Any) -> bool:
    """Return whether a value is a number that a float can hold; bool is none."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # False for NaN


def _box(where: str, bbox: Any, image: CocoImage) -> np.ndarray:
    """Return x1, y1, x2, y2 as float32, clipped to the image."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(_finite(number) for number in bbox):
        raise DataError(OP, where, "a bbox of 4 finite numbers", reprlib.repr(bbox))
    x, y, width, height = map(float, bbox)
    if not (width > 0 and height > 0):
        raise DataError(OP, where, "a bbox [x, y, width, height] of positive width and height", bbox)
    left, right = (min(max(side, 0), image.width) for side in (x, x + width))
    top, bottom = (min(max(side, 0), image.height) for side in (y, y + height))
    box = np.array([left, top, right, bottom], np.float32)
    if not (box[2] > box[0] and box[3] > box[1]):  # asked of float32, in which a sliver can vanish
        raise DataError(OP, where, f"a bbox that overlaps its image of {image.height} x {image.width} (height x width)", bbox)
    return box


def _polygons(where: str, found: Any, furthest: int) -> list[np.ndarray]:
    if not isinstance(found, list) or not found:
        raise DataError(OP, where, "a segmentation: an RLE or a list of polygons", reprlib.repr(found))
    polygons = []
    for polygon in found:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            got = f"{len(polygon)} of them" if isinstance(polygon, list) else reprlib.repr(polygon)
            raise DataError(OP, where, "polygons of x, y, x, y, ...: an even count of at least 6 numbers", got)
        wrong = [number for number in polygon if type(number) not in (int, float) or not abs(number) <= furthest]  # or NaN
        if wrong:
            expected = f"polygons of finite numbers from {-furthest} to {furthest}, 4 times the image's longer side"
            raise DataError(OP, where, expected, reprlib.repr(wrong[0]))
        polygons.append(np.array(polygon, np.float64))
    outline = sum(_outline(polygon.reshape(-1, 2)) for polygon in polygons)
    if outline > MAX_OUTLINE:
        raise DataError(OP, where, f"polygons with an outline of at most {MAX_OUTLINE} pixels", int(outline))
    return polygons


def _outline(points: np.ndarray) -> float:
    """Return the length of a polygon, points of shape (N, 2), as pycocotools samples it: the longer of x and y."""
    steps = np.abs(points - points[np.arange(-1, len(points) - 1)])  # (N, 2)
    return float(np.maximum(steps[:, 0], steps[:, 1]).sum())
