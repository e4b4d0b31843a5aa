"""Mistakes in pooling and unpooling."""

from __future__ import annotations

from .fault import mistakes

MAX = "rawseg_kernels.max_pool2d.reference"
AVG = "rawseg_kernels.avg_pool2d.reference"
ADAPTIVE_AVG = "rawseg_kernels.adaptive_avg_pool2d.reference"
ADAPTIVE_MAX = "rawseg_kernels.adaptive_max_pool2d.reference"
UNPOOL = "rawseg_kernels.max_unpool2d.reference"
SIZES = "rawseg_kernels._pooling"

FAULTS = [
    *mistakes(
        "max_pool2d",
        MAX,
        "forward_taps",
        ("last-tie", "value > best", "value >= best", "of equal pixels the last one gets the gradient"),
        ("nan-dropped", " or np.isnan(value)", "", "NaN is smaller than everything"),
        ("stride-axes", "ow * stride[1]", "ow * stride[0]", "columns move by the stride of rows"),
        (
            "last-row",
            "for kh in range(kernel_size[0])",
            "for kh in range(max(kernel_size[0] - 1, 1))",
            "the window's last row is left out",
        ),
        (
            "zero-frame",
            "if 0 <= ih < h and 0 <= iw < w:\n                                value = x[b, k, ih, iw]",
            "if True:\n                                inside = 0 <= ih < h and 0 <= iw < w\n"
            "                                value = x[b, k, ih, iw] if inside else x.dtype.type(0)",
            "the padding is a frame of zeros, which can be the largest",
        ),
    ),
    *mistakes(
        "max_pool2d",
        MAX,
        "forward",
        ("index-tie", "value > best", "value >= best", "of equal pixels the index is the last one's"),
        (
            "padded-index",
            "chosen = ih * w + iw",
            "chosen = (ih + padding[0]) * (w + 2 * padding[1]) + iw + padding[1]",
            "indices count the padding",
        ),
    ),
    *mistakes(
        "max_pool2d",
        MAX,
        "backward_taps",
        ("assigned", "plane[ih, iw] +=", "plane[ih, iw] =", "= for +=: windows that share a pixel do not add up"),
        ("gradient-padding", "- padding[1]", "- padding[0]", "gradients land as if columns had the padding of rows"),
    ),
    *mistakes(
        "max_pool2d",
        MAX,
        "gather",
        (
            "second-channel",
            "[b, k, index // w, index % w]",
            "[b, 0, index // w, index % w]",
            "the second derivative reads the first channel",
        ),
    ),
    *mistakes(
        "avg_pool2d",
        AVG,
        "forward",
        ("pad-counted", "if not count_include_pad:", "if False:", "padding is counted, whatever count_include_pad says"),
        (
            "overhang-counted",
            "count = (min(bottom, h + padding[0]) - top) * (min(right, w + padding[1]) - left)",
            "count = kernel_size[0] * kernel_size[1]",
            "what hangs over the edge with ceil_mode counts, too",
        ),
        ("stride-axes", "ow * stride[1]", "ow * stride[0]", "columns move by the stride of rows"),
    ),
    *mistakes(
        "avg_pool2d",
        AVG,
        "backward",
        ("gradient-sum", "grad_output[b, k, oh, ow] / count", "grad_output[b, k, oh, ow]", "gradients are not divided"),
        ("assigned", "plane[ih, iw] += share", "plane[ih, iw] = share", "= for +=: windows that overlap do not add up"),
        ("gradient-override", "if divisor_override:", "if False:", "divisor_override is forgotten in the gradient"),
        (
            "gradient-pad",
            "if not count_include_pad:",
            "if False:",
            "the gradient counts padding, whatever count_include_pad says",
        ),
    ),
    *mistakes(
        "avg_pool2d",
        SIZES,
        "pool_output_size",
        ("ceil-ignored", "(stride[axis] - 1 if ceil_mode else 0)", "0", "sizes are rounded down, whatever ceil_mode says"),
    ),
    *mistakes(
        "avg_pool2d",
        "rawseg_kernels.avg_pool2d",
        "_geometry",
        ("negative-divisor", "divisor_override, 1)", "divisor_override, -9)", "negative divisors are accepted", "PyTorch 2.13"),
    ),
    *mistakes(
        "adaptive_avg_pool2d",
        ADAPTIVE_AVG,
        "forward",
        (
            "one-divisor",
            "(bottom[oh] - top[oh]) * (right[ow] - left[ow])",
            "(bottom[0] - top[0]) * (right[0] - left[0])",
            "all bins have the divisor of the first",
        ),
    ),
    *mistakes(
        "adaptive_avg_pool2d",
        ADAPTIVE_AVG,
        "backward",
        ("assigned", "plane[ih, iw] += share", "plane[ih, iw] = share", "= for +=: bins that overlap do not add up"),
        ("gradient-axes", "(right[ow] - left[ow])", "(right[0] - left[0])", "gradients have the divisor of the first column"),
    ),
    *mistakes(
        "adaptive_avg_pool2d",
        SIZES,
        "bins",
        (
            "floor-for-ceil",
            "-(-(index + 1) * size // count)",
            "(index + 1) * size // count",
            "bins end at the pixel below, and do not overlap",
        ),
    ),
    *mistakes(
        "adaptive_max_pool2d",
        ADAPTIVE_MAX,
        "forward",
        ("last-tie", "value > best", "value >= best", "of equal pixels the last one wins"),
        ("nan-dropped", " or np.isnan(value)", "", "NaN is smaller than everything, but at the first pixel"),
        (
            "index-of-bin",
            "= value, ih * w + iw",
            "= value, (ih - top[oh]) * w + iw - left[ow]",
            "indices count from the bin's corner",
        ),
    ),
    *mistakes(
        "max_unpool2d",
        UNPOOL,
        "forward",
        ("added", "plane[index] = x", "plane[index] += x", "+= for =: duplicates add up where the last should win"),
        ("index-transposed", "plane[oh * out_w + ow]", "plane[ow * out_h + oh]", "indices go down the columns first"),
    ),
    *mistakes(
        "max_unpool2d",
        UNPOOL,
        "backward",
        (
            "all-gradients",
            "if last_wins and winner[index] != ih * w + iw:",
            "if False:",
            "elements that were overwritten get a gradient, too",
            "PyTorch 2.13",
        ),
    ),
    *mistakes(
        "max_unpool2d",
        "rawseg_kernels.max_unpool2d",
        "forward",
        (
            "duplicates-accepted",
            'if policy == "raise":',
            "if False:",
            "duplicates overwrite each other without a word",
            "PyTorch 2.13",
        ),
    ),
]
