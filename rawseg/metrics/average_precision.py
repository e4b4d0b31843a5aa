"""Average precision of boxes and masks by the rules of COCO, counted by pycocotools."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, BackendError

__all__ = ["KINDS", "AveragePrecision", "average_precision"]

KINDS = {"boxes": "bbox", "masks": "segm"}  # what is compared, and what COCO calls it
SIZES = ("ap", "small", "medium", "large")  # of objects: all, up to 32**2 pixels, up to 96**2, above
HALF, THREE_QUARTERS = 0, 5  # of the ten overlaps .50, .55, ..., .95


@dataclass(frozen=True)
class AveragePrecision:
    """Precision averaged over recalls, overlaps and classes; NaN where there is no object to find.

    Attributes
    ----------
    ap : float
        Mean over the overlaps .50 to .95 and the classes.
    ap50, ap75 : float
        At one overlap.
    small, medium, large : float
        As ``ap``, over the objects of up to 32**2 pixels, up to 96**2, and above.
    recall : float
        Share of the objects that are found, mean over overlaps and classes, with 100 detections an image.
    by_class : list of float
        ``ap`` of every class.
    """

    ap: float
    ap50: float
    ap75: float
    small: float
    medium: float
    large: float
    recall: float
    by_class: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, with None for NaN."""
        clean = lambda v: None if isinstance(v, float) and math.isnan(v) else v  # noqa: E731
        return {
            name: [clean(v) for v in value] if isinstance(value, list) else clean(value) for name, value in vars(self).items()
        }


def average_precision(
    truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]], kind: str = "masks"
) -> AveragePrecision:
    """Compare detections with annotations.

    Parameters
    ----------
    truth : mapping
        ``images``, ``categories`` and ``annotations`` as in COCO's JSON; what the datasets' ``ground_truth`` returns.
    detections : sequence of mapping
        ``image_id``, ``category_id``, ``score``, ``bbox`` and ``segmentation``, as in COCO's results.
    kind : {"masks", "boxes"}
        What is compared.

    Raises
    ------
    ArgumentError
        If there is no such kind, or a detection is of an image or a category that ``truth`` does not list, or its score is not
        finite.
    DataError
        If the mask of a detection is no RLE of its image's size.
    BackendError
        If pycocotools is missing.

    Notes
    -----
    Lin et al., arXiv 1405.0312. Objects of a crowd (``iscrowd``) count neither as found nor as missed.
    """
    if kind not in KINDS:
        raise ArgumentError("average_precision", "kind", f"one of {tuple(KINDS)}", repr(kind))
    _check(truth, detections)
    evaluation = _evaluated(truth, detections, KINDS[kind])
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]  # (T, R, K, A, M), (T, K, A, M)
    mean = lambda x: float(x[x > -1].mean()) if (x > -1).any() else math.nan  # noqa: E731 (-1 stands for nothing to find)
    sizes = {name: mean(precision[:, :, :, area, -1]) for area, name in enumerate(SIZES)}
    return AveragePrecision(
        ap50=mean(precision[HALF, :, :, 0, -1]),
        ap75=mean(precision[THREE_QUARTERS, :, :, 0, -1]),
        recall=mean(recall[:, :, 0, -1]),
        by_class=[mean(precision[:, :, k, 0, -1]) for k in range(precision.shape[2])],
        **sizes,
    )


def _check(truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]) -> None:
    """Raise an ArgumentError if a detection is of an image or a category that is not there, or has no finite score."""
    for key, listed in (("image_id", "images"), ("category_id", "categories")):
        unknown = {d[key] for d in detections} - {entry["id"] for entry in truth[listed]}
        if unknown:
            expected = f"an {key} that truth lists in each" if key == "image_id" else f"a {key} that truth lists in each"
            raise ArgumentError("average_precision", "detections", expected, sorted(unknown, key=str)[0])
    for number, detection in enumerate(detections):
        if not math.isfinite(detection["score"]):
            raise ArgumentError("average_precision", f"detections[{number}]", "a finite score", detection["score"])


def require_pycocotools() -> None:
    """Raise a BackendError if pycocotools is missing: before anything is trained or predicted that it shall judge."""
    try:
        import pycocotools  # noqa: F401
    except ImportError:
        raise BackendError("average_precision", "pycocotools", "pip install 'rawseg[coco]'", "no such package") from None


def _evaluated(truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]], kind: str) -> Any:
    """Return pycocotools' evaluation, silent."""
    require_pycocotools()
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    from ..data.instances import check_rle  # loads Pillow, which training alone does not need

    kind_of: Any = kind

    def indexed(annotations: list[dict[str, Any]]) -> Any:
        known: Any = COCO()
        known.dataset = {"images": truth["images"], "categories": truth["categories"], "annotations": annotations}
        known.createIndex()
        return known

    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}

    def area(detection: Mapping[str, Any]) -> float:
        if kind == "bbox":
            return float(np.prod(detection["bbox"][2:]))
        rle, size = detection["segmentation"], sizes[detection["image_id"]]
        check_rle("average_precision", "detections", rle, size)  # pycocotools reads beyond one that is too short
        return float(mask.area(_compressed(mask, rle, size)))

    found = [{**d, "id": i, "iscrowd": 0, "area": area(d)} for i, d in enumerate(detections, 1)]
    there = [{**a, "id": i} for i, a in enumerate(truth["annotations"], 1)]  # to pycocotools a match with id 0 is none
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(indexed(there), indexed(found), kind_of)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _compressed(mask: Any, rle: Mapping[str, Any], size: tuple[int, int]) -> Any:
    return mask.frPyObjects(dict(rle), *size) if isinstance(rle["counts"], list) else rle
