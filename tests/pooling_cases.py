"""Drawn pooling geometries, valid by construction and unequal in height and width, for max and average pooling."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def axes(draw, dilated: bool, ceil_mode: bool):
    """Draw ``(size, kernel, stride, padding, dilation)`` of one axis; padding is at its maximum half of the time."""
    kernel = draw(st.integers(1, 4))
    stride = draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 3)) if dilated else 1
    padding = draw(st.sampled_from([kernel // 2, draw(st.integers(0, kernel // 2))]))
    reach = dilation * (kernel - 1) + 1
    # A plane of at least one dilation step cannot be stepped over; with ceil_mode a window may hang over the edge.
    least = max(reach - 2 * padding - (stride - 1 if ceil_mode else 0), dilation, 1)
    return draw(st.integers(least, least + 5)), kernel, stride, padding, dilation


@st.composite
def geometries(draw, dilated: bool = False):
    """Draw ``(size, options)``: the pair (H, W) and keyword arguments of ``forward``."""
    ceil_mode = draw(st.booleans())
    if draw(st.integers(0, 4)) == 0:  # what every encoder has, and kernels know: 2 x 2 side by side, odd planes, too
        size = draw(st.integers(2 - ceil_mode, 9)), draw(st.integers(2 - ceil_mode, 9))
        options = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": ceil_mode}
        return size, {name: value for name, value in options.items() if dilated or name != "dilation"}
    height, width = draw(axes(dilated, ceil_mode)), draw(axes(dilated, ceil_mode))
    names = ("kernel_size", "stride", "padding", "dilation")
    options = {name: (height[i], width[i]) for i, name in enumerate(names, start=1)}
    if not dilated:
        del options["dilation"]
    return (height[0], width[0]), {**options, "ceil_mode": ceil_mode}
