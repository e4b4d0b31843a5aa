"""Activations for hypothesis: numbers on both sides of every kink and none near one, whatever the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS

SHAPES = [(), (1,), (7,), (2, 5), (3, 1, 4), (2, 3, 1, 4), (0,), (2, 0, 3), (1, 1)]


class Activation(NamedTuple):
    """What the cases of an activation are drawn from.

    Parameters
    ----------
    low, high : int
        Between which the input lies. Kinks, and where a parameter moves them to, are multiples of 1/8.
    options : mapping of str to tuple
        Values of each parameter, all of them exact in float32.
    """

    low: int = -3
    high: int = 3
    options: Mapping[str, tuple[Any, ...]] = MappingProxyType({})


# Where its gate approaches 0, gelu by 1 + erf loses its digits: below -2 that is an edge.
ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(),
    "relu6": Activation(-2, 8),
    "hardtanh": Activation(options={"min_val": (-1.0, -0.5, 0.25), "max_val": (1.0, 0.75, 2.0)}),
    "leaky_relu": Activation(options={"negative_slope": (0.01, 0.25, -0.5, 1.5)}),
    "elu": Activation(options={"alpha": (1.0, 0.25, 1.5)}),
    "selu": Activation(),
    "celu": Activation(options={"alpha": (1.0, 0.5, 2.0)}),
    "hardsigmoid": Activation(-5, 5),
    "hardswish": Activation(-5, 5),
    "silu": Activation(-4, 4),
    "gelu": Activation(-2, options={"approximate": ("none", "tanh")}),
    "mish": Activation(-4, 4),
    "sigmoid": Activation(-4, 4),
    "tanh": Activation(-2, 2),
    "logsigmoid": Activation(-5, 5),
    "softplus": Activation(-5, 5, {"beta": (1.0, 0.5, 2.0), "threshold": (20.0, 1.0, 3.0)}),
}


@st.composite
def elementwise(draw: Any, op: str, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of one of the ``ACTIVATIONS``; `inplace` is left alone."""
    low, high, options = ACTIVATIONS[op]
    rng = np.random.default_rng(draw(SEEDS))
    x = off_kinks(rng, draw(st.sampled_from(SHAPES)), dtype, low, high)
    return Case(op, {"input": x}, {name: draw(st.sampled_from(some)) for name, some in options.items() if offered(name)})


def off_kinks(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, low: int, high: int) -> np.ndarray:
    """Return different numbers between two others, none of them closer than 3/64 to a multiple of 1/8."""
    count = int(np.prod(shape))
    middles = rng.permutation(8 * (high - low))[:count] / 8 + low + 1 / 16
    return (middles + rng.uniform(-1 / 64, 1 / 64, count)).reshape(shape).astype(dtype)
