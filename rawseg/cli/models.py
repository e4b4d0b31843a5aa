"""``rawseg models``: the networks, and what each layer of one costs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import ArgumentError
from .options import Classes, Depth, Up, Width
from .output import console


def models(
    name: Annotated[str | None, typer.Argument(help="A model; without one, all are listed.")] = None,
    size: Annotated[str, typer.Option(help="Height and width of the input, e.g. 512x512.")] = "",
    channels: Annotated[int, typer.Option(help="Channels of the image.", min=1)] = 1,
    classes: Classes = 2,
    width: Width = None,
    depth: Depth = None,
    up: Up = None,
) -> None:
    """List the models, or print parameters, multiply-adds and memory of every layer of one."""
    from ..models import MODELS, build, summary

    screen = console()
    if name is None:
        table = Table("model", "parameters", "what it is", title="1 channel in, 2 classes out")
        for key in MODELS:
            net = build(key)
            what = (MODELS[key].__doc__ or "").splitlines()[0].removeprefix("Return ")
            table.add_row(key, f"{sum(p.size for p in net.parameters()):,}", what)
        screen.print(table)
        return
    options = {"width": width, "depth": depth, "up": up}
    net = build(name, in_channels=channels, classes=classes, **{k: v for k, v in options.items() if v is not None})
    height, wide = parse_size(size) if size else (net.input_size(388), net.input_size(388))
    rows = summary(net, (1, channels, height, wide))
    table = Table(title=f"{name}, input {channels} x {height} x {wide}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("layer", "kind", "output"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "M products", "MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        shape = " x ".join(map(str, row.output[1:]))
        cost = f"{row.multiply_adds / 1e6:,.1f}" if row.multiply_adds else ""
        parameters = f"{row.parameters:,}" if row.parameters else ""
        table.add_row(row.name, row.kind, shape, parameters, cost, f"{row.activation_bytes / 2**20:,.1f}")
    table.add_section()
    total = f"{sum(r.multiply_adds for r in rows) / 1e6:,.1f}"
    memory = f"{sum(r.activation_bytes for r in rows) / 2**20:,.1f}"
    table.add_row("total", "", "", f"{sum(p.size for p in net.parameters()):,}", total, memory, style="bold")
    screen.print(table)


def parse_size(text: str) -> tuple[int, int]:
    """Return (height, width) from ``512`` or ``512x256``."""
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ArgumentError("models", "--size", "a size such as 512 or 512x256", repr(text))
    return int(parts[0]), int(parts[-1])
