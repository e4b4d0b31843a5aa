"""Convolution and transposed convolution."""

from __future__ import annotations

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Counted, Multilinear
from ..strategies import convolution
from ..strategies.values import integers
from .contract import Contract, Edge, Refusal
from .planes import spoilt


def _case(op: str, x: tuple[int, ...], weight: tuple[int, ...], bias: int = 0, /, **options) -> Case:
    rng = np.random.default_rng(len(x) + sum(x))
    arrays = {"input": integers(rng, x), "weight": integers(rng, weight)}
    if bias:
        arrays["bias"] = integers(rng, (bias,))
    return Case(op, arrays, options)


def _conv2d_edges() -> list[Edge]:
    op, plain = "conv2d", _case("conv2d", (1, 1, 3, 4), (1, 1, 3, 3), padding=1)
    infinite = plain.having(weight=spoilt(plain.arrays["weight"], (0, 0, 0, 0), np.inf))
    return [
        Edge("conv2d.formula", "the kernel is not flipped", _case(op, (1, 1, 3, 3), (1, 1, 2, 2)), True),
        Edge("conv2d.empty", "a batch without images", _case(op, (0, 2, 4, 5), (3, 2, 3, 2), 3), True),
        Edge("conv2d.output", "a window as large as the padded input", _case(op, (1, 2, 2, 1), (1, 2, 4, 3), padding=1), True),
        Edge("conv2d.backward", "rows that no window covers", _case(op, (1, 1, 8, 9), (1, 1, 1, 2), stride=(3, 4)), True),
        Edge("conv2d.formula", "windows in the padding alone", _case(op, (1, 1, 2, 2), (1, 1, 1, 1), 1, padding=(2, 1)), True),
        Edge("conv2d.depthwise", "two outputs a channel", _case(op, (1, 3, 4, 5), (6, 1, 3, 2), 6, groups=3), True),
        Edge(
            "conv2d.padding",
            '"same", where the odd row is at the bottom',
            _case(op, (1, 1, 4, 5), (1, 1, 2, 4), padding="same"),
            extra=True,
        ),
        Edge("conv2d.shapes", "images without a batch axis", _case(op, (2, 4, 5), (3, 2, 3, 2), 3), extra=True),
        Edge(
            "all.nonfinite", "NaN stays in its windows", plain.having(input=spoilt(plain.arrays["input"], (0, 0, 0, 1), np.nan))
        ),
        Edge("conv2d.nonfinite", "a weight of inf meets no padding", infinite, own=True),
    ]


def _conv2d_refusals() -> list[Refusal]:
    op = "conv2d"
    fitting = (1, 4, 5, 6), (6, 4, 3, 2)
    mixed = _case(op, *fitting)
    mixed = mixed.having(weight=mixed.arrays["weight"].astype(np.float32))
    return [
        Refusal("conv2d.shapes", "weights for other channels", _case(op, (1, 4, 5, 6), (6, 3, 3, 2)), "weight", ShapeError),
        Refusal("conv2d.shapes", "a bias of another length", _case(op, *fitting, 5), "bias", ShapeError),
        Refusal("conv2d.shapes", "two axes", _case(op, (5, 6), (6, 4, 3, 2)), "input", ShapeError),
        Refusal("conv2d.output", "a kernel larger than the image", _case(op, (1, 4, 2, 6), (6, 4, 3, 2)), "input", ShapeError),
        Refusal("conv2d.domain", "groups that do not divide", _case(op, *fitting, groups=3), "groups", ArgumentError),
        Refusal("conv2d.domain", "a stride of 0", _case(op, *fitting, stride=0), "stride", ArgumentError),
        Refusal("conv2d.domain", "a negative padding", _case(op, *fitting, padding=-1), "padding", ArgumentError),
        Refusal("conv2d.domain", "a dilation of 0", _case(op, *fitting, dilation=(1, 0)), "dilation", ArgumentError),
        Refusal("conv2d.padding", "an unknown word", _case(op, *fitting, padding="full"), "padding", ArgumentError),
        Refusal("all.integers", "half a pixel", _case(op, *fitting, stride=1.5), "stride", ArgumentTypeError),
        Refusal("all.layout", "two dtypes", mixed, "weight", DTypeError),
    ]


def _conv_transpose2d_edges() -> list[Edge]:
    op = "conv_transpose2d"
    return [
        Edge(
            "conv_transpose2d.formula", "stamps that overlap add up", _case(op, (1, 1, 3, 2), (1, 1, 3, 4), stride=(2, 1)), True
        ),
        Edge(
            "conv_transpose2d.bias",
            "pixels that no tap hits",
            _case(op, (1, 1, 2, 2), (1, 2, 1, 1), 2, stride=3, output_padding=1),
            True,
        ),
        Edge("conv_transpose2d.shapes", "no image", _case(op, (0, 2, 3, 4), (2, 3, 2, 3), 3, stride=(1, 2)), True),
        Edge("conv_transpose2d.formula", "groups", _case(op, (1, 4, 3, 2), (4, 3, 2, 3), groups=2, stride=2), True),
    ]


def _conv_transpose2d_refusals() -> list[Refusal]:
    op = "conv_transpose2d"
    fitting = (1, 4, 5, 6), (4, 6, 3, 2)
    return [
        Refusal(
            "conv_transpose2d.shapes", "weights for other channels", _case(op, (1, 3, 5, 6), (4, 6, 3, 2)), "weight", ShapeError
        ),
        Refusal("conv_transpose2d.domain", "groups that do not divide", _case(op, *fitting, groups=3), "groups", ArgumentError),
        Refusal(
            "conv_transpose2d.domain",
            "an output padding as large as stride and dilation",
            _case(op, *fitting, stride=2, output_padding=2),
            "output_padding",
            ArgumentError,
        ),
        Refusal(
            "conv_transpose2d.output",
            "an output without a pixel",
            _case(op, (1, 4, 1, 1), (4, 6, 1, 1), padding=1),
            "padding",
            ShapeError,
        ),
    ]


NEEDED = "input", "weight"
CONTRACTS = [
    Contract(
        "conv2d",
        F.conv2d,
        convolution.conv2d,
        ("input", "weight", "bias"),
        Multilinear(2, Counted()),
        _conv2d_edges,
        _conv2d_refusals,
        needed=NEEDED,
    ),
    Contract(
        "conv_transpose2d",
        F.conv_transpose2d,
        convolution.conv_transpose2d,
        ("input", "weight", "bias"),
        Multilinear(2, Counted()),
        _conv_transpose2d_edges,
        _conv_transpose2d_refusals,
        needed=NEEDED,
    ),
]
