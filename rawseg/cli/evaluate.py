"""``rawseg evaluate``: scores of weights on a folder of images and masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from .options import TILE, Device, SkipInvalid, Threads, Tile, Weights, load_network, make_folder, refuse_given, use_threads
from .output import console


def evaluate(
    folder: Annotated[Path, typer.Argument(help="A folder with images/ and masks/, paired by stem, or a COCO file.")],
    weights: Weights,
    ignore_index: Annotated[int | None, typer.Option(help="Class id in the masks that does not count.")] = None,
    tile: Tile = None,
    images: Annotated[Path | None, typer.Option(help="Folder of a COCO file's images, if not its own.")] = None,
    skip_invalid: SkipInvalid = False,
    detections: Annotated[Path | None, typer.Option(help="Also write the objects found, as COCO's results.")] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Also write the scores to this file.")] = None,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Print IoU, Dice, precision and recall per class and their means, against the masks.

    With weights of a mask_rcnn, whose masks number the objects: COCO's average precision of masks and boxes.
    """
    from .. import data, metrics, models
    from .instances.evaluate import evaluate as evaluate_objects

    use_threads(threads)
    for file in (out, detections):
        if file is not None:
            make_folder(file.parent)
    model = load_network(weights, device)
    if isinstance(model, models.MaskRCNN):
        of_pixels = {"--ignore-index": ignore_index, "--tile": tile}
        refuse_given("evaluate", "none with weights of a mask_rcnn", of_pixels)
        evaluate_objects(annotated_as(model, folder, images, skip_invalid), model, out, detections)
        return
    of_objects = {"--images": images, "--detections": detections, "--skip-invalid": skip_invalid}
    refuse_given("evaluate", "none but with weights of a mask_rcnn", of_objects)
    classes = max(2, model.config["classes"])  # a single logit tells two
    pairs = data.SegmentationFolder(folder, classes=classes, channels=model.config["in_channels"], ignore_index=ignore_index)
    scores = metrics.Metrics(classes, ignore_index=ignore_index)
    for i in range(len(pairs)):
        image, truth = pairs[i]
        prediction, _ = models.predict_tiled(model, image, tile or TILE, device)
        scores.update(prediction.astype("int64")[None], truth[None])
    summary = scores.compute()
    print_scores(summary, model.class_names)
    if out is not None:
        from ..files import write_bytes_atomically

        write_bytes_atomically(out, json.dumps(summary.as_dict(), indent=1).encode())


def annotated_as(model: Any, folder: Path, images: Path | None, skip_invalid: bool) -> Any:
    """Return annotated images of the classes that the weights know."""
    from ..errors import DataError
    from .instances.annotated import annotated

    names = (model.class_names or [])[1:] or [f"class {i}" for i in range(1, model.config["classes"])]
    of_folder = None if folder.suffix.lower() == ".json" else names
    pairs = annotated("evaluate", folder, images, model.config["in_channels"], of_folder, skip_invalid)
    if pairs.class_names != names:
        raise DataError("evaluate", str(folder), f"the classes of the weights, {names}", pairs.class_names)
    return pairs


def print_scores(summary: Any, class_names: list[str] | None) -> None:
    """Print one row a class and one for the means."""
    names = class_names or [f"class {i}" for i in range(len(summary.iou))]
    table = Table(title=f"{summary.n_images} images, {summary.n_pixels:,} pixels")
    for heading in ("", "IoU", "Dice = F1", "precision", "recall"):
        table.add_column(heading, justify="right" if heading else "left")
    for i, name in enumerate(names):
        table.add_row(name, *(f"{values[i]:.4f}" for values in (summary.iou, summary.dice, summary.precision, summary.recall)))
    means = (summary.mean_iou, summary.mean_dice, summary.mean_precision, summary.mean_recall)
    table.add_row(f"mean of {summary.classes_counted}", *(f"{value:.4f}" for value in means), style="bold")
    console().print(table)
    console().print(f"pixel accuracy {summary.pixel_accuracy:.4f}, mean IoU per image {summary.image_iou:.4f}")
