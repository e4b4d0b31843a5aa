"""Boxes, suppression, pasted masks and focal losses."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as TF
from box_cases import (
    torch_box_iou,
    torch_decode,
    torch_encode,
    torch_focal_loss,
    torch_generalized_box_iou,
    torch_sigmoid_focal_loss,
)
from twins import spread

from catalogue.entry import OpCall, forms
from rawseg import functional as F
from rawseg import ops
from rawseg.testing.strategies.boxes import scattered_boxes
from rawseg_kernels import box_iou, nms, paste_masks

IDS = np.array([[[0, 2], [1, -100]], [[1, 1], [-100, 0]]])  # (N, H, W)
WEIGHTS = np.array([0.5, 2.0, 1.5])
BITS = (spread((3, 4), seed=9) > 0).astype(np.float64)
CODER = ops.BoxCoder((10.0, 8.0, 5.0, 4.0))
ONE, OTHER = (scattered_boxes(seed, 3, np.float64, 3.0) for seed in (1, 2))
CODES = spread((3, 8), -6.0, 6.0)  # two classes; both sides of the clamp of a coder below


def scored(dtype):
    """Boxes for more than one block and two tiles of ``nms.direct``."""
    rng = np.random.default_rng(3)
    return [scattered_boxes(3, 2400, dtype, 60.0), rng.integers(0, 300, 2400).astype(dtype), rng.integers(-1, 2, 2400)]


def masked(dtype):
    rng = np.random.default_rng(4)
    low = rng.uniform(-20, 60, (3, 2))
    return [rng.random((3, 1, 5, 5)).astype(dtype), np.concatenate([low, low + rng.uniform(0, 90, (3, 2))], 1).astype(dtype)]


def two_sets(dtype):
    return [scattered_boxes(1, 7, dtype), scattered_boxes(2, 9, dtype)]


KERNELS = [
    entry
    for name, call, arrays in (
        ("nms.forward", lambda b, s, g, a: nms.forward(b, s, 0.3, None, a), scored),
        ("nms.forward groups", lambda b, s, g, a: nms.forward(b, s, 0.3, g, a), scored),
        ("box_iou.forward", box_iou.forward, two_sets),
        ("paste_masks.forward", lambda m, b, a: paste_masks.forward(m, b, (70, 65), 1, a), masked),
    )
    for entry in forms(name.partition(".")[0], name, ("direct", "reference"), call, arrays)
]


def torch_clip(boxes):
    return torch.stack([boxes[..., 0::2].clamp(0, 5), boxes[..., 1::2].clamp(0, 4)], -1).reshape(boxes.shape)


def torch_centres(boxes):
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def torch_from_centres(boxes):
    centre, sides = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - sides / 2, sides], -1)


OPS = [
    OpCall("box_area", "box_area", ops.box_area, [ONE], lambda b: (b[:, 2:] - b[:, :2]).prod(1)),
    OpCall("box_area", "box_area cxcywh", lambda b: ops.box_area(b, "cxcywh"), [ONE], lambda b: b[:, 2:].prod(1)),
    OpCall("box_convert", "box_convert to centres", lambda b: ops.box_convert(b, "xyxy", "cxcywh"), [ONE], torch_centres),
    OpCall(
        "box_convert", "box_convert from centres", lambda b: ops.box_convert(b, "cxcywh", "xywh"), [ONE], torch_from_centres
    ),
    OpCall(
        "clip_boxes_to_image", "clip", lambda b: ops.clip_boxes_to_image(b, (4, 5)), [spread((2, 3, 4), -3.3, 9.1)], torch_clip
    ),
    OpCall("box_iou", "box_iou", ops.box_iou, [ONE, OTHER], torch_box_iou),
    OpCall(
        "box_iou",
        "box_iou xywh",
        lambda b, c: ops.box_iou(b, c, "xywh"),
        [ONE, OTHER],
        lambda b, c: torch_box_iou(*(torch.cat([x[:, :2], x[:, :2] + x[:, 2:]], 1) for x in (b, c))),
    ),
    OpCall("generalized_box_iou", "generalized_box_iou", ops.generalized_box_iou, [ONE, OTHER], torch_generalized_box_iou),
    OpCall("BoxCoder", "encode", CODER.encode_single, [ONE, OTHER], lambda b, c: torch_encode(b, c, CODER.weights)),
    OpCall("BoxCoder", "decode", CODER.decode_single, [CODES, OTHER], lambda b, c: torch_decode(b, c, CODER.weights)),
    OpCall(
        "BoxCoder",
        "decode clamped",
        ops.BoxCoder(CODER.weights, 0.31).decode_single,
        [CODES, OTHER],
        lambda b, c: torch_decode(b, c, CODER.weights, 0.31),
    ),
    OpCall(
        "sigmoid_focal_loss",
        "sigmoid_focal_loss",
        lambda x, t: ops.sigmoid_focal_loss(x, t, 0.3, 1.5),
        [spread((3, 4)), spread((3, 4), 0.1, 0.9, seed=1)],
        lambda x, t: torch_sigmoid_focal_loss(x, t, 0.3, 1.5),
    ),
    OpCall(
        "sigmoid_focal_loss",
        "sigmoid_focal_loss labels",
        lambda x: F.sigmoid_focal_loss(x, BITS, -1, 0.5, "mean"),
        [spread((3, 4))],
        lambda x: torch_sigmoid_focal_loss(x, torch.tensor(BITS), -1, 0.5).mean(),
    ),
    OpCall(
        "focal_loss",
        "focal_loss",
        lambda x: F.focal_loss(x, IDS, 1.5, WEIGHTS),
        [spread((2, 3, 2, 2))],
        lambda x: torch_focal_loss(x, torch.tensor(IDS), 1.5, torch.tensor(WEIGHTS)).sum() / 8.5,  # the weights of the six kept
    ),
    OpCall(
        "focal_loss",
        "focal_loss without focus",
        lambda x: F.focal_loss(x, IDS, 0.0, None, reduction="none"),
        [spread((2, 3, 2, 2))],
        lambda x: TF.cross_entropy(x, torch.tensor(IDS), reduction="none"),
    ),
]
