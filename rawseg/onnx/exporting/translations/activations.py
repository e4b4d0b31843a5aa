"""Activations: ONNX's own operators where the set has them, else what they are made of."""

from __future__ import annotations

import math

from ....functional.nonlinearity import FUNCTIONS
from ..program import Step
from ..writer import Writer
from .registry import translates

NEGLIGIBLE = 20.0  # from there on log(1 + e**x) differs from x by less than float32 and float64 can show or tests can see


@translates(*FUNCTIONS.values())
def activation(w: Writer, step: Step) -> str:
    """Translate any activation."""
    kind, parameters = step.options["kind"], step.options["parameters"]
    return KINDS[kind](w, step, w.inputs(step)[0], *parameters)


def _operator(name):
    return lambda w, step, x: w.node(name, x)


def _hardtanh(w: Writer, step: Step, x: str, low: float, high: float) -> str:
    return w.node("Clip", x, w.number(low, step.out), w.number(high, step.out))


def _leaky_relu(w: Writer, step: Step, x: str, slope: float) -> str:
    return w.node("LeakyRelu", x, alpha=float(slope))


def _hardsigmoid(w: Writer, step: Step, x: str) -> str:
    return w.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def _hardswish(w: Writer, step: Step, x: str) -> str:
    return w.node("HardSwish", x) if w.opset >= 14 else w.node("Mul", x, _hardsigmoid(w, step, x))


def _elu(w: Writer, step: Step, x: str, positive: float, negative: float, rate: float) -> str:
    if rate == 1 and positive == 1:
        return w.node("Elu", x, alpha=float(negative))
    if rate == 1:
        return w.node("Selu", x, alpha=negative / positive, gamma=float(positive))
    inside = w.node("Mul", x, w.number(rate, step.out))
    grown = w.node("Mul", w.node("Elu", inside, alpha=1.0), w.number(negative, step.out))  # right where x is not positive
    straight = x if positive == 1 else w.node("Mul", x, w.number(positive, step.out))
    return w.node("Where", w.node("Greater", x, w.number(0, step.out)), straight, grown)


def _softplus(w: Writer, step: Step, x: str, beta: float, threshold: float) -> str:
    scaled = x if beta == 1 else w.node("Mul", x, w.number(beta, step.out))
    soft = w.node("Softplus", scaled)
    soft = soft if beta == 1 else w.node("Mul", soft, w.number(1 / beta, step.out))
    if threshold >= NEGLIGIBLE or math.isinf(threshold):
        return soft
    return w.node("Where", w.node("Greater", scaled, w.number(threshold, step.out)), x, soft)


def _silu(w: Writer, step: Step, x: str) -> str:
    return w.node("Mul", x, w.node("Sigmoid", x))


def _gelu(w: Writer, step: Step, x: str) -> str:
    if w.opset >= 20:
        return w.node("Gelu", x)
    share = w.node("Erf", w.node("Mul", x, w.number(math.sqrt(0.5), step.out)))
    half = w.node("Mul", x, w.number(0.5, step.out))
    return w.node("Mul", half, w.node("Add", share, w.number(1, step.out)))


def _gelu_tanh(w: Writer, step: Step, x: str) -> str:
    if w.opset >= 20:
        return w.node("Gelu", x, approximate="tanh")
    square = w.node("Mul", x, x)
    cubic = w.node("Add", w.node("Mul", square, w.number(0.044715, step.out)), w.number(1, step.out))
    inside = w.node("Mul", w.node("Mul", x, w.number(2 * math.sqrt(2 / math.pi), step.out)), cubic)
    return w.node("Mul", x, w.node("Sigmoid", inside))


def _mish(w: Writer, step: Step, x: str) -> str:
    return w.node("Mish", x) if w.opset >= 18 else w.node("Mul", x, w.node("Tanh", w.node("Softplus", x)))


KINDS = {
    "relu": _operator("Relu"),
    "sigmoid": _operator("Sigmoid"),
    "tanh": _operator("Tanh"),
    "hardtanh": _hardtanh,
    "leaky_relu": _leaky_relu,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "elu": _elu,
    "softplus": _softplus,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": _mish,
}
