"""Figures without a screen, in colour-blind-safe colours, written as PNG files in one step."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from ..files import write_bytes_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, "Color Universal Design" (2008); class 0, the background, has no colour.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, YELLOW = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (230, 159, 0),
    (86, 180, 233),
    (204, 121, 167),
    (240, 228, 66),
)
INK, FAINT = "#333333", "#e4e4e4"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=130, facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr]
    return figure


def write_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG file, replaced in one step."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")  # a Figure made without pyplot draws with Agg, whatever backend is set
    write_bytes_atomically(path, buffer.getvalue())


def hexadecimal(rgb: tuple[int, int, int]) -> Any:
    """Return a colour as matplotlib wants it."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)
