"""Faults in Mask R-CNN, stage by stage."""

from __future__ import annotations

ROOM = "rawseg/models/mask_rcnn"
APART, WHOLE = "models/mask_rcnn/test_stages_apart.py", "models/mask_rcnn/test_network.py"
TORCHVISION = "models/test_mask_rcnn_torchvision.py"

FAULTS = [
    (
        f"{ROOM}/anchors.py",
        APART,
        [
            ("swapped axes", "np.stack([x, y, x, y], -1)", "np.stack([y, x, y, x], -1)"),
            ("swapped sides", "np.stack([-w, -h, w, h], 1)", "np.stack([-h, -w, h, w], 1)"),
            (
                "swapped strides",
                "np.arange(h) * stride_h, np.arange(w) * stride_w",
                "np.arange(h) * stride_w, np.arange(w) * stride_h",
            ),
            ("missing rounding", "np.rint(np.stack([-w, -h, w, h], 1) / 2)", "np.stack([-w, -h, w, h], 1) / 2"),
            ("missing root", "np.sqrt(np.asarray(self.aspect_ratios, dtype))", "np.asarray(self.aspect_ratios, dtype)"),
        ],
    ),
    (
        f"{ROOM}/matching.py",
        APART,
        [
            ("wrong side", "most >= high", "most > high"),
            ("wrong side", "most < low, NOTHING", "most <= low, NOTHING"),
            ("wrong axis", "overlaps.max(1, keepdims=True)", "overlaps.max(0, keepdims=True)"),
            ("missing step", "if rescue and overlaps.shape[1]:", "if False:"),
            ("wrong count", "min(len(background), self.count - wanted)", "min(len(background), self.count)"),
            ("missing shuffle", "np.sort(rng.permutation(pool)[:n])", "np.sort(pool[:n])"),
            ("missing sort", "np.sort(rng.permutation(pool)[:n])", "rng.permutation(pool)[:n]"),
            ("what is neither is background", "np.flatnonzero(labels == 0)", "np.flatnonzero(labels <= 0)"),
        ],
    ),
    (
        f"{ROOM}/selection.py",
        f"{APART} {WHOLE}",
        [
            ("wrong offset", "start + np.argsort(", "0 * start + np.argsort("),
            (
                "unstable ties",
                'np.argsort(-ranks[start : start + length], kind="stable")',
                "np.argsort(ranks[start : start + length])[::-1]",
            ),
            ("missing clip", "clip_boxes_to_image(boxes[candidates], size).array", "boxes[candidates]"),
            ("one group", "groups[candidates], overlap", "0 * groups[candidates], overlap"),
            ("missing limit", "kept = kept[:most]", "kept = kept"),
            ("missing step", "large = remove_small_boxes(inside, smallest).array", "large = np.arange(len(inside))"),
        ],
    ),
    (
        f"{ROOM}/transform.py",
        APART,
        [
            ("wrong limit", "min(self.min_size / min(size), self.max_size / max(size))", "self.min_size / min(size)"),
            (
                "swapped padding",
                "(0, width - image.shape[2], 0, height - image.shape[1])",
                "(width - image.shape[2], 0, 0, height - image.shape[1])",
            ),
            ("missing mean", "(image - mean) / std", "image / std"),
            (
                "swapped axes",
                "np.array([across, down, across, down], boxes.dtype)",
                "np.array([down, across, down, across], boxes.dtype)",
            ),
            ("wrong rounding", "np.arange(new) * old // new", "-(-np.arange(new) * old // new)"),
        ],
    ),
    (
        f"{ROOM}/targets.py",
        f"{APART} {TORCHVISION}",
        [
            ("NaN passes", "flat = ~((boxes[:, 2:] > boxes[:, :2]).all(1)", "flat = ((boxes[:, 2:] <= boxes[:, :2]).any(1)"),
            ("background as a class", "(labels < 1) | (labels >= classes)", "(labels < 0) | (labels >= classes)"),
            ("off by one", "(labels < 1) | (labels >= classes)", "(labels < 1) | (labels > classes)"),
            ("missing boxes", 'np.concatenate([proposals, target["boxes"]])', "proposals"),
            (
                "wrong object",
                "coder.encode_single(boxes[found[objects]], anchors[objects])",
                "coder.encode_single(boxes[0 * found[objects]], anchors[objects])",
            ),
            (
                "swapped roles",
                "coder.encode_single(boxes[found[objects]], anchors[objects])",
                "coder.encode_single(anchors[objects], boxes[found[objects]])",
            ),
            ("what is neither is background", "np.where(found == BETWEEN, -1, 0)", "0"),
            ("missing rescue", "high, low, rescue=True)", "high, low, rescue=False)"),
            ("first mask for all", "masks[shown[first : first + at_once]]", "masks[0 * shown[first : first + at_once]]"),
            ("missing offset", "(own[part] - first)", "own[part]"),
            ("missing clip", "return np.clip(out, 0, 1)", "return out"),
        ],
    ),
    (
        f"{ROOM}/losses.py",
        APART,
        [
            ("wrong mean", "boxes / max(len(drawn), 1)", "boxes / max(len(positive), 1)"),
            ("wrong beta", "BETA = 1 / 9", "BETA = 1.0"),
            ("background's box", "[shown, labels[shown]]", "[shown, 0 * labels[shown]]"),
            ("wrong mean", "boxes / max(len(labels), 1)", "boxes / max(len(shown), 1)"),
            (
                "background's mask",
                "mask_logits[np.arange(len(labels)), labels]",
                "mask_logits[np.arange(len(labels)), 0 * labels]",
            ),
            ("NaN of nothing", 'empty="zero"', 'empty="nan"'),
            (
                "all anchors",
                "objectness[drawn], _beside(objectness, labels[drawn])",
                "objectness, _beside(objectness, labels.clip(0))",
            ),
        ],
    ),
    (
        f"{ROOM}/regions.py",
        APART,
        [
            ("order of levels", "interleave(cut, places)", "interleave(cut, places[::-1])"),
            ("wrong scale", "self.size, 1 / stride, self.samples", "self.size, 1 / self.strides[0], self.samples"),
            ("first image for all", "np.full((len(b), 1), i, b.dtype)", "np.full((len(b), 1), 0, b.dtype)"),
        ],
    ),
    (
        f"{ROOM}/detections.py",
        APART,
        [
            ("background is an object", "flat > score_from), size", "flat >= score_from), size"),
            ("wrong order", "np.tile(np.arange(1, classes + 1), regions)", "np.repeat(np.arange(1, classes + 1), regions)"),
            ("wrong region", "found // max(classes, 1)", "found % max(classes, 1)"),
            ("off by one", "np.arange(1, classes + 1)", "np.arange(0, classes)"),
        ],
    ),
    (
        f"{ROOM}/rpn.py",
        f"{TORCHVISION} {WHOLE}",
        [
            ("wrong order", "permute(0, 3, 4, 1, 2)", "permute(0, 4, 3, 1, 2)"),
            ("reversed codes", "numbers, h, w).permute", "numbers, h, w).flip(2).permute"),
            ("wrong mode", "self.proposals[0 if self.training else 1]", "self.proposals[1]"),
            ("wrong image", "i * len(every) + d[kind]", "d[kind]"),
        ],
    ),
    (
        f"{ROOM}/backbone.py",
        f"{TORCHVISION} {WHOLE}",
        [
            ("missing sum", 'own + F.interpolate(summed, size=own.shape[2:], mode="nearest")', "own"),
            ("wrong order", "levels.insert(0, outer[i](summed))", "levels.append(outer[i](summed))"),
            ("first map of a size", "found[-1] = y", "pass"),
            ("off by one", "if stride <= 2**count:", "if stride < 2**count:"),
        ],
    ),
    (
        f"{ROOM}/heads.py",
        f"{TORCHVISION} {WHOLE}",
        [
            ("wrong weights", "BoxCoder((10.0, 10.0, 5.0, 5.0))", "BoxCoder((1.0, 1.0, 1.0, 1.0))"),
            ("missing relu", "F.relu(self.conv5_mask(x))", "self.conv5_mask(x)"),
            ("wrong share", "BalancedSampler(regions, 0.25)", "BalancedSampler(regions, 0.5)"),
            (
                "boxes of the first image",
                "np.cumsum([len(p) for p in proposals])[:-1]",
                "np.cumsum([len(proposals[0]) for p in proposals])[:-1]",
            ),
        ],
    ),
    (
        f"{ROOM}/stages.py",
        f"{TORCHVISION} {WHOLE}",
        [
            ("background's mask", "mask_logits[np.arange(len(every)), every]", "mask_logits[np.arange(len(every)), 0 * every]"),
            ("swapped sizes", "resized_boxes(own, size, original)", "resized_boxes(own, original, size)"),
            ("logits pasted", "F.sigmoid(mask_logits[", "(mask_logits["),
        ],
    ),
    (
        "rawseg/ops/frozen_norm.py",
        f"{WHOLE} {TORCHVISION}",
        [
            (
                "wrong buffer",
                "self.running_mean, self.running_var, self.weight, self.bias",
                "self.running_mean, self.running_var, self.bias, self.weight",
            ),
            ("missing eps", "training=False, eps=max(self.eps, NOTHING)", "training=False, eps=1e-3"),
        ],
    ),
    (
        "rawseg/autograd/indexing.py",
        "autograd/test_tensor.py autograd/test_derivatives.py",
        [
            (
                "wrong rows",
                "tuple(grad_output[place] for place in ctx.places)",
                "tuple(grad_output[: len(p)] for p in ctx.places)",
            ),
            ("repeated places", "return len(np.unique(places)) == len(places)", "return True"),
            ("first array alone", "places = places * length + part % length", "places = part % length"),
            ("negative places", "part % length", "part"),
        ],
    ),
]
