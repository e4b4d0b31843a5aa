"""Mistakes in operations on boxes."""

from __future__ import annotations

from .fault import mistakes

IOU = "rawseg_kernels.box_iou.reference"
NMS = "rawseg_kernels.nms.reference"
OVERLAP = "rawseg.ops.overlap"
BOXES = "rawseg.ops.boxes"
CODER = "rawseg.ops.box_coder"
PASTE = "rawseg_kernels.paste_masks.tables"

FAULTS = [
    *mistakes(
        "box_iou",
        IOU,
        "forward",
        ("union", "+ area - w * h", "+ area", "what both boxes share is counted twice"),
        ("x-for-y", "max(y1, ONE * boxes2[j, 1])", "max(y1, ONE * boxes2[j, 0])", "heights begin at an x"),
        (
            "not-clamped",
            "w = max(min(x2, ONE * boxes2[j, 2]) - max(x1, ONE * boxes2[j, 0]), 0.0)",
            "w = min(x2, ONE * boxes2[j, 2]) - max(x1, ONE * boxes2[j, 0])",
            "boxes apart share a negative width",
        ),
        ("empty", "if union > 0:", "if True:", "the overlap of two boxes without an area is 0 / 0", "torchvision"),
        (
            "plus-one",
            "(x2 - x1) * (y2 - y1) + area",
            "(x2 - x1 + 1) * (y2 - y1 + 1) + area",
            "one of the areas counts pixels, the other lengths",
        ),
    ),
    *mistakes(
        "box_iou",
        OVERLAP,
        "_intersection_and_union",
        (
            "gradient-union",
            "other_area[None] - intersection",
            "other_area[None] - intersection.detach()",
            "the gradient takes what both share for a constant in the union",
        ),
    ),
    *mistakes(
        "generalized_box_iou",
        OVERLAP,
        "generalized_box_iou",
        (
            "hull",
            "_ratio(hull - union, hull)",
            "_ratio(hull - union, union)",
            "the gap is divided by the union, not by the hull",
        ),
        (
            "inner-hull",
            "maximum(one[:, None, 2:], other[None, :, 2:]) -",
            "minimum(one[:, None, 2:], other[None, :, 2:]) -",
            "the hull ends with the box that ends first",
        ),
    ),
    *mistakes(
        "nms",
        NMS,
        "forward",
        ("at-threshold", "> iou_threshold", ">= iou_threshold", "an overlap equal to the threshold suppresses"),
        ("unstable", "scores[i] > scores[best]", "scores[i] >= scores[best]", "of equal scores the last box wins"),
        (
            "one-area",
            "(x2 - x1) * (y2 - y1) + area - w * h",
            "(x2 - x1) * (y2 - y1)",
            "the overlap is measured against the better box alone",
        ),
    ),
    *mistakes(
        "nms",
        "rawseg_kernels.nms",
        "forward",
        ("nan-accepted", "if (scores != scores).any():", "if False:", "scores of NaN are accepted", "PyTorch 2.13"),
    ),
    *mistakes(
        "batched_nms",
        NMS,
        "forward",
        ("groups", " and groups[i] == groups[best]", "", "boxes of other groups are suppressed, too"),
    ),
    *mistakes(
        "box_convert",
        BOXES,
        "box_convert",
        (
            "centre",
            "first - 0.5 * second, first + 0.5 * second",
            "first - 0.5 * second, first + second",
            "the far corner is twice as far from the centre",
        ),
    ),
    *mistakes(
        "box_area",
        BOXES,
        "box_area",
        ("x-for-y", "boxes[:, 3] - boxes[:, 1]", "boxes[:, 3] - boxes[:, 0]", "heights begin at an x"),
    ),
    *mistakes(
        "clip_boxes_to_image",
        BOXES,
        "clip_boxes_to_image",
        (
            "axes",
            "clamp(0, width), tensor[..., 1::2].clamp(0, height)",
            "clamp(0, height), tensor[..., 1::2].clamp(0, width)",
            "x is held at the height, y at the width",
        ),
    ),
    *mistakes(
        "remove_small_boxes",
        BOXES,
        "remove_small_boxes",
        ("at-size", "sides >= smallest", "sides > smallest", "boxes of just this size are dropped"),
        ("either-side", ".all(1)", ".any(1)", "one long side is enough"),
    ),
    *mistakes(
        "masks_to_boxes",
        BOXES,
        "masks_to_boxes",
        ("exclusive", "axis.shape[1] - 1 - axis", "axis.shape[1] - axis", "boxes end behind their last pixel"),
    ),
    *mistakes(
        "roi_levels",
        "rawseg.ops.levels",
        "roi_levels",
        ("rounded", "xp.floor(level", "xp.round(level", "levels are rounded, not cut"),
        (
            "area",
            "xp.sqrt(sides[:, 0] * sides[:, 1]) / scale",
            "sides[:, 0] * sides[:, 1] / scale",
            "the level is that of the area, not of its root",
        ),
    ),
    *mistakes(
        "paste_masks",
        PASTE,
        "bilinear",
        (
            "half-pixel",
            "(pixel + 0.5) * scale[:, None] - 0.5",
            "pixel * scale[:, None]",
            "the centre of a pixel is taken for its corner",
        ),
        (
            "last-pixel",
            "xp.stack([low, high + 1], 1)",
            "xp.stack([low, high], 1)",
            "the last row and column of a box stay empty",
        ),
    ),
    *mistakes(
        "paste_masks",
        PASTE,
        "widened",
        (
            "padding-once",
            "(mask_size + 2 * padding) / mask_size",
            "(mask_size + padding) / mask_size",
            "boxes are widened by half of the frame",
        ),
    ),
    *mistakes(
        "BoxCoder.encode_single",
        CODER,
        "BoxCoder.encode_single",
        ("one-weight", "weight_h * (h / from_h).log()", "weight_w * (h / from_h).log()", "heights have the weight of widths"),
    ),
    *mistakes(
        "BoxCoder.encode_single",
        CODER,
        "_centred",
        ("corner", "boxes[:, 1] + 0.5 * h", "boxes[:, 1]", "the upper edge is taken for the centre"),
    ),
    *mistakes(
        "BoxCoder.decode_single",
        CODER,
        "BoxCoder.decode_single",
        ("not-held", "scale_h.clamp(max=self.bbox_xform_clip)", "scale_h", "heights may overflow"),
        (
            "class-order",
            "codes[:, i::4] / weight",
            "codes.reshape(-1, 4, codes.shape[1] // 4)[:, i] / weight",
            "the codes of classes are interleaved",
        ),
    ),
]
