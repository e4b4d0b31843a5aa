"""Poolings for hypothesis: valid by construction, unequal in height and width, padding often at its maximum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS
from .values import distinct
from .windows import batches, filled, written

NAMES = ("kernel_size", "stride", "padding", "dilation")

# (size, number of bins) of one axis: global, whole bins, overlapping bins, more bins than pixels
BINS = st.sampled_from([(1, 1), (7, 1), (8, 4), (7, 3), (9, 7), (5, 5), (1, 3), (3, 7), (40, 6)])
FEW_BINS = st.sampled_from([(1, 1), (7, 1), (8, 4), (7, 3), (5, 4), (5, 5), (1, 3), (3, 5)])


@st.composite
def axes(
    draw: Any, dilated: bool, ceil_mode: bool, offered: Callable[[str], bool] = everything, large: bool = True
) -> tuple[int, int, int, int, int]:
    """Draw ``(size, kernel, stride, padding, dilation)`` of one axis; padding is at its maximum half of the time."""
    kernel = draw(st.integers(1, 4))
    stride = draw(st.integers(1, 4)) if offered("stride") else kernel
    dilation = draw(st.integers(1, 3)) if dilated else 1
    padding = draw(st.sampled_from([kernel // 2, draw(st.integers(0, kernel // 2))])) if offered("padding") else 0
    reach = dilation * (kernel - 1) + 1
    # A plane of at least one dilation step cannot be stepped over; with ceil_mode a window may hang over the edge.
    least = max(reach - 2 * padding - (stride - 1 if ceil_mode else 0), dilation, 1)
    return draw(st.integers(least, least + (5 if large else 3))), kernel, stride, padding, dilation


@st.composite
def geometries(
    draw: Any, dilated: bool = False, offered: Callable[[str], bool] = everything, large: bool = True
) -> tuple[tuple[int, int], dict[str, Any]]:
    """Draw ``(size, options)``: the pair (H, W) and keyword arguments of max pooling (``dilated``) or average pooling.

    An argument that is not ``offered`` has its default. Not ``large`` ones suit loops in Python.
    """
    ceil_mode = draw(st.booleans()) if offered("ceil_mode") else False
    if draw(st.integers(0, 4)) == 0:  # what every encoder has, and kernels know: 2 x 2 side by side, odd planes, too
        size = draw(st.integers(2 - ceil_mode, 9)), draw(st.integers(2 - ceil_mode, 9))
        options = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": ceil_mode}
        return size, {name: value for name, value in options.items() if dilated or name != "dilation"}
    dilating = dilated and offered("dilation")
    height, width = (draw(axes(dilating, ceil_mode, offered, large)) for _ in range(2))
    options = {name: (height[i], width[i]) for i, name in enumerate(NAMES, start=1)}
    if not dilated:
        del options["dilation"]
    return (height[0], width[0]), {**options, "ceil_mode": ceil_mode}


@st.composite
def max_pool2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.max_pool2d`; no two elements are equal."""
    size, options = draw(geometries(True, offered, large=False))
    options["return_indices"] = draw(st.booleans())
    return Case("max_pool2d", {"input": _unequal(draw, size, dtype)}, written(draw, options, offered))


@st.composite
def avg_pool2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.avg_pool2d`, with each of its three divisors."""
    size, options = draw(geometries(False, offered, large=False))
    options["count_include_pad"] = draw(st.booleans())
    options["divisor_override"] = draw(st.sampled_from([None, None, None, 7]))
    x = filled(draw, (*batches(draw), *size), dtype)
    return Case("avg_pool2d", {"input": x}, written(draw, options, offered))


@st.composite
def adaptive_max_pool2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.adaptive_max_pool2d`; no two elements are equal."""
    size, bins = zip(draw(FEW_BINS), draw(FEW_BINS))
    options = {"output_size": bins, "return_indices": draw(st.booleans())}
    return Case("adaptive_max_pool2d", {"input": _unequal(draw, size, dtype)}, written(draw, options, offered))


@st.composite
def adaptive_avg_pool2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.adaptive_avg_pool2d`."""
    size, bins = zip(draw(FEW_BINS), draw(FEW_BINS))
    x = filled(draw, (*batches(draw), *size), dtype)
    return Case("adaptive_avg_pool2d", {"input": x}, written(draw, {"output_size": bins}, offered))


@st.composite
def max_unpool2d(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.max_unpool2d`: one index out of every window of a pooling without overlap."""
    sized = offered("output_size") and draw(st.booleans())
    (tops, bottoms, *height), (lefts, rights, *width) = (draw(_unpooled(sized, offered)) for _ in range(2))
    x = filled(draw, (*batches(draw), len(tops), len(lefts)), dtype)
    rng = np.random.default_rng(draw(SEEDS))
    rows, columns = rng.integers(tops[:, None], bottoms[:, None], x.shape), rng.integers(lefts, rights, x.shape)
    size, *window = zip(height, width)
    options = written(draw, dict(zip(NAMES, window)), offered)
    if sized:
        options["output_size"] = draw(st.sampled_from([size, (*x.shape[:2], *size)]))
    return Case("max_unpool2d", {"input": x, "indices": rows * size[1] + columns}, options)


@st.composite
def _unpooled(draw: Any, sized: bool, offered: Callable[[str], bool]) -> tuple[np.ndarray, np.ndarray, int, int, int, int]:
    """Draw ``(firsts, ends, size, kernel, stride, padding)`` of one axis: the pixels of every window, and their number.

    ``sized`` allows every size that the last window starts in; else it is the one that unpooling takes if it is not told.
    """
    count, kernel = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    stride = kernel + draw(st.integers(0, 2)) if offered("stride") else kernel
    most = kernel // 2 if count > 1 else (kernel - 1) // 2  # of a single window a pixel must be left
    padding = draw(st.integers(0, most)) if offered("padding") else 0
    starts = np.arange(count) * stride - padding
    size = int(starts[-1]) + kernel - padding
    if sized:
        size = draw(st.integers(max(1, int(starts[-1]) + 1, size - stride + 1), size + stride - 1))
    return np.maximum(starts, 0), np.minimum(starts + kernel, size), size, kernel, stride, padding


def _unequal(draw: Any, size: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return distinct numbers around 0, or all below it, as what would win beside them is 0."""
    low, high = draw(st.sampled_from([(-2.0, 2.0), (-4.0, -1.0)]))
    return distinct(np.random.default_rng(draw(SEEDS)), (*batches(draw), *size), dtype, low, high)
