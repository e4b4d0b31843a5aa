"""Activations, norms and losses as somebody else may write them in NumPy: each right, or wrong by one switch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def softmax(shifted: bool = True) -> Any:
    def softmax(x, dim):
        powers = np.exp(x - x.max(dim, keepdims=True, initial=-np.inf)) if shifted else np.exp(x)
        return powers / powers.sum(dim, keepdims=True)

    return softmax


def gelu(exact: bool = True) -> Any:
    def gelu(input):
        x = input.astype(np.float64)
        if exact:
            gate = np.reshape([math.erfc(-value / math.sqrt(2)) / 2 for value in x.ravel()], x.shape)
        else:
            gate = (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
        return (x * gate).astype(input.dtype)

    return gelu


def elu(below: bool = True) -> tuple[Any, Any]:
    """A function and its gradient, which is that of the positive side everywhere if ``below`` is forgotten."""

    def elu(x, alpha=1.0):
        return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))).astype(x.dtype)

    def backward(grad_output, x, alpha=1.0):
        slope = alpha * np.exp(np.minimum(x, 0)) if below else np.ones_like(x)
        return (grad_output * np.where(x <= 0, slope, 1)).astype(x.dtype)

    return elu, backward


def batch_norm(biased: bool = True, passes: int = 2, corrected: bool = True, moving: bool = True, mean: bool = True) -> Any:
    """A function and its gradient.

    ``biased``: the variance that it divides by; ``corrected``: that of the running statistics is the unbiased one; ``moving``:
    they are written to; ``mean``: the gradient flows through the mean.
    """

    def of(values: Any, x: Any) -> Any:
        return values.reshape(1, -1, *[1] * (x.ndim - 2))

    def moments(x: Any) -> tuple[Any, Any, int]:
        axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
        if not count:
            return np.zeros(x.shape[1]), np.zeros(x.shape[1]), 0
        centre = x.mean(axes)
        spread = ((x - of(centre, x)) ** 2).mean(axes) if passes == 2 else (x * x).mean(axes) - centre**2
        return centre, spread, count

    def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        centre, spread, count = moments(input) if training else (running_mean, running_var, 0)
        if training and count and running_mean is not None and moving:
            running_mean += np.asarray(momentum * (centre - running_mean), running_mean.dtype)
            unbiased = spread * count / (count - 1) if corrected else spread
            running_var += np.asarray(momentum * (unbiased - running_var), running_var.dtype)
        if training and not biased and count:
            spread = spread * count / (count - 1)
        out = (input - of(centre, input)) / np.sqrt(of(spread, input) + eps)
        out = out if weight is None else out * of(weight, input)
        return np.asarray(out if bias is None else out + of(bias, input), input.dtype)

    def backward(grad_output, input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        axes = (0, *range(2, input.ndim))
        centre, spread, count = moments(input) if training else (running_mean, running_var, 0)
        scale = 1 / np.sqrt(of(spread, input) + eps)
        z = (input - of(centre, input)) * scale
        scaled = grad_output if weight is None else grad_output * of(weight, input)
        if count:
            scaled = scaled - z * (scaled * z).mean(axes, keepdims=True) - mean * scaled.mean(axes, keepdims=True)
        grad_weight = None if weight is None else np.asarray((grad_output * z).sum(axes), input.dtype)
        grad_bias = None if bias is None else np.asarray(grad_output.sum(axes), input.dtype)
        return np.asarray(scaled * scale, input.dtype), None, None, grad_weight, grad_bias

    return batch_norm, backward


def group_norm(weights: str = "channel") -> Any:
    """``weights`` apply to a channel, or, wrongly, to the place of a channel in its group."""

    def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
        n, c = x.shape[:2]
        grouped = x.reshape(n, num_groups, c // num_groups, math.prod(x.shape[2:])).astype(np.float64)
        centred = grouped - grouped.mean((2, 3), keepdims=True)
        out = (centred / np.sqrt((centred**2).mean((2, 3), keepdims=True) + eps)).reshape(n, c, math.prod(x.shape[2:]))
        for factor, combine in ((weight, np.multiply), (bias, np.add)):
            if factor is not None:
                spread = factor if weights == "channel" else np.tile(factor[: c // num_groups], num_groups)
                out = combine(out, spread[:, None])
        return out.reshape(x.shape).astype(x.dtype)

    return group_norm


def layer_norm(last: bool = True) -> Any:
    """Over the last axes or, wrongly, over the first ones."""

    def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
        count = len(normalized_shape)
        axes = tuple(range(x.ndim - count, x.ndim)) if last else tuple(range(count))
        if x.size == 0:
            return x.copy()
        wide = x.astype(np.float64)
        centred = wide - wide.mean(axes, keepdims=True)
        out = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)
        out = out if weight is None else out * weight
        return (out if bias is None else out + bias).astype(x.dtype)

    return layer_norm


def cross_entropy(weighted: bool = True, shifted: bool = True) -> Any:
    """Of class ids; the mean is divided by the weights or, wrongly, by the number of targets."""

    def cross_entropy(x, target, weight=None, reduction="mean"):
        rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.ndim > 1 else x[None]
        ids = target.reshape(-1)
        rows = rows - rows.max(1, keepdims=True, initial=-np.inf) if shifted else rows
        losses = np.log(np.exp(rows).sum(1)) - rows[np.arange(len(ids)), ids]
        factors = np.ones(len(ids), x.dtype) if weight is None else weight[ids]
        losses = losses * factors
        if reduction == "none":
            return losses.reshape(target.shape)
        total = losses.sum(dtype=x.dtype)
        return np.asarray(total if reduction == "sum" else total / (factors.sum() if weighted else x.dtype.type(len(ids))))

    return cross_entropy


def mse_loss(by: str = "elements") -> tuple[Any, Any]:
    """A function and its gradient; the mean is taken over elements or, wrongly, over the first axis."""

    def count(x: Any) -> Any:
        return x.dtype.type(x.size if by == "elements" else len(x) if x.ndim else 1)

    def mse_loss(x, t, reduction="mean"):
        losses = (x - t) ** 2
        if reduction == "none":
            return losses
        return np.asarray(losses.sum() if reduction == "sum" else losses.sum() / count(x))

    def backward(grad_output, x, t, reduction="mean"):
        grad = np.asarray(2 * (x - t) * grad_output / (count(x) if reduction == "mean" else 1), x.dtype)
        return grad, -grad

    return mse_loss, backward


def binary_cross_entropy(floor: float = -100.0) -> Any:
    def binary_cross_entropy(p, t, weight=None, reduction="mean"):
        logs = [np.maximum(np.log(q.astype(np.float64)), floor) for q in (p, 1 - p)]
        losses = -(t * logs[0] + (1 - t) * logs[1]) * (1 if weight is None else weight)
        return np.asarray({"none": lambda x: x, "sum": np.sum, "mean": np.mean}[reduction](losses), p.dtype)

    return binary_cross_entropy


def dice_loss(ignoring: bool = True) -> Any:
    """Of class ids and masks; ignored pixels leave all sums or, wrongly, that of the targets alone."""

    def dice_loss(p, target, smooth=1.0, per="image-class", reduction="mean", ignore_index=-100):
        g, kept = target.astype(p.dtype), np.ones(p.shape, bool)
        if target.dtype == np.int64:
            classes = np.arange(p.shape[1]).reshape(-1, *[1] * (p.ndim - 2))
            kept = np.broadcast_to(target[:, None] != ignore_index, p.shape)
            g = ((target[:, None] == classes) & kept).astype(p.dtype)
        p = p * kept if ignoring else p
        axes = {"image-class": (), "image": (1,), "class": (0,), "batch": (0, 1)}[per] + tuple(range(2, p.ndim))
        losses = 1 - (2 * (p * g).sum(axes) + smooth) / (p.sum(axes) + g.sum(axes) + smooth)
        return np.asarray({"none": lambda x: x, "sum": np.sum, "mean": np.mean}[reduction](losses), p.dtype)

    return dice_loss
