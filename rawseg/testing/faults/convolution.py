"""Mistakes in convolution, transposed convolution and matrix products."""

from __future__ import annotations

from .fault import mistakes

CONV = "rawseg_kernels.conv2d.reference"
TRANSPOSED = "rawseg_kernels.conv_transpose2d.reference"
SIZES = "rawseg_kernels._convolution"
DERIVATIVES = "rawseg.functional.convolution"
INSIDE = (
    "                                if 0 <= ih < h and 0 <= iw < w:\n                                    total += ONE * x["
)

FAULTS = [
    *mistakes(
        "conv2d",
        CONV,
        "forward",
        ("stride-axes", "oh * stride[0]", "oh * stride[1]", "rows move by the stride of columns", "tinygrad issue 17805"),
        ("dilation-twice", "kw * dilation[1]", "kw * dilation[0]", "columns have the dilation of rows", "burn issue 4466"),
        ("padding-axes", "- padding[1]", "- padding[0]", "columns have the padding of rows"),
        ("padding-sign", "- padding[0]", "+ padding[0]", "the padding moves windows down, not up"),
        (
            "flipped",
            "iw] * weight[k, c, kh, kw]",
            "iw] * weight[k, c, kernel_h - 1 - kh, kernel_w - 1 - kw]",
            "kernels are flipped",
        ),
        ("group-offset", "k // (out_channels // groups) * depth", "k % groups * depth", "groups are interleaved"),
        (
            "last-tap",
            "for kw in range(kernel_w)",
            "for kw in range(max(kernel_w - 1, 1))",
            "the kernel's last column is left out",
        ),
        ("one-bias", "ONE * bias[k]", "ONE * bias[0]", "every channel gets the first one's bias"),
        (
            "padding-multiplied",
            INSIDE + "b, first + c, ih, iw]",
            "                                if True:\n"
            "                                    inside = 0 <= ih < h and 0 <= iw < w\n"
            "                                    total += ONE * (x[b, first + c, ih, iw] if inside else 0.0)",
            "padded zeros are multiplied, so that a weight of inf gives NaN",
            "PyTorch's dense convolution",
        ),
    ),
    *mistakes(
        "conv2d",
        CONV,
        "backward_input",
        (
            "input-flipped",
            "c % depth, kh, kw]",
            "c % depth, kernel_h - 1 - kh, kernel_w - 1 - kw]",
            "kernels are flipped once more",
        ),
        (
            "input-group",
            "first = c // depth * per_group",
            "first = 0",
            "every group's gradient comes from the first group's outputs",
        ),
        (
            "input-gaps",
            "rest_h == 0 and rest_w == 0 and",
            "rest_h == 0 and",
            "the gaps that a stride leaves along x are not left out",
        ),
        ("input-padding", "iw + padding[1]", "iw - padding[1]", "the padding along x has the wrong sign"),
    ),
    *mistakes(
        "conv2d",
        CONV,
        "backward_weight",
        (
            "weight-batch",
            "for b in range(n)",
            "for b in range(min(n, 1))",
            "the gradient of the kernels is that of the first image",
        ),
        ("weight-dilation", "kh * dilation[0]", "kh * dilation[1]", "rows have the dilation of columns", "burn issue 4466"),
        ("weight-assigned", "total += ONE * grad", "total = ONE * grad", "= for +=: only the last window counts"),
        ("weight-group", "k // (out_channels // groups) * depth", "0", "every group's kernels see the first group's inputs"),
    ),
    *mistakes(
        "conv2d",
        CONV,
        "backward_bias",
        (
            "bias-mean",
            "grad_bias[k] = total",
            "grad_bias[k] = total / max(out_h * out_w, 1)",
            "the mean over pixels, not the sum",
        ),
    ),
    *mistakes(
        "conv2d",
        DERIVATIVES,
        "ConvolutionBackwardInput.backward",
        ("second-weight", "if ctx.needs_grad[1]:", "if False:", "the input's gradient does not depend on the kernels"),
    ),
    *mistakes(
        "conv2d",
        DERIVATIVES,
        "ConvolutionBackwardWeight.backward",
        (
            "second-input",
            "(grad_output, grad_weight,",
            "(grad_output, grad_weight * 2,",
            "the kernels' gradient moves twice as far",
        ),
    ),
    *mistakes(
        "conv2d",
        SIZES,
        "paddings",
        (
            "same-side",
            "total_h // 2, total_h - total_h // 2, total_w // 2, total_w - total_w // 2",
            "total_h - total_h // 2, total_h // 2, total_w - total_w // 2, total_w // 2",
            'the odd row of "same" is at the top',
        ),
        ("any-word", 'if padding != "same":', "if not padding:", "any word is taken for a padding of 'same'"),
    ),
    *mistakes(
        "conv2d",
        "rawseg_kernels._arrays",
        "integer",
        ("half-stride", "operator.index(value)", "int(value)", "a stride of 1.5 is rounded down without a word"),
    ),
    *mistakes(
        "conv_transpose2d",
        TRANSPOSED,
        "forward",
        (
            "assigned",
            "total[b, first + k, oh, ow] +=",
            "total[b, first + k, oh, ow] =",
            "= for +=: stamps that overlap do not add up",
        ),
        ("padding-sign", "- padding[0]", "+ padding[0]", "the padding moves stamps down, not up"),
        ("dilation-twice", "kw * dilation[1]", "kw * dilation[0]", "columns have the dilation of rows"),
        ("group-offset", "c // (channels // groups) * per_group", "c % groups * per_group", "groups are interleaved"),
        (
            "bias-where-hit",
            "total[:, k] += ONE * bias[k]",
            "total[:, k] += ONE * bias[k] * (total[:, k] != 0)",
            "pixels that no tap hits have no bias",
        ),
    ),
    *mistakes(
        "conv_transpose2d",
        TRANSPOSED,
        "backward_input",
        ("input-dilation", "kw * dilation[1]", "kw * dilation[0]", "columns have the dilation of rows"),
        ("input-edge", "0 <= oh < out_h", "0 <= oh < out_h - 1", "the output's last row has no gradient"),
    ),
    *mistakes(
        "conv_transpose2d",
        TRANSPOSED,
        "backward_weight",
        ("weight-stride", "ih * stride[0]", "ih * stride[1]", "rows move by the stride of columns"),
        ("weight-group", "c // (channels // groups) * per_group", "0", "every group's kernels see the first group's outputs"),
    ),
    *mistakes(
        "conv_transpose2d",
        SIZES,
        "transposed_output_size",
        (
            "output-padding",
            "smallest[1] + output_padding[1]",
            "smallest[1] + output_padding[0]",
            "columns have the rows' output padding",
        ),
    ),
    *mistakes(
        "linear",
        "rawseg_kernels.matmul.reference",
        "forward",
        ("last-feature", "for k in range(depth)", "for k in range(max(depth - 1, 1))", "the last feature is left out"),
    ),
    *mistakes(
        "linear",
        "rawseg.autograd.linear",
        "Affine.backward",
        (
            "weight-second",
            "MatMul.apply(grads, rows, turned_a=True)",
            "MatMul.apply(grads, rows.detach(), turned_a=True)",
            "the weight's gradient does not depend on the input",
        ),
    ),
    *mistakes(
        "linear",
        "rawseg.autograd.linear",
        "Affine.forward",
        ("bias-sign", "out += bias", "out -= bias", "the bias is subtracted"),
    ),
]
