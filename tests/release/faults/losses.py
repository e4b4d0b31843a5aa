"""Faults in the Lovász, Tversky and weighted losses, and in one_hot."""

from __future__ import annotations

LOVASZ = "functional/test_lovasz_loss.py"
MASKS = "functional/test_segmentation_loss.py"
LOSSES = "functional/test_losses.py"
ONE_HOT = "functional/test_one_hot.py"

CROSS_ENTROPY = "kernels/test_cross_entropy.py"
ADDED = (
    "for k in range({}):\n            values = x[b, k, start:end]\n"
    "            for i in range(top.size):\n                total[i] += exp"
)

FAULTS = [
    (
        "kernels/rawseg_kernels/cross_entropy/expressions.py",
        CROSS_ENTROPY,
        [
            ("missing step", "losses[b] = xp.where(kept[b], loss, 0)", "losses[b] = loss"),
            ("missing step", "grad_input[b] = xp.where(kept[b], gradient, 0)", "grad_input[b] = gradient"),
            ("missing step", "gradient *= grad_output[b]", "pass"),
            ("missing step", "top = logits.max(0)", "top = logits.max(0) * 0"),
            ("wrong formula", "* (sharp[b] + smooth.sum())", "* sharp[b]"),
        ],
    ),
    (
        "kernels/rawseg_kernels/cross_entropy/direct.py",
        CROSS_ENTROPY,
        [
            ("missing step", "values[i] if values[i] > top[i] else top[i]", "top[i]"),
            (
                "off by one",
                ADDED.format("classes"),
                ADDED.format("1, classes"),
            ),
            ("missing step", "loss[i] = value if keep[i] else 0.0", "loss[i] = value"),
            ("wrong axis", "x[b, np.uint64(ids[i]), start + i]", "x[b, np.uint64(ids[i]), i]"),
            ("missing step", "                value += total[i]", "                pass"),
            ("missing step", "to[i] = grad if keep[i] else 0.0", "to[i] = grad"),
            ("wrong formula", "* (weight[i] + mass)", "* weight[i]"),
            ("missing step", "(grad - evenly) * grads[i]", "(grad - evenly)"),
            ("missing step", "place = max(place, order_of(values[k]))", "pass"),
            ("wrong axis", "(shift - values[own])\n", "(shift - values[0])\n"),
            ("wrong order", "total, second, third = second, third, fourth", "total, second, third = third, second, fourth"),
            ("missing step", "                total[i] += smooth[k]", "                total[i] = smooth[k]"),
            ("missing step", "loss += evenly", "pass"),
            ("missing step", "loss if kept[b, 0] else 0.0, shift", "loss, shift"),
            ("missing step", "        if not kept[b, 0]:", "        if False:"),
            ("missing step", "its -= smooth[own]", "pass"),
            ("wrong formula", "sharp[b, 0] + mass, np", "sharp[b, 0], np"),
            ("missing step", "to[own] = its * grad", "to[own] = its"),
            ("wrong formula", "alike[:] = grad_output[0]", "alike[:] = 1.0"),
            ("wrong axis", "grad_output[b * pixels + start : b * pixels + end]", "grad_output[start:end]"),
        ],
    ),
    (
        "kernels/rawseg_kernels/cross_entropy/_shares.py",
        CROSS_ENTROPY,
        [
            ("wrong comparison", "highest >= np.uint64(classes)", "highest > np.uint64(classes)"),
            ("wrong formula", "weights[own[i]] if keep[i] else 0.0", "weights[own[i]]"),
            ("count", "count += 1 if given[i] != ignored else 0", "count += 1"),
            ("missing step", "own[i] = given[i] if given[i] != ignored else 0", "own[i] = given[i]"),
        ],
    ),
    (
        "kernels/rawseg_kernels/cross_entropy/__init__.py",
        CROSS_ENTROPY,
        [
            ("missing check", "if kept.dtype != bool:", "if False:"),
            ("missing check", "    if not known:", "    if False:"),
            ("missing check", '    _wide("sharp", sharp, shape)\n', ""),
            ("missing check", "    if grad_output.ndim:", "    if False:"),
        ],
    ),
    (
        "rawseg/functional/lovasz_loss.py",
        LOVASZ,
        [
            ("wrong tie", 'xp.argsort(-errors, kind="stable")', 'xp.argsort(errors, kind="stable")[::-1]'),
            ("wrong sign", "xp.argsort(-errors, kind", "xp.argsort(errors, kind"),
            ("off by one", "right / (union * xp.maximum(union - 1, 1))", "right / (union * union)"),
            ("wrong formula", "xp.where(joins, 1 / union, right", "xp.where(joins, 1 / joins.sum(), right"),
            ("missing step", "    if not joins.any():", "    if False:"),
            ("wrong order", "weights[order] = growth", "weights[:] = growth"),
            (
                "missing step",
                'kept = ids != ignore_index\n    check_class_ids(op, "target", ids, x.shape[1], kept)',
                'kept = ids == ids\n    check_class_ids(op, "target", ids, x.shape[1], ids != ignore_index)',
            ),
            ("wrong comparison", 'truth.any(2) if classes == "present"', 'truth.any(2) if classes == "all"'),
            ("wrong axis", "x.shape[2:])).permute(1, 0, 2)", "x.shape[2:])).permute(0, 1, 2)"),
            (
                "missing step",
                "errors = relu(where(truth, 1 - logits, 1 + logits))",
                "errors = where(truth, 1 - logits, 1 + logits)",
            ),
            ("wrong sign", "where(truth, 1 - logits, 1 + logits)", "where(truth, 1 + logits, 1 - logits)"),
            ("count", ".maximum(per_image * images, 1)", ".maximum(per_image, 1)"),
            ("count", "counted / array_module(counted).maximum(per_image * images, 1)", "counted / max(1, counted.sum())"),
            ("missing step", "else loss * 0 + math.nan", "else loss"),
        ],
    ),
    (
        "rawseg/functional/segmentation_loss.py",
        MASKS,
        [
            (
                "wrong order",
                "common + alpha * (p - common) + beta * (g - common)",
                "common + beta * (p - common) + alpha * (g - common)",
            ),
            ("missing step", "alpha * (p - common) + beta", "alpha * p + beta"),
            (
                "missing check",
                "        if value < 0:\n            raise ArgumentError(op, name",
                "        if value < -9:\n            raise ArgumentError(op, name",
            ),
        ],
    ),
    (
        "rawseg/functional/regression_loss.py",
        LOSSES,
        [
            ("count", "(losses * weight).sum() / weight.sum()", "(losses * weight).mean()"),
            ("missing step", "return reduced(op, losses * weight, reduction)", "return reduced(op, losses, reduction)"),
            ("missing check", 'check_same(op, losses, weight, "weight")', "weight = weight.astype(losses.dtype)"),
        ],
    ),
    (
        "rawseg/functional/one_hot.py",
        ONE_HOT,
        [
            ("off by one", "int(ids.array.max())) + 1", "int(ids.array.max()))"),
            ("missing check", 'check_class_ids(op, "tensor", ids.array, classes)', "pass"),
            ("missing check", "if classes == 0 or (classes == -1 and not ids.size):", "if classes == -1 and not ids.size:"),
        ],
    ),
]
