"""What the branches shall answer: plain arrays made of the annotations, no gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Tensor
from ...device import device_of, move
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from ...ops import BoxCoder, box_iou, roi_align
from .matching import BETWEEN, Sampler, match

__all__ = ["AnchorTargets", "RoITargets", "anchor_targets", "checked_target", "mask_targets", "roi_targets"]

OP = "mask_rcnn"
AT_ONCE = 2**23  # pixels of masks that are floats at a time: all of a crowded photograph would be large


def checked_target(target: Any, image: int, size: tuple[int, int], classes: int, dtype: Any) -> dict[str, np.ndarray]:
    """Return an image's annotations as arrays on the CPU.

    Parameters
    ----------
    target : mapping
        ``boxes`` (M, 4) in pixels, ``labels`` (M,) of int64 from 1 on, ``masks`` (M, H, W) of bool or 0 and 1; M may be 0.
        ``ids`` (M,), if there, name the annotations in errors.
    image : int
        Its position in the batch.
    size : (int, int)
        Its height and width.
    classes : int
        The background among them.
    dtype : dtype
        Of the boxes.

    Raises
    ------
    ArgumentTypeError, ShapeError, DTypeError, ArgumentError
        Naming the image, and the annotation whose box has no area, whose label is no class or whose mask is no mask.
    """
    where = f"targets[{image}]"
    if not isinstance(target, Mapping) or not {"boxes", "labels", "masks"} <= set(target):
        got = sorted(target) if isinstance(target, Mapping) else type(target).__name__
        raise ArgumentTypeError(OP, where, "a dictionary with boxes, labels and masks", got)
    boxes, labels, masks = (_array(target[name]) for name in ("boxes", "labels", "masks"))
    count = len(labels)
    for name, array, shape in (("boxes", boxes, (count, 4)), ("labels", labels, (count,)), ("masks", masks, (count, *size))):
        if array.shape != shape:
            raise ShapeError(OP, f"{where}['{name}']", f"shape {shape}", f"shape {array.shape}")
    if labels.dtype != np.int64:
        raise DTypeError(OP, f"{where}['labels']", "int64", labels.dtype)
    boxes = boxes.astype(dtype)
    ids = _array(target["ids"]) if "ids" in target else np.arange(count)
    flat = ~((boxes[:, 2:] > boxes[:, :2]).all(1) & np.isfinite(boxes).all(1))  # written so that NaN is caught
    _refuse(where, "boxes", "x2 > x1 and y2 > y1, all finite", flat, boxes, ids)
    _refuse(where, "labels", f"classes 1..{classes - 1}", (labels < 1) | (labels >= classes), labels, ids)
    if masks.dtype != bool:
        bad = ((masks != 0) & (masks != 1)).any((1, 2))
        _refuse(where, "masks", "zeros and ones", bad, [f"{m.min()} to {m.max()}" for m in masks] if bad.any() else [], ids)
    return {"boxes": boxes, "labels": labels, "masks": masks.astype(bool, copy=False)}


def _array(value: Any) -> np.ndarray:
    array = value.array if isinstance(value, Tensor) else value
    return move(array, "cpu") if device_of(array) else np.asarray(array)


def _refuse(where: str, name: str, expected: str, bad: Any, values: Any, ids: np.ndarray) -> None:
    if bad.any():
        first = int(bad.argmax())
        got = values[first].tolist() if isinstance(values[first], (np.ndarray, np.generic)) else values[first]
        raise ArgumentError(OP, f"{where}['{name}']", expected, f"{got} of annotation {ids[first]}")


class AnchorTargets(NamedTuple):
    """What the region proposal network shall say of every anchor of an image.

    Parameters
    ----------
    labels : ndarray, shape (K,)
        1 for an object, 0 for background, -1 for neither.
    codes : ndarray, shape (K, 4)
        Where the object lies, seen from the anchor; anything where there is none.
    """

    labels: np.ndarray
    codes: np.ndarray


def anchor_targets(anchors: np.ndarray, boxes: np.ndarray, high: float, low: float, coder: BoxCoder) -> AnchorTargets:
    """Tell objects and background apart by overlap (arXiv 1506.01497, section 3.1.2).

    Parameters
    ----------
    anchors : ndarray, shape (K, 4)
        All boxes of the image.
    boxes : ndarray, shape (M, 4)
        The objects'.
    high, low : float
        See `match`.
    coder : BoxCoder
        Makes the codes.
    """
    found = match(box_iou(boxes, anchors).array, high, low, rescue=True)
    labels = np.where(found >= 0, 1, np.where(found == BETWEEN, -1, 0)).astype(anchors.dtype)
    if len(boxes) == 0:
        return AnchorTargets(labels, np.zeros_like(anchors))
    codes = np.zeros_like(anchors)
    objects = np.flatnonzero(found >= 0)
    codes[objects] = coder.encode_single(boxes[found[objects]], anchors[objects]).array
    return AnchorTargets(labels, codes)


class RoITargets(NamedTuple):
    """The regions of an image that the heads learn from.

    Parameters
    ----------
    boxes : ndarray, shape (K, 4)
        The regions.
    objects : ndarray of int64, shape (K,)
        The object of each; 0 where it is background.
    labels : ndarray of int64, shape (K,)
        Its class, 0 for background.
    codes : ndarray, shape (K, 4)
        Where it lies, seen from the region.
    """

    boxes: np.ndarray
    objects: np.ndarray
    labels: np.ndarray
    codes: np.ndarray


def roi_targets(
    proposals: np.ndarray,
    target: Mapping[str, np.ndarray],
    overlap: float,
    sampler: Sampler,
    coder: BoxCoder,
    rng: np.random.Generator,
) -> RoITargets:
    """Draw regions from proposals and the objects' own boxes, and tell what they show (arXiv 1703.06870, section 3.1).

    Parameters
    ----------
    proposals : ndarray, shape (P, 4)
        Of the region proposal network.
    target : mapping
        ``boxes`` and ``labels`` of the objects.
    overlap : float
        From this intersection over union on a region shows the object.
    sampler : Sampler
        Draws.
    coder : BoxCoder
        Makes the codes.
    rng : Generator
        Random numbers of the draw.
    """
    boxes = np.concatenate([proposals, target["boxes"]])
    found = match(box_iou(target["boxes"], boxes).array, overlap, overlap, rescue=False)
    objects = np.maximum(found, 0)
    labels = np.zeros(len(boxes), np.int64)
    labels[found >= 0] = target["labels"][found[found >= 0]]
    chosen = np.sort(np.concatenate(sampler(labels, rng)))
    boxes, objects, labels = boxes[chosen], objects[chosen], labels[chosen]
    codes, shown = np.zeros_like(boxes), np.flatnonzero(labels)
    codes[shown] = coder.encode_single(target["boxes"][objects[shown]], boxes[shown]).array
    return RoITargets(boxes, objects, labels, codes)


def mask_targets(masks: np.ndarray, boxes: np.ndarray, objects: np.ndarray, side: int) -> np.ndarray:
    """Return what part of each cell of a region its object covers, shape (K, side, side).

    Parameters
    ----------
    masks : ndarray of bool, shape (M, H, W)
        Of the objects.
    boxes : ndarray, shape (K, 4)
        The regions.
    objects : ndarray of int64, shape (K,)
        The object of each.
    side : int
        Cells along each axis.
    """
    out = np.empty((len(boxes), side, side), boxes.dtype)
    shown, own = np.unique(objects, return_inverse=True)
    at_once = max(1, AT_ONCE // max(1, masks[0].size if len(masks) else 1))
    for first in range(0, len(shown), at_once):
        maps = masks[shown[first : first + at_once]][:, None].astype(boxes.dtype)  # (n, 1, H, W)
        part = np.flatnonzero((own >= first) & (own < first + at_once))
        rois = np.concatenate([(own[part] - first).astype(boxes.dtype)[:, None], boxes[part]], 1)
        out[part] = roi_align(maps, rois, side).array[:, 0]
    return np.clip(out, 0, 1)  # sums of weights that are 1 may be a rounding above it
