"""Maps and grids for hypothesis: points on pixels, between them, on edges, outside, and far outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS
from .values import integers, normals

MODES, PADDINGS = ("bilinear", "nearest"), ("zeros", "border", "reflection")
OPTIONS = [(mode, padding, corners) for mode in MODES for padding in PADDINGS for corners in (False, True)]
NOT_FINITE = (np.nan, np.inf, -np.inf)
OFF = 1 / 64  # moves points of sixteenths off the kinks, as axes of at most 7 pixels lack the factors of 2 to bring it to one


class Points(NamedTuple):
    """Arrays of small integers and points of sixteenths: everything up to the sums is exact in either dtype."""

    x: np.ndarray  # (N, C, H, W)
    grid: np.ndarray  # (N, out_h, out_w, 2)
    grad_output: np.ndarray  # (N, C, out_h, out_w)


def sizes(most: int) -> Any:
    """Heights and widths of up to so many pixels; often one."""
    return st.one_of(
        st.tuples(st.integers(1, most), st.integers(1, most)), st.sampled_from([(1, 1), (1, most - 1), (most - 2, 1)])
    )


@st.composite
def points(draw: Any, dtype: Any = None, least: int = 0, large: bool = True) -> Points:
    """Draw `Points`, a quarter of whose coordinates are those of edges and of pixels' centres; some lie far outside.

    There are at least ``least`` images. Not ``large`` ones suit loops in Python, and mostly have an image.
    """
    dtype = draw(st.sampled_from([np.float32, np.float64])) if dtype is None else dtype
    n = draw(st.integers(least, 3) if large else st.sampled_from([1, 2, 1, 2, least]))
    c = draw(st.integers(1, 3 if large else 2))
    (h, w), most = draw(sizes(6 if large else 4)), 5 if large else 3
    out_h, out_w = draw(st.tuples(st.integers(1, most), st.integers(1, most)))
    rng = np.random.default_rng(draw(SEEDS))
    grid = rng.integers(-40, 41, (n, out_h, out_w, 2)) / 16
    special = rng.choice([-1.0, 1.0, 0.0, -1.5, 1.5, -3.0, 3.0, 0.5, -7.25], grid.shape)
    grid = np.where(rng.random(grid.shape) < 0.25, special, grid)
    x, grad_output = rng.integers(-8, 9, (n, c, h, w)), rng.integers(-8, 9, (n, c, out_h, out_w))
    return Points(x.astype(dtype), grid.astype(dtype), grad_output.astype(dtype))


@st.composite
def grid_sample(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.grid_sample`; coordinates are exact in float32, and off the kinks."""
    drawn = draw(points(dtype, large=False))
    x = drawn.x
    if draw(st.integers(0, 2)) == 0:
        x = normals(np.random.default_rng(draw(SEEDS)), x.shape, dtype)
    options = {
        "mode": draw(st.sampled_from(MODES)),
        "padding_mode": draw(st.sampled_from(PADDINGS)),
        "align_corners": draw(st.booleans()),
    }
    arrays = {"input": x, "grid": (drawn.grid + OFF).astype(dtype)}
    return Case("grid_sample", arrays, {name: value for name, value in options.items() if offered(name)})


@st.composite
def affine_grid(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.affine_grid`."""
    n, c, (h, w) = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(sizes(4))
    values = draw(st.sampled_from([integers, normals]))
    theta = values(np.random.default_rng(draw(SEEDS)), (n, 2, 3), dtype)
    options: dict[str, Any] = {"size": (n, c, h, w)}
    if offered("align_corners"):
        options["align_corners"] = draw(st.booleans())
    return Case("affine_grid", {"theta": theta}, options)
