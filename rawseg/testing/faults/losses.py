"""Mistakes in losses of classes and of numbers."""

from __future__ import annotations

from .fault import mistakes

PIXELS = "rawseg_kernels.cross_entropy.reference"
CLASSES = "rawseg.functional.classification_loss"
BINARY = "rawseg.functional.binary_loss"
REDUCTION = "rawseg.functional.reduction"
NUMBERS = "rawseg.functional.regression_loss"
FOCAL = "rawseg.functional.focal_loss"

FAULTS = [
    *mistakes(
        "cross_entropy",
        PIXELS,
        "backward",
        (
            "upstream",
            "grad * grad_output[b, i] if kept",
            "grad if kept",
            "the gradient that comes back is ignored, the 1 / N with it",
        ),
        (
            "ignored-gradient",
            "grad * grad_output[b, i] if kept[b, i] else 0",
            "grad * grad_output[b, i]",
            "ignored pixels have a gradient, if their logits are NaN",
            "PyTorch 2.13",
        ),
        ("smooth-gradient", "(sharp[b, i] + mass)", "sharp[b, i]", "the softmax of the gradient lacks the smoothed share"),
    ),
    *mistakes(
        "cross_entropy",
        CLASSES,
        "PixelCrossEntropy.backward",
        ("second-weight", "p * (q.sum(1, keepdims=True)).astype(x.dtype)", "p", "the second derivative lacks the class weight"),
    ),
    *mistakes(
        "cross_entropy",
        CLASSES,
        "_shares",
        (
            "ignored-counted",
            "count if weights is None else sharp.sum()",
            "sharp.size",
            "the mean is over all pixels, ignored or not, whatever they weigh",
        ),
    ),
    *mistakes(
        "cross_entropy",
        CLASSES,
        "cross_entropy",
        (
            "smoothing-twice",
            "sharp * (1 - label_smoothing)",
            "sharp * (1 - label_smoothing) ** 2",
            "the target is smoothed twice",
        ),
        (
            "smooth-weights",
            "weights * (label_smoothing / len(weights))",
            "weights**0 * (label_smoothing / len(weights))",
            "the smoothed share has no class weights",
        ),
    ),
    *mistakes(
        "cross_entropy",
        CLASSES,
        "_class_weights",
        ("negative-weight", "(weights >= 0)", "(weights == weights)", "negative class weights are accepted", "PyTorch 2.13"),
    ),
    *mistakes(
        "cross_entropy",
        "rawseg.functional.reduction",
        "mean_over",
        (
            "empty-gradient",
            "where(nowhere, total,",
            "where(nowhere, total, total / weight if empty == 'nan' else",
            "the gradient of no pixel is NaN",
            "PyTorch 2.13",
        ),
    ),
    *mistakes(
        "nll_loss",
        CLASSES,
        "nll_loss",
        (
            "mean-of-pixels",
            "(sharp * kept).sum(dtype=np.float64)",
            "kept.sum()",
            "the mean divides by the number of pixels, not by their weights",
        ),
        ("sign", "-picked * Tensor(sharp)", "picked * Tensor(sharp)", "the sign is missing"),
    ),
    *mistakes(
        "binary_cross_entropy_with_logits",
        BINARY,
        "LogitCrossEntropy.backward",
        (
            "positive-gradient",
            "share = target if positive is None else target * positive",
            "share = target",
            "the gradient lacks pos_weight",
        ),
    ),
    *mistakes(
        "binary_cross_entropy_with_logits",
        BINARY,
        "LogitCrossEntropy.forward",
        (
            "overflow",
            "xp.where(wide_x >= 0, (1 - t) * wide_x, -share * wide_x)",
            "(1 - t) * wide_x",
            "exp overflows for large negative logits",
        ),
    ),
    *mistakes(
        "binary_cross_entropy",
        BINARY,
        "ProbabilityCrossEntropy.backward",
        (
            "zero-by-zero",
            "(x * (1 - x)).clamp(min=SMALLEST)",
            "(x * (1 - x))",
            "the gradient of a certain and right prediction is 0 / 0",
        ),
    ),
    *mistakes(
        "binary_cross_entropy",
        REDUCTION,
        "check_probabilities",
        (
            "any-target",
            "~((array >= 0) & (array <= 1))",
            "array < array",
            "targets outside of 0 to 1 are accepted",
        ),
    ),
    *mistakes(
        "binary_cross_entropy",
        BINARY,
        "LOG_FLOOR",
        ("no-floor", "-100.0", "float('-inf')", "a certain but wrong prediction costs infinity"),
    ),
    *mistakes(
        "mse_loss",
        NUMBERS,
        "mse_loss",
        ("half", "difference * difference", "difference * difference / 2", "half of the square"),
    ),
    *mistakes(
        "mse_loss",
        NUMBERS,
        "_weighted",
        (
            "weight-count",
            "(losses * weight).sum() / weight.sum()",
            "(losses * weight).mean()",
            "the weighted mean divides by the number of elements",
        ),
    ),
    *mistakes(
        "l1_loss",
        NUMBERS,
        "l1_loss",
        ("sign-lost", ".abs()", '.abs().detach() * _difference("l1_loss", input, target) ** 0', "the loss has no gradient"),
    ),
    *mistakes(
        "huber_loss",
        NUMBERS,
        "Huber.backward",
        ("delta", "x.clamp(-ctx.delta, ctx.delta)", "x.clamp(-1.0, 1.0)", "the gradient is held at 1, whatever delta"),
    ),
    *mistakes(
        "smooth_l1_loss",
        NUMBERS,
        "smooth_l1_loss",
        (
            "beta",
            "Huber.apply(difference, delta=beta) / beta",
            "Huber.apply(difference, delta=beta)",
            "a Huber loss: not divided by beta",
        ),
    ),
    *mistakes(
        "sigmoid_focal_loss",
        FOCAL,
        "sigmoid_focal_loss",
        (
            "alpha-exchanged",
            "share * target + (1 - share) * (1 - target)",
            "share * (1 - target) + (1 - share) * target",
            "alpha is the weight of the negative class",
        ),
    ),
    *mistakes(
        "sigmoid_focal_loss",
        FOCAL,
        "BinaryFocus.backward",
        ("gamma", "grad_output * out * ctx.gamma", "grad_output * out", "the gradient of the power lacks its exponent"),
        ("one-sided", "share * rest - (1 - share) * p", "share * rest", "the gradient of positive targets is missing"),
    ),
    *mistakes(
        "focal_loss",
        FOCAL,
        "ClassFocus.backward",
        (
            "other-classes",
            "where(chosen, -scaled, others * scaled)",
            "where(chosen, -scaled, 0.0)",
            "the other classes have no gradient from the focus",
        ),
    ),
    *mistakes(
        "one_hot",
        "rawseg.functional.one_hot",
        "one_hot",
        ("not-checked", 'check_class_ids(op, "tensor", ids.array, classes)', "None", "ids of no class are rows of zeros"),
    ),
]
