"""What data of instances share: boxes of masks, a sample's target, and COCO's run-length encoding (RLE) of masks.

COCO's RLE lists the lengths of runs of equal pixels, column after column, beginning with background: the first length is 0
if the first pixel belongs to the mask. As a string each length is written 5 bits a character, from its lowest bits on, and
from the fourth length on it is the difference to the length two before. All of it is done here and not by pycocotools, which
trusts what it reads: of an RLE that is too short it returns uninitialised memory.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ..errors import DataError, DTypeError, ShapeError
from .images import MAX_PIXELS

Target: TypeAlias = dict[str, Any]  # boxes, labels, masks, ids and image_id: see target_of
LONGEST = 7  # characters of one length in a string: 35 bits, and the pixel limit needs 28


def target_of(
    labels: Sequence[int] | np.ndarray,
    masks: np.ndarray,
    ids: Sequence[int] | np.ndarray,
    image_id: int,
    boxes: np.ndarray | None = None,
) -> Target:
    """Return what a sample says of its M instances; M = 0 is allowed.

    Parameters
    ----------
    labels : sequence of int, length M
        Classes from 1.
    masks : ndarray of bool, shape (M, H, W)
        None of them empty.
    ids : sequence of int, length M
        Numbers of the annotations.
    image_id : int
        Number of the image.
    boxes : ndarray, shape (M, 4), optional
        By default the boxes of the masks.

    Returns
    -------
    target : dict
        ``boxes`` float32 of shape (M, 4), each ``x1, y1, x2, y2`` with x2 and y2 past the last pixel; ``labels`` int64 of
        shape (M,); ``masks`` bool of shape (M, H, W); ``ids`` int64 of shape (M,); ``image_id`` int.

    Raises
    ------
    ShapeError, DTypeError
        If the arrays do not fit together, or ``masks`` is not bool.
    DataError
        If ``boxes`` is to be made from a mask without any pixel.
    """
    if masks.ndim != 3 or not len(masks) == len(labels) == len(ids):
        expected = "masks of shape (M, H, W), and M labels and ids"
        raise ShapeError("target_of", "masks", expected, f"shape {masks.shape}, {len(labels)} labels and {len(ids)} ids")
    if masks.dtype != np.bool_:
        raise DTypeError("target_of", "masks", "bool", masks.dtype)
    if boxes is None:
        boxes = np.array([box_of(mask) for mask in masks])
    elif boxes.shape != (len(masks), 4):
        raise ShapeError("target_of", "boxes", f"shape ({len(masks)}, 4)", f"shape {boxes.shape}")
    return {
        "boxes": boxes.astype(np.float32).reshape(-1, 4),  # (0,) of an empty list becomes (0, 4)
        "labels": np.asarray(labels, np.int64),
        "masks": masks,
        "ids": np.asarray(ids, np.int64),
        "image_id": image_id,
    }


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the box ``x1, y1, x2, y2`` of a bool mask of shape (H, W): from its first pixel to past its last.

    Raises
    ------
    DataError
        If the mask has no pixel.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise DataError("box_of", "mask", "at least one pixel", "an empty mask")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def annotation_of(mask: np.ndarray, identity: int, image_id: int, category_id: int) -> dict[str, Any]:
    """Return the annotation in COCO's form of an instance with a bool mask of shape (H, W) that is not empty.

    The segmentation is an uncompressed RLE, the area that of the mask, the box ``[x, y, width, height]`` that of `box_of`.
    """
    x1, y1, x2, y2 = box_of(mask)
    return {
        "id": identity,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": int(np.count_nonzero(mask)),
        "iscrowd": 0,
        "segmentation": rle_encode(mask),
    }


def rle_encode(mask: np.ndarray) -> dict[str, list[int]]:
    """Return the uncompressed RLE of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
        Not of size 0.

    Returns
    -------
    rle : dict
        ``size``: ``[H, W]``; ``counts``: lengths of runs down the columns, that of background first.

    Raises
    ------
    ShapeError, DTypeError
        If ``mask`` is no such array.
    """
    if mask.ndim != 2 or mask.size == 0:
        raise ShapeError("rle_encode", "mask", "shape (H, W), not empty", f"shape {mask.shape}")
    if mask.dtype != np.bool_:
        raise DTypeError("rle_encode", "mask", "bool", mask.dtype)
    pixels = mask.T.ravel()  # (W * H,)
    starts = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1  # of every run but the first
    counts = np.diff(np.concatenate(([0], starts, [pixels.size]))).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if pixels[0] else counts}


def rle_decode(rle: dict[str, Any]) -> np.ndarray:
    """Return the mask of an RLE.

    Parameters
    ----------
    rle : dict
        ``size``: ``[H, W]``; ``counts``: lengths of runs, as a list or as COCO's string.

    Returns
    -------
    mask : ndarray of bool, shape (H, W)
        In C order.

    Raises
    ------
    DataError
        If ``rle`` is no such dict, or its lengths do not sum to H * W.
    """
    counts = check_rle("rle_decode", "rle", rle)
    height, width = rle["size"]
    values = np.arange(len(counts)) % 2 == 1  # background comes first
    return np.ascontiguousarray(np.repeat(values, counts).reshape(width, height).T)  # (H, W)


def check_rle(op: str, argument: str, rle: Any, size: tuple[int, int] | None = None) -> list[int]:
    """Check an RLE, whatever it may be, and return its lengths, whose sum is ``height * width``.

    Parameters
    ----------
    op, argument : str
        What an error message begins with.
    rle : object
        Should be as `rle_decode` wants it.
    size : (int, int), optional
        The height and width that it has to have.

    Raises
    ------
    DataError
        If it is no such RLE.
    """
    if not isinstance(rle, dict) or not {"size", "counts"} <= rle.keys():
        raise DataError(op, argument, "an RLE: an object with size and counts", reprlib.repr(rle))
    found, counts = rle["size"], rle["counts"]
    if not isinstance(found, list) or len(found) != 2 or not all(type(side) is int and side > 0 for side in found):
        raise DataError(op, argument, "an RLE of size [height, width]", reprlib.repr(found))
    pixels = found[0] * found[1]
    if size is None and pixels > MAX_PIXELS:
        raise DataError(op, argument, f"an RLE of at most {MAX_PIXELS} pixels", reprlib.repr(found))
    if size is not None and tuple(found) != size:
        raise DataError(op, argument, f"an RLE of its image's size, {list(size)} (height, width)", reprlib.repr(found))
    if isinstance(counts, str):
        counts = rle_counts(counts, op, argument)
    if not isinstance(counts, list) or not all(type(count) is int and count >= 0 for count in counts):
        raise DataError(op, argument, "an RLE whose counts are integers of at least 0, or a string", reprlib.repr(counts))
    if sum(counts) != pixels:
        expected = f"an RLE whose counts sum to height * width, {found[0]} * {found[1]} = {pixels}"
        raise DataError(op, argument, expected, reprlib.repr(sum(counts)))
    return counts


def rle_string(counts: Sequence[int]) -> str:
    """Return the lengths of an RLE, integers of at least 0, as COCO's string."""
    characters = []
    for place, count in enumerate(counts):
        rest = int(count) - int(counts[place - 2]) if place > 2 else int(count)
        more = True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)  # bit 16 of the last character is the sign
            characters.append(chr(48 + bits + 32 * more))
    return "".join(characters)


def rle_counts(string: str, op: str = "rle_counts", argument: str = "string") -> list[int]:
    """Return the lengths that COCO's string of an RLE holds; ``op`` and ``argument`` begin an error message.

    Raises
    ------
    DataError
        If the string holds other characters than COCO's 64 (``0`` to ``o``), ends within a length, or holds one that is
        negative or longer than any that can be.
    """
    counts: list[int] = []
    value = shift = 0
    for place, character in enumerate(string):
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise DataError(op, argument, "an RLE string of the characters 0 to o", f"{character!r} at {place}")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            if shift == 5 * LONGEST:
                raise DataError(op, argument, f"RLE lengths of at most {LONGEST} characters", f"a longer one at {place}")
            continue
        value += (counts[-2] if len(counts) > 2 else 0) - ((1 << shift) if code & 16 else 0)
        if value < 0:
            raise DataError(op, argument, "RLE lengths of at least 0", f"{value} at {place}")
        counts.append(value)
        value = shift = 0
    if shift:
        raise DataError(op, argument, "an RLE string that ends with a length", "one that ends within a length")
    return counts


def without_empty_runs(counts: list[int]) -> list[int]:
    """Return the lengths of the same mask with no 0 after the first: pycocotools stops merging at two of them."""
    runs: list[int] = []
    for place, count in enumerate(counts):
        if place % 2 != len(runs) % 2:
            runs[-1] += count
        elif count or not runs:
            runs.append(count)
    return runs
