"""``rawseg train --model mask_rcnn``: a network that finds single objects, from annotated images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ..output import console
from .annotated import annotated, part_of

SETTINGS = {"model", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "clip", "augment", "validation", "seed"}
SETTINGS |= {"pretrained"}
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
    skip_invalid: bool


class Divided(NamedTuple):
    """Annotated images in two parts: data sets, the names of their images, and the annotations of what is held out."""

    everything: Any
    training: Any
    held_out: Any
    names: list[list[str]]
    truth: dict[str, Any]


def divided(run: Run) -> Divided:
    """Read the annotations and hold some images out; DataError if these show no object that could be found."""
    from ...errors import DataError
    from ..train import divide

    everything = annotated("train", run.data, run.images, run.channels, run.class_names, run.skip_invalid)
    parts = divide(everything, run.settings["validation"], run.settings["seed"])
    names = [[everything.names[i] for i in part.indices] for part in parts]
    truth = part_of(everything.ground_truth(), [everything.image_ids[i] for i in parts[1].indices])
    if all(annotation["iscrowd"] for annotation in truth["annotations"]):
        raise DataError("train", "--validation", "an object in the images that are held out", "none")
    return Divided(everything, *parts, names, truth)


def train(run: Run) -> None:
    """Train, write weights, metrics and curves, and a sheet of held-out predictions."""
    from ... import models
    from ..options import make_folder
    from ..pretrained.backbone import weight_file
    from ..train import check_run, fingerprint

    asked = run.settings["pretrained"]
    weights = None if asked is None or run.resume else weight_file(asked, run.channels)
    parts = divided(run)
    settings = {**run.settings, "class_names": parts.everything.class_names, "channels": run.channels, "options": run.options}
    settings["images"] = fingerprint(*parts.names)
    if run.settings["schedule"] != "constant":
        settings["epochs"] = run.epochs  # the other schedules are laid out over them
    check_run(run.out, run.resume, settings)
    class_names = ["background", *parts.everything.class_names]
    net = network(run, len(class_names), weights)
    make_folder(run.out)
    objects = f"{len(parts.truth['annotations'])} objects in {len(parts.held_out)} images held out"
    size = sum(p.size for p in net.parameters())
    console().print(f"{len(parts.training)} images to train on, {objects}; {net.name} with {size:,} parameters")
    about = {**models.describe(net, class_names), "settings": settings, "held_out": parts.names[1]}
    result = make_trainer(run, parts, net, about).fit(run.epochs, resume=run.resume)
    if result.best_epoch is not None:
        report(result, parts.held_out, run, class_names)
    if result.interrupted:
        raise typer.Exit(130)


def make_trainer(run: Run, parts: Divided, net: Any, about: dict[str, Any]) -> Any:
    """Return the trainer of a run."""
    from ... import data
    from ...training import Detection, Trainer
    from ..recipes import make_optimizer, make_schedule

    asked = run.settings
    augmentation = data.Compose([data.FlipInstances(), data.Brightness(), data.Contrast()]) if asked["augment"] else None
    loading = {"seed": asked["seed"], "workers": run.workers}
    batches = data.Loader(parts.training, asked["batch_size"], transform=augmentation, **loading)
    trained = [p for p in net.parameters() if p.requires_grad]
    update = make_optimizer(asked["optimizer"], trained, asked["lr"], asked["weight_decay"])
    return Trainer(
        net,
        None,
        update,
        batches,
        data.Loader(parts.held_out, 1, shuffle=False, **loading),
        folder=run.out,
        task=Detection(parts.truth, parts.everything.category_ids),
        schedule=make_schedule(asked["schedule"], update, len(batches), run.epochs),
        clip_norm=asked["clip"] or None,
        seed=asked["seed"],
        about=about,
        plain=run.plain or None,
    )


def network(run: Run, classes: int, weights: Any) -> Any:
    """Build the network; its norms learn unless they are told not to, or come with weights, whose statistics are kept."""
    from ... import manual_seed, models
    from ..options import model_options
    from ..pretrained.backbone import fill

    given = {text.partition("=")[0] for text in run.options or ()}
    learn = run.settings["pretrained"] is None and "frozen_norm" not in given
    named = {"classes": classes, "in_channels": run.channels, "frozen_norm": False if learn else None}
    manual_seed(run.settings["seed"])
    net = models.build("mask_rcnn", **model_options("train", "mask_rcnn", named, run.options))
    if weights is not None:
        fill(net, weights)
    return net.to(run.device)


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
