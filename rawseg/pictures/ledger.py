"""A network layer by layer: where its parameters, its work and its memory are, and how the receptive field grows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..models import LayerRow
from .figure import BLUE, FAINT, GREEN, INK, ORANGE, VERMILLION, hexadecimal, new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ledger_picture"]


def ledger_picture(rows: Sequence[LayerRow], title: str, path: str | os.PathLike[str]) -> None:
    """Draw parameters, multiply-adds, activation memory and receptive field of every layer, in the order of execution.

    Parameters
    ----------
    rows : sequence of LayerRow
        As `rawseg.models.summary` returns them.
    title : str
        Above the picture.
    path : str or path
        A PNG file, replaced in one step.

    Raises
    ------
    ArgumentError
        If there is no row.
    """
    if not rows:
        raise ArgumentError("ledger_picture", "rows", "at least one layer", "none")
    shown = [row for row in rows if row.multiply_adds or "pool" in row.kind.lower()] or list(rows)
    figure = new_figure(11.5, 8.2)
    figure.suptitle(title, fontsize=12, color=INK)
    panels = figure.subplots(4, 1, sharex=True)
    _bars(panels[0], [row.parameters / 1e3 for row in shown], BLUE, "parameters\n(thousands)")
    _bars(panels[1], [row.multiply_adds / 1e6 for row in shown], ORANGE, "multiply-adds\n(millions)")
    _bars(panels[2], [row.activation_bytes / 2**20 for row in shown], GREEN, "output\n(MiB)")
    _field(panels[3], shown)
    step = max(1, len(shown) // 48)
    names = [row.name for row in shown][::step]
    panels[3].set_xticks(range(0, len(shown), step), names, rotation=90, fontsize=7, color=INK)
    panels[3].set_xlim(-0.8, len(shown) - 0.2)
    write_figure(figure, path)


def _bars(axes: Axes, values: list[float], rgb: tuple[int, int, int], label: str) -> None:
    axes.bar(range(len(values)), values, color=hexadecimal(rgb), width=0.8)
    _tidy(axes, label)


def _field(axes: Axes, rows: Sequence[LayerRow]) -> None:
    """Draw the receptive field's height; it stops where a layer sees the whole image."""
    known = [(i, row.receptive_field[0]) for i, row in enumerate(rows) if row.receptive_field is not None]
    if known:
        places, fields = zip(*known)
        axes.step(places, fields, where="mid", color=hexadecimal(VERMILLION), linewidth=1.8)
    whole = next((i for i, row in enumerate(rows) if row.receptive_field is None), None)
    if whole is not None:
        axes.axvspan(whole - 0.5, len(rows) - 0.5, color=FAINT, linewidth=0)
        place, side = (whole - 0.7, "right") if whole > len(rows) // 2 else (whole - 0.3, "left")
        words = {"transform": axes.get_xaxis_transform(), "fontsize": 8, "color": INK}
        axes.text(place, 0.1, "sees the whole image", ha=side, **words)
    axes.set_ylim(bottom=0)
    _tidy(axes, "receptive field\n(pixels)")


def _tidy(axes: Axes, label: str) -> None:
    axes.set_ylabel(label, fontsize=9, color=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, length=3, labelsize=8)
