"""Mistakes in activations, and in softmax."""

from __future__ import annotations

from .fault import mistakes

PIECES = "rawseg_kernels.activation._pieces_reference"
SMOOTH = "rawseg_kernels.activation.reference"
CURVES = "rawseg.functional.nonlinearity"
SOFTMAX = "rawseg_kernels.softmax.reference"
LOGISTIC = "rawseg.functional.logistic"

FAULTS = [
    *mistakes("relu", PIECES, "relu", ("in-place", "out = x.copy()", "out = x", "the input is written to")),
    *mistakes(
        "silu",
        "rawseg_kernels.activation",
        "forward",
        (
            "memory-order",
            "_arrays.contiguous(x).reshape(-1)",
            'x.ravel(order="K")',
            "elements are taken as they lie in memory, column by column if so",
        ),
    ),
    *mistakes("relu", PIECES, "relu", ("nan-dropped", "x[i] < 0", "not x[i] > 0", "NaN becomes 0")),
    *mistakes("relu", PIECES, "relu_backward", ("gradient-at-zero", "out[i] <= 0", "out[i] < 0", "the gradient at 0 is 1")),
    *mistakes(
        "relu6", PIECES, "hardtanh_backward", ("gradient-at-six", "x[i] >= max_val", "x[i] > max_val", "the gradient at 6 is 1")
    ),
    *mistakes(
        "hardtanh",
        PIECES,
        "hardtanh",
        ("no-upper-bound", "x[i] > max_val", "x[i] > max_val + 1", "the upper bound is 1 higher"),
    ),
    *mistakes(
        "leaky_relu",
        PIECES,
        "leaky_relu_backward",
        ("gradient-zero", "ONE * grad_output[i] * negative_slope", "0.0", "the gradient is 0 below 0, as that of relu"),
        ("gradient-at-zero", "not x[i] > 0", "x[i] < 0", "the gradient at 0 is 1"),
    ),
    *mistakes(
        "hardsigmoid",
        PIECES,
        "hardsigmoid_backward",
        ("gradient-third", "grad_output[i] / 6", "grad_output[i] / 3", "a third for a sixth"),
    ),
    *mistakes(
        "hardswish",
        PIECES,
        "hardswish_backward",
        ("kink", "x[i] <= -3", "x[i] < -3", "the gradient at -3 is that of the parabola"),
    ),
    *mistakes(
        "hardswish",
        CURVES,
        "CURVATURE",
        ("second", "1 / 3, x.zeros_like()", "1 / 6, x.zeros_like()", "the second derivative is halved"),
    ),
    *mistakes("elu", SMOOTH, "elu_backward", ("alpha", "(negative * rate)", "rate", "the gradient below 0 lacks alpha")),
    *mistakes(
        "celu",
        "rawseg.functional.activation",
        "celu",
        ("rate", "alpha, 1 / alpha", "alpha, 1.0", "the exponent is not divided by alpha: an elu"),
    ),
    *mistakes(
        "selu",
        "rawseg.functional.activation",
        "selu",
        ("scale", "SELU_SCALE * SELU_ALPHA", "SELU_ALPHA", "below 0 the scale is missing"),
    ),
    *mistakes(
        "sigmoid",
        SMOOTH,
        "sigmoid_backward",
        (
            "twice",
            "(out[i] * (ONE - out[i]))",
            "(1 / (1 + np.exp(-ONE * out[i])) * (1 - 1 / (1 + np.exp(-ONE * out[i]))))",
            "the sigmoid of the output, which is one already",
        ),
    ),
    *mistakes(
        "tanh",
        SMOOTH,
        "tanh_backward",
        ("not-squared", "(ONE - out[i]) * (ONE + out[i])", "ONE - out[i]", "1 - out for 1 - out**2"),
    ),
    *mistakes(
        "tanh",
        CURVES,
        "CURVATURE",
        ("second-sign", "lambda out: -2 * out", "lambda out: 2 * out", "the second derivative has the wrong sign"),
    ),
    *mistakes(
        "softplus",
        SMOOTH,
        "softplus",
        ("beta", "np.log1p(np.exp(value)) / beta", "np.log1p(np.exp(value))", "below 0 the result is not divided by beta"),
        ("threshold", "value.real > threshold", "x[i].real > threshold", "the threshold is compared with x, not with beta x"),
    ),
    *mistakes(
        "softplus",
        SMOOTH,
        "softplus_backward",
        ("gradient-beta", "np.exp(-value)", "np.exp(-ONE * x[i])", "the gradient is that of beta 1"),
    ),
    *mistakes(
        "logsigmoid",
        SMOOTH,
        "softplus_backward",
        ("sign", "1 / (1 + np.exp(-value))", "1 / (1 + np.exp(value))", "the gradient is 1 minus what it should be"),
    ),
    *mistakes(
        "silu",
        SMOOTH,
        "silu_backward",
        ("product-rule", "s * (1 + x[i] * complement)", "s * complement", "the gradient of the sigmoid alone"),
    ),
    *mistakes("gelu", SMOOTH, "gelu_backward", ("density", " + x[i] * density", "", "the gradient lacks the density")),
    *mistakes(
        "gelu",
        SMOOTH,
        "gelu",
        (
            "tail",
            "(math.erfc(-HALF_ROOT * x[i]) / 2)",
            "((1 + math.erf(HALF_ROOT * x[i])) / 2)",
            "1 + erf, which cancels far below 0",
            "PyTorch 2.13",
        ),
    ),
    *mistakes(
        "gelu",
        SMOOTH,
        "gelu_tanh_backward",
        ("cubic", "(1 + 3 * CUBIC * value * value)", "(1 + CUBIC * value * value)", "the derivative of x**3 lacks its 3"),
    ),
    *mistakes(
        "mish",
        SMOOTH,
        "mish_backward",
        ("product-rule", "np.tanh(soft) + value * slope", "np.tanh(soft) + slope", "a factor x is missing in the gradient"),
    ),
    *mistakes(
        "mish",
        CURVES,
        "_mish",
        (
            "second",
            "rest * s * (2 + x * (1 - s - 2 * w * s))",
            "rest * s * 2",
            "the second derivative lacks the curvature of the gate",
        ),
    ),
    *mistakes(
        "softmax",
        SOFTMAX,
        "forward",
        ("no-shift", "x[b, k, i].real > top.real or ", "", "logits are not shifted by their largest: exp overflows"),
    ),
    *mistakes(
        "softmax",
        SOFTMAX,
        "backward",
        (
            "no-sum",
            "(grad - total) * out[b, k, i]",
            "grad * out[b, k, i] * (1 - out[b, k, i])",
            "the gradient is that of the diagonal alone",
        ),
    ),
    *mistakes(
        "softmax",
        LOGISTIC,
        "Softmax.backward",
        (
            "second-constant",
            "keepdim=True)) * out",
            "keepdim=True)) * out.detach()",
            "the second derivative takes the output for a constant",
        ),
    ),
    *mistakes(
        "softmax",
        LOGISTIC,
        "softmax",
        ("axis", '_filled_axis("softmax", x, dim)', '_filled_axis("softmax", x, -1)', "the last axis, whatever dim says"),
    ),
    *mistakes(
        "log_softmax",
        SOFTMAX,
        "backward",
        (
            "own-gradient",
            "np.exp(ONE * out[b, k, i]) * total",
            "np.exp(ONE * out[b, k, i]) * grad",
            "each class subtracts its own gradient, not their sum",
        ),
    ),
]
