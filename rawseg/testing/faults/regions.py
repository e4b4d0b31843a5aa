"""Mistakes in operations on regions of interest."""

from __future__ import annotations

from .fault import mistakes

MEAN = "rawseg_kernels.roi_align.reference"
LARGEST = "rawseg_kernels.roi_align_max.reference"
POOL = "rawseg_kernels.roi_pool.reference"
GRID = "rawseg_kernels._roi_grid"
BOXES = "rawseg_kernels._roi"
SUMS = "rawseg.ops.roi_sums"

FAULTS = [
    *mistakes(
        "roi_align",
        "rawseg_kernels.roi_align",
        "sample_grid",
        (
            "half-forgotten",
            '(0.5 if _arrays.flag(OP, "aligned", aligned) else 0)',
            "(0)",
            "aligned boxes are not moved by half a pixel",
        ),
        (
            "no-least-size",
            "(end - start).clip(1)",
            "end - start",
            "boxes that are not aligned may be less than a pixel long",
        ),
        ("scale-once", "boxes[:, high] * scale - half", "boxes[:, high] - half", "the far corners are not scaled"),
    ),
    *mistakes(
        "roi_align",
        GRID,
        "_axis",
        (
            "border-outside",
            "(position >= -1) & (position <= size)",
            "(position >= 0) & (position <= size - 1)",
            "samples within a pixel of the map count as 0",
        ),
        (
            "outside-counted",
            "(position >= -1) & (position <= size)",
            "position == position",
            "samples far outside count as the border",
            "torchvision's Python form",
        ),
        ("sample-at-edge", "(i.astype(dtype) + dtype.type(0.5))", "i.astype(dtype)", "samples lie at the edges of their cells"),
        ("held-moves", "valid & ~last & (position >= 0)", "valid", "boxes have a gradient where the border holds a sample"),
    ),
    *mistakes(
        "roi_align",
        MEAN,
        "forward",
        ("first-image", "x[batch[k], channel]", "x[0, channel]", "all boxes lie on the first image"),
        ("count-axes", "max(grid_h * grid_w, 1)", "max(grid_h * grid_h, 1)", "the number of samples is that of rows, squared"),
    ),
    *mistakes(
        "roi_align",
        MEAN,
        "backward_input",
        ("assigned", "plane[y, z] +=", "plane[y, z] =", "= for +=: samples that share a pixel do not add up"),
        (
            "gradient-sum",
            "grad_output[k, channel, ph, pw] / max(grid_h * grid_w, 1)",
            "grad_output[k, channel, ph, pw]",
            "gradients are not divided by the number of samples",
        ),
    ),
    *mistakes(
        "roi_align",
        "rawseg.ops.roi_weights",
        "_change",
        (
            "box-scale",
            "boxes[:, column] * scale - half",
            "boxes[:, column] * 1.0 - half",
            "the gradient of the boxes lacks spatial_scale",
        ),
        (
            "box-half",
            "p + (i + 0.5) / samples",
            "p + i / samples",
            "the gradient of the boxes takes samples for the edges of their cells",
        ),
    ),
    *mistakes(
        "roi_align",
        MEAN,
        "backward_columns",
        ("box-rows", "ly * plane[y2, z]", "ly * plane[y1, z]", "the gradient of x reads one row of pixels twice"),
    ),
    *mistakes(
        "roi_align",
        SUMS,
        "AlignRows.backward",
        ("second-mixed", "if ctx.needs_grad[2] else None", "if False else None", "the gradient of y does not depend on x"),
    ),
    *mistakes(
        "roi_align",
        LARGEST,
        "forward",
        ("largest-last-tie", "value > best", "value >= best", "of equal samples the last one gets the gradient"),
        (
            "largest-outside",
            "if at < 0 or value > best or",
            "if y1 >= 0 and x1 >= 0 and (at < 0 or value > best) or",
            "samples outside do not take part in the largest",
        ),
    ),
    *mistakes(
        "roi_align",
        BOXES,
        "checked",
        ("inverted", "boxes[:, high] < boxes[:, low]", "boxes[:, high] < -np.inf", "inverted boxes are accepted"),
    ),
    *mistakes(
        "roi_pool",
        BOXES,
        "round_half_away",
        ("half-down", ">= 0.5", "> 0.5", "halves are rounded towards 0"),
    ),
    *mistakes(
        "roi_pool",
        BOXES,
        "rounded",
        ("extent", "end - start + 1", "end - start", "the last pixel of a box does not belong to it"),
    ),
    *mistakes(
        "roi_pool",
        "rawseg_kernels.roi_pool",
        "_edges",
        (
            "floor-for-ceil",
            "xp.ceil(place[1:] * step)",
            "xp.floor(place[1:] * step)",
            "bins end at the pixel below, and do not overlap",
        ),
    ),
    *mistakes(
        "roi_pool",
        POOL,
        "forward",
        ("empty-bin", "best if chosen >= 0 else 0", "best", "a bin outside the map holds the map's first pixel"),
        ("last-tie", "value > best", "value >= best", "of equal pixels the last one gets the gradient"),
        ("nan-dropped", " or np.isnan(value)", "", "NaN is smaller than everything"),
    ),
    *mistakes(
        "roi_pool",
        POOL,
        "backward",
        (
            "assigned",
            "indices[k, channel, ph, pw]] +=",
            "indices[k, channel, ph, pw]] =",
            "= for +=: bins that share a pixel do not add up",
        ),
    ),
    *mistakes(
        "roi_pool",
        POOL,
        "gather",
        (
            "second-image",
            "grad_grad_input[batch[k], channel,",
            "grad_grad_input[0, channel,",
            "the second derivative reads the first image",
        ),
    ),
    *mistakes(
        "roi_warp",
        "rawseg_kernels.roi_align.warp",
        "warp_grid",
        ("axes", "columns.astype(boxes.dtype)", "rows.astype(boxes.dtype)", "boxes are as wide as they are high"),
    ),
]
