"""A U-Net from scratch on a real microscopy image: trained on its left, tested on its right quarter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..output import console
from .request import Request, show_scores

WIDTH, DEPTH, CROP, BATCH, CROPS, EPOCHS = 16, 3, 128, 8, 80, 24  # crops an epoch
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-4
TRAINED = 320  # columns; the next 64 choose the epoch, the last 128 are the test
CLASS_NAMES = ["background", "nucleus"]
HEADINGS = {
    "iou_nucleus": "IoU nucleus",
    "dice_nucleus": "Dice nucleus",
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
}


def run(request: Request) -> bool:
    """Train, test and draw; return whether Ctrl-C ended it early."""
    from ... import data, models
    from ...pictures import overlay, overlay_sheet
    from ...training import BEST, learning_curves

    train, test = data.nuclei_split()
    train, validation = columns(train, 0, TRAINED), columns(train, TRAINED, None)
    folder, epochs, screen = request.folder("nuclei"), request.epochs or EPOCHS, console()
    trainer = make_trainer(train, validation, folder, epochs, request)
    count = sum(p.size for p in trainer.model.parameters())
    screen.print(
        f"Nuclei of the 2018 Data Science Bowl: columns 0 to {TRAINED - 1} for training, to 383 for choosing the epoch,"
    )
    screen.print("and 384 to 511 for the test: neither training nor the choice of the epoch sees them.")
    screen.print(f"U-Net with {count:,} parameters, {epochs} epochs of {CROPS} crops; writing to {folder}")
    result = trainer.fit(epochs)
    if result.best_epoch is None:
        return True

    best = models.load_model(folder / BEST, request.device)
    prediction = models.predict_tiled(best, test.image, device=request.device)[0].astype(np.int64)
    learning_curves(result.history, folder / "learning_curves.png")
    rows = [slice(top, top + 128) for top in range(0, 512, 128)]
    images, truths, predictions = ([part[..., row, :] for row in rows] for part in (test.image, test.mask, prediction))
    overlay_sheet(images, truths, predictions, folder / "predictions.png", class_names=CLASS_NAMES)
    whole = data.nuclei()
    mask = models.predict_tiled(best, whole.image, device=request.device)[0]
    data.write_image(folder / "overlay.png", overlay(whole.image, mask).transpose(2, 0, 1))
    files = ("predictions.png", "overlay.png", "learning_curves.png", "metrics.jsonl", "best.safetensors")
    show_scores("test: the right quarter", score(prediction, test.mask), HEADINGS, folder, files)
    return result.interrupted


def columns(part: Any, first: int, last: int | None) -> Any:
    """Return some columns of an image and its masks."""
    from ...data import Nuclei

    return Nuclei(part.image[..., first:last], part.instances[..., first:last], part.mask[..., first:last])


def make_trainer(train: Any, validation: Any, folder: Path, epochs: int, request: Request) -> Any:
    """Return the trainer of the demo; everything random follows from the seed."""
    from ... import data, manual_seed, models, optim
    from ...training import Trainer
    from ...training.objectives import objective
    from ..recipes import make_schedule

    manual_seed(request.seed)
    net = models.build("unet", in_channels=1, classes=2, width=WIDTH, depth=DEPTH).to(request.device)
    transform = data.Compose(
        [data.Flip(horizontal=True, vertical=True), data.Rotate90(), data.ElasticDeform(), data.Brightness(), data.Contrast()]
    )
    crops = data.Crops(train.image, train.mask, CROP, CROPS)
    optimizer = optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = data.Loader(crops, BATCH, transform=transform, seed=request.seed)
    return Trainer(
        net,
        objective("cross_entropy+dice"),
        optimizer,
        batches,
        (validation.image[None], validation.mask[None]),
        folder=folder,
        schedule=make_schedule("cosine", optimizer, len(batches), epochs),
        clip_norm=5.0,
        seed=request.seed,
        about=models.describe(net, CLASS_NAMES),
        plain=request.plain or None,
    )


def score(prediction: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return the scores on the held-out part, beside those of predictors that do not look at the image."""
    from ... import metrics

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
