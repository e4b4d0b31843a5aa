"""The pictures of a dump: one function a stage, from arrays to a PNG file; boxes are drawn by `region_drawings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..autograd import Tensor
from ..data.images import write_image
from ..functional import sigmoid
from ..models.mask_rcnn import MaskRCNN
from ..pictures.figure import BLUE, INK, ORANGE, hexadecimal, write_figure
from ..pictures.instances import LEGIBLE, instances_overlay
from .fates import levels_of, probabilities, size_of
from .region_drawings import (
    bars,
    batch_picture,
    draw_anchors,
    draw_levels,
    draw_proposals,
    draw_samples,
    panels,
    show,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Picture", "class_name", "draw_all"]

Arrays = Mapping[str, np.ndarray]
SHOWN = 8  # detections in a picture that has a panel for each
BEST_CLASSES = 5


class Picture(NamedTuple):
    """A file that was drawn.

    Parameters
    ----------
    stage : str
        The stage whose values it shows.
    file : str
        Its name in the dump's folder.
    caption : str
        What is to be seen.
    """

    stage: str
    file: str
    caption: str


def draw_all(model: MaskRCNN, arrays: Arrays, folder: Path, class_names: Sequence[str] | None = None) -> list[Picture]:
    """Draw every picture of a dump into its folder.

    Parameters
    ----------
    model : MaskRCNN
        That made the dump: its constants are drawn too.
    arrays : mapping of ndarray
        The dump.
    folder : path
        Where the PNG files go; each is replaced in one step.
    class_names : sequence of str, optional
        Of the classes from 0, the background, on.

    Returns
    -------
    list of Picture
        In the stages' order.
    """
    drawn = []
    for number, (stage, name, draw) in enumerate(PICTURES, 1):
        file = f"{number:02d}_{name}.png"
        drawn.append(Picture(stage, file, draw(model, arrays, folder / file, class_names)))
    return drawn


def class_name(label: int, class_names: Sequence[str] | None) -> str:
    """Return a class's name, "class 3" where it has none."""
    return class_names[label] if class_names is not None and label < len(class_names) else f"class {label}"


def draw_batch(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw the image as it was given, and as it stands in the batch."""
    picture, (height, width) = batch_picture(model, arrays), size_of(arrays)
    image = arrays["images.0"]
    given = np.repeat(image[:1], 3, 0) if image.shape[0] != 3 else image
    figure, (left, right) = panels(2, picture.shape[:2])
    show(left, np.clip(given.transpose(1, 2, 0), 0, 1), f"image, {image.shape[1]} x {image.shape[2]}")
    show(right, picture, f"batch, {picture.shape[0]} x {picture.shape[1]}")
    right.plot([width, width, 0], [0, height, height], color=hexadecimal(ORANGE), linewidth=1.5)
    write_figure(figure, path)
    return f"The image is resized to {height} x {width} (orange) and padded, its colours shifted and scaled."


def draw_maps(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw the mean over the channels of every level."""
    levels = [x[0].mean(0) for x in levels_of(arrays, "maps")]
    figure, axes = panels(len(levels), arrays["batch"].shape[2:])
    for number, (axis, level) in enumerate(zip(axes, levels)):
        show(axis, level, f"level {number}: {level.shape[0]} x {level.shape[1]}\n{level.min():.3g} to {level.max():.3g}")
    write_figure(figure, path)
    return "Every level of the feature maps, the mean over its channels; dark is low."


def objectness_maps(arrays: Arrays) -> list[np.ndarray]:
    """Return for each level the largest probability of an object over the anchors of a pixel, shape (h, w)."""
    likely, start, found = sigmoid(Tensor(arrays["objectness"][0])).array, 0, []
    for anchors, x in zip(levels_of(arrays, "anchors"), levels_of(arrays, "maps")):
        found.append(likely[start : start + len(anchors)].reshape(*x.shape[2:], -1).max(-1))
        start += len(anchors)
    return found


def draw_objectness(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw where the region proposal network sees objects."""
    levels = objectness_maps(arrays)
    figure, axes = panels(len(levels), arrays["batch"].shape[2:])
    for number, (axis, level) in enumerate(zip(axes, levels)):
        title = f"level {number}: {level.shape[0]} x {level.shape[1]}\n{level.min():.3f} to {level.max():.3f}"
        show(axis, level, title, cmap="magma", vmin=0, vmax=1)
    write_figure(figure, path)
    return "Probability of an object, the largest of a pixel's anchors; black is 0, light is 1, the same at all levels."


def draw_probabilities(model: MaskRCNN, arrays: Arrays, path: Path, class_names: Sequence[str] | None) -> str:
    """Draw the likeliest classes of the regions that the first detections come from."""
    regions, labels = arrays["regions.0"][:SHOWN], arrays["labels.0"][:SHOWN]
    figure, axes = panels(max(1, len(regions)), (3, 4))
    for number, (axis, region, label) in enumerate(zip(axes, regions, labels)):
        likely = probabilities(arrays)[region]
        best = np.argsort(-likely, kind="stable")[:BEST_CLASSES]
        texts = [f"{class_name(int(k), class_names)[:24]}: {likely[k]:.3f}" for k in best]
        bars(axis, likely[best], texts, [ORANGE if k == label else BLUE for k in best])
        axis.set_xlim(0, 1)
        axis.set_title(f"{number + 1}: region {region}", fontsize=9, color=INK)
    _empty(axes[0], len(regions))
    write_figure(figure, path)
    return f"Class probabilities of the regions of the first {SHOWN} detections; orange is the class that was detected."


def draw_mask_logits(model: MaskRCNN, arrays: Arrays, path: Path, class_names: Sequence[str] | None) -> str:
    """Draw the mask of each of the first detections, as the head gives it."""
    labels = arrays["labels.0"][:SHOWN]
    logits = arrays["mask_logits"][np.arange(len(labels)), labels]  # (D, M, M)
    figure, axes = panels(max(1, len(labels)), (1, 1))
    for number, (axis, logit, label) in enumerate(zip(axes, logits, labels)):
        limit = float(np.abs(logit[np.isfinite(logit)]).max(initial=1e-6))
        title = f"{number + 1}: {class_name(int(label), class_names)[:20]}\n{logit.min():.2f} to {logit.max():.2f}"
        show(axis, logit, title, cmap="PuOr_r", vmin=-limit, vmax=limit)
    _empty(axes[0], len(labels))
    write_figure(figure, path)
    side = arrays["mask_logits"].shape[-1]
    return f"Mask logits, {side} x {side}, of the class that was detected; orange belongs to the object, purple does not."


def draw_overlay(model: MaskRCNN, arrays: Arrays, path: Path, class_names: Sequence[str] | None) -> str:
    """Draw what is found, over the image."""
    boxes, labels, scores, masks = (arrays[f"results.{name}"] for name in ("boxes", "labels", "scores", "masks"))
    picture = instances_overlay(arrays["images.0"], boxes, labels, scores, masks, class_names, LEGIBLE)
    write_image(path, picture.transpose(2, 0, 1))
    return f"{len(arrays['results.boxes'])} objects, each in its own colour: box, class, score and mask."


def _empty(axes: Axes, count: int) -> None:
    """Say so where there is nothing to draw."""
    if count == 0:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no detections", ha="center", va="center", fontsize=10, color=INK)


PICTURES = (
    ("transform", "batch", draw_batch),
    ("backbone", "maps", draw_maps),
    ("anchors", "anchors", draw_anchors),
    ("rpn head", "objectness", draw_objectness),
    ("proposals", "proposals", draw_proposals),
    ("box pooling", "levels", draw_levels),
    ("box pooling", "samples", draw_samples),
    ("detections", "classes", draw_probabilities),
    ("mask head", "mask_logits", draw_mask_logits),
    ("pasting", "overlay", draw_overlay),
)
