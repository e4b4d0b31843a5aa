"""What one output pixel sees: how often each pixel of the image is read on the way, which shows a dilated network's grid."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError
from .figure import INK, new_figure, write_figure

__all__ = ["influence_picture"]


def influence_picture(views: Sequence[tuple[str, np.ndarray]], path: str | os.PathLike[str]) -> None:
    """Draw maps of influence side by side, each scaled by its own largest value; what is never read is white.

    Parameters
    ----------
    views : sequence of (str, ndarray of shape (H, W))
        Title, and a map as `rawseg.models.influence` returns it.
    path : str or path
        A PNG file, replaced in one step.

    Raises
    ------
    ArgumentError
        If there is no map, or one without any influence.
    """
    if not views:
        raise ArgumentError("influence_picture", "views", "at least one map", "none")
    columns = min(len(views), 3)
    lines = -(-len(views) // columns)
    figure = new_figure(3.4 * columns + 0.4, 3.9 * lines)
    for number, (title, view) in enumerate(views):
        axes = figure.add_subplot(lines, columns, number + 1)
        strength = np.abs(view)
        if strength.max() == 0:
            raise ArgumentError("influence_picture", title, "a map with some influence", "zeros")
        shown = np.ma.masked_equal(np.sqrt(strength / strength.max()), 0)  # the root shows the faint rim, too
        axes.imshow(shown, cmap="viridis_r", vmin=0, vmax=1, interpolation="nearest")
        rows, cols = np.nonzero(strength)
        height, width = rows.max() - rows.min() + 1, cols.max() - cols.min() + 1
        read = np.count_nonzero(strength) / (height * width)
        axes.set_title(title, fontsize=10, color=INK)
        axes.set_xlabel(f"{height} x {width} pixels, {100 * read:.0f} % of them read", fontsize=9, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
    write_figure(figure, path)
