"""The drawn cases hold what a kernel can trip over, each kind often enough: a strategy cannot quietly stop drawing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from rawseg.testing.strategies.boxes import grid_boxes
from rawseg.testing.strategies.convolution import Convolution, convolutions
from rawseg.testing.strategies.pooling import geometries
from rawseg.testing.strategies.regions import Regions, regions
from rawseg.testing.strategies.sampling import Points, points
from rawseg.testing.strategies.windows import windows, windows_of
from rawseg_kernels._pooling import window

pytestmark = pytest.mark.release

DRAWS = 3000
QUOTA = 0.01  # of the examples


def shares(strategy: Any, events_of: Callable[[Any], dict[str, bool]]) -> dict[str, float]:
    """Return how large a part of the drawn cases has each event."""
    counts: Counter[str] = Counter()
    drawn = 0

    @settings(max_examples=DRAWS, derandomize=True, database=None, phases=[Phase.generate])
    @given(strategy)
    def draw(case):
        nonlocal drawn
        drawn += 1
        counts.update({name: int(happened) for name, happened in events_of(case).items()})

    draw()
    return {name: count / drawn for name, count in counts.items()}


def unequal(*pairs: tuple[int, int]) -> bool:
    return all(height != width for height, width in pairs)


def of_convolution(case: Convolution) -> dict[str, bool]:
    kernel, size = case.weight[2:], case.x[2:]
    reach = [case.dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    return {
        "no image": case.x[0] == 0,
        "groups": case.groups > 1,
        "depthwise": case.groups > 1 and case.weight[1] == 1,
        "strides differ": unequal(case.stride),
        "paddings differ": unequal(case.padding),
        "dilations differ": unequal(case.dilation) and min(kernel) > 1,
        "kernel sides differ": unequal(kernel),
        "all differ": unequal(case.stride, case.padding, case.dilation, kernel, size),
        "a window in the padding alone": any(pad >= step for pad, step in zip(case.padding, reach)),
        "rows that no window covers": any(case.stride[i] > reach[i] for i in (0, 1)),
        "one output pixel": case.out_size == (1, 1),
        "one tap": kernel == (1, 1),
        "stride and dilation": min(case.stride) > 1 and min(case.dilation) > 1 and min(kernel) > 1,
    }


def of_pooling(case: tuple[tuple[int, int], dict[str, Any]]) -> dict[str, bool]:
    size, options = case
    values = {"dilation": (1, 1), **options}
    kernel, stride, padding, dilation = (values[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    out = window("pool", size, **values)[-1]
    last = [(out[i] - 1) * stride[i] - padding[i] + dilation[i] * (kernel[i] - 1) for i in (0, 1)]
    return {
        "padding at its maximum": max(padding) > 0 and all(padding[i] == kernel[i] // 2 for i in (0, 1)),
        "hangs over the padding": any(last[i] >= size[i] + padding[i] for i in (0, 1)),
        "windows overlap": any(stride[i] < kernel[i] for i in (0, 1)) and max(out) > 1,
        "gaps between windows": any(stride[i] > kernel[i] for i in (0, 1)) and max(out) > 1,
        "strides differ": unequal(stride),
        "kernel sides differ": unequal(kernel),
        "all differ": unequal(stride, padding, kernel, size),
        "one output pixel": out == (1, 1),
        "one tap": kernel == (1, 1),
        "dilations differ": "dilation" not in options or unequal(dilation),
    }


def of_windows(case: tuple[tuple[int, int], dict[str, Any]]) -> dict[str, bool]:
    size, options = case
    kernel, padding, stride, dilation = (options[name] for name in ("kernel_size", "padding", "stride", "dilation"))
    reach = [dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    return {
        "a window in the padding alone": any(padding[i] >= reach[i] for i in (0, 1)),
        "windows overlap": any(stride[i] < reach[i] for i in (0, 1)) and max(windows_of(size, options)) > 1,
        "gaps between windows": any(stride[i] > reach[i] for i in (0, 1)),
        "one window": windows_of(size, options) == (1, 1),
        "all differ": unequal(kernel, padding, stride, dilation, size),
    }


def of_regions(case: Regions) -> dict[str, bool]:
    low, high = case.boxes[:, 1:3] * case.options["spatial_scale"], case.boxes[:, 3:] * case.options["spatial_scale"]
    size = np.array(case.shape[:1:-1])  # (w, h)
    return {
        "no box": not len(case.boxes),
        "several images": len(set(case.boxes[:, 0])) > 1,
        "a grid for each box": case.options["sampling_ratio"] <= 0 and len(case.boxes) > 0,
        "aligned": case.options["aligned"],
        "bins differ": unequal(case.options["output_size"]),
        "a box across the edge": bool(((low < 0) & (high > 0)).any()),
        "a box beside the map": bool((low > size + 1).any()),
        "a box without an area": bool((low == high).any()),
        "the whole map": bool(((low == 0) & (high == size)).all(1).any()),
        "a map of one pixel": case.shape[2:] == (1, 1),
        "map sides differ": unequal((case.shape[2], case.shape[3])),
    }


def of_points(case: Points) -> dict[str, bool]:
    h, w = case.x.shape[2:]
    pixels = ((case.grid + 1) * np.array([w, h]) - 1) / 2
    return {
        "no image": not len(case.x),
        "on a pixel": bool((pixels == np.floor(pixels)).any()),
        "between pixels": bool((pixels != np.floor(pixels)).any()),
        "outside": bool((np.abs(case.grid) > 1).any()),
        "mirrored twice": bool((np.abs(case.grid) > 3).any()),
        "an axis of one pixel": min(h, w) == 1,
        "map sides differ": h != w,
    }


def of_boxes(boxes: np.ndarray) -> dict[str, bool]:
    rows = [tuple(row) for row in boxes]
    sides = boxes[:, 2:] - boxes[:, :2]
    return {  # no box at all is a single case, which hypothesis draws once
        "equal boxes": len(set(rows)) < len(rows),
        "a box without an area": bool((sides == 0).any()),
        "a point": bool((sides == 0).all(1).any()),
        "many": len(rows) > 8,
    }


@pytest.mark.parametrize(
    ("strategy", "events_of"),
    [
        (convolutions(), of_convolution),
        (geometries(), of_pooling),
        (geometries(dilated=True), of_pooling),
        (windows(), of_windows),
        (regions(), of_regions),
        (points(), of_points),
        (grid_boxes(), of_boxes),
    ],
    ids=["convolution", "average pooling", "max pooling", "windows", "regions", "points", "boxes"],
)
def test_every_event_comes_in_one_example_of_a_hundred(strategy, events_of):
    found = shares(strategy, events_of)
    assert found
    assert not {name: share for name, share in found.items() if share < QUOTA}
