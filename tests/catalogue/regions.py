"""Regions of interest: RoIAlign, its largest sample, RoIWarp and RoIPool."""

from __future__ import annotations

import numpy as np
import torch
from roi_cases import rounded, torch_roi_align, torch_roi_pool
from twins import spread

from catalogue.entry import OpCall, forms
from rawseg import ops
from rawseg_kernels import roi_align, roi_align_max, roi_pool

ROIS = np.array(
    [[2, 0.7, 1.3, 9.2, 6.9], [0, -3.1, -2.2, 5.5, 4.1], [2, 3.2, 2.1, 12.4, 9.7], [1, 20, 20, 30, 30], [0, 1.1, 2.3, 1.6, 2.9]]
)
GRIDS = ((3, 2), 0.8, -1, True)  # bins, scale, samples, aligned


def maps(dtype):
    """Maps of more channels than one part of lanes, and boxes in, across and beside them, out of order."""
    return [np.random.default_rng(0).standard_normal((3, 70, 7, 9)).astype(dtype), ROIS.astype(dtype)]


def maps_and_gradient(dtype):
    return [*maps(dtype), np.random.default_rng(1).standard_normal((5, 70, 3, 2)).astype(dtype)]


def align(verb):
    """Return a call of a verb of RoIAlign on (x, boxes, grad_output, algorithm)."""
    take = {
        "forward": lambda x, g, grid, a: roi_align.forward(x, grid, algorithm=a),
        "backward_input": lambda x, g, grid, a: roi_align.backward_input(g, grid, algorithm=a),
        "backward_rows": lambda x, g, grid, a: roi_align.backward_rows(g, x, grid, algorithm=a),
        "backward_columns": lambda x, g, grid, a: roi_align.backward_columns(g, x, grid, algorithm=a),
    }[verb]
    return lambda x, boxes, g, a: take(x, g, roi_align.sample_grid(x, boxes, *GRIDS), a)


def largest(verb):
    """Return a call of a verb of the largest sample on (x, boxes, grad_output, algorithm)."""
    take = {
        "forward": lambda x, g, c, grid, a: roi_align_max.forward(x, grid, algorithm=a),
        "gather": lambda x, g, c, grid, a: roi_align_max.gather(x, c, grid, algorithm=a),
        "backward_input": lambda x, g, c, grid, a: roi_align_max.backward_input(g, c, grid, algorithm=a),
        "backward_rows": lambda x, g, c, grid, a: roi_align_max.backward_rows(g, x, c, grid, algorithm=a),
        "backward_columns": lambda x, g, c, grid, a: roi_align_max.backward_columns(g, x, c, grid, algorithm=a),
    }[verb]

    def call(x, boxes, g, a):
        grid = roi_align.sample_grid(x, boxes, *GRIDS)
        return take(x, g, roi_align_max.forward(x, grid)[1], grid, a)

    return call


def pool(verb):
    """Return a call of a verb of RoIPool on (x, boxes, grad_output, algorithm)."""

    def call(x, boxes, g, a):
        bins = roi_pool.bins(x, boxes, *GRIDS[:2])
        if verb == "forward":
            return roi_pool.forward(x, bins, a)
        indices = roi_pool.forward(x, bins)[1]
        if verb == "gather":
            return roi_pool.gather(x, indices, bins.batch, a)
        return roi_pool.backward(g, indices, bins.batch, x.shape, a)

    return call


VERBS = {
    "roi_align": (align, ("forward", "backward_input", "backward_rows", "backward_columns")),
    "roi_align_max": (largest, ("forward", "gather", "backward_input", "backward_rows", "backward_columns")),
    "roi_pool": (pool, ("forward", "backward", "gather")),
}
KERNELS = [
    entry
    for room, (make, verbs) in VERBS.items()
    for verb in verbs
    for entry in forms(room.removesuffix("_max"), f"{room}.{verb}", ("direct", "reference"), make(verb), maps_and_gradient)
]

FIRST = np.array([[0.37, 0.21, 3.63, 2.84]])  # boxes of the first image and of the second
SECOND = np.array([[-1.71, 0.58, 2.43, 4.69], [2.17, 1.07, 2.29, 1.39]])
X = spread((2, 2, 3, 4))


def with_indices(first, second):
    """Return PyTorch's boxes (L, 4) of two images as one (K, 5)."""
    return torch.cat([torch.nn.functional.pad(boxes, (1, 0), value=image) for image, boxes in enumerate((first, second))])


def aligning(name, *geometry, mode="avg"):
    return OpCall(
        "roi_align",
        f"roi_align {name}",
        lambda x, first, second: ops.roi_align(x, [first, second], *geometry, mode=mode),
        [X, FIRST, SECOND],
        lambda x, first, second: torch_roi_align(x, with_indices(first, second), *geometry, mode=mode),
    )


def warped(x):
    """RoIWarp as RoIAlign of boxes that are rounded beforehand."""
    boxes = with_indices(torch.tensor(FIRST), torch.tensor(SECOND))
    corners = [[rounded(0.8 * float(value)) for value in box[1:]] for box in boxes]
    whole = [[float(b), x1, y1, max(x2, x1) + 1, max(y2, y1) + 1] for b, (x1, y1, x2, y2) in zip(boxes[:, 0], corners)]
    return torch_roi_align(x, torch.tensor(whole, dtype=torch.float64), (1, 2), 1.0, 2)


OPS = [
    aligning("aligned", (2, 1), 0.9, 2, True),
    aligning("adaptive", (1, 2), 0.9, -1, False),
    aligning("maximum", (2, 1), 0.9, 2, True, mode="max"),
    OpCall("roi_warp", "roi_warp", lambda x: ops.roi_warp(x, [FIRST, SECOND], (1, 2), 0.8, 2), [X], warped),
    OpCall(
        "roi_pool",
        "roi_pool",
        lambda x: ops.roi_pool(x, [FIRST, SECOND], (1, 2), 0.8),
        [X],
        lambda x: torch_roi_pool(x, with_indices(torch.tensor(FIRST), torch.tensor(SECOND)).numpy(), (1, 2), 0.8),
    ),
]
