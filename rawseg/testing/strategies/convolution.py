"""Convolutions for hypothesis: valid by construction, unequal in height and width, the degenerate on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .seeds import SEEDS
from .values import integers, normals


class Convolution(NamedTuple):
    """Shapes and plain arguments of one convolution; ``x`` is the side with more pixels."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments."""
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}

    @property
    def terms(self) -> int:
        """Products in one output, at most."""
        return int(np.prod(self.weight[1:]))

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the smaller side."""
        height, width = (
            (self.x[2 + i] + 2 * self.padding[i] - self.dilation[i] * (self.weight[2 + i] - 1) - 1) // self.stride[i] + 1
            for i in (0, 1)
        )
        return height, width


def everything(name: str) -> bool:
    """Say of any argument that an implementation takes it."""
    return True


@st.composite
def convolutions(draw: Any, offered: Callable[[str], bool] = everything, large: bool = True) -> Convolution:
    """Draw a `Convolution`; an argument that is not ``offered`` has its default. Not ``large`` ones suit loops in Python."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 3])) if offered("groups") else 1
    into, out = (
        draw(st.sampled_from([1, 2, 3, 5][: 4 if large else 2])),
        draw(st.sampled_from([1, 2, 3, 9][: 4 if large else 3])),
    )
    more = [0, 0, 1, 2, 5, 17][: 6 if large else 4]
    size, kernel, stride, padding, dilation = [], [], [], [], []
    for _ in range(2):
        kernel.append(draw(st.integers(1, 4)))
        stride.append(draw(st.integers(1, 3)) if offered("stride") else 1)
        dilation.append(draw(st.integers(1, 3)) if offered("dilation") else 1)
        reach = dilation[-1] * (kernel[-1] - 1) + 1
        padding.append(draw(st.sampled_from([0, 1, reach // 2, reach])) if offered("padding") else 0)
        size.append(max(1, reach - 2 * padding[-1]) + draw(st.sampled_from(more)))
    n = draw(st.sampled_from([0, 1, 1, 2, 3]))
    return Convolution(
        (n, groups * into, size[0], size[1]),
        (groups * out, into, kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (padding[0], padding[1]),
        (dilation[0], dilation[1]),
        groups,
    )


@st.composite
def conv2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.conv2d`, with whole numbers or with numbers of very different magnitudes."""
    shapes = draw(convolutions(offered, large=False))
    return _filled(draw, "conv2d", shapes.x, shapes.weight, shapes.weight[0], shapes.options, dtype, offered)


@st.composite
def conv_transpose2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.conv_transpose2d`: back from the smaller side of a convolution to the larger one."""
    shapes = draw(convolutions(offered, large=False))
    out_channels = shapes.weight[1] * shapes.groups
    least = [  # pixels that are left of an output when the padding is taken off
        1 + max(0, -(-(2 * shapes.padding[i] - shapes.dilation[i] * (shapes.weight[2 + i] - 1)) // shapes.stride[i]))
        for i in (0, 1)
    ]
    x = shapes.x[0], shapes.weight[0], *map(max, shapes.out_size, least)
    options = {name: value for name, value in shapes.options.items() if offered(name)}
    if offered("output_padding"):
        most = [max(stride, dilation) - 1 for stride, dilation in zip(shapes.stride, shapes.dilation)]
        options["output_padding"] = tuple(draw(st.integers(0, limit)) for limit in most)
    return _filled(draw, "conv_transpose2d", x, shapes.weight, out_channels, options, dtype, offered)


def _filled(
    draw: Any, op: str, x: Any, weight: Any, channels: int, options: dict[str, Any], dtype: Any, offered: Callable[[str], bool]
) -> Case:
    rng = np.random.default_rng(draw(SEEDS))
    values = draw(st.sampled_from([integers, integers, normals]))
    arrays: dict[str, Any] = {"input": values(rng, x, dtype), "weight": values(rng, weight, dtype)}
    if offered("bias"):
        arrays["bias"] = values(rng, (channels,), dtype) if draw(st.booleans()) else None
    return Case(op, arrays, {name: value for name, value in options.items() if offered(name)})
