"""Mistakes in normalisation."""

from __future__ import annotations

from .fault import mistakes

BATCH = "rawseg_kernels.batch_norm.reference"
GROUP = "rawseg_kernels.group_norm.reference"
LAYER = "rawseg_kernels.layer_norm.reference"
COMPOSED = "rawseg.functional.normalization_gradient"

FAULTS = [
    *mistakes(
        "batch_norm",
        BATCH,
        "forward_train",
        ("unbiased", "variance[k] /= count", "variance[k] /= max(count - 1, 1)", "the variance is the unbiased one"),
        (
            "eps-outside",
            "np.sqrt(variance[k] + eps)",
            "(np.sqrt(variance[k]) + eps)",
            "eps is added to the deviation, not to the variance",
        ),
        (
            "one-pass",
            "(x[b, k, i] - mean[k]) * (x[b, k, i] - mean[k])",
            "x[b, k, i] * x[b, k, i] - x.dtype.type(mean[k]) * x.dtype.type(mean[k])",
            "the variance is that of squares less the squared mean, which cancels",
        ),
    ),
    *mistakes(
        "batch_norm",
        BATCH,
        "backward_train",
        ("mean-constant", " - total[0] / count", "", "the gradient through the mean is missing"),
        ("variance-constant", " - normalised * (total[1] / count)", "", "the gradient through the variance is missing"),
        (
            "weight-forgotten",
            "weight[k] * inv_std[k] * centred",
            "inv_std[k] * centred",
            "the gradient of the input lacks the weight",
        ),
    ),
    *mistakes(
        "batch_norm",
        BATCH,
        "backward_eval",
        (
            "eval-weight",
            "(ONE * x[b, k, i] - running_mean[k]) * inv_std",
            "ONE * x[b, k, i] * inv_std",
            "the weight's gradient lacks the running mean",
        ),
    ),
    *mistakes(
        "batch_norm",
        "rawseg.functional.normalization",
        "batch_norm",
        (
            "running-biased",
            "mean.array, var.array, x.size",
            "mean.array, var.array * (1 - x.shape[1] / max(x.size, 1)), x.size",
            "the running variance is the mean of biased ones",
        ),
    ),
    *mistakes(
        "batch_norm",
        BATCH,
        "moved_statistics",
        (
            "momentum",
            "(1 - momentum) * (ONE * running_mean[k]) + momentum * mean[k]",
            "momentum * (ONE * running_mean[k]) + (1 - momentum) * mean[k]",
            "momentum is the weight of what was, as in Keras",
        ),
        (
            "running-nan",
            "if np.isfinite(out_var[k])",
            "if True",
            "one batch with NaN spoils the running statistics for ever",
            "PyTorch 2.13",
        ),
    ),
    *mistakes(
        "instance_norm",
        "rawseg.functional.group_normalization",
        "instance_norm",
        (
            "running-biased",
            "var.array.mean(0), count",
            "var.array.mean(0) * (1 - 1 / count), count",
            "the running variance is the mean of biased ones",
        ),
    ),
    *mistakes(
        "batch_norm",
        COMPOSED,
        "composed",
        ("second-variance", " - z * moment", "", "the second derivative lacks what goes through the variance"),
    ),
    *mistakes(
        "batch_norm",
        "rawseg_kernels.batch_norm",
        "_check_count",
        ("one-value", ") == 1:", ") == -1:", "a channel of one value is accepted in training"),
    ),
    *mistakes(
        "group_norm",
        GROUP,
        "forward",
        ("weight-of-group", "(row * segments + s) % weight.size", "s", "every group has the weights of the first"),
        (
            "eps-outside",
            "np.sqrt(variance[row] + eps)",
            "(np.sqrt(variance[row]) + eps)",
            "eps is added to the deviation, not to the variance",
        ),
        (
            "first-channel",
            "count = max(segments * length, 1)",
            "count = max(length, 1)",
            "sums over a group are divided by the pixels of a channel",
        ),
    ),
    *mistakes(
        "group_norm",
        GROUP,
        "backward",
        ("mean-constant", " - average[0]", "", "the gradient through the mean is missing"),
        (
            "weight-inside",
            "average[1] += ONE * grad_output[row, s, i] * weight[k] * z",
            "average[1] += ONE * grad_output[row, s, i] * z",
            "a mean in the gradient lacks the weight",
        ),
    ),
    *mistakes(
        "group_norm",
        "rawseg.functional.group_normalization",
        "GroupNorm.backward",
        (
            "second-axes",
            "statistics(grouped, (2, 3), ctx.eps)",
            "statistics(grouped, (3,), ctx.eps)",
            "the second derivative takes means over pixels alone",
        ),
    ),
    *mistakes(
        "instance_norm",
        "rawseg.functional.group_normalization",
        "instance_norm",
        ("whole-image", "groups=max(1, x.shape[1])", "groups=1", "means are those of all channels of an image"),
    ),
    *mistakes(
        "layer_norm",
        LAYER,
        "forward",
        ("unbiased", "variance / max(length, 1)", "variance / max(length - 1, 1)", "the variance is the unbiased one"),
    ),
    *mistakes(
        "layer_norm",
        LAYER,
        "backward",
        (
            "weight-inside",
            "average[0] += ONE * grad_output[row, i] * weight[i]",
            "average[0] += ONE * grad_output[row, i]",
            "a mean in the gradient lacks the weight",
        ),
        (
            "weight-raw",
            "total[0] += grad_output[row, i] * ((x[row, i] - mean[row]) * inv_std[row])",
            "total[0] += grad_output[row, i] * x[row, i]",
            "the weight's gradient sees the input as it came",
        ),
        ("variance-constant", " - z * average[1]", "", "the gradient through the variance is missing"),
    ),
    *mistakes(
        "layer_norm",
        "rawseg_kernels.layer_norm.direct",
        "backward",
        (
            "parts-of-threads",
            "parts = min(MOST_PARTS, 1 + rows // PART_ROWS)",
            'parts = max(1, min(rows, launch.__globals__["get_num_threads"]()))',
            "sums are split into as many parts as there are threads, which then reach the bits",
            "PyTorch 2.13, gradients of convolutions",
        ),
    ),
]
