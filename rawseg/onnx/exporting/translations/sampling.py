"""Samples at points and in regions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....functional.sampling import grid_sample
from ....ops.roi_pooling import roi_pool
from ....ops.roi_sampling import roi_align, roi_warp
from .. import regions
from ..geometry import both
from ..program import Reference, Step
from ..writer import Writer, refuse
from .registry import translates


@translates(grid_sample)
def sample(w: Writer, step: Step) -> str:
    """Translate sampling at the points of a grid."""
    w.needs(step, 16)
    x, grid = (_argument(w, step, name) for name in ("input", "grid"))
    mode = step.options["mode"]
    if w.opset >= 20:
        mode = {"bilinear": "linear"}.get(mode, mode)
    corners = int(bool(step.options["align_corners"]))
    return w.node("GridSample", x, grid, mode=mode, padding_mode=step.options["padding_mode"], align_corners=corners)


@translates(roi_align)
def aligned_regions(w: Writer, step: Step) -> str:
    """Translate RoIAlign."""
    options = step.options
    batch, boxes = _boxes(w, step)
    samples, aligned = options["sampling_ratio"], bool(options["aligned"])
    if aligned:
        w.needs(step, 16)
    arguments = batch, boxes, both(options["output_size"]), options["spatial_scale"], samples, aligned
    if options["mode"] == "avg":
        return regions.align(w.builder, _argument(w, step, "input"), *arguments)
    if samples < 1:
        refuse(step, "a sampling_ratio of at least 1 with mode='max'", samples)
    return regions.align_largest(w.builder, _argument(w, step, "input"), *arguments)


@translates(roi_warp)
def warped_regions(w: Writer, step: Step) -> str:
    """Translate RoIWarp."""
    options = step.options
    arguments = both(options["output_size"]), options["spatial_scale"], options["sampling_ratio"], step.out.dtype
    return regions.warp(w.builder, _argument(w, step, "input"), *_boxes(w, step), *arguments)


@translates(roi_pool)
def pooled_regions(w: Writer, step: Step) -> str:
    """Translate RoIPool."""
    arguments = both(step.options["output_size"]), step.options["spatial_scale"], step.out.dtype
    return regions.pool(w.builder, _argument(w, step, "input"), *_boxes(w, step), *arguments)


def _argument(w: Writer, step: Step, name: str) -> str:
    """Return the name of an argument: a Tensor among the step's inputs, in their order, or an array among its options."""
    if name in step.options:
        return _named(w, step.options[name])
    tensors = [n for n in ("input", "grid" if step.operation is grid_sample else "boxes") if n not in step.options]
    return w.name(step.inputs[tensors.index(name)])


def _named(w: Writer, option: Any) -> str:
    return w.name(option) if isinstance(option, Reference) else w.builder.constant(option)


def _boxes(w: Writer, step: Step) -> tuple[str, str]:
    """Return the names of the boxes' images, shape (K,), and of their corners, shape (K, 4)."""
    entries = step.options.get("boxes")
    if not isinstance(entries, (list, tuple)):
        rois, b = _argument(w, step, "boxes"), w.builder
        batch = b.node("Slice", rois, b.ints(0), b.ints(1), b.ints(1))
        corners = b.node("Slice", rois, b.ints(1), b.ints(5), b.ints(1))
        return b.cast(b.node("Reshape", batch, b.ints(-1)), np.int64), corners
    batches, corners = [], []
    for image, entry in enumerate(entries):
        shape = w.program.values[entry.number].shape if isinstance(entry, Reference) else entry.shape
        corners.append(_named(w, entry))
        batches.append(w.node("Expand", w.builder.ints(image), w.shape(shape[:1], step.module)))
    if len(batches) == 1:
        return batches[0], corners[0]
    return w.node("Concat", *batches, axis=0), w.node("Concat", *corners, axis=0)
