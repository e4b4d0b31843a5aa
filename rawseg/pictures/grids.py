"""Images in rows with a title each, confusion matrices, and scores as bars."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import ArgumentError, ShapeError
from .figure import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILLION, hexadecimal, new_figure, write_figure

__all__ = ["bars", "confusion_picture", "image_rows"]

BARS = (VERMILLION, ORANGE, SKY, BLUE, GREEN, PURPLE)


def image_rows(rows: Sequence[tuple[str, np.ndarray]], path: str | os.PathLike[str]) -> None:
    """Draw rows of images, each with a title on its left.

    Parameters
    ----------
    rows : sequence of (str, ndarray of shape (N, C, H, W))
        Title, and images in [0, 1] with one or three channels; all rows have the same N.
    path : str or path
        A PNG file, replaced in one step.

    Raises
    ------
    ShapeError
        If a row is no batch of images, or has another number of them than the first.
    """
    count = len(rows[0][1])
    for title, images in rows:
        if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) != count:
            raise ShapeError("image_rows", title, f"shape ({count}, 1 or 3, H, W)", f"shape {images.shape}")
    figure = new_figure(1.9 + 0.8 * count, 0.2 + 0.82 * len(rows))
    grid = figure.add_gridspec(len(rows), count + 1, width_ratios=[2.2, *[1] * count])
    for row, (title, images) in enumerate(rows):
        label = figure.add_subplot(grid[row, 0])
        label.set_axis_off()
        label.text(1.0, 0.5, title, ha="right", va="center", fontsize=9, color=INK)
        for column, image in enumerate(images):
            axes = figure.add_subplot(grid[row, column + 1])
            picture = np.clip(image, 0, 1).transpose(1, 2, 0)
            axes.imshow(picture if image.shape[0] == 3 else picture[..., 0], cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
    write_figure(figure, path)


def confusion_picture(matrix: np.ndarray, names: Sequence[str], path: str | os.PathLike[str]) -> None:
    """Draw a confusion matrix: rows are true classes, columns what they were taken for, numbers are per cent of the row.

    Parameters
    ----------
    matrix : ndarray of int, shape (K, K)
        As `rawseg.metrics.confusion_matrix` counts: true class first.
    names : sequence of str
        Of the K classes.
    path : str or path
        A PNG file, replaced in one step.
    """
    from matplotlib.colors import LinearSegmentedColormap

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 1.9 + 0.5 * len(names)
    figure = new_figure(side, side)
    axes = figure.add_subplot()
    shades = LinearSegmentedColormap.from_list("white to blue", ["white", tuple(level / 255 for level in BLUE)])
    axes.imshow(share, cmap=shades, vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(share):
        if matrix[row, column]:
            shown = f"{100 * value:.0f}" if value >= 0.01 else "<1"
            axes.text(column, row, shown, ha="center", va="center", fontsize=8, color="white" if value > 0.6 else INK)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), names, fontsize=9, color=INK)
    axes.set_xlabel("taken for", color=INK)
    axes.set_ylabel("is", color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    write_figure(figure, path)


def bars(groups: Mapping[str, Sequence[float]], names: Sequence[str], path: str | os.PathLike[str]) -> None:
    """Draw scores from 0 to 1 as bars in groups.

    Parameters
    ----------
    groups : mapping of str to sequence of float
        For each group a score of every name; NaN is no bar.
    names : sequence of str
        Whose scores they are.
    path : str or path
        A PNG file, replaced in one step.

    Raises
    ------
    ArgumentError, ShapeError
        If there is nothing to draw, more names than colours, or not a score for every name.
    """
    if not groups or not 1 <= len(names) <= len(BARS):
        expected, got = f"at least one group, and 1 to {len(BARS)} names", f"{len(groups)} and {len(names)}"
        raise ArgumentError("bars", "groups, names", expected, got)
    for group, scores in groups.items():
        if len(scores) != len(names):
            raise ShapeError("bars", group, f"{len(names)} scores, one for each name", len(scores))
    figure = new_figure(1.5 + 0.55 * len(names) * len(groups), 3.4)
    axes = figure.add_subplot()
    width = 0.8 / len(names)
    for number, (name, rgb) in enumerate(zip(names, BARS)):
        places = [group + (number - (len(names) - 1) / 2) * width for group in range(len(groups))]
        values = [scores[number] for scores in groups.values()]
        drawn = axes.bar(places, values, width * 0.92, color=hexadecimal(rgb), label=name)
        axes.bar_label(drawn, fmt="%.2f", fontsize=8, color=INK)
    axes.set_xticks(range(len(groups)), list(groups), color=INK)
    axes.set_ylim(0, 1.08 * float(np.nanmax([0.01, *(score for scores in groups.values() for score in scores)])))
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_yticks([])
    axes.legend(frameon=False, fontsize=9)
    write_figure(figure, path)
