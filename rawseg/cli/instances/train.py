"""``rawseg train --model mask_rcnn``: a network that finds single objects, from annotated images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ..output import console
from .annotated import annotated, part_of

SETTINGS = {"model", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "clip", "augment", "validation", "seed"}
UNUSED = {
    "classes": 2,
    "crop": 256,
    "crops": 4,
    "ignore_index": None,
    "encoder": None,
    "frozen": False,
    "width": None,
    "depth": None,
}
UNUSED |= {"up": None, "loss": None}  # options of networks that label pixels, and their defaults
SHOWN = 4  # held-out images in the picture


@dataclass(frozen=True)
class Run:
    """What a run was asked for, by the names of the options; see ``rawseg train --help``."""

    data: Path
    images: Path | None
    out: Path
    class_names: list[str] | None
    channels: int
    options: list[str] | None
    settings: dict[str, Any]
    epochs: int
    workers: int
    device: str
    resume: bool
    plain: bool


def train(run: Run) -> None:
    """Train, write weights, metrics and curves, and a sheet of held-out predictions."""
    from ... import data, models
    from ...training import Detection, Trainer
    from ..options import make_folder
    from ..recipes import make_optimizer, make_schedule
    from ..train import check_run, divide, fingerprint

    asked = run.settings
    everything = annotated("train", run.data, run.images, run.channels, run.class_names)
    training, held_out = divide(everything, asked["validation"], asked["seed"])
    names, ids = (
        [[getattr(everything, kind)[i] for i in part.indices] for part in (training, held_out)]
        for kind in ("names", "image_ids")
    )
    settings = {**asked, "class_names": everything.class_names, "channels": run.channels, "options": run.options}
    settings["images"] = fingerprint(*names)
    if asked["schedule"] != "constant":
        settings["epochs"] = run.epochs  # the other schedules are laid out over them
    check_run(run.out, run.resume, settings)
    net = network(run, 1 + len(everything.class_names))
    augmentation = data.Compose([data.FlipInstances(), data.Brightness(), data.Contrast()]) if asked["augment"] else None
    batches = data.Loader(training, asked["batch_size"], transform=augmentation, seed=asked["seed"], workers=run.workers)
    update = make_optimizer(
        asked["optimizer"], [p for p in net.parameters() if p.requires_grad], asked["lr"], asked["weight_decay"]
    )
    make_folder(run.out)
    truth = part_of(everything.ground_truth(), ids[1])
    objects = f"{len(truth['annotations'])} objects in {len(held_out)} images held out"
    size = sum(p.size for p in net.parameters())
    console().print(f"{len(training)} images to train on, {objects}; {net.name} with {size:,} parameters")
    class_names = ["background", *everything.class_names]
    trainer = Trainer(
        net,
        None,
        update,
        batches,
        data.Loader(held_out, 1, shuffle=False, seed=asked["seed"], workers=run.workers),
        folder=run.out,
        task=Detection(truth, everything.category_ids),
        schedule=make_schedule(asked["schedule"], update, len(batches), run.epochs),
        clip_norm=asked["clip"] or None,
        seed=asked["seed"],
        about={**models.describe(net, class_names), "settings": settings, "held_out": names[1]},
        plain=run.plain or None,
    )
    result = trainer.fit(run.epochs, resume=run.resume)
    if result.best_epoch is not None:
        report(result, held_out, run, class_names)
    if result.interrupted:
        raise typer.Exit(130)


def network(run: Run, classes: int) -> Any:
    """Build the network; its norms learn unless they are told not to, since there are no pretrained ones to freeze."""
    from ... import manual_seed, models
    from ..options import model_options

    given = {text.partition("=")[0] for text in run.options or ()}
    named = {"classes": classes, "in_channels": run.channels, "frozen_norm": None if "frozen_norm" in given else False}
    manual_seed(run.settings["seed"])
    return models.build("mask_rcnn", **model_options("train", "mask_rcnn", named, run.options)).to(run.device)


def report(result: Any, held_out: Any, run: Run, class_names: list[str]) -> None:
    """Draw the learning curves and the first held-out images with the best weights."""
    from ... import models
    from ...pictures import instance_sheet
    from ...training import BEST, learning_curves
    from .predict import objects_of

    best = models.load_model(run.out / BEST, run.device)
    shown = [held_out[i] for i in range(min(SHOWN, len(held_out)))]
    found = [objects_of(best, image) for image, _ in shown]
    learning_curves(result.history, run.out / "learning_curves.png")
    instance_sheet(
        [image for image, _ in shown], [target for _, target in shown], found, run.out / "predictions.png", class_names
    )
    console().print(f"best mask AP {result.best_score:.4f} in epoch {result.best_epoch}; written to {run.out}")
