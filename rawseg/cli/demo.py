"""``rawseg demo``: a U-Net from scratch on a real microscopy image, in three minutes on two cores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from .options import Out, Plain, Seed, Threads, make_folder, use_threads
from .output import console

WIDTH, DEPTH, CROP, BATCH, CROPS = 16, 3, 128, 8, 80  # crops an epoch
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-4
TRAINED = 320  # columns; the next 64 choose the epoch, the last 128 are the test
CLASS_NAMES = ["background", "nucleus"]


def demo(
    out: Out = Path("rawseg-out"),
    epochs: Annotated[int, typer.Option(help="Passes over 80 random crops.", min=1)] = 24,
    seed: Seed = 0,
    threads: Threads = None,
    plain: Plain = False,
) -> None:
    """Train a U-Net on the left of a microscopy image of cell nuclei, and test it on the right quarter.

    Writes best.safetensors, metrics.jsonl, scores.json, learning_curves.png, predictions.png and overlay.png into a new folder.
    """
    from .. import data, models
    from ..files import write_bytes_atomically
    from ..training import BEST, learning_curves, overlay_sheet
    from ..training.plots import overlay

    use_threads(threads)
    train, test = data.nuclei_split()
    train, validation = columns(train, 0, TRAINED), columns(train, TRAINED, None)
    folder = make_folder(free_folder(out / "nuclei"))
    screen = console()
    trainer = make_trainer(train, validation, folder, epochs, seed, plain)
    count = sum(p.size for p in trainer.model.parameters())
    screen.print(
        f"Nuclei of the 2018 Data Science Bowl: columns 0 to {TRAINED - 1} for training, to 383 for choosing the epoch,"
    )
    screen.print("and 384 to 511 for the test: neither training nor the choice of the epoch sees them.")
    screen.print(f"U-Net with {count:,} parameters, {epochs} epochs of {CROPS} crops; writing to {folder}")
    result = trainer.fit(epochs)
    if result.best_epoch is None:
        raise typer.Exit(130)

    best = models.load_model(folder / BEST)
    prediction = models.predict_tiled(best, test.image)[0].astype(np.int64)
    scores = score(prediction, test.mask)
    write_bytes_atomically(folder / "scores.json", json.dumps(scores, indent=1).encode())
    learning_curves(result.history, folder / "learning_curves.png")
    rows = [slice(top, top + 128) for top in range(0, 512, 128)]
    images, truths, predictions = ([part[..., row, :] for row in rows] for part in (test.image, test.mask, prediction))
    overlay_sheet(images, truths, predictions, folder / "predictions.png", class_names=CLASS_NAMES)
    whole = data.nuclei()
    mask = models.predict_tiled(best, whole.image)[0]
    data.write_image(folder / "overlay.png", overlay(whole.image, mask).transpose(2, 0, 1))
    show(screen, scores, folder)
    if result.interrupted:
        raise typer.Exit(130)


def columns(part: Any, first: int, last: int | None) -> Any:
    """Return some columns of an image and its masks."""
    from ..data import Nuclei

    return Nuclei(part.image[..., first:last], part.instances[..., first:last], part.mask[..., first:last])


def make_trainer(train: Any, validation: Any, folder: Path, epochs: int, seed: int, plain: bool) -> Any:
    """Return the trainer of the demo; everything random follows from the seed."""
    from .. import data, manual_seed, models, optim
    from ..training import Trainer
    from ..training.objectives import objective
    from .train import make_schedule

    manual_seed(seed)
    net = models.build("unet", in_channels=1, classes=2, width=WIDTH, depth=DEPTH)
    transform = data.Compose(
        [data.Flip(horizontal=True, vertical=True), data.Rotate90(), data.ElasticDeform(), data.Brightness(), data.Contrast()]
    )
    crops = data.Crops(train.image, train.mask, CROP, CROPS)
    optimizer = optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = data.Loader(crops, BATCH, transform=transform, seed=seed)
    return Trainer(
        net,
        objective("cross_entropy+dice"),
        optimizer,
        batches,
        (validation.image[None], validation.mask[None]),
        folder=folder,
        schedule=make_schedule("cosine", optimizer, len(batches), epochs),
        clip_norm=5.0,
        seed=seed,
        about=models.describe(net, CLASS_NAMES),
        plain=plain or None,
    )


def free_folder(folder: Path) -> Path:
    """Return the folder itself, or a numbered one if a run is in it already: no run is ever overwritten."""
    number, candidate = 1, folder
    while candidate.exists() and any(candidate.iterdir()):
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def score(prediction: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return the scores on the held-out part, beside those of predictors that do not look at the image."""
    from .. import metrics

    result: dict[str, Any] = {}
    for name, mask in {
        "rawseg": prediction,
        "everything is a nucleus": np.ones_like(truth),
        "everything is background": np.zeros_like(truth),
    }.items():
        matrix = metrics.confusion_matrix(mask, truth, 2)
        result[name] = {
            "iou_nucleus": float(metrics.iou(matrix)[1]),
            "dice_nucleus": float(metrics.dice(matrix)[1]),
            "mean_iou": float(metrics.iou(matrix, average="macro")),
            "pixel_accuracy": float(metrics.pixel_accuracy(matrix)),
        }
    return result


def show(screen: Console, scores: dict[str, Any], folder: Path) -> None:
    """Print the scores and what was written."""
    table = Table(title="test: the right quarter")
    table.add_column("predictor")
    for heading in ("IoU nucleus", "Dice nucleus", "mean IoU", "pixel accuracy"):
        table.add_column(heading, justify="right")
    for name, values in scores.items():
        table.add_row(name, *(f"{value:.4f}" for value in values.values()))
    screen.print(table)
    for name in ("predictions.png", "overlay.png", "learning_curves.png", "scores.json", "metrics.jsonl", "best.safetensors"):
        screen.print(f"  {folder / name}")
