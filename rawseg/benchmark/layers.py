"""The passes of batch norm, activations, sums, products and losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels import activation, batch_norm

from .. import cat, tensor
from .. import functional as F
from ..autograd import no_grad
from ..testing.rounding.bounds import gamma
from .passes import Bound, Pass, beside, normals, nothing, relative, sum_of

EPS, MOMENTUM = 1e-5, 0.1
LIMITS = {"": (-math.inf, math.inf), "relu": (0.0, math.inf), "relu6": (0.0, 6.0)}


def batch_norm_passes(shape: tuple[int, ...], after: str = "") -> list[Pass]:
    """Return forward and grad input in training, with what follows the normalisation, if anything."""
    import torch

    x, g, weight, bias = normals(0, shape, shape, (shape[1],), (shape[1],))
    low, high = LIMITS[after]
    mean, inv_std, _ = batch_norm.statistics(x, EPS)
    aten = torch.ops.aten
    clamp = {"": lambda y: y, "relu": torch.relu, "relu6": torch.nn.functional.relu6}[after]

    def ours(f: Any, x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
        def run() -> Any:
            mean, inv_std, _ = batch_norm.statistics(x, EPS)
            return batch_norm.normalise(x, weight, bias, mean, inv_std, low, high)

        return run

    def ours_backward(f: Any, g: Any, x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
        saved = beside(x, (mean, inv_std))
        return lambda: batch_norm.backward_train(g, x, weight, *saved, bias=bias, low=low, high=high)

    def theirs(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
        return lambda: clamp(aten.native_batch_norm(x, weight, bias, None, None, True, MOMENTUM, EPS)[0])

    def theirs_backward(g: Any, x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
        y, *saved = aten.native_batch_norm(x, weight, bias, None, None, True, MOMENTUM, EPS)
        out, mask = clamp(y), [True, True, True]

        def run() -> Any:
            passed = g
            if after == "relu":
                passed = aten.threshold_backward(g, out, 0)
            elif after:
                passed = aten.hardtanh_backward(g, y, low, high)
            return aten.native_batch_norm_backward(passed, x, weight, None, None, *saved, True, EPS, mask)

        return run

    return [
        Pass("forward", (x, weight, bias), ours, theirs, 4.0 * x.size, _normalised_bound),
        Pass(
            "grad input",
            (g, x, weight, bias),
            ours_backward,
            theirs_backward,
            9.0 * x.size,
            _normalised_gradient_bound,
        ),
    ]


def _shifted(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return |x - mean| and 1 / standard deviation of every channel, in double."""
    x = x.astype(np.float64)
    axes = (0, 2, 3)
    inv_std = 1 / np.sqrt(x.var(axes, keepdims=True) + EPS)
    return np.abs(x - x.mean(axes, keepdims=True)), inv_std


def _normalised_bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
    """Bound four roundings of the normalised number and its affine map; the statistics are in double."""
    x, weight, bias = item.arrays
    distance, inv_std = _shifted(x)
    scale = np.abs(weight.astype(np.float64))[:, None, None] * inv_std
    return gamma(4, np.float32) * (scale * distance + np.abs(bias)[:, None, None])


def _normalised_gradient_bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
    """Bound eight roundings of ``g - average(g) - z * average(g z)``, by the magnitudes that it adds."""
    g, x, weight, _ = item.arrays
    distance, inv_std = _shifted(x)
    z, g = distance * inv_std, np.abs(g.astype(np.float64))
    inner = g + g.mean((0, 2, 3), keepdims=True) + z * (g * z).mean((0, 2, 3), keepdims=True)
    return gamma(8, np.float32) * inner * inv_std * np.abs(weight)[:, None, None]


def activation_passes(shape: tuple[int, ...], kind: str) -> list[Pass]:
    """Return forward and grad input of relu or relu6."""
    import torch

    x, g = normals(0, shape, shape)
    ours, parameters = {"relu": ("relu", ()), "relu6": ("hardtanh", (0.0, 6.0))}[kind]
    aten = torch.ops.aten
    forward = aten.relu if kind == "relu" else (lambda x: aten.hardtanh(x, 0.0, 6.0))
    backward = (
        (lambda g, y: aten.threshold_backward(g, y, 0))
        if kind == "relu"
        else (lambda g, y: aten.hardtanh_backward(g, y, 0.0, 6.0))
    )
    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, ours, parameters),
            lambda x: lambda: forward(x),
            0.0,
            nothing,
            activation,
            "forward",
        ),
        Pass(
            "grad input",
            (g, activation.forward(x, ours, parameters)),
            lambda f, g, y: lambda: f(g, y, ours, parameters),
            lambda g, y: lambda: backward(g, y),
            0.0,
            nothing,
            activation,
            "backward",
        ),
    ]


def add_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return the sum of two maps."""
    a, b = normals(0, shape, shape)
    return [_composed("forward", (a, b), lambda a, b: a + b, lambda a, b: a + b, float(a.size), relative(1))]


def cat_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return two maps joined along their channels."""
    import torch

    return [
        _composed(
            "forward",
            tuple(normals(0, shape, shape)),
            lambda a, b: cat([a, b], 1),
            lambda a, b: torch.cat([a, b], 1),
            0.0,
            nothing,
        )
    ]


def linear_passes(shape: tuple[int, ...], out_features: int) -> list[Pass]:
    """Return forward, grad input and grad weight."""
    import torch

    x, weight, g = normals(0, shape, (out_features, shape[1]), (shape[0], out_features))
    flops = 2.0 * shape[0] * shape[1] * out_features
    products = [
        ("forward", (x, weight), lambda x, w: x @ w.T, lambda x, w: torch.nn.functional.linear(x, w), shape[1]),
        ("grad input", (g, weight), lambda g, w: g @ w, lambda g, w: g @ w, out_features),
        ("grad weight", (g, x), lambda g, x: g.T @ x, lambda g, x: g.T @ x, shape[0]),
    ]
    return [_composed(name, arrays, ours, theirs, flops, sum_of(terms)) for name, arrays, ours, theirs, terms in products]


def _composed(
    name: str, arrays: tuple[np.ndarray, ...], ours: Callable[..., Any], theirs: Callable[..., Any], flops: float, bound: Bound
) -> Pass:
    """Return a pass of rawseg's Tensors, without a graph."""

    def setup(f: Any, *arrays: Any) -> Callable[[], Any]:
        operands = [tensor(array) for array in arrays]

        def run() -> Any:
            with no_grad():
                return ours(*operands).array

        return run

    return Pass(name, arrays, setup, lambda *tensors: lambda: theirs(*tensors), flops, bound)


def cross_entropy_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return the loss and its gradient in one: what a training step does."""
    import torch

    (x,) = normals(0, shape)
    target = np.random.default_rng(1).integers(0, shape[1], (shape[0], *shape[2:]))

    def setup(f: Any, x: Any, target: Any) -> Callable[[], Any]:
        logits, labels = tensor(x, requires_grad=True), tensor(target)

        def run() -> Any:
            logits.grad = None
            F.cross_entropy(logits, labels).backward()
            return logits.grad

        return run

    def theirs(x: Any, target: Any) -> Callable[[], Any]:
        logits = x.detach().requires_grad_()

        def run() -> Any:
            with torch.enable_grad():
                return torch.autograd.grad(torch.nn.functional.cross_entropy(logits, target), logits)

        return run

    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        """Softmax minus one at the target, over the count: exponents are off by their rounding, the sum by one a class."""
        span = 2 * float(np.abs(x).max())
        return gamma(shape[1] + 12 + math.ceil(2 * span), np.float32) * (np.abs(exact) + 1 / target.size)

    return [Pass("forward and grad", (x, target), setup, theirs, 8.0 * x.size, bound)]


PASSES: dict[str, Callable[..., list[Pass]]] = {
    "batch_norm": batch_norm_passes,
    "batch_norm_relu": lambda shape: batch_norm_passes(shape, "relu"),
    "batch_norm_relu6": lambda shape: batch_norm_passes(shape, "relu6"),
    "relu": lambda shape: activation_passes(shape, "relu"),
    "relu6": lambda shape: activation_passes(shape, "relu6"),
    "add": add_passes,
    "cat": cat_passes,
    "linear": linear_passes,
    "cross_entropy": cross_entropy_passes,
}
