"""Convolutions as somebody else may write them in NumPy: a right one, and wrong ones of every kind."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def check(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any) -> None:
    if x.ndim != 4 or x.shape[1] != weight.shape[1] or (bias is not None and bias.shape != weight.shape[:1]):
        raise ValueError("shapes that do not fit")
    if min(stride) < 1 or min(padding) < 0 or min(dilation) < 1 or x.dtype != weight.dtype:
        raise ValueError("arguments outside of their domains")
    if min(sizes(x, weight, stride, padding, dilation)) < 1:
        raise ValueError("a kernel larger than the image")


def sizes(x: Any, weight: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, int]:
    reach = [dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in (0, 1)]
    height, width = ((x.shape[2 + i] + 2 * padding[i] - reach[i]) // stride[i] + 1 for i in (0, 1))
    return height, width


def taps(x: Any, weight: Any, stride: Any, padding: Any, dilation: Any):
    """Yield every tap with the view of the padded image that it meets."""
    out_h, out_w = sizes(x, weight, stride, padding, dilation)
    framed = np.pad(x, ((0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])))
    for kh, kw in itertools.product(range(weight.shape[2]), range(weight.shape[3])):
        rows, columns = kh * dilation[0], kw * dilation[1]
        seen = np.s_[:, :, rows : rows + stride[0] * out_h : stride[0], columns : columns + stride[1] * out_w : stride[1]]
        yield kh, kw, framed, seen


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    stride, padding, dilation = pair(stride), pair(padding), pair(dilation)
    check(x, weight, bias, stride, padding, dilation)
    out = np.zeros((len(x), len(weight), *sizes(x, weight, stride, padding, dilation)), x.dtype)
    for kh, kw, framed, seen in taps(x, weight, stride, padding, dilation):
        out += np.einsum("nchw,kc->nkhw", framed[seen], weight[:, :, kh, kw])
    return out if bias is None else out + bias[:, None, None]


def conv2d_backward(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1):
    stride, padding, dilation = pair(stride), pair(padding), pair(dilation)
    grad_framed, grad_weight = None, np.zeros_like(weight)
    for kh, kw, framed, seen in taps(x, weight, stride, padding, dilation):
        grad_framed = np.zeros_like(framed) if grad_framed is None else grad_framed
        grad_framed[seen] += np.einsum("nkhw,kc->nchw", grad_output, weight[:, :, kh, kw])
        grad_weight[:, :, kh, kw] = np.einsum("nkhw,nchw->kc", grad_output, framed[seen])
    height, width = (grad_framed.shape[2 + i] - padding[i] for i in (0, 1))
    grad_x = np.ascontiguousarray(grad_framed[:, :, padding[0] : height, padding[1] : width])
    return grad_x, grad_weight, None if bias is None else grad_output.sum((0, 2, 3))


def stride_of_height_twice(x, weight, bias=None, stride=1, padding=0, dilation=1):
    stride = pair(stride)
    return conv2d(x, weight, bias, (stride[0], stride[0]), padding, dilation)


def flipped_backward(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1):
    """The gradient of x with the kernel turned around."""
    grad_x, *others = conv2d_backward(
        grad_output, x, np.ascontiguousarray(weight[:, :, ::-1, ::-1]), bias, stride, padding, dilation
    )
    return grad_x, conv2d_backward(grad_output, x, weight, bias, stride, padding, dilation)[1], *others[1:]


def without_empty(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Right, but for a batch without images, which it makes one of."""
    if not len(x):
        x = np.zeros((1, *x.shape[1:]), x.dtype)
    return conv2d(x, weight, bias, stride, padding, dilation)


def accepts_anything(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Right, but it makes up an answer where there is none."""
    try:
        return conv2d(x, weight, bias, stride, padding, dilation)
    except ValueError:
        return np.zeros((1, 1, 1, 1))


class Unsteady:
    """Right up to the last bits, which change from call to call."""

    def __init__(self) -> None:
        self.calls = 0
        self.__name__ = "unsteady"

    def __call__(self, x, weight, bias=None, stride=1, padding=0, dilation=1):
        self.calls += 1
        return conv2d(x, weight, bias, stride, padding, dilation) * x.dtype.type(1 + self.calls % 2 * np.finfo(x.dtype).eps)


def overwrites(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Right, but it works on its argument."""
    out = conv2d(x, weight, bias, stride, padding, dilation)
    x[...] = 0
    return out
