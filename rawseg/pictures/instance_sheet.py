"""Sheets of images with the objects that are there beside those that were found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .figure import INK, new_figure, write_figure
from .instances import LEGIBLE, instances_overlay

__all__ = ["instance_sheet"]


def instance_sheet(
    images: Sequence[np.ndarray],
    truths: Sequence[Mapping[str, np.ndarray]],
    found: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
) -> None:
    """Draw each image with its true objects, and below with those that were found.

    Parameters
    ----------
    images : sequence of ndarray, shape (C, H, W)
        Floats in [0, 1].
    truths : sequence of mapping
        ``boxes``, ``labels`` and ``masks`` of each image, as the data sets of instances give them.
    found : sequence of mapping
        What `rawseg.models.MaskRCNN` returns for each image.
    path : str or path
        A PNG file, replaced in one step.
    class_names : sequence of str, optional
        Of the classes from 0, the background, on.

    Raises
    ------
    ArgumentError
        If there is no image, or not one truth and one result for each.
    """
    if not images or not len(images) == len(truths) == len(found):
        expected = "at least one, and as many truths and results"
        raise ArgumentError("instance_sheet", "images", expected, f"{len(images)}, {len(truths)} and {len(found)}")
    columns = len(images)
    figure = new_figure(2.9 * columns + 0.4, 6.2)
    arrays: Any
    for column, (image, truth, objects) in enumerate(zip(images, truths, found)):
        there = [truth["boxes"], truth["labels"], None, truth["masks"]]
        got = [objects[name].numpy() for name in ("boxes", "labels", "scores", "masks")]
        for row, (arrays, title) in enumerate(((there, "truth"), (got, "found"))):
            axes = figure.add_subplot(2, columns, row * columns + column + 1)
            axes.imshow(instances_overlay(image, *arrays, names=class_names, least=LEGIBLE), interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(f"{title}: {len(arrays[1])}", fontsize=10, color=INK)
    write_figure(figure, path)
