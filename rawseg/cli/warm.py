"""Every kernel once, so that it is compiled before it is needed; what ``rawseg doctor --warm`` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import functional as F
from .. import get_precision, nn, no_grad, ops, optim, set_precision, tensor
from ..autograd import Tensor

Task = Callable[[str], None]  # of a dtype


def _map(dtype: str, *shape: int) -> Tensor:
    """Return a Tensor of distinct numbers that wants its gradient."""
    numbers = np.linspace(0.1, 0.9, int(np.prod(shape)), dtype=dtype)
    return tensor(np.random.default_rng(0).permutation(numbers).reshape(shape), requires_grad=True)


def _both_ways(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Task:
    """Return the task of a function of maps: forward, and backward to all of them."""

    def run(dtype: str) -> None:
        out = function(*(_map(dtype, *shape) for shape in shapes))
        out = out[0] if isinstance(out, tuple) else out
        out.sum().backward()

    return run


def _convolution(*weight: int, at: str = "fast", side: int = 40, **options: Any) -> Task:
    """Return the task of a convolution of 2 images at a precision: the algorithms of all passes are those of "auto"."""

    def run(dtype: str) -> None:
        before = get_precision()
        set_precision(at)
        try:
            x = _map(dtype, 2, weight[1] * options.get("groups", 1), side, side)
            F.conv2d(x, _map(dtype, *weight), _map(dtype, weight[0]), **options).sum().backward()
        finally:
            set_precision(before)

    return run


def _block(dtype: str) -> None:
    """Train, and infer with, convolution, batch norm and ReLU, which are computed in one."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU6())
    if dtype == "float64":
        net.double()
    x = _map(dtype, 2, 3, 20, 20)
    net(x).sum().backward()
    net.eval()
    with no_grad():
        _ = net(x).array


def _pooled_and_back(x: Tensor) -> Tensor:
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(values, indices, 2)


def _optimizers(dtype: str) -> None:
    parameter = _map(dtype, 100)
    parameter.sum().backward()
    for kind in (optim.SGD, optim.Adam, optim.AdamW):
        kind([parameter], 1e-3).step()


def _labels(*shape: int) -> Any:
    return tensor(np.zeros(shape, np.int64))


def _boxes(dtype: str) -> Tensor:
    return tensor(np.array([[0, 1, 1, 6, 7], [0, 2, 2, 9, 8]], dtype))


def _regions(dtype: str) -> None:
    x, boxes = _map(dtype, 1, 3, 12, 12), _boxes(dtype)
    for kind in (ops.roi_align, ops.roi_pool):
        kind(x, boxes, 2).sum().backward()
    ops.nms(boxes[:, 1:], tensor(np.array([0.5, 0.4], dtype)), 0.5)
    ops.box_iou(boxes[:, 1:], boxes[:, 1:])


def tasks() -> Iterator[tuple[str, Task]]:
    """Yield a name and a task for each group of kernels."""
    image = 2, 3, 12, 12
    yield "conv2d: im2col", _convolution(8, 3, 3, 3, padding=1)
    yield "conv2d: 1x1", _convolution(8, 16, 1, 1)
    yield "conv2d: stride 2", _convolution(8, 16, 3, 3, stride=2)
    yield "conv2d: Winograd 4x4", _convolution(64, 64, 3, 3, padding=1)
    yield "conv2d: Winograd 2x2", _convolution(128, 128, 3, 3, padding=1, at="balanced")
    yield "conv2d: depthwise", _convolution(8, 1, 3, 3, groups=8, padding=1)
    yield "conv_transpose2d", _both_ways(lambda x, w: F.conv_transpose2d(x, w, stride=2), image, (3, 4, 2, 2))
    yield "convolution, batch norm, ReLU", _block
    yield "linear, matmul", _both_ways(F.linear, (4, 6), (5, 6), (5,))
    for name in ("relu", "relu6", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "silu", "hardswish", "softplus", "mish"):
        yield name, _both_ways(getattr(F, name), image)
    yield "softmax", _both_ways(lambda x: F.softmax(x, 1) + F.log_softmax(x, 1), image)
    yield "max_pool2d", _both_ways(lambda x: F.max_pool2d(x, 2) + F.max_pool2d(x, 3, 2, 1), image)
    yield "avg_pool2d", _both_ways(lambda x: F.avg_pool2d(x, 2), image)
    yield "adaptive pools", _both_ways(lambda x: F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1), image)
    yield "max_unpool2d", _both_ways(_pooled_and_back, image)
    for mode in ("nearest", "bilinear"):
        yield f"interpolate: {mode}", _both_ways(lambda x, mode=mode: F.interpolate(x, scale_factor=2, mode=mode), image)
    for mode in ("constant", "reflect", "replicate"):
        yield f"pad: {mode}", _both_ways(lambda x, mode=mode: F.pad(x, (1, 1, 2, 2), mode), image)
    yield "unfold", _both_ways(lambda x: F.unfold(x, 3), image)
    yield "group_norm", _both_ways(lambda x: F.group_norm(x, 3), image)
    yield "layer_norm", _both_ways(lambda x: F.layer_norm(x, (12,)), image)
    yield "grid_sample", _both_ways(lambda x, g: F.grid_sample(x, g, align_corners=False), image, (2, 4, 4, 2))
    yield "cross_entropy", _both_ways(lambda x: F.cross_entropy(x, _labels(2, 12, 12)), image)
    yield "boxes and regions", _regions
    yield "optimizers", _optimizers
