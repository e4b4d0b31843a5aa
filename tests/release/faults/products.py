"""Faults in the kernels of convolution and matrix products, and in what all kernels stand on."""

from __future__ import annotations

CONV = "kernels/test_conv2d.py -k 'by_hand or whole_numbers'"
CONV_CUT = "kernels/test_conv2d.py -k cut_up"
CONV_PADDING = "kernels/test_conv2d.py -k padding"
CONV_SAME = "kernels/test_conv2d.py -k same_puts"
TRANSPOSED = "kernels/test_conv_transpose2d.py -k 'by_hand or whole_numbers'"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/conv2d/direct.py",
        CONV,
        [
            ("off by one", "(size - 1 - offset) // stride + 1)", "(size - 1 - offset) // stride)"),
            ("height for width", "- padding[0] + kh * dilation[0]", "- padding[0] + kh * dilation[1]"),
            ("group offset", "channel = k // (out_channels // groups) * depth\n", "channel = 0\n"),
            (
                "group offset",
                "channel = k // (out_channels // groups) * depth + c",
                "channel = k // (out_channels // groups) + c",
            ),
            ("group offset", "weight[k, c % depth, kh, kw]", "weight[k, depth - 1 - c % depth, kh, kw]"),
            (
                "flip or transposition",
                "weight[k, c, kh, kw], right",
                "weight[k, c, kernel_h - 1 - kh, kernel_w - 1 - kw], right",
            ),
            ("missing step", "out_row[:] = bias[k] if bias.size else 0", "out_row[:] = 0"),
            ("= for +=", "lanes[i] += row[i]", "lanes[i] = row[i]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_phases.py",
        CONV,
        [
            ("height for width", "kw * dilation[1] - padding[1])", "kw * dilation[0] - padding[1])"),
            ("height for width", "kh * dilation[0] - padding[0]", "kh * dilation[0] - padding[1]"),
            ("flip or transposition", "(tap, -offset)", "(tap, offset)"),
            ("wrong sign", "divmod(tap * dilation - padding, stride)", "divmod(tap * dilation + padding, stride)"),
            ("floor for ceil", "-(-(size[0] - h0) // stride[0])", "(size[0] - h0) // stride[0]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/im2col.py",
        CONV_CUT,
        [
            ("height for width", "x[:, :, :: stride[0], :: stride[1]]", "x[:, :, :: stride[1], :: stride[0]]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/im2col.py",
        CONV_PADDING,
        [("missing check", "if padded and not _finite(weight):", "if padded and False:")],
    ),
    (f"{ROOM}/conv2d/im2col.py", TRANSPOSED, [("missing step", "if bias is not None and not covered:", "if False:")]),
    (
        f"{ROOM}/conv2d/_correlation.py",
        CONV,
        [
            ("group offset", "bias[group * tile.channels + panel * ROWS + k]", "bias[panel * ROWS + k]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_weight_sums.py",
        CONV_CUT,
        [
            ("= for +=", "total[place] += results[", "total[place] = results["),
            ("off by one", "for share in shares[1:]:", "for share in shares[2:]:"),
        ],
    ),
    (f"{ROOM}/conv2d/__init__.py", CONV, [("height for width", "(sides[0], sides[2])", "(sides[0], sides[1])")]),
    (
        f"{ROOM}/_convolution.py",
        CONV,
        [
            (
                "floor for ceil",
                "out.append((padded - reach) // stride[axis] + 1)",
                "out.append(-(-(padded - reach) // stride[axis]) + 1)",
            ),
            ("wrong comparison", "if padded < reach:", "if padded <= reach:"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        CONV_SAME,
        [
            ("wrong tie", "return total_h // 2, total_h - total_h // 2,", "return total_h - total_h // 2, total_h // 2,"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        TRANSPOSED,
        [
            ("missing step", "smallest[1] + output_padding[1]", "smallest[1]"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        "kernels/test_conv_transpose2d_errors.py",
        [
            ("wrong comparison", "both[axis] >= max(stride", "both[axis] > max(stride"),
            ("wrong comparison", "< smallest[axis] + stride[axis]:", "<= smallest[axis] + stride[axis]:"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        "kernels/test_conv2d_errors.py",
        [
            ("missing check", "if count % groups:", "if count % groups == count:"),
        ],
    ),
    (
        f"{ROOM}/conv_transpose2d/__init__.py",
        "kernels/test_conv_transpose2d_errors.py",
        [
            ("missing check", "if weight_shape[0] != in_channels:", "if weight_shape[0] > in_channels:"),
        ],
    ),
    (
        f"{ROOM}/matmul/panels.py",
        "kernels/test_matmul.py",
        [
            ("missing step", "fill(results, 0, results.size, 0)", "fill(results, 0, 0, 0)"),
        ],
    ),
    (
        f"{ROOM}/_threads.py",
        "kernels/test_foundation.py -k 'launch or task'",
        [
            ("off by one", "for i in range(count)])", "for i in range(1, count)])"),
            ("wrong order", "(i + 1) * tasks // count)", "(i + 2) * tasks // count)"),
            ("missing check", "helper.result()", "helper.exception()"),
        ],
    ),
    (
        f"{ROOM}/_arrays.py",
        "kernels/test_foundation.py -k 'pairs or agree or 64_bit'",
        [
            ("height for width", "height, width = integer(op", "width, height = integer(op"),
            ("wrong comparison", "if max(height, width) > LARGEST:", "if max(height, width) > LARGEST + 1:"),
            ("missing check", "if isinstance(value, (bool, np.bool_)):", "if isinstance(value, np.bool_):"),
            ("wrong comparison", "if number < minimum:", "if number <= minimum:"),
            ("missing check", "elif array.dtype != first.dtype:", "elif array.dtype.kind != first.dtype.kind:"),
        ],
    ),
    (
        f"{ROOM}/_memory.py",
        "kernels/test_foundation.py",
        [
            ("wrong comparison", "if needed > limit_bytes() or", "if needed >= limit_bytes() or"),
            ("missing check", "if needed > limit_bytes() or spanned > np.iinfo(np.int64).max:", "if needed > limit_bytes():"),
        ],
    ),
]
