"""``rawseg train``: a network for segmentation from a folder of images and masks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .options import (
    Classes,
    Depth,
    Device,
    ModelOptions,
    Out,
    Plain,
    Pretrained,
    Seed,
    SkipInvalid,
    Threads,
    Up,
    Width,
    make_folder,
    refuse_given,
    use_threads,
)
from .output import console
from .recipes import make_augmentation, make_model, make_optimizer, make_schedule

DEFAULT_OUT = Path("runs/unet")  # or beside it, by the name of another network
DEFAULT_LOSS, MASK_LOSS = "cross_entropy+dice", "bce-log_dice"
# What a resumed run must repeat.
SETTINGS = {"classes", "class_names", "channels", "model", "width", "depth", "up", "batch_size", "crop", "crops", "loss"}
SETTINGS |= {"ignore_index", "optimizer", "lr", "weight_decay", "schedule", "clip", "augment", "validation", "seed"}
GIVEN = {"encoder", "frozen", "options", "pretrained"}  # and these, where they are given
NOT_COUNTED = -100  # marks padded pixels; no class can have it


def train(
    folder: Annotated[
        Path, typer.Argument(help="A folder with images/ and masks/, paired by stem; masks hold class ids. Or a COCO file.")
    ],
    out: Out = DEFAULT_OUT,
    classes: Classes = 2,
    class_names: Annotated[str, typer.Option(help="Comma-separated, for tables and pictures.")] = "",
    channels: Annotated[int, typer.Option(help="1: images read as grey; 3: as colour.")] = 3,
    model: Annotated[
        str, typer.Option(help="A network for segmentation that `rawseg models` lists, or mask_rcnn: masks number the objects.")
    ] = "unet",
    images: Annotated[Path | None, typer.Option(help="Folder of a COCO file's images, if not its own.")] = None,
    skip_invalid: SkipInvalid = False,
    encoder: Annotated[str | None, typer.Option(help="A U-Net on this classification network, e.g. mobilenet_v2.")] = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="Train the U-Net's decoder only.")] = False,
    pretrained: Pretrained = None,
    width: Width = None,
    depth: Depth = None,
    up: Up = None,
    options: ModelOptions = None,
    epochs: Annotated[int, typer.Option(min=1)] = 50,
    batch_size: Annotated[int, typer.Option(min=1)] = 8,
    crop: Annotated[int, typer.Option(help="Side of the random training crops, in pixels.", min=1)] = 256,
    crops: Annotated[int, typer.Option(help="Random crops of each image in an epoch.", min=1)] = 4,
    loss: Annotated[
        str | None, typer.Option(help="cross_entropy, dice, jaccard, border, cross_entropy+dice; for a mask bce-log_dice.")
    ] = None,
    ignore_index: Annotated[int | None, typer.Option(help="Class id in the masks that does not count.")] = None,
    optimizer: Annotated[str, typer.Option(help="adamw, adam or sgd.")] = "adamw",
    lr: Annotated[float, typer.Option(help="Learning rate.", min=0)] = 1e-3,
    weight_decay: Annotated[float, typer.Option(min=0)] = 1e-4,
    schedule: Annotated[str, typer.Option(help="cosine, poly, step or constant; after a warm-up of one epoch.")] = "cosine",
    clip: Annotated[float, typer.Option(help="Largest norm of all gradients together.", min=0)] = 5.0,
    augment: Annotated[bool, typer.Option(help="Flips, rotations, scales, elastic deformation, brightness, contrast.")] = True,
    validation: Annotated[float, typer.Option(help="Share of the images that is held out.", min=0.01, max=0.9)] = 0.2,
    workers: Annotated[int, typer.Option(help="Threads that prepare batches.", min=0)] = 2,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, with the same bits.")] = False,
    plain: Plain = False,
) -> None:
    """Train on a folder; writes best and last weights, metrics.jsonl, learning curves and a sheet of held-out predictions.

    16-bit images are divided by 65535: stretch 12-bit ones to the full range first.
    """
    asked = dict(locals())
    use_threads(threads)
    if model == "mask_rcnn":
        train_instances(asked)
        return
    loss = asked["loss"] = loss or DEFAULT_LOSS
    settings = {name: value for name, value in asked.items() if name in SETTINGS or (name in GIVEN and value)}
    from .. import data, manual_seed, models
    from ..cuda import Prefetcher
    from ..errors import ArgumentError
    from ..training import Segmentation, Trainer
    from ..training.objectives import objective
    from .pretrained.backbone import fill, weight_file

    coco = {"--images": images, "--skip-invalid": skip_invalid}
    refuse_given("train", "none but with --model mask_rcnn and a COCO file", coco)
    names = split_names(class_names, classes)
    if pretrained is not None and encoder is None:
        raise ArgumentError("train", "--pretrained", "an --encoder to load it into, or --model mask_rcnn", "neither")
    if frozen and encoder is None and model == "unet":
        raise ArgumentError("train", "--frozen", "an --encoder to freeze", "none")
    beginning = None if pretrained is None or resume else weight_file(pretrained, channels)
    everything = data.SegmentationFolder(folder, classes=classes, channels=channels, ignore_index=ignore_index)
    training, held_out = divide(everything, validation, seed)
    if schedule != "constant":
        settings["epochs"] = epochs  # the other schedules are laid out over them
    settings["images"] = fingerprint(training.names, held_out.names)
    check_run(out, resume, settings)
    manual_seed(seed)
    given = {"width": width, "depth": depth, "up": up, "encoder": encoder, "frozen": frozen or None}
    given["imagenet"] = None if pretrained is None else True
    net = make_model(model, channels, 1 if loss == MASK_LOSS and classes == 2 else classes, given, options)
    if beginning is not None:
        fill(net, beginning)
    elif frozen and not resume:
        console().print("the frozen encoder has random weights: --pretrained gives it others")
    net.to(device)
    uncounted = NOT_COUNTED if ignore_index is None else ignore_index
    criterion = objective(loss, uncounted)
    shown = data.Subset(training, [i for i in range(len(training)) for _ in range(crops)])
    threads_and_memory = {"seed": seed, "workers": workers, "pin_memory": device != "cpu"}
    augmentation = make_augmentation(net.input_size(crop), augment)
    batches = data.Loader(shown, batch_size, transform=augmentation, **threads_and_memory)
    whole = data.Loader(held_out, 1, transform=data.PadForModel(net, uncounted), shuffle=False, **threads_and_memory)
    if device != "cpu":
        batches, whole = (Prefetcher(loader, device) for loader in (batches, whole))
    update = make_optimizer(optimizer, [p for p in net.parameters() if p.requires_grad], lr, weight_decay)
    plan = make_schedule(schedule, update, len(batches), epochs)
    make_folder(out)
    size = sum(p.size for p in net.parameters())
    apart = f"{len(held_out)} held out ({some(held_out.names)})"
    console().print(f"{len(training)} images to train on, {apart}; {net.name} with {size:,} parameters")
    trainer = Trainer(
        net,
        criterion,
        update,
        batches,
        whole,
        folder=out,
        task=Segmentation(classes, uncounted),
        schedule=plan,
        clip_norm=clip or None,
        seed=seed,
        about={**models.describe(net, names), "settings": settings, "held_out": held_out.names},
        plain=plain or None,
    )
    result = trainer.fit(epochs, resume=resume)
    if result.best_epoch is not None:
        report(result, held_out, out, names, uncounted, device)
    if result.interrupted:
        raise typer.Exit(130)


def train_instances(asked: dict[str, Any]) -> None:
    """Train a network that finds single objects; refuse options that it has no use for."""
    from ..errors import ArgumentError
    from .instances.train import SETTINGS, UNUSED, Run, train

    for name, default in UNUSED.items():
        if asked[name] != default:
            raise ArgumentError("train", option(name), "none with --model mask_rcnn (see -O and --class-names)", asked[name])
    names = asked["class_names"]
    of_run = {name: asked[name] for name in ("out", "images", "channels", "options", "epochs", "workers", "device", "resume")}
    of_run |= {"plain": asked["plain"], "skip_invalid": asked["skip_invalid"]}
    if of_run["out"] == DEFAULT_OUT:
        of_run["out"] = DEFAULT_OUT.with_name("mask_rcnn")
    settings = {name: asked[name] for name in SETTINGS}
    listed = split_names(names, len(names.split(","))) if names else None
    train(Run(data=asked["folder"], class_names=listed, settings=settings, **of_run))


def split_names(text: str, classes: int) -> list[str] | None:
    """Return the names in ``--class-names``: none, or a different one for each class."""
    from ..errors import ArgumentError

    if not text:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != classes or len(set(names)) != classes or not all(names):
        raise ArgumentError("train", "--class-names", f"{classes} different names, one for each class", repr(text))
    return names


def divide(everything: Any, validation: float, seed: int) -> tuple[Any, Any]:
    """Return what to train on and what to hold out, at least one image each."""
    from ..data import split
    from ..errors import DataError

    held_out = round(validation * len(everything))
    if not 1 <= held_out < len(everything):
        expected = f"at least one image of {len(everything)} to train on and one to hold out"
        raise DataError("train", "--validation", expected, f"{validation} of them, which is {held_out}")
    return split(everything, (1 - validation, validation), seed)  # type: ignore[return-value]


def check_run(out: Path, resume: bool, settings: dict[str, Any]) -> None:
    """Refuse to overwrite a run, and to continue one with other options than it was begun with."""
    from ..errors import ArgumentError, CheckpointError
    from ..serialization import load_metadata
    from ..training import LAST

    last = out / LAST
    if not resume:
        if last.exists():
            raise ArgumentError(
                "train", "--out", "a folder without a run (or --resume to continue it)", f"{out}, which holds one"
            )
        return
    before = load_metadata(last).get("user", {}).get("settings")
    if not isinstance(before, dict):
        raise CheckpointError("train", str(last), "a checkpoint of `rawseg train`", "another")
    differs = [name for name in sorted({*before, *settings}) if before.get(name) != settings.get(name)]
    if differs:
        then, now = (", ".join(f"{option(name)} {run.get(name)}" for name in differs) for run in (before, settings))
        raise CheckpointError("train", "--resume", f"the options that the run was begun with: {then}", now)


def option(name: str) -> str:
    """Return a setting as it is given on the command line."""
    return name if name == "images" else "--" + name.replace("_", "-")


def fingerprint(training: list[str], held_out: list[str]) -> str:
    """Return what tells one division of one set of images from all others, in a few characters."""
    digest = hashlib.sha256(json.dumps([training, held_out]).encode()).hexdigest()
    return f"{len(training)}+{len(held_out)} #{digest[:12]}"


def some(names: list[str], most: int = 8) -> str:
    """Return names in a row; of many, the first."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def report(result: Any, held_out: Any, out: Path, names: list[str] | None, uncounted: int, device: str) -> None:
    """Draw the learning curves and the first held-out images with the best weights."""
    from .. import models
    from ..training import BEST, learning_curves, overlay_sheet

    best = models.load_model(out / BEST, device)
    images, truths, predictions = [], [], []
    for i in range(min(4, len(held_out))):
        image, truth = held_out[i]
        images.append(image)
        truths.append(np.where(truth == uncounted, -1, truth))
        predictions.append(models.predict_tiled(best, image)[0].astype(np.int64))
    learning_curves(result.history, out / "learning_curves.png")
    overlay_sheet(images, truths, predictions, out / "predictions.png", class_names=names)
    console().print(f"best mean IoU {result.best_score:.4f} in epoch {result.best_epoch}; written to {out}")
