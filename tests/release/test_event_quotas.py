"""The drawn cases hold what a kernel can trip over, each kind often enough: a strategy cannot quietly stop drawing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from convolution_cases import Case, cases
from hypothesis import Phase, given, settings
from pooling_cases import geometries

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


def of_convolution(case: Case) -> dict[str, bool]:
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


@pytest.mark.parametrize(
    ("strategy", "events_of"),
    [(cases(), of_convolution), (geometries(), of_pooling), (geometries(dilated=True), of_pooling)],
    ids=["convolution", "average pooling", "max pooling"],
)
def test_every_event_comes_in_one_example_of_a_hundred(strategy, events_of):
    found = shares(strategy, events_of)
    assert found
    assert not {name: share for name, share in found.items() if share < QUOTA}
