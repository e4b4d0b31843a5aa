"""Training of networks that find single objects: the losses are the network's own, the scores COCO's average precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor
from ..errors import ArgumentError
from ..metrics import average_precision
from ..metrics.average_precision import require_pycocotools

__all__ = ["Detection"]


class Detection:
    """Boxes, classes and masks of single objects: the scores are the average precision of masks and of boxes.

    Parameters
    ----------
    truth : mapping, optional
        Annotations of the held-out images as in COCO's JSON (``ground_truth()`` of their dataset); needed for scores.
    category_ids : sequence of int, optional
        Category of every label, from label 1 on; by default the categories' ids in ascending order.
    """

    def __init__(self, truth: Mapping[str, Any] | None = None, category_ids: Sequence[int] | None = None) -> None:
        if truth is not None:
            require_pycocotools()
        known = sorted(category["id"] for category in truth["categories"]) if truth else []
        self.truth, self.category_ids = truth, list(category_ids or known)

    def output(self, model: Any, images: Sequence[np.ndarray]) -> list[dict[str, Tensor]]:
        """Return the objects of every image; the network is in eval mode."""
        return model(list(images))

    def loss(self, model: Any, criterion: None, images: Sequence[np.ndarray], targets: Sequence[dict[str, Any]]) -> Tensor:
        """Return the sum of the network's losses."""
        first, *others = model(list(images), list(targets)).values()
        for other in others:
            first = first + other
        return first

    def target(self, targets: Sequence[dict[str, Any]], output: list[dict[str, Tensor]]) -> Sequence[dict[str, Any]]:
        """Return the targets as they are."""
        return targets

    def tally(self) -> _Found:
        """Return an empty list of objects; ArgumentError without annotations, which scores need."""
        if self.truth is None:
            raise ArgumentError("Detection", "truth", "annotations of the images to be scored", "none")
        return _Found(self.truth, self.category_ids)


class _Found:
    def __init__(self, truth: Mapping[str, Any], category_ids: Sequence[int]) -> None:
        self.truth, self.category_ids, self.results = truth, category_ids, []

    def update(self, output: list[dict[str, Tensor]], target: Sequence[dict[str, Any]]) -> None:
        from ..data.coco_form import as_results  # loads Pillow, which training alone does not need

        for objects, annotated in zip(output, target):
            self.results += as_results(objects, annotated["image_id"], self.category_ids)

    def scores(self) -> dict[str, Any]:
        masks, boxes = (average_precision(self.truth, self.results, kind) for kind in ("masks", "boxes"))
        kinds = {"mask": masks, "box": boxes}
        means = {f"{kind}_{name}": getattr(score, name) for name in ("ap", "ap50", "ap75") for kind, score in kinds.items()}
        return {**means, "mask_ap_by_class": masks.by_class, "box_ap_by_class": boxes.by_class}
