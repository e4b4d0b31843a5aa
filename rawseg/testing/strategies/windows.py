"""Windows and frames for hypothesis: valid by construction, unequal in height and width, the degenerate on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS
from .values import integers, normals

NAMES = ("kernel_size", "dilation", "padding", "stride")
MANY = 200  # elements in the columns of one channel; where there are more, there is one channel only
FRAMES = ("reflect", "replicate", "circular")


@st.composite
def windows(draw: Any, offered: Callable[[str], bool] = everything, large: bool = True) -> Any:
    """Draw ``(size, options)`` of unfold: padding may exceed the kernel, so that whole windows lie in it.

    An argument that is not ``offered`` has its default. Not ``large`` ones suit loops in Python.
    """
    axes = []
    for _ in range(2):
        kernel = draw(st.integers(1, 4) if large else st.sampled_from([2, 3, 2, 1]))
        stride = draw(st.integers(1, 3) if large else st.sampled_from([1, 2, 1, 3])) if offered("stride") else 1
        dilation = draw(st.integers(1, 3 if large else 2)) if offered("dilation") else 1
        reach = dilation * (kernel - 1) + 1
        beyond = reach + 1 if large else min(reach + 1, 3)
        padding = draw(st.sampled_from([0, 1, reach // 2, beyond])) if offered("padding") else 0
        size = max(1, reach - 2 * padding) + draw(st.sampled_from([0, 0, 1, 3, 6] if large else [1, 0, 2, 3]))
        axes.append((size, kernel, dilation, padding, stride))
    size, *options = zip(*axes)
    return size, dict(zip(NAMES, options))


def windows_of(size: Any, options: Any) -> tuple[int, int]:
    """Return the number of windows down and across."""
    down, across = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(size, *(options[name] for name in NAMES)))
    return down, across


@st.composite
def frames(draw: Any, mode: str) -> Any:
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


@st.composite
def image_frames(draw: Any, mode: str) -> Any:
    """Draw ``(shape, widths)`` of images that continue over their sides; widths are those of rows and columns."""
    batch = draw(st.sampled_from([(2, 1), (1, 2), (2,), (1, 1), (0, 2)]))
    sides, widths = [], []
    for _ in range(2):
        n = draw(st.sampled_from([3, 2, 5, 4, 1]))
        widest = {"reflect": n - 1, "circular": n, "replicate": 3}[mode]
        sides.append(n)
        widths.append((draw(st.integers(0, widest)), draw(st.integers(0, widest))))
    return (*batch, *sides), widths


def written(draw: Any, options: dict[str, Any], offered: Callable[[str], bool]) -> dict[str, Any]:
    """Return the options that are ``offered``; a pair of equal numbers is written as one number at times."""
    short = draw(st.booleans())
    return {
        name: value[0] if short and isinstance(value, tuple) and value[0] == value[1] else value
        for name, value in options.items()
        if offered(name)
    }


def filled(draw: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array of whole numbers, or of numbers of very different magnitudes."""
    values = draw(st.sampled_from([integers, integers, normals]))
    return np.asarray(values(np.random.default_rng(draw(SEEDS)), shape, dtype))  # of no axis, a scalar


def batches(draw: Any, most: int = 2) -> tuple[int, int]:
    """Draw a number of images, which may be 0, and of channels."""
    return draw(st.sampled_from([1, 2, 1, 2, 1, 2, 1, 0])), draw(st.integers(1, most))


@st.composite
def unfold(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.unfold`."""
    size, options = draw(windows(offered, large=False))
    x = filled(draw, (*batches(draw, _channels(size, options)), *size), dtype)
    return Case("unfold", {"input": x}, written(draw, options, offered))


@st.composite
def fold(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.fold`: columns for every window of an image."""
    size, options = draw(windows(offered, large=False))
    n, channels = batches(draw, _channels(size, options))
    rows, columns = channels * int(np.prod(options["kernel_size"])), int(np.prod(windows_of(size, options)))
    options = {"output_size": size, **options}
    x = filled(draw, (n, rows, columns), dtype)
    return Case("fold", {"input": x}, written(draw, options, offered))


@st.composite
def pad(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.pad`: constant frames of any rank, which may crop, and continued images."""
    mode = draw(st.sampled_from(["constant", *FRAMES])) if offered("mode") else "constant"
    shape, widths = draw(frames(mode) if mode == "constant" else image_frames(mode))
    options: dict[str, Any] = {"pad": [width for pair in reversed(widths) for width in pair]}
    if offered("mode"):
        options["mode"] = mode
    if mode == "constant" and offered("value") and draw(st.booleans()):
        options["value"] = draw(st.sampled_from([0.0, -1.5, 3.0]))
    return Case("pad", {"input": filled(draw, shape, dtype)}, options)


def _channels(size: Any, options: Any) -> int:
    """Return how many channels suit windows of so many elements, at most."""
    return 2 if np.prod(options["kernel_size"]) * np.prod(windows_of(size, options)) <= MANY else 1
