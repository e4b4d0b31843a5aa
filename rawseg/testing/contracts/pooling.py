"""Pooling: the largest or the mean of a window or a bin, and elements put back where the largest were found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Counted, Moved, Multilinear, Stated
from ..strategies import pooling
from .contract import Contract, Edge, Refusal
from .planes import plane, shuffled

# Two windows of four pixels, which overlap.
CHOICES = (
    ("the first of equal values", [[1, 1, 0], [1, 1, 1]]),
    ("of -0.0 and 0.0 the first", [[-1, -0.0, 0.0], [0.0, -1, -1]]),
    ("the last NaN", [[np.nan, 1, 2], [np.nan, 3, np.nan]]),
    ("-inf, where there is nothing else", [[-np.inf] * 3] * 2),
)


def _choices(op: str, row: str, /, **window: Any) -> list[Edge]:
    """Return edges about what is chosen, and the same with the index of it."""
    return [
        Edge(row, what + told, plane(op, rows, **window, **more), True)
        for what, rows in CHOICES
        for told, more in (("", {}), (", and its index", {"return_indices": True}))
    ]


def _max_pool2d_edges() -> list[Edge]:
    op, below = "max_pool2d", plane("max_pool2d", [[-3, -1, -2], [-5, -4, -6]], kernel_size=3, stride=2, padding=1)
    indexed = {"kernel_size": (2, 3), "stride": (1, 2), "padding": 1, "return_indices": True}
    beyond = {"kernel_size": 2, "stride": (4, 1), "padding": 1, "ceil_mode": True}
    nothing = plane(op, [[-np.inf] * 3] * 2, **indexed)
    return [
        *_choices(op, "max_pool2d.choice", kernel_size=2, stride=1),
        Edge("max_pool2d.output", "ceil_mode lets windows hang over", shuffled(op, (1, 1, 5, 4), **_hanging()), True),
        Edge("max_pool2d.output", "no window begins in the right padding", shuffled(op, (1, 1, 3, 4), **beyond), True),
        Edge(
            "max_pool2d.output", "dilated taps", shuffled(op, (1, 1, 5, 7), kernel_size=(2, 3), stride=1, dilation=(3, 2)), True
        ),
        Edge("max_pool2d.output", "a stride like the kernel, unless told", shuffled(op, (1, 1, 5, 7), kernel_size=(2, 3))),
        Edge(
            "max_pool2d.domain",
            "half of the kernel padded",
            shuffled(op, (1, 1, 3, 2), kernel_size=(4, 2), padding=(2, 1)),
            True,
        ),
        Edge("max_pool2d.padding", "numbers below 0 beside padding", below, True),
        Edge("max_pool2d.padding", "-inf beside padding has a pixel's index", nothing, True),
        Edge("max_pool2d.indices", "in the plane of image and channel", shuffled(op, (2, 2, 3, 5), **indexed), True),
        Edge(
            "max_pool2d.backward", "a pixel of several windows", plane(op, [[0, 9, 0, 0]], kernel_size=(1, 3), stride=1), True
        ),
        Edge("max_pool2d.empty", "a batch without images", shuffled(op, (0, 2, 4, 5), kernel_size=2), True),
    ]


def _hanging() -> dict[str, Any]:
    return {"kernel_size": (2, 3), "stride": 2, "ceil_mode": True}


def _window_refusals(op: str) -> list[Refusal]:
    """Return what neither pooling takes."""
    shape, pooled = (1, 2, 4, 5), {"kernel_size": 2}
    return [
        Refusal("max_pool2d.domain", "a kernel of 0", shuffled(op, shape, kernel_size=(2, 0)), "kernel_size", ArgumentError),
        Refusal("max_pool2d.domain", "a stride of 0", shuffled(op, shape, **pooled, stride=(0, 1)), "stride", ArgumentError),
        Refusal("max_pool2d.domain", "padding of -1", shuffled(op, shape, **pooled, padding=-1), "padding", ArgumentError),
        Refusal(
            "max_pool2d.domain", "padding beyond half", shuffled(op, shape, **pooled, padding=(1, 2)), "padding", ArgumentError
        ),
        Refusal("max_pool2d.domain", "a kernel larger than the image", shuffled(op, shape, kernel_size=5), "input", ShapeError),
        Refusal("max_pool2d.empty", "no channel", shuffled(op, (1, 0, 4, 5), **pooled), "input", ShapeError),
        Refusal("max_pool2d.empty", "no row", shuffled(op, (1, 2, 0, 5), kernel_size=1), "input", ShapeError),
        Refusal("max_pool2d.domain", "two axes", shuffled(op, (4, 5), **pooled), "input", ShapeError),
        Refusal("max_pool2d.dtype", "integers", shuffled(op, shape, np.int64, **pooled), "input", DTypeError, True),
        Refusal("all.integers", "a pair of one", shuffled(op, shape, kernel_size=(2,)), "kernel_size", ArgumentError, True),
    ]


def _max_pool2d_refusals() -> list[Refusal]:
    op = "max_pool2d"
    stepped_over = shuffled(op, (1, 1, 2, 5), kernel_size=2, padding=(1, 0), dilation=(3, 1))
    undilated = shuffled(op, (1, 2, 4, 5), kernel_size=2, dilation=(0, 1))
    return [
        *_window_refusals(op),
        Refusal("max_pool2d.domain", "a dilation of 0", undilated, "dilation", ArgumentError),
        Refusal("max_pool2d.no-empty-window", "taps that step over the image", stepped_over, "dilation", ArgumentError, True),
    ]


def _avg_pool2d_edges() -> list[Edge]:
    op, row, nan, inf = "avg_pool2d", "avg_pool2d.divisor", np.nan, np.inf
    shape, window = (1, 2, 4, 5), {"kernel_size": (3, 2), "stride": (2, 3), "padding": 1}
    alone = {"count_include_pad": False}
    hanging = {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0), "ceil_mode": True}
    gaps = shuffled(op, (1, 1, 5, 4), kernel_size=(1, 2), stride=(3, 4))
    broken = [[nan, 1, 2, inf], [3, 4, 5, -inf]]
    return [
        Edge(row, "padding counts", shuffled(op, shape, **window), True),
        Edge(row, "padding does not count", shuffled(op, shape, **window, **alone), True),
        Edge(row, "what hangs over never counts", shuffled(op, shape, **hanging), True),
        Edge(row, "what hangs over never counts, nor padding", shuffled(op, shape, **hanging, **alone), True),
        Edge(row, "another divisor", shuffled(op, shape, **window, divisor_override=7), True),
        Edge(row, "another divisor of what hangs over", shuffled(op, shape, **hanging, divisor_override=3), True),
        Edge("max_pool2d.output", "ceil_mode lets windows hang over", shuffled(op, (1, 1, 5, 4), **_hanging()), True),
        Edge("max_pool2d.empty", "a batch without images", shuffled(op, (0, 2, 4, 5), kernel_size=2), True),
        Edge("all.derivatives", "0 where there is no window", gaps, True),
        Edge("all.nonfinite", "NaN and inf stay in their windows", plane(op, broken, kernel_size=2, stride=(2, 1))),
    ]


def _avg_pool2d_refusals() -> list[Refusal]:
    op, row, shape = "avg_pool2d", "avg_pool2d.divisor", (1, 2, 4, 5)
    zero, below = (shuffled(op, shape, kernel_size=2, divisor_override=divisor) for divisor in (0, -4))
    return [
        *_window_refusals(op),
        Refusal(row, "a divisor of 0", zero, "divisor_override", ArgumentError),
        Refusal(row, "a divisor below 0", below, "divisor_override", ArgumentError, True),
    ]


def _bin_edges(op: str) -> list[Edge]:
    row = "adaptive_pool2d.bins"
    return [
        Edge(row, "bins that overlap", shuffled(op, (1, 2, 7, 5), output_size=(3, 4)), True),
        Edge(row, "more bins than pixels", shuffled(op, (2, 1, 3, 1), output_size=(7, 3)), True),
        Edge(row, "one bin", shuffled(op, (2, 2, 3, 4), output_size=1), True),
        Edge(row, "None keeps an axis", shuffled(op, (1, 2, 4, 5), output_size=(None, 2)), True),
        Edge(row, "a batch without images", shuffled(op, (0, 2, 4, 5), output_size=(3, 2)), True),
    ]


def _bin_refusals(op: str) -> list[Refusal]:
    row, shape = "adaptive_pool2d.bins", (1, 2, 4, 5)
    integers = shuffled(op, shape, np.int64, output_size=2)
    return [
        Refusal(row, "no bin", shuffled(op, shape, output_size=(2, 0)), "output_size", ArgumentError, True),
        Refusal(row, "-1 bins", shuffled(op, shape, output_size=-1), "output_size", ArgumentError),
        Refusal(row, "three numbers", shuffled(op, shape, output_size=(1, 2, 3)), "output_size", ArgumentError),
        Refusal(row, "no row", shuffled(op, (1, 2, 0, 5), output_size=(2, 3)), "input", ShapeError),
        Refusal(row, "two axes", shuffled(op, (4, 5), output_size=(2, 3)), "input", ShapeError),
        Refusal("max_pool2d.dtype", "integers", integers, "input", DTypeError),
    ]


def _adaptive_max_pool2d_edges() -> list[Edge]:
    op, row = "adaptive_max_pool2d", "adaptive_max_pool2d.choice"
    indexed = shuffled(op, (2, 2, 4, 5), output_size=(3, 2), return_indices=True)
    return [
        *_choices(op, row, output_size=(1, 2)),
        *_bin_edges(op),
        Edge(row, "indices in the plane of image and channel", indexed, True),
    ]


def _adaptive_avg_pool2d_edges() -> list[Edge]:
    op, nan, inf = "adaptive_avg_pool2d", np.nan, np.inf
    broken = plane(op, [[nan, 1, 2, inf], [3, 4, 5, -inf]], output_size=(1, 3))
    return [*_bin_edges(op), Edge("all.nonfinite", "NaN and inf stay in their bins", broken)]


CHOSEN = ("input",), Moved()


def _bin(case: Case, out: tuple[int, ...]) -> int:
    """Return the pixels of a bin, at most: n / m of an axis, and a part of one more at each end."""
    return math.prod(-(-n // m) + 1 for n, m in zip(case.arrays["input"].shape[-2:], out[-2:]))


def _bins(case: Case, out: tuple[int, ...]) -> int:
    """Return the bins that a pixel is in, at most."""
    return math.prod(-(-m // n) + 1 for n, m in zip(case.arrays["input"].shape[-2:], out[-2:]))


# A mean is a sum of its pixels, each times 1 / count: two factors, whether it is divided once or every term is.
MEANS = ("input",), Multilinear(2, Counted({"divisor_override": 1}))
MEANS_OF_BINS = ("input",), Multilinear(2, Stated(_bin, _bins))
WINDOW, BINS = ("input", "kernel_size"), ("input", "output_size")
CONTRACTS = [
    Contract("max_pool2d", F.max_pool2d, pooling.max_pool2d, *CHOSEN, _max_pool2d_edges, _max_pool2d_refusals, needed=WINDOW),
    Contract("avg_pool2d", F.avg_pool2d, pooling.avg_pool2d, *MEANS, _avg_pool2d_edges, _avg_pool2d_refusals, needed=WINDOW),
    Contract(
        "adaptive_max_pool2d",
        F.adaptive_max_pool2d,
        pooling.adaptive_max_pool2d,
        *CHOSEN,
        _adaptive_max_pool2d_edges,
        lambda: _bin_refusals("adaptive_max_pool2d"),
        needed=BINS,
    ),
    Contract(
        "adaptive_avg_pool2d",
        F.adaptive_avg_pool2d,
        pooling.adaptive_avg_pool2d,
        *MEANS_OF_BINS,
        _adaptive_avg_pool2d_edges,
        lambda: _bin_refusals("adaptive_avg_pool2d"),
        needed=BINS,
    ),
]
