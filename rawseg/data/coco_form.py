"""Annotations and results in the form of COCO's JSON files, which evaluation and other tools read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..device import move
from .dataset import Dataset
from .instances import annotation_of, rle_encode, rle_string

__all__ = ["MASK_FROM", "as_results", "ground_truth_of"]

MASK_FROM = 0.5  # a pixel belongs to an object from this probability on


def ground_truth_of(dataset: Dataset, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the annotations of a dataset of instances that has no COCO file.

    Parameters
    ----------
    dataset : Dataset
        Gives (image, target) by index, the same each time; the targets as `rawseg.data.instances.target_of` makes them.
    class_names : sequence of str
        Names of the labels, from 1 on; categories have the same numbers.
    """
    images, annotations = [], []
    for index in range(len(dataset)):
        image, target = dataset[index]
        key = int(target["image_id"])
        images.append({"id": key, "file_name": f"{key}", "height": image.shape[1], "width": image.shape[2]})
        for label, mask in zip(target["labels"].tolist(), target["masks"]):
            annotations.append(annotation_of(mask, len(annotations) + 1, key, label))
    categories = [{"id": label, "name": name} for label, name in enumerate(class_names, 1)]
    return {"info": {}, "images": images, "categories": categories, "annotations": annotations}


def as_results(objects: Mapping[str, Any], image_id: int, category_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the objects that a network found in an image in the form of COCO's results.

    Parameters
    ----------
    objects : mapping
        ``boxes``, ``labels``, ``scores`` and ``masks`` (D, 1, H, W) as `rawseg.models.MaskRCNN` returns them.
    image_id : int
        Of the image.
    category_ids : sequence of int
        Category of every label, from 1 on.
    """
    boxes, labels, scores, masks = (move(objects[name].array, "cpu") for name in ("boxes", "labels", "scores", "masks"))
    results = []
    for (x1, y1, x2, y2), label, score, mask in zip(boxes.tolist(), labels.tolist(), scores.tolist(), masks[:, 0]):
        rle = rle_encode(np.asarray(mask >= MASK_FROM))
        results.append(
            {
                "image_id": image_id,
                "category_id": category_ids[label - 1],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "score": score,
                "segmentation": {"size": rle["size"], "counts": rle_string(rle["counts"])},
            }
        )
    return results
