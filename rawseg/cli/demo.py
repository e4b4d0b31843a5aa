"""``rawseg demo``: networks from scratch on real data, each within three minutes on two cores."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .demos.request import Request
from .options import Device, Out, Plain, Seed, Threads, refuse_given, use_threads


class DemoTask(StrEnum):
    """What to show."""

    nuclei = "nuclei"
    faces = "faces"
    autoencoder = "autoencoder"
    classify = "classify"
    instance = "instance"


def demo(
    task: Annotated[
        DemoTask, typer.Option(help="nuclei, faces: segmentation; instance: objects; the others: Fashion-MNIST.")
    ] = DemoTask.nuclei,
    out: Out = Path("rawseg-out"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of Fashion-MNIST, if not Debian's; for instance a folder of cut-outs.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; each demo has its own default.", min=1)] = None,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "cpu",
    plain: Plain = False,
) -> None:
    """Train a network from scratch on real data, test it on data that it has not seen, and draw what it does.

    nuclei: a U-Net on a microscopy image. faces: a U-Net on MobileNetV1 finds masks drawn on real faces. autoencoder: a
    fully connected one and three convolutional ones with different ways back up. classify: a small MobileNetV1. instance: a
    small Mask R-CNN finds single nuclei, or with --data cut-outs such as Debian's stamps (/usr/share/tuxpaint/stamps).
    """
    if data is not None and task in (DemoTask.nuclei, DemoTask.faces):
        refuse_given("demo", f"none with --task {task.value}, whose data come with a package", {"--data": data})
    use_threads(threads)
    if runner(task.value)(Request(out, data, epochs, seed, device, plain)):
        raise typer.Exit(130)


def runner(task: str) -> Callable[[Request], bool]:
    """Return the function that shows a task; it returns whether Ctrl-C ended it early."""
    from importlib import import_module

    return import_module(f".demos.{task}", __package__).run
