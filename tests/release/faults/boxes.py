"""Faults in boxes, suppression, pasted masks and focal losses."""

from __future__ import annotations

NMS, IOU, PASTE = "kernels/test_nms.py", "kernels/test_box_iou.py", "kernels/test_paste_masks.py"
BOXES, OVERLAP, CODER = "ops/test_boxes.py", "ops/test_overlap.py", "ops/test_box_coder.py"
FOCAL = "ops/test_focal_loss.py"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/nms/direct.py",
        NMS,
        [
            (
                "wrong comparison",
                "(best_area + area[i] - inter) > iou_threshold",
                "(best_area + area[i] - inter) >= iou_threshold",
            ),
            ("wrong formula", "inter / (best_area + area[i] - inter)", "inter / (best_area + area[i])"),
            ("wrong tie", 'np.argsort(-scores[kept], kind="stable")', 'np.argsort(scores[kept], kind="stable")[::-1]'),
            ("wrong order", "np.lexsort((-scores, groups))", "np.lexsort((scores, groups))"),
            ("group offset", 'groups[order], groups[order], side="right"', 'groups[order], groups[order], side="left"'),
            ("group offset", "best + 1, min(stop, ends[best])", "best + 1, stop"),
            ("group offset", "low, min(low + TILE, ends[best])", "low, min(low + TILE, ends[stop - 1])"),
            ("missing step", "if left[best]:\n                _drop", "if best >= 0:\n                _drop"),
            ("missing condition", "if left[best]:\n            _drop", "if best >= 0:\n            _drop"),
            ("missing step", "stays[i] and not inter", "not inter"),
            ("off by one", "-(-later // TILE)", "later // TILE"),
            ("off by one", "low = stop + task * TILE", "low = stop + 1 + task * TILE"),
            ("height for width", "max(best_y1, y1[i]), 0.0)", "max(best_y1, x1[i]), 0.0)"),
            ("wrong order", "corners[2] - corners[0]", "corners[2] - corners[1]"),
        ],
    ),
    (
        f"{ROOM}/nms/__init__.py",
        NMS,
        [
            ("NaN rule", "if (scores != scores).any():", "if (scores != scores).all():"),
            ("wrong comparison", "if not 0 <= threshold <= 1:", "if not 0 <= threshold:"),
            ("missing check", '_boxes.check_boxes(OP, "boxes", boxes)', '_arrays.check_rank(OP, "boxes", boxes, "(N, 4)")'),
        ],
    ),
    (
        f"{ROOM}/_boxes.py",
        NMS,
        [
            ("NaN rule", "bad = ~(abs(boxes) <= min(LARGEST", "bad = (abs(boxes) > min(LARGEST"),
            ("wrong comparison", "else (high >= low)).all(1)", "else (high > low)).all(1)"),
            ("missing check", "else (high >= low)).all(1)", "else (high >= low)).any(1)"),
        ],
    ),
    (
        f"{ROOM}/box_iou/direct.py",
        IOU,
        [
            ("wrong formula", "area + other_areas[i] - w * h", "area + other_areas[i]"),
            ("NaN rule", "w * h / union if union > 0 else 0.0", "w * h / union"),
            ("height for width", "max(top, y1[i]), 0.0)", "max(left, y1[i]), 0.0)"),
            ("missing step", "max(left, x1[i]), 0.0)", "max(left, x1[i]), -1e300)"),
            ("missing step", 'boxes.T.astype(np.float64, order="C")', 'boxes.T.astype(boxes.dtype, order="C")'),
        ],
    ),
    (
        f"{ROOM}/paste_masks/tables.py",
        PASTE,
        [
            ("half pixel", "(pixel + 0.5) * scale[:, None] - 0.5", "pixel * scale[:, None]"),
            ("off by one", "xp.stack([low, high + 1], 1)", "xp.stack([low, high], 1)"),
            ("off by one", "mask_size / (high - low + 1)", "mask_size / np.maximum(high - low, 1)"),
            ("floor for ceil", "trunc(centre - half)", "(centre - half).round()"),
            ("floor for ceil", "trunc(centre + half)", "(centre + half).round()"),
            ("missing step", "half * ((mask_size + 2 * padding) / mask_size)", "half * ((mask_size + padding) / mask_size)"),
            ("missing step", "xp.minimum(first + 1, mask_size - 1)", "first"),
            (
                "wrong order",
                "(1 - fraction).astype(dtype), fraction.astype(dtype)",
                "fraction.astype(dtype), (1 - fraction).astype(dtype)",
            ),
            ("missing step", "- 0.5, 0, mask_size - 1)", "- 0.5, -0.5, mask_size - 1)"),
        ],
    ),
    (
        f"{ROOM}/paste_masks/direct.py",
        PASTE,
        [
            ("missing step", "if top[k, oh] != holds:", "if holds < 0:"),
            ("wrong axis", "_along(masks[k, bottom[k, oh]], taps, lower)", "_along(masks[k, holds], taps, lower)"),
            ("off by one", "(out.shape[1] + BAND - 1) // BAND", "out.shape[1] // BAND"),
            ("off by one", "min(row_inside[k, 1], (band + 1) * BAND)", "min(row_inside[k, 1], (band + 1) * BAND - 1)"),
        ],
    ),
    (
        f"{ROOM}/paste_masks/__init__.py",
        PASTE,
        [
            (
                "height for width",
                "tables.bilinear(low[:, 1], high[:, 1], cells, size[0]",
                "tables.bilinear(low[:, 0], high[:, 0], cells, size[0]",
            ),
            (
                "NaN rule",
                "bad = ~((abs(low) <= _arrays.LARGEST) & (abs(high) <= _arrays.LARGEST)).all(1)",
                "bad = (abs(high) > _arrays.LARGEST).any(1)",
            ),
            ("missing check", "    _memory.check_size(OP, (max(1, masks.shape[0]), cells, cells), masks.dtype)\n", ""),
        ],
    ),
    (
        "rawseg/ops/boxes.py",
        BOXES,
        [
            (
                "height for width",
                "clamp(0, width), tensor[..., 1::2].clamp(0, height)",
                "clamp(0, height), tensor[..., 1::2].clamp(0, width)",
            ),
            ("wrong comparison", "(sides >= smallest).all(1)", "(sides > smallest).all(1)"),
            ("wrong axis", "(sides >= smallest).all(1)", "(sides >= smallest).any(1)"),
            ("shared memory", "return tensor.clone()", "return tensor"),
            ("missing step", "first - 0.5 * second, first + 0.5 * second", "first, first + second"),
            ("wrong formula", "(first + second) / 2, second - first", "first + second / 2, second - first"),
            ("off by one", "axis.shape[1] - 1 - axis", "axis.shape[1] - axis"),
            (
                "missing check",
                'checked_boxes("box_area", "boxes", box_convert(boxes.detach(), fmt, "xyxy"))',
                'coordinates("box_area", boxes)',
            ),
        ],
    ),
    (
        "rawseg/ops/levels.py",
        BOXES,
        [
            ("missing step", "/ scale) + offset)", "/ scale))"),
            ("floor for ceil", "xp.floor(level + xp.log2", "xp.ceil(level + xp.log2"),
            ("wrong formula", "xp.sqrt(sides[:, 0] * sides[:, 1]) / scale", "sides[:, 0] / scale"),
            ("missing step", "xp.clip(levels, lowest, highest)", "xp.clip(levels, 0, highest)"),
            ("missing check", 'integer(OP, "k_max", k_max, lowest)', 'integer(OP, "k_max", k_max, 0)'),
        ],
    ),
    (
        "rawseg/ops/overlap.py",
        OVERLAP,
        [
            ("missing step", "- low).clamp(min=0)", "- low)"),
            ("NaN rule", "where(nothing, 0.0, part / where(nothing, 1.0, whole))", "part / whole"),
            ("wrong order", "_ratio(hull - union, hull)", "_ratio(union - hull, hull)"),
            ("missing step", "(b[:, 3] - b[:, 1]) for b in (one, other)", "(b[:, 3] - b[:, 1]) for b in (one, one)"),
            ("missing step", "boxes.astype(np.float64)", "boxes.clone()"),
        ],
    ),
    (
        "rawseg/ops/suppression.py",
        OVERLAP,
        [
            (
                "group offset",
                "nms_room.forward(boxes.array, scores.array, iou_threshold, idxs.array)",
                "nms_room.forward(boxes.array, scores.array, iou_threshold)",
            ),
            ("missing check", "if idxs.dtype != np.int64:", "if idxs.dtype == np.float64:"),
        ],
    ),
    (
        "rawseg/ops/box_coder.py",
        CODER,
        [
            ("height for width", "half_h = 0.5 * (scale_h", "half_h = 0.5 * (scale_w"),
            ("height for width", "weight_y * (y - from_y) / from_h", "weight_y * (y - from_y) / from_w"),
            ("missing step", "scale_w.clamp(max=self.bbox_xform_clip).exp()", "scale_w.exp()"),
            ("wrong formula", "LARGEST_SCALING = math.log(1000 / 16)", "LARGEST_SCALING = math.log(1000 / 8)"),
            ("wrong order", "codes[:, i::4] / weight", "codes[:, i::4] * weight"),
            ("missing step", "boxes[:, 0] + 0.5 * w, boxes[:, 1] + 0.5 * h, w, h", "boxes[:, 0], boxes[:, 1], w, h"),
            ("wrong axis", "stack(corners, 2).reshape", "stack(corners, 1).reshape"),
            ("missing check", '"reference_boxes", reference_boxes, positive=True)', '"reference_boxes", reference_boxes)'),
        ],
    ),
    (
        "rawseg/functional/focal_loss.py",
        FOCAL,
        [
            ("wrong sign", "share * rest - (1 - share) * p", "share * rest + (1 - share) * p"),
            ("missing step", "sigmoid(-x), grad_output * out * ctx.gamma", "sigmoid(-x), grad_output * out"),
            ("NaN rule", "where(total > 0, negative / total, 1 - target)", "where(target >= 0, negative / total, 1 - target)"),
            ("wrong order", "xp.where(wide < 0, low, high), t * xp", "xp.where(wide < 0, high, low), t * xp"),
            ("missing step", "where(chosen, -np.inf, x), 1)", "x, 1)"),
            ("missing step", "grad_output * out * gamma * certainty", "grad_output * out * gamma"),
            ("missing step", "xp.where(chosen[b], 0, exponentials).sum(0)", "exponentials.sum(0)"),
            ("missing step", "xp.where(kept[b], (others", "xp.where(kept[b] | True, (others"),
            ("missing step", "share * target + (1 - share) * (1 - target)", "(1 - share) * target + share * (1 - target)"),
            ("wrong formula", "kept * as_tensor(op", "as_tensor(op"),
            ("wrong comparison", "if exponent and classes > 1:", "if exponent and classes > 2:"),
            ("missing check", "if not (0 <= share <= 1 or share == -1):", "if not share <= 1:"),
        ],
    ),
]
