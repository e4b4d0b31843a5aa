"""A small Mask R-CNN from scratch: nuclei of a real microscopy image, or real cut-outs on real photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..output import console
from .request import Request, show_scores

SIDE, BATCH = 128, 4
MODEL = {"backbone": "resnet18", "width_mult": 0.25, "frozen_norm": False, "channels": 64, "hidden": 128, "mask_layers": 2}
MODEL |= {"min_size": SIDE, "max_size": SIDE, "anchor_sizes": (16, 32, 64, 96, 128), "proposals": (200, 50), "regions": 64}
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-4
TRAINED = 320  # columns of the nuclei; the next 64 choose the epoch, the last 128 are the test
CROPS = 80  # of the nuclei, in an epoch
SCENES, HELD_OUT = 400, 100  # of cut-outs in an epoch, and held out: two fifths of these choose the epoch
LEAST = 20  # pixels of a nucleus that a cut has left
HEADINGS = {"mask_ap": "mask AP", "mask_ap50": "mask AP50", "box_ap": "box AP", "box_ap50": "box AP50"}


@dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes
    ----------
    title : str
        Printed over it all.
    names : list of str
        Classes, without the background.
    train, validation, test : Dataset
        Images and their instances.
    augmentation : callable or None
        Of training samples.
    epochs : int
        Unless the user wants another number.
    """

    title: str
    names: list[str]
    train: Any
    validation: Any
    test: Any
    augmentation: Any
    epochs: int


def run(request: Request) -> bool:
    """Train, test and draw; return whether Ctrl-C ended it early."""
    from ... import models
    from ...pictures import instance_sheet
    from ...training import BEST, learning_curves

    task = nuclei() if request.data is None else cut_outs(request.data)
    folder, epochs, screen = request.folder("instance"), request.epochs or task.epochs, console()
    trainer = make_trainer(task, folder, epochs, request, MODEL)
    count = sum(p.size for p in trainer.model.parameters())
    screen.print(task.title)
    screen.print(f"Mask R-CNN with {count:,} parameters, {epochs} epochs of {len(task.train)} images; writing to {folder}")
    before = score(trainer.model, task)
    result = trainer.fit(epochs)
    if result.best_epoch is None:
        return True
    best = models.load_model(folder / BEST, request.device)
    learning_curves(result.history, folder / "learning_curves.png")
    draw(best, task, folder, instance_sheet)
    scores = {"rawseg": score(best, task), "before training": before}
    files = ("predictions.png", "learning_curves.png", "metrics.jsonl", "best.safetensors")
    show_scores(f"test: {len(task.test)} images that training has not seen", scores, HEADINGS, folder, files)
    return result.interrupted


def nuclei() -> Task:
    """Return the nuclei of the microscopy image, whose right quarter is the test."""
    from ... import data

    whole = data.nuclei()
    known = whole.image[..., :TRAINED], whole.instances[..., :TRAINED]
    turned = [data.FlipInstances(True, True), data.TurnInstances(), data.Brightness(), data.Contrast()]
    title = "Nuclei of the 2018 Data Science Bowl: columns 0 to 319 train, to 383 choose the epoch, to 511 are the test."
    return Task(
        title,
        ["nucleus"],
        data.InstanceCrops(*known, SIDE, CROPS, LEAST),
        tiles(whole, TRAINED, 384),
        tiles(whole, 384, 512),
        data.Compose(turned),
        12,
    )


def tiles(whole: Any, first: int, last: int) -> Any:
    """Return some columns of the image in parts, one above the other, none of which is resized."""
    from ... import data

    rows = [slice(top, top + SIDE) for top in range(0, whole.instances.shape[0], SIDE)]
    parts = [(whole.image[:, row, first:last], whole.instances[row, first:last]) for row in rows]
    return data.InstanceArrays([image for image, _ in parts], [instances for _, instances in parts], LEAST)


def cut_outs(folder: Path) -> Task:
    """Return scenes of cut-outs on photographs; every fifth cut-out is only in the scenes of the test."""
    from ... import data

    train, held_out, names = data.scenes(SCENES, HELD_OUT, SIDE, folder, most=8, scale=(0.2, 0.45))
    title = "Scenes of real cut-outs on real photographs; the test shows cut-outs that training has not seen."
    chosen = HELD_OUT * 2 // 5
    validation, test = data.Subset(held_out, range(chosen)), data.Subset(held_out, range(chosen, HELD_OUT))
    augmentation = data.Compose([data.FlipInstances(), data.Brightness(), data.Contrast()])
    return Task(title, names, train, validation, test, augmentation, 10)


def make_trainer(task: Task, folder: Path, epochs: int, request: Request, options: dict[str, Any]) -> Any:
    """Return the trainer of a task; everything random follows from the seed."""
    from ... import data, manual_seed, models, optim
    from ...training import Detection, Trainer
    from ..recipes import make_schedule

    manual_seed(request.seed)
    channels = task.test[0][0].shape[0]
    net = models.build("mask_rcnn", classes=1 + len(task.names), in_channels=channels, **options).to(request.device)
    optimizer = optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = data.Loader(task.train, BATCH, transform=task.augmentation, seed=request.seed)
    return Trainer(
        net,
        None,
        optimizer,
        batches,
        data.Loader(task.validation, BATCH, shuffle=False),
        folder=folder,
        task=Detection(data.ground_truth_of(task.validation, task.names)),
        schedule=make_schedule("cosine", optimizer, len(batches), epochs),
        clip_norm=5.0,
        seed=request.seed,
        about=models.describe(net, ["background", *task.names]),
        plain=request.plain or None,
    )


def score(model: Any, task: Task) -> dict[str, Any]:
    """Return the average precision of masks and boxes on the test."""
    from ... import data
    from ...training import Detection, evaluate

    judged = Detection(data.ground_truth_of(task.test, task.names))
    scores = evaluate(model, None, data.Loader(task.test, BATCH, shuffle=False), judged)
    assert scores is not None
    return scores


def draw(model: Any, task: Task, folder: Path, sheet: Any) -> None:
    """Draw the first images of the test with what is there and what was found."""
    from ..instances.predict import objects_of

    shown = [task.test[i] for i in range(4)]
    found = [objects_of(model, np.ascontiguousarray(image)) for image, _ in shown]
    truths = [target for _, target in shown]
    sheet([image for image, _ in shown], truths, found, folder / "predictions.png", ["background", *task.names])
