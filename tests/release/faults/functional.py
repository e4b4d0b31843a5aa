"""Faults in the differentiable operations and the losses."""

from __future__ import annotations

CLASSES = "functional/test_cross_entropy.py"
LOSSES = "functional/test_losses.py"
MASKS = "functional/test_segmentation_loss.py"
STATISTICS = "functional/test_batch_norm_statistics.py"
PLANES = "functional/test_planes_parity.py"
SECOND = "functional/test_second_order.py"

FAULTS = [
    (
        "rawseg/functional/classification_loss.py",
        CLASSES,
        [
            ("count", "count if weights is None else sharp.sum()", "sharp.size if weights is None else sharp.sum()"),
            ("missing check", "count if weights is None else sharp.sum()", "count"),
            ("count", "(sharp * kept).sum(dtype", "sharp.sum(dtype"),
            ("count", "losses.sum(), losses.size, empty) if reduction", "losses.sum(), x.size, empty) if reduction"),
            ("missing step", "sharp * (1 - label_smoothing) if label_smoothing else", "sharp if label_smoothing else"),
            ("missing step", "asarray(losses.sum() / divisor)", "asarray(losses.sum() / 1)"),
            ("missing step", "asarray(grads / ctx.divisor)", "asarray(grads)"),
            ("missing step", "(grad_output / ctx.divisor).expand", "grad_output.expand"),
            ("missing step", "ids = xp.where(known, ids, 0)", "pass"),
            ("missing step", "(label_smoothing / len(weights)) if", "label_smoothing if"),
            ("wrong axis", "axis = 0 if x.ndim == 1 else 1\n", "axis = 0 if x.ndim == 1 else -1\n"),
            ("missing check", "check_class_ids(op,", "(op,"),
        ],
    ),
    (
        "rawseg/functional/binary_loss.py",
        LOSSES,
        [
            ("missing step", "= t if positive is None else t * positive", "= t"),
            ("missing step", "target if positive is None else target * positive", "target"),
            ("missing step", "xp.exp(-abs(wide_x))", "xp.exp(-wide_x)"),
            ("wrong sign", "grad_output * (x - target) /", "grad_output * (target - x) /"),
            ("missing step", "xp.maximum(wide(xp.log, x), LOG_FLOOR)", "wide(xp.log, x)"),
        ],
    ),
    (
        "rawseg/functional/regression_loss.py",
        LOSSES,
        [
            ("wrong formula", "small * (size - small / 2)", "small * (size - small)"),
            ("missing step", "delta=beta) / beta", "delta=beta)"),
            ("wrong formula", "x.clamp(-ctx.delta, ctx.delta)", "x.clamp(0, ctx.delta)"),
        ],
    ),
    (
        "rawseg/functional/reduction.py",
        LOSSES,
        [
            ("wrong axis", 'losses.mean() if reduction == "mean"', 'losses.mean(0) if reduction == "mean"'),
            ("wrong formula", 'if reduction == "mean" else losses.sum()', 'if reduction == "sum" else losses.sum()'),
        ],
    ),
    (
        "rawseg/functional/segmentation_loss.py",
        MASKS,
        [
            ("missing step", "2 * common + smooth, p + g + smooth", "2 * common, p + g + smooth"),
            ("missing step", "p + g - common + smooth", "p + g + smooth"),
            ("wrong axis", '"image": (1,), "class": (0,)', '"image": (0,), "class": (1,)'),
            ("missing step", "== classes) & kept[:, None]", "== classes)"),
            ("missing step", "p = x if kept is None else where(kept, x, 0.0)", "p = x"),
            ("count", "shares = (ids != ignore_index)", "shares = (ids == ids)"),
            ("missing step", "mean / (divisor / divisor.detach())", "mean"),
        ],
    ),
    (
        "rawseg/functional/border.py",
        MASKS,
        [
            ("wrong formula", "** 2) / 2)", "** 2))"),
            ("missing step", "np.minimum(second, np.maximum(nearest, distance))", "np.minimum(second, nearest)"),
            ("wrong order", "background, foreground = _class_weights", "foreground, background = _class_weights"),
        ],
    ),
    (
        "rawseg/functional/normalization.py",
        STATISTICS,
        [
            ("wrong operand", "x.size // x.shape[1], share", "x.size, share"),
            ("shared memory", "(mean.copy(), var.copy())", "(mean, var)"),
            ("missing step", "if running and x.size:", "if running:"),
        ],
    ),
    (
        "rawseg/functional/convolution.py",
        f"{SECOND} -k conv",
        [
            (
                "wrong sign",
                "ConvolutionBackwardInput.apply(grad_output, grad_weight,",
                "ConvolutionBackwardInput.apply(-grad_output, grad_weight,",
            ),
            ("wrong formula", "first = Convolution.apply(x, grad_weight,", "first = Convolution.apply(x * 2, grad_weight,"),
            (
                "wrong sign",
                "ConvolutionBackwardWeight.apply(grad_output, grad_x,",
                "ConvolutionBackwardWeight.apply(grad_output, -grad_x,",
            ),
        ],
    ),
    (
        "rawseg/functional/pooling.py",
        f"{SECOND} -k pool",
        [
            (
                "wrong sign",
                "Scatter.apply(grad_output, indices, input_shape=ctx.input_shape), None",
                "Scatter.apply(-grad_output, indices, input_shape=ctx.input_shape), None",
            ),
            (
                "missing step",
                "return AvgPool2d.apply(grad_input, geometry=ctx.geometry)",
                "return AvgPool2d.apply(grad_input.detach(), geometry=ctx.geometry)",
            ),
        ],
    ),
    (
        "rawseg/functional/resize.py",
        PLANES,
        [
            ("height for width", "(1 / factors[0], 1 / factors[1])", "(1 / factors[1], 1 / factors[0])"),
            ("floor for ceil", "math.floor(length * factor)", "math.ceil(length * factor)"),
        ],
    ),
    (
        "rawseg/functional/dropout.py",
        "functional/test_dropout.py",
        [
            ("missing step", "1 / (1 - p))", "1)"),
            ("wrong axis", "(*x.shape[:-2], 1, 1)", "(1, 1, *x.shape[-2:])"),
            ("wrong comparison", "np.float32) >= p", "np.float32) < p"),
        ],
    ),
]
