"""``rawseg models``: the networks, what each layer of one costs and sees, and the tables that their papers are about."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import ArgumentError
from .options import Depth, ModelOptions, Up, Width, model_options
from .output import console


def models(
    name: Annotated[str | None, typer.Argument(help="A model; without one, all are listed.")] = None,
    size: Annotated[str, typer.Option(help="Height and width of the input, e.g. 512x512.")] = "",
    channels: Annotated[int | None, typer.Option(help="Channels of the image.", min=1)] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes; 1 for a single logit.", min=1)] = None,
    width: Width = None,
    depth: Depth = None,
    up: Up = None,
    options: ModelOptions = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="The table of the model's paper, counted anew.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write the table to this file.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the layers into this PNG file.")] = None,
    view: Annotated[Path | None, typer.Option(help="Also draw what an output pixel sees into this PNG file.")] = None,
) -> None:
    """List the models, or print parameters, multiply-adds, memory and receptive field of every layer of one."""
    from .. import models as rooms
    from ..nn.init import skipped

    if name is None:
        print_table("rawseg's networks", LISTED, list(listing()), csv_file)
        return
    if sweep:
        table = rooms.sweep(name)
        print_table(table.title, table.headings, table.rows, csv_file)
        for note in table.notes:
            console().print(note)
        return
    given = {"in_channels": channels, "classes": classes, "width": width, "depth": depth, "up": up}
    with skipped():  # only shapes count
        net = rooms.build(name, **model_options("models", name, given, options))
    shape = (1, net.config.get("in_channels", 1), *(parse_size(size) if size else typical_size(net)))
    rows = rooms.summary(net, shape)
    title = f"{name}, input {' x '.join(map(str, shape[1:]))}"
    print_table(title, LEDGER, [ledger_row(row) for row in rows], csv_file, total(rooms.totals(net, shape)))
    if picture is not None:
        from ..pictures import ledger_picture

        ledger_picture(rows, title, picture)
    if view is not None:
        from ..pictures import influence_picture

        influence_picture([(title, rooms.influence(net, (shape[2], shape[3])))], view)


LEAST = 116  # columns of a terminal in which no cell is cut
LISTED = ("model", "parameters", "input", "M products", "what it is")
LEDGER = ("layer", "kind", "output", "parameters", "M products", "MiB", "field", "stride")
LEFT = {"model", "what it is", "layer", "kind", "output", "input", "variant", "name in the paper", "alpha"}


def listing() -> Iterable[tuple]:
    """Yield a row for each model, with its default options."""
    from ..models import MODELS, build, totals
    from ..nn.init import skipped

    for name, make in MODELS.items():
        with skipped():
            net = build(name)
        shape = (1, net.config.get("in_channels", 1), *typical_size(net))
        cost = totals(net, shape)
        what = (make.__doc__ or "").splitlines()[0].removeprefix("Return ").rstrip(".").partition(":")[0]
        yield name, cost.parameters, " x ".join(map(str, shape[1:])), round(cost.multiply_adds / 1e6, 1), what


def ledger_row(row: Any) -> tuple:
    """Return the cells of a layer."""
    field = "all" if row.receptive_field is None else _sides(row.receptive_field)
    stride = "" if row.stride is None else _sides(row.stride)
    shape = " x ".join(map(str, row.output[1:]))
    work = round(row.multiply_adds / 1e6, 1)
    return row.name, row.kind, shape, row.parameters, work, round(row.activation_bytes / 2**20, 1), field, stride


def total(cost: Any) -> tuple:
    """Return the last line."""
    work, memory = round(cost.multiply_adds / 1e6, 1), round(cost.activation_bytes / 2**20, 1)
    return "total", "", "", cost.parameters, work, memory, "", ""


def _sides(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g} x {pair[1]:g}"


def print_table(
    title: str, headings: Sequence[str], rows: Sequence[tuple], csv_file: Path | None, last: tuple | None = None
) -> None:
    """Print rows of text and numbers, and write them to a CSV file if there is one."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        justify = "left" if heading in LEFT else "right"
        table.add_column(heading, justify=justify, no_wrap=heading != "what it is")
    for row in rows:
        table.add_row(*map(_shown, row))
    if last is not None:
        table.add_section()
        table.add_row(*map(_shown, last), style="bold")
    console(LEAST).print(table)
    if csv_file is not None:
        from ..files import write_bytes_atomically

        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([headings, *rows, *([] if last is None else [last])])
        write_bytes_atomically(csv_file, text.getvalue().encode())


def _shown(cell: Any) -> str:
    return cell if isinstance(cell, str) else f"{cell:,}"


def typical_size(net: Any) -> tuple[int, int]:
    """Return the size of the images that a network was made for; of a segmenter, one that gives so large an output."""
    height, width = net.typical_size
    return (net.input_size(height), net.input_size(width)) if hasattr(net, "input_size") else (height, width)


def parse_size(text: str) -> tuple[int, int]:
    """Return (height, width) from ``512`` or ``512x256``."""
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ArgumentError("models", "--size", "a size such as 512 or 512x256", repr(text))
    return int(parts[0]), int(parts[-1])
