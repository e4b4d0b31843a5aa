"""Normalisation of batches, images, groups and rows."""

from __future__ import annotations

import numpy as np

from ....functional.group_normalization import GroupNorm
from ....functional.layer_normalization import LayerNorm
from ....functional.normalization import BatchNormEvaluation, BatchNormTraining
from ..program import Step, Value
from ..writer import Writer
from .reductions import average
from .registry import translates


@translates(BatchNormEvaluation)
def batch_norm(w: Writer, step: Step) -> str:
    """Translate normalisation by fixed statistics."""
    x, (weight, bias) = step.x, step.inputs[1:]
    mean, var = step.options["mean"], step.options["var"]
    scale, shift = _or_constant(w, step, weight, 1), _or_constant(w, step, bias, 0)
    statistics = [w.builder.constant(s) if isinstance(s, np.ndarray) else w.name(s) for s in (mean, var)]
    return w.node("BatchNormalization", w.name(x), scale, shift, *statistics, epsilon=float(step.options["eps"]))


@translates(BatchNormTraining)
def batch_statistics(w: Writer, step: Step) -> list[str]:
    """Translate normalisation by the batch's own statistics."""
    x, (weight, bias) = step.x, step.inputs[1:]
    axes = (0, *range(2, x.ndim))
    out = _standardised(w, w.name(x), axes, step.options["eps"], step.out)
    shape = 1, -1, *[1] * (x.ndim - 2)
    return [_scaled(w, out, weight, bias, shape), "", ""]


@translates(GroupNorm)
def group_norm(w: Writer, step: Step) -> list[str]:
    """Translate normalisation in groups of channels: ``InstanceNormalization`` of the groups as if they were channels."""
    x, (weight, bias) = step.x, step.inputs[1:]
    groups, channels = step.options["groups"], x.shape[1]
    epsilon = float(step.options["eps"])
    if groups == channels:
        scale, shift = _or_constant(w, step, weight, 1), _or_constant(w, step, bias, 0)
        return [w.node("InstanceNormalization", w.name(x), scale, shift, epsilon=epsilon), "", ""]
    grouped = w.node("Reshape", w.name(x), w.builder.ints(0, groups, -1))  # (N, G, the rest)
    one, zero = (w.builder.constant(np.full(groups, number, x.dtype)) for number in (1, 0))
    out = w.node("InstanceNormalization", grouped, one, zero, epsilon=epsilon)
    out = w.node("Reshape", out, w.shape(x.shape, step.module))
    return [_scaled(w, out, weight, bias, (1, -1, *[1] * (x.ndim - 2))), "", ""]


@translates(LayerNorm)
def layer_norm(w: Writer, step: Step) -> str:
    """Translate normalisation of the last axes."""
    x, (weight, bias) = step.x, step.inputs[1:]
    count, epsilon = len(step.options["shape"]), float(step.options["eps"])
    if w.opset >= 17:
        scale = w.name(weight) or w.builder.constant(np.ones(w.fixed(step, "a row", *x.shape[-count:]), x.dtype))
        return w.node("LayerNormalization", w.name(x), scale, w.name(bias), axis=-count, epsilon=epsilon)
    out = _standardised(w, w.name(x), tuple(range(x.ndim - count, x.ndim)), epsilon, step.out)
    return _scaled(w, out, weight, bias, None)


def _or_constant(w: Writer, step: Step, value: Value | None, number: float) -> str:
    """Return the name of a value of one number a channel, or of a constant in its place."""
    if value is not None:
        return w.name(value)
    (channels,) = w.fixed(step, "a number of channels", step.x.shape[1])
    return w.builder.constant(np.full(channels, number, step.x.dtype))


def _standardised(w: Writer, x: str, axes: tuple[int, ...], epsilon: float, like: Value) -> str:
    """Return x with mean 0 and variance 1 over some axes."""
    centred = w.node("Sub", x, average(w, x, axes, True))
    spread = w.node("Add", average(w, w.node("Mul", centred, centred), axes, True), w.number(epsilon, like))
    return w.node("Div", centred, w.node("Sqrt", spread))


def _scaled(w: Writer, x: str, weight: Value | None, bias: Value | None, shape: tuple[int, ...] | None) -> str:
    """Return ``x * weight + bias``, either of which may be missing; in this shape, so that they meet their axis."""
    for op, value in (("Mul", weight), ("Add", bias)):
        if value is not None:
            name = w.name(value)
            x = w.node(op, x, name if shape is None else w.node("Reshape", name, w.builder.ints(*shape)))
    return x
