"""Mistakes in windows as columns, frames, shuffled pixels and resizing."""

from __future__ import annotations

from .fault import mistakes

UNFOLD = "rawseg_kernels.unfold.reference"
PAD = "rawseg_kernels.pad"
RESIZE = "rawseg_kernels.resize"
SHUFFLE = "rawseg.functional.shuffling"

FAULTS = [
    *mistakes(
        "unfold",
        UNFOLD,
        "forward",
        (
            "column-major",
            "(k * kernel_h + kh) * kernel_w + kw",
            "(k * kernel_w + kw) * kernel_h + kh",
            "a window is read down its columns",
        ),
        ("windows-transposed", "oh * out_w + ow", "ow * out_h + oh", "windows are counted down the columns"),
        ("dilation-twice", "kw * dilation[1]", "kw * dilation[0]", "columns have the dilation of rows"),
    ),
    *mistakes(
        "unfold",
        UNFOLD,
        "backward",
        ("assigned", "plane[ih, iw] +=", "plane[ih, iw] =", "= for +=: the gradient of windows that overlap does not add up"),
    ),
    *mistakes(
        "fold",
        UNFOLD,
        "backward",
        ("padding-axes", "- padding[1]", "- padding[0]", "columns have the padding of rows"),
        ("last-window", "for ow in range(out_w)", "for ow in range(max(out_w - 1, 1))", "the last window of a row is left out"),
    ),
    *mistakes(
        "fold",
        "rawseg_kernels.unfold",
        "backward",
        (
            "more-windows",
            "if windows != out_size[0] * out_size[1]:",
            "if windows < out_size[0] * out_size[1]:",
            "windows that have no place are dropped without a word",
        ),
    ),
    *mistakes(
        "pad",
        "rawseg.functional.padding",
        "_widths",
        ("axis-order", "[::-1]", "", "the widths of the first axis come first"),
    ),
    *mistakes(
        "pad",
        f"{PAD}.tables",
        "sources",
        ("sides", "np.arange(-low, size + high", "np.arange(-high, size + low", "left and right are exchanged"),
    ),
    *mistakes(
        "pad",
        f"{PAD}.tables",
        "CONTINUED",
        (
            "edge-repeated",
            "(n - 1) - np.abs(np.abs(i) - (n - 1))",
            "np.where(i < 0, -i - 1, np.where(i < n, i, 2 * n - 1 - i))",
            "a reflection repeats the edge",
        ),
    ),
    *mistakes(
        "pad",
        f"{PAD}.reference",
        "backward",
        (
            "assigned",
            "total[rows[oh], columns[ow]] +=",
            "total[rows[oh], columns[ow]] =",
            "= for +=: copies of a pixel do not add up",
        ),
    ),
    *mistakes(
        "pixel_shuffle",
        SHUFFLE,
        "pixel_shuffle",
        (
            "rows-for-columns",
            "n + 3, n + 1, n + 4, n + 2",
            "n + 3, n + 2, n + 4, n + 1",
            "a pixel's channels go down its columns",
        ),
    ),
    *mistakes(
        "pixel_unshuffle",
        SHUFFLE,
        "pixel_unshuffle",
        (
            "rows-for-columns",
            "n + 2, n + 4, n + 1, n + 3",
            "n + 4, n + 2, n + 1, n + 3",
            "a pixel's channels go down its columns",
        ),
    ),
    *mistakes(
        "interpolate",
        f"{RESIZE}.tables",
        "bilinear",
        ("half-pixel", "(dst + 0.5) *", "dst *", "the centre of a pixel is taken for its corner"),
        (
            "corner-sizes",
            "(in_size - 1) / (out_size - 1) if out_size > 1 else 0.0",
            "in_size / out_size",
            "aligned corners are scaled by the sizes",
        ),
        (
            "weights-exchanged",
            "(1 - fraction).astype(dtype), fraction.astype(dtype)",
            "fraction.astype(dtype), (1 - fraction).astype(dtype)",
            "the farther pixel counts more",
        ),
    ),
    *mistakes(
        "interpolate",
        f"{RESIZE}.tables",
        "nearest",
        (
            "rounded",
            "np.arange(out_size, dtype=np.int64) * in_size // out_size",
            "(2 * np.arange(out_size, dtype=np.int64) + 1) * in_size // (2 * out_size)",
            '"nearest" takes the pixel under the centre, as "nearest-exact"',
        ),
        (
            "float32-index",
            "np.arange(out_size, dtype=np.int64) * in_size // out_size",
            "np.floor(np.arange(out_size, dtype=np.float32) * (np.float32(in_size) / np.float32(out_size))).astype(np.int64)",
            "indices are computed in float32, and round to the next pixel for some sizes",
            "PyTorch: 195 of 16,641 pairs of sizes",
        ),
    ),
    *mistakes(
        "interpolate",
        "rawseg.functional.resize",
        "interpolate",
        (
            "scale-axes",
            "(1 / factors[0], 1 / factors[1])",
            "(1 / factors[1], 1 / factors[0])",
            "rows have the scale of columns",
        ),
        ("scale-recomputed", "None if recompute else (", "None if True else (", "the scale is always taken from the sizes"),
    ),
    *mistakes(
        "interpolate",
        f"{RESIZE}.reference",
        "backward_bilinear",
        (
            "gradient-weight",
            "lower * right_weight[ow]",
            "lower * left_weight[ow]",
            "the gradient of the lower right pixel has its neighbour's weight",
        ),
        ("assigned", "plane[top[oh], left[ow]] +=", "plane[top[oh], left[ow]] =", "= for +=: shares of a pixel do not add up"),
    ),
    *mistakes(
        "interpolate",
        f"{RESIZE}.reference",
        "backward_nearest",
        (
            "nearest-assigned",
            "plane[rows[oh], columns[ow]] +=",
            "plane[rows[oh], columns[ow]] =",
            "= for +=: copies of a pixel do not add up",
        ),
    ),
]
