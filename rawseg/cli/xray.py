"""``rawseg xray``: every stage of a Mask R-CNN's inference on a page, or the first one that differs between two dumps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import ArgumentError
from .options import Device, make_folder
from .output import console

LEAST = 160  # columns of a terminal in which no cell is cut
OUT = Path("rawseg-out/xray")


def xray(
    paths: Annotated[list[Path], typer.Argument(help="An image; with --compare two folders that xray wrote.")],
    weights: Annotated[Path | None, typer.Option("--weights", "-w", help="Those of a mask_rcnn (.safetensors).")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help=f"Folder for everything that is written: {OUT}.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Name the first stage that differs between two dumps.")] = False,
    device: Device = "cpu",
) -> None:
    """Write what passes between the stages as pictures, arrays and a page, or compare two such dumps.

    With --compare and weights each stage that differs is run again, to tell whether it differs itself or was given something
    else. The exit code is 1 if one differs.
    """
    if compare:
        if len(paths) != 2:
            raise ArgumentError("xray", "--compare", "two folders", f"{len(paths)}")
        if out is not None:
            raise ArgumentError("xray", "--out", "none with --compare, which writes nothing", out)
        compare_dumps(paths[0], paths[1], None if weights is None else load_mask_rcnn(weights, device))
        return
    if len(paths) != 1:
        raise ArgumentError("xray", "IMAGE", "one image (two folders only with --compare)", f"{len(paths)} paths")
    if weights is None:
        raise ArgumentError("xray", "--weights", "weights that look at the image", "none")
    dump_image(paths[0], weights, OUT if out is None else out, device)


def load_mask_rcnn(weights: Path, device: str) -> Any:
    """Load a Mask R-CNN; ArgumentError if the weights are those of another network."""
    from ..models import MaskRCNN, load_model

    model = load_model(weights, device)
    if not isinstance(model, MaskRCNN):
        raise ArgumentError("xray", "--weights", "those of a mask_rcnn", f"those of {model.name}")
    return model


def dump_image(path: Path, weights: Path, out: Path, device: str) -> None:
    """Write the page of an image, and print what was found."""
    from .. import data
    from ..xray import xray as write_all

    make_folder(out)
    model = load_mask_rcnn(weights, device)
    image = data.read_image(path, channels=model.config["in_channels"])
    arrays = write_all(model, image, out)
    proposals, found = len(arrays["proposals.0"]), len(arrays["results.boxes"])
    screen = console()
    screen.print(f"{path.name}: {image.shape[2]} x {image.shape[1]}, {proposals} proposals, {found} detections")
    screen.print(f"written to {out / 'index.html'}")


def compare_dumps(folder_a: Path, folder_b: Path, model: Any) -> None:
    """Print every array of two dumps, and the first stage that differs; leave with 1 if one does."""
    from ..xray import compare, first_difference

    rows = compare(folder_a, folder_b, model)
    table = Table(title=f"A: {folder_a}\nB: {folder_b}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading, justify in HEADINGS:
        table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    screen = console(LEAST)
    screen.print(table)
    first = first_difference(rows)
    if first is None:
        screen.print("no stage differs")
        return
    screen.print(f"first stage that differs: {first.stage} ({first.name}): {first.verdict}")
    raise typer.Exit(1)


HEADINGS: tuple[tuple[str, Any], ...] = (
    ("stage", "left"),
    ("array", "left"),
    ("A", "left"),
    ("B", "left"),
    ("elements", "right"),
    ("largest", "right"),
    ("relative", "right"),
    ("", "left"),
)


def _cells(row: Any) -> tuple[str, ...]:
    """Return a row's cells; of equal arrays only what they are."""
    if row.equal:
        return row.stage, row.name, row.a, "=", "", "", "", ""
    numbers = ("-" if math.isnan(number) else f"{number:.3g}" for number in (row.largest, row.relative))
    return row.stage, row.name, row.a, "=" if row.a == row.b else row.b, f"{row.count:,}", *numbers, row.verdict
