"""The passes of update rules: a step with PyTorch's defaults, from a state that is empty."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import optim, tensor
from ..testing.rounding.bounds import gamma
from .passes import Bound, Pass, normals

RATE, MOMENTUM, DECAY = 1e-3, 0.9, 1e-4


def adam_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return a step of Adam."""
    import torch

    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        """Bound the first step, lr g / (|g| + eps): some 16 roundings of a number below lr, and one of the sum."""
        return gamma(1, np.float32) * np.abs(exact) + gamma(16, np.float32) * RATE

    return [_step(shape, partial(optim.Adam, lr=RATE), partial(torch.optim.Adam, lr=RATE), 12.0, bound)]


def sgd_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return a step of gradient descent with momentum and decay, as ResNets are trained."""
    import torch

    options = {"lr": RATE, "momentum": MOMENTUM, "weight_decay": DECAY}

    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        """Bound the first step, p - lr (g + decay p): each number is rounded at most four times."""
        p, g = (np.abs(array.astype(np.float64)) for array in item.arrays)
        return gamma(4, np.float32) * (p + RATE * (g + DECAY * p))

    return [_step(shape, partial(optim.SGD, **options), partial(torch.optim.SGD, **options), 6.0, bound)]


def _step(shape: tuple[int, ...], ours: Any, theirs: Any, flops: float, bound: Bound) -> Pass:
    """Return a step of two optimisers, each with parameter, gradient and state where the operands lie."""

    def setup(f: Any, p: Any, g: Any) -> Callable[[], Any]:
        parameter = tensor(p.copy(), requires_grad=True)
        parameter.grad = tensor(g)
        optimizer = ours([parameter])

        def run() -> Any:
            optimizer.step()
            return parameter

        return run

    def their_setup(p: Any, g: Any) -> Callable[[], Any]:
        parameter = p.clone().requires_grad_()
        parameter.grad = g.clone()
        optimizer = theirs([parameter])

        def run() -> Any:
            optimizer.step()
            return parameter

        return run

    p, g = normals(0, shape, shape)
    return Pass("step", (p, g), setup, their_setup, flops * p.size, bound)


PASSES: dict[str, Callable[..., list[Pass]]] = {"adam": adam_passes, "sgd": sgd_passes}
