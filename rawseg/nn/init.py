"""Initialisers, under torch.nn.init's names: they overwrite a Tensor with numbers from rawseg's own generator."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from .. import random
from ..autograd import Tensor, no_grad
from ..device import move
from ..errors import ArgumentError, ShapeError

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "skipped",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


class _State(threading.local):
    skipped = False


_state = _State()


@contextmanager
def skipped() -> Iterator[None]:
    """Make modules inside a ``with`` block without drawing a number: for weights that are about to be loaded, or never used.

    Their parameters hold whatever the memory held, and the random numbers that come after are those that would have come first.
    """
    before, _state.skipped = _state.skipped, True
    try:
        yield
    finally:
        _state.skipped = before


GAINS = {"linear": 1.0, "conv2d": 1.0, "conv_transpose2d": 1.0, "sigmoid": 1.0}
GAINS |= {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance of activations through a nonlinearity.

    Parameters
    ----------
    nonlinearity : str
        "linear", "conv2d", "conv_transpose2d", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
    param : float, optional
        The negative slope of "leaky_relu"; 0.01 by default.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ArgumentError("calculate_gain", "nonlinearity", f"one of {(*GAINS, 'leaky_relu')}", repr(nonlinearity))
    return GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with numbers uniform in [a, b)."""
    return _write(tensor, lambda: random.generator().uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with normal numbers."""
    return _write(tensor, lambda: random.generator().normal(mean, std, tensor.shape))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill with normal numbers, drawn again while they are outside [a, b].

    Raises
    ------
    ArgumentError
        If [a, b] lies more than two standard deviations from the mean: it might draw forever.
    """
    if not a < b or a > mean + 2 * std or b < mean - 2 * std:
        raise ArgumentError("trunc_normal_", "a", "an interval [a, b] within two standard deviations of the mean", (a, b))
    return _write(tensor, lambda: _normal_within(tensor.shape, mean, std, a, b))


def _normal_within(shape: tuple[int, ...], mean: float, std: float, a: float, b: float) -> np.ndarray:
    values = random.generator().normal(mean, std, shape)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = random.generator().normal(mean, std, int(outside.sum()))
    return values


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number."""
    return _write(tensor, lambda: np.asarray(val))


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill uniformly with variance ``gain**2 * 2 / (fan_in + fan_out)`` (Glorot and Bengio, AISTATS 2010)."""
    bound = gain * math.sqrt(6 / sum(fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill normally with variance ``gain**2 * 2 / (fan_in + fan_out)`` (Glorot and Bengio, AISTATS 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans("xavier_normal_", tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill uniformly with variance ``gain**2 / fan`` (He et al., arXiv 1502.01852).

    Parameters
    ----------
    tensor : Tensor, shape (C_out, C_in, ...)
        Weights.
    a : float
        Negative slope of "leaky_relu".
    mode : {"fan_in", "fan_out"}
        Keep the variance forwards or backwards.
    nonlinearity : str
        As in `calculate_gain`.
    """
    bound = math.sqrt(3) * _deviation("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill normally with variance ``gain**2 / fan``; parameters as in `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _deviation("kaiming_normal_", tensor, a, mode, nonlinearity))


def fans(op: str, tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs make an output, and how many outputs an input makes."""
    if tensor.ndim < 2 or tensor.size == 0:
        raise ShapeError(op, "tensor", "shape (out, in, ...), not empty", f"shape {tensor.shape}")
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def _deviation(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(op, "mode", "'fan_in' or 'fan_out'", repr(mode))
    fan = fans(op, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _write(tensor: Tensor, values: Callable[[], np.ndarray]) -> Tensor:
    if _state.skipped:
        return tensor
    with no_grad():
        return tensor.copy_(Tensor(move(values().astype(tensor.dtype), tensor.device)))
