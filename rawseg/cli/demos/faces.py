"""A U-Net on MobileNetV1 that finds masks on faces: real faces, drawn masks, so that every outline is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..output import console
from .request import Request, show_scores

SIZE, COUNT, BATCH, EPOCHS = 64, 640, 16, 11
MODEL = {"encoder": "mobilenet_v1", "width_mult": 0.25, "decoder": (64, 64, 48, 32, 24)}
LEARNING_RATE, WEIGHT_DECAY = 4e-3, 1e-4
CLASS_NAMES = ["no mask", "mask"]
HEADINGS = {"iou_mask": "IoU mask", "dice_mask": "Dice mask", "pixel_accuracy": "pixel accuracy"}


def run(request: Request) -> bool:
    """Train, test and draw; return whether Ctrl-C ended it early."""
    from ... import data, models
    from ...pictures import overlay_sheet
    from ...training import BEST, learning_curves

    train, validation, test = data.masked_faces(COUNT, SIZE)
    folder, epochs, screen = request.folder("faces"), request.epochs or EPOCHS, console()
    trainer = make_trainer(train, validation, folder, epochs, request)
    count = sum(p.size for p in trainer.model.parameters())
    screen.print("Labeled Faces in the Wild: 70 faces and 100 other pictures for training, 10 faces for choosing the epoch,")
    screen.print("20 for the test. The faces are real, the masks are drawn: their outlines are exact, and synthetic.")
    screen.print(f"U-Net on MobileNetV1 with {count:,} parameters, {epochs} epochs of {COUNT} pictures; writing to {folder}")
    result = trainer.fit(epochs)
    if result.best_epoch is None:
        return True

    best = models.load_model(folder / BEST, request.device)
    images, truths = (np.stack(part) for part in zip(*(test[i] for i in range(len(test)))))
    predictions = predict(best, images)
    usual = np.mean([train[i][1] for i in range(min(170, len(train))) if train[i][1].any()], axis=0) > 0.5
    scores = {
        "rawseg": score(predictions, truths),
        "the usual place of a mask": score(np.broadcast_to(usual, truths.shape).astype(np.int64), truths),
        "no mask anywhere": score(np.zeros_like(truths), truths),
    }
    learning_curves(result.history, folder / "learning_curves.png")
    shown = slice(0, 20, 4)
    sheet = [list(part[shown]) for part in (images, truths, predictions)]
    overlay_sheet(sheet[0], sheet[1], sheet[2], folder / "predictions.png", class_names=CLASS_NAMES)
    files = ("predictions.png", "learning_curves.png", "metrics.jsonl", "best.safetensors")
    show_scores("test: 20 faces that training has not seen, three masks each", scores, HEADINGS, folder, files)
    return result.interrupted


def make_trainer(train: Any, validation: Any, folder: Path, epochs: int, request: Request) -> Any:
    """Return the trainer of the demo; everything random follows from the seed."""
    from ... import data, manual_seed, models, optim
    from ...training import Trainer
    from ...training.objectives import objective
    from ..recipes import make_schedule

    manual_seed(request.seed)
    net = models.build("encoder_unet", in_channels=1, classes=1, **MODEL).to(request.device)
    optimizer = optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = data.Loader(train, BATCH, seed=request.seed)
    return Trainer(
        net,
        objective("bce-log_dice"),
        optimizer,
        batches,
        data.Loader(validation, BATCH, shuffle=False),
        folder=folder,
        schedule=make_schedule("cosine", optimizer, len(batches), epochs),
        clip_norm=5.0,
        seed=request.seed,
        about=models.describe(net, CLASS_NAMES),
        plain=request.plain or None,
    )


def predict(model: Any, images: np.ndarray) -> np.ndarray:
    """Return masks (N, H, W) of pictures of the size that was trained on: no tiles, no mirrored borders."""
    from ... import no_grad
    from ...models.inference import as_input
    from ...training.tasks import class_ids

    with no_grad():
        return class_ids(model(as_input(images, model)))


def score(predictions: np.ndarray, truths: np.ndarray) -> dict[str, float]:
    """Return the scores of the mask over all pixels of all pictures."""
    from ... import metrics

    matrix = metrics.confusion_matrix(predictions, truths, 2)
    return {
        "iou_mask": float(metrics.iou(matrix)[1]),
        "dice_mask": float(metrics.dice(matrix)[1]),
        "pixel_accuracy": float(metrics.pixel_accuracy(matrix)),
    }
