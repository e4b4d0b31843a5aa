"""Mistakes in sampling at arbitrary points."""

from __future__ import annotations

from .fault import mistakes

LOOPS = "rawseg_kernels.grid_sample.reference"
SAMPLING = "rawseg.functional.sampling"

FAULTS = [
    *mistakes(
        "grid_sample",
        LOOPS,
        "locate",
        (
            "xy",
            "grid.dtype.type(w if axis == 0 else h)",
            "grid.dtype.type(h if axis == 0 else w)",
            "x is scaled by the height, y by the width",
        ),
        ("corners-exchanged", "if align_corners:", "if not align_corners:", "align_corners means its opposite"),
        ("no-far-border", "elif c >= extent - one:", "elif False:", "points beyond the far border are not held at it"),
        (
            "border-dropped",
            "if not -1 <= c < extent:",
            "if not 0 <= c <= extent - one:",
            "points between the outermost centres and the edge count as 0",
        ),
        ("mirror-slope", "two * span - c, -slope", "two * span - c, slope", "a mirror does not turn the gradient around"),
        ("slope-twice", "slope = span / two", "slope = span", "the gradient of the grid is twice as large"),
        ("half-up", "np.rint(c)", "np.floor(c + one / two)", "halves are rounded up, not to the even pixel"),
    ),
    *mistakes(
        "grid_sample",
        LOOPS,
        "backward_input",
        ("assigned", "plane[index] += ONE", "plane[index] = ONE", "= for +=: points that share a pixel do not add up"),
    ),
    *mistakes(
        "grid_sample",
        LOOPS,
        "backward_weights",
        (
            "first-channel",
            "for k in range(c)",
            "for k in range(min(c, 1))",
            "the gradient of the grid is that of the first channel",
        ),
    ),
    *mistakes(
        "grid_sample",
        SAMPLING,
        "Weights.forward",
        (
            "taps",
            "weights(fractions, taps)",
            "weights(fractions[..., ::-1], taps)",
            "the weights of two corners are exchanged",
        ),
    ),
    *mistakes(
        "grid_sample",
        SAMPLING,
        "Weights.backward",
        (
            "gradient-xy",
            "[upper * (1 - down) + lower * down, first * (1 - right) + second * right]",
            "[first * (1 - right) + second * right, upper * (1 - down) + lower * down]",
            "the gradient of the grid has x and y exchanged",
        ),
    ),
    *mistakes(
        "grid_sample",
        SAMPLING,
        "SampleInput.backward",
        (
            "second-grid",
            "if ctx.needs_grad[1] else None",
            "if False else None",
            "the input's gradient does not depend on the grid",
        ),
    ),
    *mistakes(
        "affine_grid",
        SAMPLING,
        "affine_grid",
        ("xy", "points[..., 0], points[..., 1] =", "points[..., 1], points[..., 0] =", "x and y are exchanged"),
    ),
    *mistakes(
        "affine_grid",
        SAMPLING,
        "_centres",
        ("corners-ignored", "pixels - 1 if align_corners else pixels", "pixels", "align_corners is ignored"),
    ),
]
