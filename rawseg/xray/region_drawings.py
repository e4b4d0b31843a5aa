"""The pictures that are boxes over the image: anchors, proposals, the level of each region, the points where it is sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.mask_rcnn import FATES, MaskRCNN
from ..pictures.figure import BLUE, FAINT, INK, ORANGE, VERMILLION, hexadecimal, new_figure, write_figure
from ..pictures.masks import colour
from .fates import KEPT, LOW_RANK, candidates_of_proposals, counts, levels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "bars",
    "batch_picture",
    "draw_anchors",
    "draw_levels",
    "draw_proposals",
    "draw_samples",
    "panels",
    "sample_points",
    "show",
]

Arrays = Mapping[str, np.ndarray]
BEFORE, AFTER, REGIONS = 200, 50, 100  # boxes in a picture
PANEL = 3.1  # inches


def panels(count: int, size: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, at most four in a row, for pictures of a height and width."""
    rows = -(-count // 4)
    columns = -(-count // rows)  # five are three and two
    shape = min(max(size[0] / size[1], 0.4), 2.0)
    figure = new_figure(PANEL * columns + 0.3, (PANEL * shape + 0.6) * rows)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def show(axes: Axes, picture: np.ndarray, title: str, **options: Any) -> None:
    """Show an image or a map under a title; x and y are its pixels, 0 at the outer edge of the first."""
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="nearest", **options)
    axes.set_title(title, fontsize=9, color=INK, parse_math=False)
    axes.set_axis_off()


def batch_picture(model: MaskRCNN, arrays: Arrays) -> np.ndarray:
    """Return the batch in its own colours, shape (H, W, 3) in [0, 1]; of other than three channels the first, in grey."""
    mean, std = (np.array(numbers)[:, None, None] for numbers in (model.transform.mean, model.transform.std))
    image = arrays["batch"][0] * std + mean
    image = image if len(image) == 3 else np.repeat(image[:1], 3, 0)
    return np.clip(np.nan_to_num(image), 0, 1).transpose(1, 2, 0)


def bars(axes: Axes, lengths: np.ndarray, texts: Sequence[str], colours: Sequence[tuple[int, int, int]]) -> None:
    """Draw bars from the left, from the top down, each with its text over it."""
    axes.barh(range(len(texts)), lengths, color=[hexadecimal(rgb) for rgb in colours], height=0.4)
    for row, text in enumerate(texts):
        axes.text(0, row - 0.4, text, va="center", fontsize=8, color=INK, parse_math=False)
    axes.set(ylim=(len(texts) - 0.5, -0.8), yticks=[])
    axes.tick_params(colors=INK, labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def draw_anchors(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw the anchors around the middle pixel of every level."""
    picture, per_pixel = batch_picture(model, arrays), model.rpn.anchors.per_pixel
    levels, maps = levels_of(arrays, "anchors"), levels_of(arrays, "maps")
    figure, axes = panels(len(levels), picture.shape[:2])
    for number, (axis, anchors, x) in enumerate(zip(axes, levels, maps)):
        h, w = x.shape[2:]
        first = (h // 2 * w + w // 2) * per_pixel
        show(axis, picture, f"level {number}: {h} x {w} x {per_pixel} = {len(anchors):,} anchors")
        _boxes(axis, anchors[first : first + per_pixel], [colour(k + 1) for k in range(per_pixel)])
        axis.autoscale_view()  # anchors may reach far over the image
    write_figure(figure, path)
    return "The anchors around the middle pixel of each level; they may reach over the image's edges."


def draw_proposals(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw the boxes before and after the suppression, and how many had which fate."""
    picture, (boxes, ranks, _groups, fates, _overlap) = batch_picture(model, arrays), candidates_of_proposals(model, arrays)
    made = np.flatnonzero(fates != LOW_RANK)
    before = made[np.argsort(-ranks[made], kind="stable")][:BEFORE]
    after = arrays["proposals.0"][:AFTER]
    figure, (left, middle, right) = panels(3, picture.shape[:2])
    show(left, picture, f"before: the best {len(before)} of {len(made):,}")
    _boxes(left, boxes[before], [ORANGE if fate == KEPT else BLUE for fate in fates[before]], 0.6)
    show(middle, picture, f"after: the best {len(after)} of {len(arrays['proposals.0']):,}")
    _boxes(middle, after, [ORANGE] * len(after), 0.9)
    _fates(right, counts(fates))
    write_figure(figure, path)
    return "Candidates before the suppression (orange is kept, blue dies), proposals after it, and the fate of every anchor."


def draw_levels(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw the regions, coloured by the level that their features come from."""
    picture, strides = batch_picture(model, arrays), model.roi_heads.box_pooling.strides
    boxes, levels = arrays["proposals.0"], arrays["levels"]
    figure, axes = panels(len(strides), picture.shape[:2])
    for level, (axis, stride) in enumerate(zip(axes, strides)):
        own = boxes[levels == level]
        show(axis, picture, f"level {level}, stride {stride}: {len(own)} regions")
        _boxes(axis, own[:REGIONS], [colour(level + 1)] * len(own[:REGIONS]), 0.8)
    write_figure(figure, path)
    return f"Regions by the level of the pyramid that fits their size, up to {REGIONS} of each."


def sample_points(box: np.ndarray, stride: int, bins: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where RoIAlign samples a region, in the box's own pixels.

    Parameters
    ----------
    box : ndarray, shape (4,)
        ``(x1, y1, x2, y2)`` in pixels of the batch.
    stride : int
        Its pixels to one of the map.
    bins, samples : int
        Cells of the region, and points of a cell, along each axis.

    Returns
    -------
    x, y : ndarray, shape (bins * samples,)
        The points are all pairs. As with ``aligned=False`` there is no shift by half a pixel, and a region is at least one
        pixel of the map wide and high (`rawseg.ops.roi_align`).
    """
    parts = (np.arange(bins * samples) + 0.5) / (bins * samples)
    x, y, width, height = _extent(box, stride)
    return x + parts * width, y + parts * height


def _extent(box: np.ndarray, stride: int) -> tuple[float, float, float, float]:
    """Return x, y, width and height of what is sampled: at least one pixel of the map."""
    x1, y1, x2, y2 = (float(number) for number in box)
    return x1, y1, max(x2 - x1, stride), max(y2 - y1, stride)


def draw_samples(model: MaskRCNN, arrays: Arrays, path: Path, _: Any) -> str:
    """Draw where the region of the best detection is sampled; of the best proposal, if there is no detection."""
    picture, pooling = batch_picture(model, arrays), model.roi_heads.box_pooling
    figure, (whole, near) = panels(2, picture.shape[:2])
    show(whole, picture, "no region")
    show(near, picture, "")
    if len(arrays["proposals.0"]) == 0:
        write_figure(figure, path)
        return "No region was proposed."
    region = int(arrays["regions.0"][0]) if len(arrays["regions.0"]) else 0
    box, stride = arrays["proposals.0"][region], pooling.strides[arrays["levels"][region]]
    whole.set_title(f"region {region}, stride {stride}", fontsize=9, color=INK)
    near.set_title(f"{pooling.size} x {pooling.size} cells, {pooling.samples} x {pooling.samples} points each", fontsize=9)
    for axis, width in ((whole, 1.0), (near, 1.6)):
        _boxes(axis, box[None], [ORANGE], width)
    _boxes(whole, arrays["boxes.0"][:1], [VERMILLION], 1.0)
    _cells(near, box, stride, pooling)
    write_figure(figure, path)
    if not pooling.layer.startswith("roi_align"):
        return f"The cells of a region (orange) before {pooling.layer} rounds it to whole pixels of the map."
    return "A region (orange), what became of it (red), and the points at which RoIAlign reads the map between its pixels."


def _cells(axes: Axes, box: np.ndarray, stride: int, pooling: Any) -> None:
    """Draw the cells of a region, and the points in them if the layer reads at such."""
    x, y, width, height = _extent(box, stride)
    parts = np.arange(pooling.size + 1) / pooling.size
    edges_x, edges_y = x + parts * width, y + parts * height
    axes.vlines(edges_x, edges_y[0], edges_y[-1], color=hexadecimal(ORANGE), linewidth=0.7)
    axes.hlines(edges_y, edges_x[0], edges_x[-1], color=hexadecimal(ORANGE), linewidth=0.7)
    if pooling.layer.startswith("roi_align"):
        points = np.meshgrid(*sample_points(box, stride, pooling.size, pooling.samples))
        axes.scatter(*points, s=5, color=hexadecimal(BLUE), linewidths=0.3, edgecolors="white", zorder=3)
    margin = 0.08 * max(width, height)
    axes.set_xlim(edges_x[0] - margin, edges_x[-1] + margin)
    axes.set_ylim(edges_y[-1] + margin, edges_y[0] - margin)


def _boxes(axes: Axes, boxes: np.ndarray, colours: Sequence[tuple[int, int, int]], width: float = 1.3) -> None:
    """Draw boxes, the first on top."""
    from matplotlib.collections import LineCollection

    if len(boxes):
        x1, y1, x2, y2 = np.asarray(boxes, np.float64)[::-1].T
        lines = np.stack([np.stack(c, 1) for c in ((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1))], 1)  # (K, 5, 2)
        axes.add_collection(LineCollection(list(lines), colors=[hexadecimal(c) for c in colours[::-1]], linewidths=width))


def _fates(axes: Axes, found: dict[str, int]) -> None:
    """Draw how many boxes had which fate, on a logarithmic scale: most were never looked at."""
    colours = [ORANGE if number == KEPT else BLUE for number in range(len(FATES))]
    texts = [f"{fate}: {found[fate]:,}" for fate in FATES]
    bars(axes, np.log10(np.array([found[fate] for fate in FATES]) + 1), texts, colours)
    axes.set_xticks([])
    axes.set_title("fates of all anchors (logarithmic)", fontsize=9, color=INK)
