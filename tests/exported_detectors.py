"""What the tests of exported Mask R-CNNs share: a small network that finds much, a photograph, a comparison of objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rawseg
from rawseg import Tensor, models, no_grad
from rawseg.onnx.exporting.detector import comparison

__all__ = ["CORNERS", "OUTPUTS", "assert_alike", "lively", "objects", "photograph"]

photographs = pytest.importorskip("skimage.data", reason="scikit-image, which has the photographs, is not installed")

OUTPUTS = ("boxes", "labels", "scores", "masks")
SMALL = {"classes": 4, "backbone": "resnet18", "width_mult": 0.25, "channels": 16, "hidden": 32, "mask_layers": 1}
SMALL |= {"min_size": 128, "max_size": 192, "anchor_sizes": (16, 32, 64, 128, 256), "proposals": (100, 60)}
# Sums of some thousand float32 terms in another order move logits by some 1e-5 of their size, and so scores; sides of boxes are
# the exponentials of codes, in pixels of an image of some hundred. A planted fault of any stage is far beyond.
SCORES, CORNERS, PIXELS = 5e-5, 0.05, 1e-3


def photograph(part: Any = np.s_[60:260, 120:400]) -> np.ndarray:
    """Return a portrait, or a part of it, shape (3, H, W), values in [0, 1]."""
    image = photographs.astronaut()[part]
    return np.ascontiguousarray((image / 255).astype(np.float32).transpose(2, 0, 1))


def lively(**options: Any) -> Any:
    """Return a network that finds many objects: random weights, larger than those that training begins with."""
    rawseg.manual_seed(0)
    model = models.build("mask_rcnn", **SMALL | options).eval()
    rng = np.random.default_rng(0)
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            shape = module.running_mean.shape
            module.running_mean.array[:] = rng.normal(0, 0.3, shape)
            module.running_var.array[:] = rng.uniform(0.5, 2, shape)
            module.weight.array[:], module.bias.array[:] = rng.uniform(0.5, 1.5, shape), rng.normal(0, 0.2, shape)
    scales = {"rpn.head.cls_logits": 0.1, "rpn.head.bbox_pred": 0.1, "cls_score": 0.3, "box_predictor.bbox_pred": 0.1}
    for name, parameter in model.named_parameters():
        scale = next((s for part, s in {**scales, "mask_fcn_logits": 0.5}.items() if f"{part}.weight" in name), None)
        if scale is not None:
            parameter.array[:] = rng.normal(0, scale, parameter.shape)
    return model


def objects(model: Any, image: np.ndarray) -> list[np.ndarray]:
    """Return the boxes, labels, scores and masks that rawseg finds."""
    with no_grad():
        found = model([Tensor(image)])[0]
    return [found[name].numpy() for name in OUTPUTS]


def assert_alike(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Compare object by object; of those whose scores rounding cannot tell apart the order is free."""
    assert [array.shape for array in found] == [array.shape for array in wanted]
    assert [array.dtype for array in found] == [array.dtype for array in wanted]
    assert np.abs(found[2] - wanted[2]).max(initial=0) <= SCORES
    order = comparison.paired(found, wanted)
    moved = np.flatnonzero(np.array(order) != np.arange(len(order)))
    assert all(abs(wanted[2][i] - wanted[2][order[i]]) <= 2 * SCORES for i in moved)
    boxes, labels, _, masks = (array[order] for array in found)
    assert np.array_equal(labels, wanted[1])
    assert np.abs(boxes - wanted[0]).max(initial=0) <= CORNERS
    assert not masks.size or np.abs(masks - wanted[3]).mean() <= PIXELS
