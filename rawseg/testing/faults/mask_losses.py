"""Mistakes in losses of masks."""

from __future__ import annotations

from .fault import mistakes

MASKS = "rawseg.functional.segmentation_loss"
LOVASZ = "rawseg.functional.lovasz_loss"
BORDER = "rawseg.functional.border"

FAULTS = [
    *mistakes(
        "dice_loss",
        MASKS,
        "dice_loss",
        ("smooth-twice", "2 * common + smooth", "2 * (common + smooth)", "the smoothing is doubled above the line"),
    ),
    *mistakes(
        "dice_loss",
        MASKS,
        "GROUPS",
        (
            "axes",
            '"image": (1,), "class": (0,)',
            '"image": (0,), "class": (1,)',
            "one overlap a class is one an image, and the other way round",
        ),
    ),
    *mistakes(
        "dice_loss",
        MASKS,
        "_overlap",
        ("ignored-counted", "x if kept is None else where(kept, x, 0.0)", "x", "ignored pixels stay among the predictions"),
        ("no-range", "check_probabilities(op,", "(lambda *_, **__: None)(op,", "logits are taken for probabilities"),
    ),
    *mistakes(
        "jaccard_loss",
        MASKS,
        "jaccard_loss",
        ("union", "p + g - common + smooth", "p + g + smooth", "what both have is counted twice in the union"),
    ),
    *mistakes(
        "tversky_loss",
        MASKS,
        "tversky_loss",
        (
            "exchanged",
            "alpha * (p - common) + beta * (g - common)",
            "beta * (p - common) + alpha * (g - common)",
            "misses have the weight of false alarms",
        ),
    ),
    *mistakes(
        "weighted_cross_entropy",
        MASKS,
        "weighted_cross_entropy",
        (
            "ignored-counted",
            "(ids != ignore_index).astype(weights.dtype)",
            "(ids == ids).astype(weights.dtype)",
            "the mean divides by the weights of ignored pixels, too",
        ),
    ),
    *mistakes(
        "lovasz_softmax",
        LOVASZ,
        "_weights",
        (
            "ties-reversed",
            'xp.argsort(-errors, kind="stable")',
            'xp.argsort(errors, kind="stable")[::-1]',
            "of equal errors the last pixel joins first",
        ),
        ("growth", "union * xp.maximum(union - 1, 1)", "union * union", "a pixel of another class costs too little"),
    ),
    *mistakes(
        "lovasz_softmax",
        LOVASZ,
        "lovasz_softmax",
        (
            "absent-counted",
            'truth.any(2) if classes == "present" else kept',
            'kept.any(2).repeat(c, 0) if classes == "present" else kept',
            "absent classes count among the present ones",
        ),
    ),
    *mistakes(
        "lovasz_hinge",
        LOVASZ,
        "lovasz_hinge",
        (
            "no-hinge",
            "relu(where(truth, 1 - logits, 1 + logits))",
            "where(truth, 1 - logits, 1 + logits)",
            "errors below 0 are not held at 0",
        ),
    ),
    *mistakes(
        "border_weights",
        BORDER,
        "_two_distances",
        (
            "nearest-twice",
            "np.minimum(second, np.maximum(nearest, distance))",
            "np.minimum(second, distance)",
            "the second distance is the first",
        ),
    ),
    *mistakes(
        "border_weights",
        BORDER,
        "border_weights",
        ("sigma", "(nearest + second) / sigma) ** 2) / 2", "(nearest + second) / sigma) ** 2)", "the Gaussian lacks its 1 / 2"),
    ),
]
