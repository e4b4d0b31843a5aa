"""Calls of the sizes of real layers, about a million elements each, and what PyTorch makes of them.

Losses that are reduced have fewer: a sum of a million numbers in float32 may provably be 6 % off, in the worst order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rawseg.testing.case import Case


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def shares(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers between 0.05 and 0.95."""
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape).astype(np.float32)


def ids(below: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, below, shape)


def boxes(count: int, side: float = 100.0, seed: int = 0) -> np.ndarray:
    corners = np.random.default_rng(seed).uniform(0, side, (count, 2, 2))
    return np.concatenate([corners.min(1), corners.max(1) + 1], 1).astype(np.float32)


def probabilities(*shape: int) -> np.ndarray:
    x = shares(*shape)
    return x / x.sum(1, keepdims=True)


def regions(count: int, side: float) -> np.ndarray:
    return np.concatenate([np.zeros((count, 1), np.float32), boxes(count, side)], 1)


def points(*shape: int) -> np.ndarray:
    return (2 * shares(*shape, 2) - 1).astype(np.float32)


CHANNELS = {"running_mean": normal(32), "running_var": shares(32), "weight": normal(32, seed=1), "bias": normal(32, seed=2)}
LEARNED = {"running_mean": None, "running_var": None, "weight": normal(32, seed=1), "bias": normal(32, seed=2)}
MULTILINEAR = [
    ("conv2d", {"input": normal(1, 64, 56, 56), "weight": normal(64, 64, 3, 3, seed=1)}, {"padding": 1}),
    ("conv_transpose2d", {"input": normal(1, 64, 28, 28), "weight": normal(64, 32, 4, 4, seed=1)}, {"stride": 2}),
    ("linear", {"input": normal(16, 1024), "weight": normal(1000, 1024, seed=1), "bias": normal(1000)}, {}),
    ("avg_pool2d", {"input": normal(1, 1, 1000, 1000)}, {"kernel_size": 2}),
    ("adaptive_avg_pool2d", {"input": normal(1, 4, 512, 512)}, {"output_size": (7, 5)}),
    ("fold", {"input": normal(1, 36, 150 * 160)}, {"output_size": (152, 162), "kernel_size": 3}),
    ("interpolate", {"input": normal(1, 4, 256, 256)}, {"size": (512, 511), "mode": "bilinear"}),
    ("grid_sample", {"input": normal(1, 4, 256, 256), "grid": points(1, 512, 500)}, {"align_corners": False}),
    ("roi_align", {"input": normal(1, 16, 256, 256), "boxes": regions(300, 250)}, {"output_size": 7, "sampling_ratio": 2}),
    ("roi_warp", {"input": normal(1, 16, 256, 256), "boxes": regions(300, 250)}, {"output_size": 7, "sampling_ratio": 2}),
]
NONE = {"reduction": "none"}
SMOOTH = [
    ("softmax", {"input": normal(1000, 1000)}, {"dim": 1}),
    ("log_softmax", {"input": normal(1000, 1000)}, {"dim": 1}),
    ("layer_norm", {"input": normal(1000, 1000), "weight": normal(1000)}, {"normalized_shape": (1000,)}),
    ("batch_norm", {"input": normal(8, 32, 64, 64), **LEARNED}, {"training": True}),
    ("batch_norm", {"input": normal(8, 32, 64, 64), **CHANNELS}, {}),
    ("group_norm", {"input": normal(8, 32, 64, 64), "weight": normal(32, seed=1)}, {"num_groups": 4}),
    ("instance_norm", {"input": normal(8, 32, 64, 64), **LEARNED}, {}),
    ("binary_cross_entropy", {"input": shares(1000, 1000), "target": shares(1000, 1000, seed=1)}, NONE),
    ("binary_cross_entropy_with_logits", {"input": normal(1000, 1000), "target": shares(1000, 1000)}, NONE),
    ("binary_cross_entropy_with_logits", {"input": normal(300, 300), "target": shares(300, 300)}, {}),
    ("sigmoid_focal_loss", {"inputs": normal(1000, 1000), "targets": shares(1000, 1000)}, {}),
    ("cross_entropy", {"input": normal(10, 10, 100, 100), "target": ids(10, 10, 100, 100)}, NONE),
    ("cross_entropy", {"input": normal(8, 21, 100, 100), "target": ids(21, 8, 100, 100), "weight": shares(21)}, {}),
    ("nll_loss", {"input": -4 * shares(10, 10, 100, 100), "target": ids(10, 10, 100, 100)}, {}),
    (
        "weighted_cross_entropy",
        {"input": normal(10, 10, 100, 100), "target": ids(10, 10, 100, 100), "pixel_weight": shares(10, 100, 100)},
        NONE,
    ),
    ("focal_loss", {"input": normal(10, 10, 100, 100), "target": ids(10, 10, 100, 100)}, NONE),
    ("dice_loss", {"input": shares(4, 2, 120, 130), "target": ids(2, 4, 120, 130)}, {}),
    ("jaccard_loss", {"input": shares(4, 2, 120, 130), "target": ids(2, 4, 120, 130)}, {"per": "class"}),
    ("tversky_loss", {"input": shares(4, 2, 120, 130), "target": ids(2, 4, 120, 130)}, {"per": "image"}),
    ("lovasz_softmax", {"input": probabilities(2, 3, 100, 100), "target": ids(3, 2, 100, 100)}, {}),
    ("lovasz_hinge", {"input": normal(2, 150, 150), "target": ids(2, 2, 150, 150)}, {}),
    ("mse_loss", {"input": normal(1000, 1000), "target": normal(1000, 1000, seed=1)}, NONE),
    ("mse_loss", {"input": normal(300, 300), "target": normal(300, 300, seed=1)}, {}),
    ("l1_loss", {"input": normal(1000, 1000), "target": normal(1000, 1000, seed=1)}, NONE),
    ("smooth_l1_loss", {"input": normal(1000, 1000), "target": normal(1000, 1000, seed=1)}, NONE),
    ("huber_loss", {"input": normal(1000, 1000), "target": normal(1000, 1000, seed=1)}, NONE),
    ("box_area", {"boxes": boxes(250_000)}, {}),
    ("box_convert", {"boxes": boxes(250_000)}, {"in_fmt": "xyxy", "out_fmt": "cxcywh"}),
    ("box_iou", {"boxes1": boxes(1000), "boxes2": boxes(900, seed=1)}, {}),
    ("generalized_box_iou", {"boxes1": boxes(1000), "boxes2": boxes(900, seed=1)}, {}),
    (
        "BoxCoder.encode_single",
        {"reference_boxes": boxes(250_000), "proposals": boxes(250_000, seed=1)},
        {"weights": (1.0,) * 4},
    ),
    ("BoxCoder.decode_single", {"rel_codes": normal(250_000, 4), "boxes": boxes(250_000)}, {"weights": (1.0,) * 4}),
    ("paste_masks", {"masks": shares(20, 1, 28, 28), "boxes": boxes(20, 200.0)}, {"image_size": (224, 224)}),
    ("affine_grid", {"theta": normal(2, 2, 3)}, {"size": (2, 1, 500, 500), "align_corners": False}),
]


def named(table: list[tuple[str, dict, dict]]) -> list[Any]:
    return [Case(op, arrays, options) for op, arrays, options in table]


def theirs(case: Case) -> np.ndarray | None:
    """What PyTorch's function of the same name and arguments returns; None where it has none."""
    function = getattr(torch.nn.functional, case.op, None)
    if function is None:
        return None
    arrays = {name: torch.from_numpy(array.copy()) for name, array in case.arrays.items() if array is not None}
    if case.op == "batch_norm" and case.arrays["running_mean"] is None:
        arrays |= {"running_mean": None, "running_var": None}
    return function(**arrays, **case.options).numpy()
