"""Drawn windows and bins, valid by construction and unequal in height and width, the degenerate on purpose."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def windows(draw):
    """Draw ``(size, options)`` of unfold: padding may exceed the kernel, so that whole windows lie in it."""
    axes = []
    for _ in range(2):
        kernel, stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
        reach = dilation * (kernel - 1) + 1
        padding = draw(st.sampled_from([0, 1, reach // 2, reach + 1]))
        size = max(1, reach - 2 * padding) + draw(st.sampled_from([0, 0, 1, 3, 6]))
        axes.append((size, kernel, dilation, padding, stride))
    size, *options = zip(*axes)
    return size, dict(zip(("kernel_size", "dilation", "padding", "stride"), options))


def windows_of(size, options) -> tuple[int, int]:
    """Return the number of windows down and across."""
    down, across = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(size, *(options[name] for name in ("kernel_size", "dilation", "padding", "stride")))
    )
    return down, across


# (size, number of bins) of one axis: global, whole bins, overlapping bins, more bins than pixels
BINS = st.sampled_from([(1, 1), (7, 1), (8, 4), (7, 3), (9, 7), (5, 5), (1, 3), (3, 7), (40, 6)])


@st.composite
def frames(draw, mode: str):
    """Draw ``(shape, widths)`` of a frame: any rank, every width the mode allows, axes without elements."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 0]), min_size=0, max_size=4)))
    widths = []
    for n in shape:
        if mode == "constant":
            low = draw(st.integers(-n, 3))
            widths.append((low, draw(st.integers(-(n + min(low, 0)), 3))))
        else:
            widest = {"reflect": max(n - 1, 0), "circular": n, "replicate": 3 if n else 0}[mode]
            widths.append((draw(st.integers(0, widest)), draw(st.integers(0, widest))))
    return shape, [width if draw(st.booleans()) else (0, 0) for width in widths]
