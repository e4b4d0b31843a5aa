"""``rawseg evaluate`` with weights of a Mask R-CNN: COCO's average precision of masks and boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.table import Table

from ..output import console

HEADINGS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "small": "small",
    "medium": "medium",
    "large": "large",
    "recall": "recall",
}


def evaluate(pairs: Any, model: Any, out: Path | None, detections: Path | None) -> None:
    """Print the scores over all images, overall and by class.

    Parameters
    ----------
    pairs : CocoInstances or InstanceFolder
        Images and annotations.
    model : MaskRCNN
        In eval mode.
    out, detections : Path or None
        Files for the scores, and for all objects found in the form of COCO's results.
    """
    from ... import no_grad
    from ...data import as_results
    from ...files import write_bytes_atomically
    from ...metrics import average_precision
    from ...metrics.average_precision import require_pycocotools

    require_pycocotools()
    results = []
    for i in range(len(pairs)):
        image, target = pairs[i]
        with no_grad():
            results += as_results(model([image])[0], target["image_id"], pairs.category_ids)
    truth = pairs.ground_truth()
    scores = {kind: average_precision(truth, results, kind) for kind in ("masks", "boxes")}
    print_scores(scores, pairs.class_names, f"{len(pairs)} images, {len(truth['annotations'])} objects, {len(results)} found")
    for path, content in ((out, {kind: score.as_dict() for kind, score in scores.items()}), (detections, results)):
        if path is not None:
            write_bytes_atomically(path, json.dumps(content, indent=1).encode())


def print_scores(scores: dict[str, Any], class_names: list[str], title: str) -> None:
    """Print a row for masks and one for boxes, and one for each class if there are several."""
    table = Table(title=title)
    for heading in ("", *HEADINGS.values()):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, score in scores.items():
        table.add_row(kind, *(shown(getattr(score, name)) for name in HEADINGS))
    console().print(table)
    if len(class_names) > 1:
        table = Table(title="AP by class")
        for heading in ("", *scores):
            table.add_column(heading, justify="right" if heading else "left")
        for k, name in enumerate(class_names):
            table.add_row(name, *(shown(score.by_class[k]) for score in scores.values()))
        console().print(table)


def shown(value: float) -> str:
    """Return a score, or a dash where there was nothing to find."""
    return "-" if value != value else f"{value:.4f}"
