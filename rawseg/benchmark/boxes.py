"""The passes of boxes: overlaps, suppression, RoIPool and masks that are pasted into an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels import box_iou, nms, paste_masks, roi_pool

from .passes import Pass, beside, normals, nothing, relative, sum_of
from .planes import compiled_operations

CROWD = 10  # boxes around one object, as a network proposes them


def crowded(seed: int, count: int, height: float, width: float) -> np.ndarray:
    """Return boxes ``(x1, y1, x2, y2)`` in an image, many of which overlap: each object has a crowd of them."""
    rng = np.random.default_rng(seed)
    objects = -(-count // CROWD)
    centres = rng.uniform(0.2, 0.8, (objects, 2)).repeat(CROWD, 0)[:count] * [width, height]
    halves = rng.uniform(0.02, 0.15, (objects, 2)).repeat(CROWD, 0)[:count] * [width, height]
    centres, halves = centres + 0.2 * halves * rng.standard_normal((count, 2)), halves * rng.uniform(0.8, 1.2, (count, 2))
    return np.clip(np.hstack([centres - halves, centres + halves]), 0, [width, height] * 2).astype(np.float32)


def nms_passes(shape: tuple[int, ...], iou_threshold: float, size: Any = (800, 1216)) -> list[Pass]:
    """Return suppression of ``shape[0]`` boxes, beside torchvision's if it is installed."""
    boxes = crowded(0, shape[0], *size)
    scores = np.random.default_rng(1).permutation(shape[0]).astype(np.float32)  # no two are equal
    compiled = compiled_operations()
    return [
        Pass(
            "forward",
            (boxes, scores),
            lambda f, boxes, scores: lambda: f(boxes, scores, iou_threshold),
            compiled and (lambda boxes, scores: lambda: compiled.nms(boxes, scores, iou_threshold)),
            12.0 * shape[0] ** 2 / 2,
            nothing,
            nms,
            "forward",
            oracle=lambda boxes, scores: nms.forward(boxes, scores, iou_threshold, algorithm="reference"),
        )
    ]


def box_iou_passes(shape: tuple[int, ...], others: int, size: Any = (800, 1216)) -> list[Pass]:
    """Return the overlaps of ``shape[0]`` boxes with others."""
    boxes, objects = crowded(0, shape[0], *size), crowded(1, others, *size)
    return [
        Pass(
            "forward",
            (boxes, objects),
            lambda f, a, b: lambda: f(a, b),
            lambda a, b: lambda: _their_iou(a, b),
            12.0 * len(boxes) * len(objects),
            relative(2),
            box_iou,
            "forward",
        )
    ]


def _their_iou(a: Any, b: Any) -> Any:
    """Return torchvision's formula, which PyTorch's functions compute."""
    import torch

    low, high = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
    inside = (high - low).clamp(min=0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b)]
    return inside / (areas[0][:, None] + areas[1] - inside)


def roi_pool_passes(shape: tuple[int, ...], boxes: int, output_size: int, spatial_scale: float = 1.0) -> list[Pass]:
    """Return forward (values and indices) and grad input, beside torchvision's if it is installed."""
    import torch

    x, g = normals(0, shape, (boxes, shape[1], output_size, output_size))
    size = shape[2] / spatial_scale, shape[3] / spatial_scale
    maps = np.random.default_rng(2).integers(0, shape[0], boxes)
    rois = np.column_stack([maps, crowded(3, boxes, *size)]).astype(np.float32)
    bins = roi_pool.bins(x, rois, output_size, spatial_scale)
    indices = roi_pool.forward(x, bins)[1]
    compiled, geometry = compiled_operations(), (spatial_scale, output_size, output_size)

    def ours(f: Any, x: Any) -> Callable[[], Any]:
        there = beside(x, bins)
        return lambda: f(x, there)

    def ours_backward(f: Any, g: Any, indices: Any) -> Callable[[], Any]:
        batch = beside(g, bins.batch)
        return lambda: f(g, indices, batch, shape)

    def theirs(x: Any) -> Callable[[], Any]:
        there = torch.from_numpy(rois).to(x)
        return lambda: compiled.roi_pool(x, there, *geometry)

    def theirs_backward(g: Any, indices: Any) -> Callable[[], Any]:
        there, chosen = torch.from_numpy(rois).to(g), indices.int()
        return lambda: compiled._roi_pool_backward(g, there, chosen, *geometry, *shape)

    return [
        Pass(
            "forward",
            (x,),
            ours,
            compiled and theirs,
            0.0,
            nothing,
            roi_pool,
            "forward",
            oracle=lambda x: roi_pool.forward(x, bins, algorithm="reference")[0],
        ),
        Pass(
            "grad input",
            (g, indices),
            ours_backward,
            compiled and theirs_backward,
            float(g.size),
            sum_of(4 * boxes + 1),  # a pixel is in up to four bins of a box: neighbours share their edges
            roi_pool,
            "backward",
            oracle=lambda g, indices: roi_pool.backward(g, indices, bins.batch, shape, algorithm="reference"),
        ),
    ]


def paste_masks_passes(shape: tuple[int, ...], size: Any) -> list[Pass]:
    """Return masks ``shape``, (K, 1, M, M), in an image of a size; PyTorch has no such operation."""
    masks = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    boxes = crowded(1, shape[0], *size)

    def ours(f: Any, masks: Any) -> Callable[[], Any]:
        there = beside(masks, boxes)
        return lambda: f(masks, there, size)

    return [
        Pass(
            "forward",
            (masks,),
            ours,
            None,
            8.0 * float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum()),
            sum_of(8),
            paste_masks,
            "forward",
            oracle=lambda masks: paste_masks.forward(masks, boxes.astype(np.float64), size, algorithm="reference"),
        )
    ]


PASSES: dict[str, Callable[..., list[Pass]]] = {
    "nms": nms_passes,
    "box_iou": box_iou_passes,
    "roi_pool": roi_pool_passes,
    "paste_masks": paste_masks_passes,
}
