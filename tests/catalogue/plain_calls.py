"""One ordinary call of every public function, argument by argument, for the tests that put something else in one's place."""

from __future__ import annotations

from typing import Any

import numpy as np
from twins import spread

BOXES = np.array([[0.5, 0.25, 3.5, 2.75], [1.0, 1.5, 2.25, 4.0]])
ROIS = np.concatenate([np.zeros((2, 1)), BOXES], 1)
IDS = np.array([[[0, 2, 1], [1, 0, 2]]])  # (N, H, W), three classes


def image(*shape: int) -> np.ndarray:
    return spread(shape or (1, 2, 4, 5))


def probabilities(*shape: int) -> np.ndarray:
    return spread(shape, 0.1, 0.9)


def bits(*shape: int) -> np.ndarray:
    return (spread(shape) > 0).astype(np.float64)


def plain_calls() -> dict[str, dict[str, Any]]:
    """Return for each name of `rawseg.functional` and `rawseg.ops` the arguments of a call that works."""
    masks = {"input": probabilities(1, 3, 2, 3), "target": IDS, "smooth": 1.0, "per": "image-class", "reduction": "mean"}
    masks |= {"ignore_index": -100, "empty": "raise"}
    pooling = {"input": image(), "kernel_size": 2, "stride": 2, "padding": 1}
    regression = {"input": image(2, 3), "target": image(2, 3), "reduction": "mean", "weight": None}
    boxes = {"input": image(), "boxes": ROIS, "output_size": 2, "spatial_scale": 1.0}
    channels = {"weight": image(2), "bias": image(2), "eps": 1e-5}
    elementwise = {"input": image(2, 3), "inplace": False}
    return {
        "adaptive_avg_pool2d": {"input": image(), "output_size": (2, None)},
        "adaptive_max_pool2d": {"input": image(), "output_size": 2, "return_indices": False},
        "affine_grid": {"theta": image(1, 2, 3), "size": (1, 1, 3, 4), "align_corners": False},
        "avg_pool2d": {**pooling, "ceil_mode": False, "count_include_pad": True, "divisor_override": None},
        "batch_norm": {
            "input": image(),
            "running_mean": np.zeros(2),
            "running_var": np.ones(2),
            **channels,
            "training": True,
            "momentum": 0.1,
        },
        "batched_nms": {"boxes": BOXES, "scores": np.array([0.5, 0.25]), "idxs": np.array([0, 1]), "iou_threshold": 0.5},
        "binary_cross_entropy": {
            "input": probabilities(2, 3),
            "target": probabilities(2, 3),
            "weight": None,
            "reduction": "mean",
        },
        "binary_cross_entropy_with_logits": {
            "input": image(2, 3),
            "target": probabilities(2, 3),
            "weight": None,
            "reduction": "mean",
            "pos_weight": np.ones(3),
        },
        "border_weights": {"mask": IDS[0], "w0": 10.0, "sigma": 5.0, "class_weights": None},
        "box_area": {"boxes": BOXES},
        "box_convert": {"boxes": BOXES, "in_fmt": "xyxy", "out_fmt": "cxcywh"},
        "box_iou": {"boxes1": BOXES, "boxes2": BOXES + 0.5},
        "celu": {**elementwise, "alpha": 1.0},
        "clip_boxes_to_image": {"boxes": BOXES, "size": (4, 5)},
        "conv2d": {
            "input": image(),
            "weight": image(2, 1, 2, 3),
            "bias": image(2),
            "stride": 1,
            "padding": 1,
            "dilation": 1,
            "groups": 2,
        },
        "conv_transpose2d": {
            "input": image(),
            "weight": image(2, 1, 2, 3),
            "bias": image(2),
            "stride": 2,
            "padding": 1,
            "output_padding": 0,
            "groups": 2,
            "dilation": 1,
        },
        "cross_entropy": {
            "input": image(1, 3, 2, 3),
            "target": IDS,
            "weight": np.ones(3),
            "ignore_index": -100,
            "reduction": "mean",
            "label_smoothing": 0.0,
        },
        "dice_loss": masks,
        "dropout": {"input": image(2, 3), "p": 0.5, "training": True, "inplace": False},
        "dropout2d": {"input": image(), "p": 0.5, "training": True, "inplace": False},
        "elu": {**elementwise, "alpha": 1.0},
        "focal_loss": {
            "input": image(1, 3, 2, 3),
            "target": IDS,
            "gamma": 2.0,
            "weight": np.ones(3),
            "ignore_index": -100,
            "reduction": "mean",
        },
        "fold": {
            "input": image(1, 8, 12),
            "output_size": (4, 5),
            "kernel_size": 2,
            "dilation": 1,
            "padding": 0,
            "stride": 1,
        },
        "gelu": {"input": image(2, 3), "approximate": "none"},
        "generalized_box_iou": {"boxes1": BOXES, "boxes2": BOXES + 0.5},
        "grid_sample": {
            "input": image(),
            "grid": spread((1, 2, 3, 2), -0.9, 0.9),
            "mode": "bilinear",
            "padding_mode": "zeros",
            "align_corners": False,
        },
        "group_norm": {"input": image(), "num_groups": 1, **channels},
        "hardsigmoid": elementwise,
        "hardswish": elementwise,
        "hardtanh": {**elementwise, "min_val": -1.0, "max_val": 1.0},
        "huber_loss": {**regression, "delta": 1.0},
        "instance_norm": {
            "input": image(),
            "running_mean": None,
            "running_var": None,
            **channels,
            "use_input_stats": True,
            "momentum": 0.1,
        },
        "interpolate": {"input": image(), "size": (3, 6), "mode": "bilinear", "align_corners": False},
        "jaccard_loss": masks,
        "l1_loss": regression,
        "layer_norm": {"input": image(), "normalized_shape": (5,), "weight": image(5), "bias": image(5), "eps": 1e-5},
        "leaky_relu": {**elementwise, "negative_slope": 0.01},
        "linear": {"input": image(2, 3), "weight": image(4, 3), "bias": image(4)},
        "log_softmax": {"input": image(2, 3), "dim": 1, "dtype": None},
        "logsigmoid": {"input": image(2, 3)},
        "lovasz_hinge": {"input": image(1, 2, 3), "target": (IDS == 1).astype(np.int64), "per_image": True},
        "lovasz_softmax": {"input": probabilities(1, 3, 2, 3), "target": IDS, "classes": "present", "per_image": False},
        "masks_to_boxes": {"masks": np.ones((2, 3, 4), bool)},
        "max_pool2d": {**pooling, "dilation": 1, "ceil_mode": False, "return_indices": False},
        "max_unpool2d": {
            "input": image(1, 1, 2, 2),
            "indices": np.array([[[[0, 3], [9, 10]]]]),
            "kernel_size": 2,
            "stride": 2,
            "padding": 0,
            "output_size": (4, 4),
            "duplicates": "raise",
        },
        "mish": elementwise,
        "mse_loss": regression,
        "nll_loss": {
            "input": image(1, 3, 2, 3),
            "target": IDS,
            "weight": np.ones(3),
            "ignore_index": -100,
            "reduction": "mean",
        },
        "nms": {"boxes": BOXES, "scores": np.array([0.5, 0.25]), "iou_threshold": 0.5},
        "one_hot": {"tensor": IDS, "num_classes": 4},
        "pad": {"input": image(), "pad": (1, 2, 0, 1), "mode": "constant", "value": 0.0},
        "paste_masks": {"masks": probabilities(2, 1, 4, 4), "boxes": BOXES, "image_size": (5, 6)},
        "pixel_shuffle": {"input": image(1, 4, 2, 3), "upscale_factor": 2},
        "pixel_unshuffle": {"input": image(1, 1, 4, 6), "downscale_factor": 2},
        "relu": elementwise,
        "relu6": elementwise,
        "remove_small_boxes": {"boxes": BOXES, "min_size": 1.0},
        "roi_align": {**boxes, "sampling_ratio": 2, "aligned": True, "mode": "avg"},
        "roi_levels": {"boxes": BOXES, "k_min": 2, "k_max": 5},
        "roi_pool": boxes,
        "roi_warp": {**boxes, "sampling_ratio": 2},
        "selu": elementwise,
        "sigmoid": {"input": image(2, 3)},
        "sigmoid_focal_loss": {
            "inputs": image(2, 3),
            "targets": bits(2, 3),
            "alpha": 0.25,
            "gamma": 2.0,
            "reduction": "none",
        },
        "silu": elementwise,
        "smooth_l1_loss": {"input": image(2, 3), "target": image(2, 3), "reduction": "mean", "beta": 1.0},
        "softmax": {"input": image(2, 3), "dim": 1, "dtype": None},
        "softplus": {"input": image(2, 3), "beta": 1.0, "threshold": 20.0},
        "tanh": {"input": image(2, 3)},
        "tversky_loss": {**masks, "alpha": 0.5, "beta": 0.5},
        "unfold": {"input": image(), "kernel_size": 2, "dilation": 1, "padding": 0, "stride": 1},
        "weighted_cross_entropy": {
            "input": image(1, 3, 2, 3),
            "target": IDS,
            "pixel_weight": np.abs(image(1, 2, 3)),
            "weight": np.ones(3),
            "ignore_index": -100,
            "reduction": "mean",
        },
    }
