"""``rawseg predict`` with weights of a Mask R-CNN: overlays with boxes, labels and scores, and one file of COCO results."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..output import console

RESULTS = "detections.json"


def predict(paths: list[Path], model: Any, out: Path, overlay: bool, score_from: float) -> None:
    """Find the objects of images: STEM_overlay.png is to look at, `RESULTS` holds all of them, for other programs."""
    from ... import data
    from ...data.coco_form import MASK_FROM
    from ...files import write_bytes_atomically
    from ...pictures.instances import LEGIBLE, instances_overlay

    # Only better boxes suppress: leaving the others out now, before their masks are pasted, changes nothing else.
    model.roi_heads.score_from = float(np.nextafter(np.float32(score_from), np.float32(-1)))
    names = model.class_names or [f"class {i}" for i in range(model.config["classes"])]
    categories, screen = list(range(1, len(names))), console()
    images, annotations = [], []
    for number, path in enumerate(paths, 1):
        start = time.perf_counter()
        image = data.read_image(path, channels=model.config["in_channels"])
        objects = objects_of(model, image, score_from)
        images.append({"id": number, "file_name": path.name, "height": image.shape[1], "width": image.shape[2]})
        for found, mask in zip(data.as_results(objects, number, categories), objects["masks"].numpy()):
            area = int(np.count_nonzero(mask >= MASK_FROM))
            annotations.append({"id": len(annotations) + 1, **found, "area": area, "iscrowd": 0})
        if overlay:
            arrays = {name: objects[name].numpy() for name in ("boxes", "labels", "scores", "masks")}
            picture = instances_overlay(image, **arrays, names=names, least=LEGIBLE)
            data.write_image(out / f"{path.stem}_overlay.png", picture.transpose(2, 0, 1))
        counts = Counter(names[label] for label in objects["labels"].numpy().tolist())
        what = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing found"
        seconds = time.perf_counter() - start
        screen.print(f"{path.name}: {image.shape[2]} x {image.shape[1]}, {what}, {seconds:.1f} s")
    named = [{"id": label, "name": names[label]} for label in categories]
    written = {"images": images, "categories": named, "annotations": annotations}
    write_bytes_atomically(out / RESULTS, json.dumps(written).encode())
    screen.print(f"written to {out}")


def objects_of(model: Any, image: np.ndarray, score_from: float = 0.5) -> dict[str, Any]:
    """Return the objects of one image with at least this score, on the CPU."""
    from ... import no_grad
    from ...models.inference import evaluating

    with no_grad(), evaluating(model):
        found = model([image])[0]
    objects = {name: value.to("cpu") for name, value in found.items()}
    likely = objects["scores"].numpy() >= score_from
    return {name: value[likely] for name, value in objects.items()}
