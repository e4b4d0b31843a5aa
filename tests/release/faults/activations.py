"""Faults in elementary functions, activations and softmax."""

from __future__ import annotations

ROOM = "kernels/rawseg_kernels"
ELEMENTARY = "kernels/test_elementary.py"
ACTIVATION = "kernels/test_activation.py"
SOFTMAX = "kernels/test_softmax.py"
PUBLIC = "functional/test_activation.py"
LAYERS = "nn/test_layers.py"

FAULTS = [
    (
        f"{ROOM}/_elementary.py",
        ELEMENTARY,
        [
            ("wrong formula", "for n in range(13, 1, -1))", "for n in range(10, 1, -1))"),
            ("wrong formula", "for n in range(21, 1, -2))", "for n in range(15, 1, -2))"),
            ("missing step", "r * r * series + ((coarse - r) - fine)", "r * r * series"),
            ("missing step", "power = near + ((r - (near - 1.0)) + rest)", "power = near + rest"),
            ("off by one", "half = k >> 1", "half = k - 1000"),
            ("wrong formula", "scale * (r + rest) + (scale - 1.0)", "scale * (1.0 + r + rest) - 1.0"),
            ("missing step", "return x if x == 0.0 else result", "return result + 0.0"),
            ("wrong comparison", "large = u > 0.41421356", "large = u > 0.9"),
            ("missing step", "whole * LN2_HIGH + (x - x)", "whole * LN2_HIGH"),
            ("wrong comparison", "(small if x < 0.0 else 1.0) / (1.0 + small)", "(small if x > 0.0 else 1.0) / (1.0 + small)"),
            ("missing step", "bell = exp(-0.5 * square, square) * (1.0 - 0.5 * missing)", "bell = exp(-0.5 * square, square)"),
            ("wrong formula", "SHORT_EXP = EXP[-8:]", "SHORT_EXP = EXP[-7:]"),
            ("missing step", "return 0.0 if x < -708.0 else (1.0", "return (1.0"),
            ("missing step", "tail = bell * (even + u * odd) /", "tail = bell * even /"),
            ("wrong sign", "return tail if x < 0.0 else 1.0 - tail", "return 1.0 - tail if x < 0.0 else tail"),
        ],
    ),
    (
        f"{ROOM}/activation/_pieces.py",
        ACTIVATION,
        [
            ("NaN rule", "zero if values[i] < 0 else values[i]", "values[i] if values[i] > 0 else zero"),
            ("wrong comparison", "zero if values[i] <= 0 else grads[i]", "zero if values[i] < 0 else grads[i]"),
            ("wrong comparison", "held = zero if values[i] <= low", "held = zero if values[i] < low"),
            ("wrong comparison", "zero if values[i] >= high else held", "zero if values[i] > high else held"),
            (
                "wrong comparison",
                "values[i] if values[i] > 0 else values[i] * slope",
                "values[i] if values[i] < 0 else values[i] * slope",
            ),
            (
                "wrong comparison",
                "grads[i] if values[i] > 0 else grads[i] * slope",
                "grads[i] if values[i] >= 0 else grads[i] * slope",
            ),
            ("wrong comparison", "abs(values[i]) < 3 else 0.0", "abs(values[i]) <= 3 else 0.0"),
            ("wrong comparison", "0.0 if value <= -3.0 else held", "0.0 if value < -3.0 else held"),
            ("wrong formula", "grad * (value / 3.0 + 0.5)", "grad * (value / 6.0 + 0.5)"),
        ],
    ),
    (
        f"{ROOM}/activation/_smooth.py",
        ACTIVATION,
        [
            (
                "missing step",
                "(exp(value * rate, values[i]) * (negative * rate) if",
                "(exp(value * rate, values[i]) * negative if",
            ),
            ("wrong comparison", "if value <= 0.0 else positive)", "if value < 0.0 else positive)"),
            ("wrong formula", "grads[i] * (value * (1.0 - value))", "grads[i] * (value * (1.0 + value))"),
            ("wrong formula", "((1.0 - value) * (1.0 + value))", "((1.0 - value) * (1.0 - value))"),
            ("missing step", "threshold else _softplus(value, values[i]) / beta", "threshold else _softplus(value, values[i])"),
            ("missing step", "grads[i] if value > threshold else grads[i] * _sig", "grads[i] * _sig"),
            ("wrong comparison", "(small, large) if value < 0.0 else", "(small, large) if value > 0.0 else"),
            ("missing step", "grads[i] * (below + values[i] * density)", "grads[i] * below"),
            ("missing step", "(slope if bell != 0.0 else 0.0 * value)", "slope"),
            ("wrong formula", "(1.0 + 3.0 * CUBIC * value * value) * bell", "(1.0 + CUBIC * value * value) * bell"),
            ("missing step", "(small * small if value > 0.0 else small)", "small"),
        ],
    ),
    (
        f"{ROOM}/activation/__init__.py",
        ACTIVATION,
        [
            ("wrong comparison", "not numbers[0] <= numbers[1]:", "not numbers[0] <= numbers[1] + 9:"),
            ("missing check", "if len(parameters) != len(names):", "if False:"),
            ("missing step", "return tuple(map(_single, numbers))", "return numbers"),
            ("missing check", "if type(value) is float and not math.isnan(value):", "if type(value) is float:"),
        ],
    ),
    (
        f"{ROOM}/activation/expressions.py",
        ACTIVATION,
        [
            ("wrong comparison", "_zero_where(~(abs(x) < 3), grad_output / 6)", "_zero_where(abs(x) > 3, grad_output / 6)"),
            ("missing step", "module_of(x).where(bell != 0, 2 * x", "module_of(x).where(bell == bell, 2 * x"),
            ("missing step", "for a in arguments)).astype(dtype)", "for a in arguments))"),
        ],
    ),
    (
        f"{ROOM}/softmax/direct.py",
        SOFTMAX,
        [
            ("missing step", "if values[k] > top or values[k] != values[k]:", "if values[k] > top + 2000:"),
            ("NaN rule", "larger = values[i] > top[i] or values[i] != values[i]", "larger = values[i] != values[i]"),
            ("= for +=", "total += exponentials[k]", "total = exponentials[k]"),
            ("= for +=", "total[i] += row[i]", "total[i] = row[i]"),
            ("off by one", "for k in range(1, classes):", "for k in range(1, classes - 1):"),
            ("missing step", "target[k] = (grads[k] - total) * values[k]", "target[k] = grads[k] * values[k]"),
            ("missing step", "grads[i] - exp(np.float64(values[i]), values[i]) * total[i]", "grads[i] - total[i]"),
            ("off by one", "return length, -(-inner // length)", "return length, inner // length"),
        ],
    ),
    (
        f"{ROOM}/softmax/__init__.py",
        SOFTMAX,
        [
            ("wrong axis", "math.prod(shape[axis + 1 :])", "math.prod(shape[axis:])"),
            ("missing check", "if shape[axis] < 1:", "if shape[axis] < 0:"),
            ("off by one", "if axis >= len(shape):", "if axis > len(shape):"),
        ],
    ),
    (
        "rawseg/functional/nonlinearity.py",
        PUBLIC,
        [
            ("wrong comparison", "where(x < 0, (x.clamp(max=0)", "where(x <= 0, (x.clamp(max=0)"),
            ("missing step", "(negative * rate**2), 0.0)", "(negative * rate), 0.0)"),
            ("wrong comparison", "where(x * beta >= threshold, 0.0", "where(x * beta > threshold, 0.0"),
            ("missing step", "s * (1 - s) * (2 + x * (1 - 2 * s))", "s * (1 - s) * (1 + x * (1 - 2 * s))"),
            ("wrong formula", "DENSITY * (2 - x * x)", "DENSITY * (1 - x * x)"),
            ("wrong formula", "x * (12 * ROOT * CUBIC)", "x * (6 * ROOT * CUBIC)"),
            ("wrong sign", "(2 + x * (1 - s - 2 * w * s))", "(2 + x * (1 - s + 2 * w * s))"),
            ("wrong comparison", "where(abs(x) < 3, 1 / 3", "where(abs(x) <= 3, 1 / 3"),
            ("wrong formula", '"tanh": lambda out: -2 * out', '"tanh": lambda out: 2 * out'),
            ("missing step", "return first, grad_grad * grad_output * CURVATURE", "return first, grad_grad * CURVATURE"),
        ],
    ),
    (
        "rawseg/functional/activation.py",
        PUBLIC,
        [
            ("wrong order", '"selu", input), SELU_SCALE, SELU_SCALE * SELU_ALPHA', '"selu", input), SELU_SCALE, SELU_ALPHA'),
            ("wrong formula", '"celu", input), 1.0, alpha, 1 / alpha)', '"celu", input), 1.0, alpha, 1.0)'),
            ("wrong formula", '"relu6", input), 0.0, 6.0)', '"relu6", input), 0.0, 5.0)'),
        ],
    ),
    (
        "rawseg/functional/activation.py",
        "functional/test_cross_entropy.py",
        [("missing check", "if x.dtype not in FLOATING:", "if x.dtype.kind != 'f':")],
    ),
    (
        "rawseg/functional/logistic.py",
        PUBLIC,
        [
            ("missing step", "ctx.axis, logarithm=True))", "ctx.axis))"),
            ("wrong sign", '"logsigmoid", input), -1.0, math.inf)', '"logsigmoid", input), 1.0, math.inf)'),
        ],
    ),
    (
        "rawseg/functional/logistic.py",
        "functional/test_every_operation.py -k softmax",
        [
            ("missing step", "(grad_output - (grad_output * out).sum(ctx.axis, keepdim=True)) * out", "grad_output * out"),
            ("wrong axis", "out.exp() * grad_output.sum(ctx.axis, keepdim=True)", "out.exp() * grad_output.sum(keepdim=True)"),
        ],
    ),
]
