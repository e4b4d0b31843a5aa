"""Drawn maps and grids."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from twins import pairs

MODES, PADDINGS = ("bilinear", "nearest"), ("zeros", "border", "reflection")
OPTIONS = [(mode, padding, corners) for mode in MODES for padding in PADDINGS for corners in (False, True)]
SIZES = st.one_of(pairs(1, 6), st.sampled_from([(1, 1), (1, 5), (4, 1)]))
NOT_FINITE = (np.nan, np.inf, -np.inf)


class Case(NamedTuple):
    """Arrays of small integers and points of sixteenths: everything up to the sums is exact in either dtype."""

    x: np.ndarray  # (N, C, H, W)
    grid: np.ndarray  # (N, out_h, out_w, 2)
    grad_output: np.ndarray  # (N, C, out_h, out_w)


@st.composite
def cases(draw, dtype: Any = None, least: int = 0) -> Case:
    """Draw a case; a quarter of the coordinates are those of edges and of pixels' centres, and some lie far outside."""
    dtype = draw(st.sampled_from([np.float32, np.float64])) if dtype is None else dtype
    n, c = draw(st.integers(least, 3)), draw(st.integers(1, 3))
    (h, w), (out_h, out_w) = draw(SIZES), draw(pairs(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    grid = rng.integers(-40, 41, (n, out_h, out_w, 2)) / 16
    special = rng.choice([-1.0, 1.0, 0.0, -1.5, 1.5, -3.0, 3.0, 0.5, -7.25], grid.shape)
    grid = np.where(rng.random(grid.shape) < 0.25, special, grid)
    x, grad_output = rng.integers(-8, 9, (n, c, h, w)), rng.integers(-8, 9, (n, c, out_h, out_w))
    return Case(x.astype(dtype), grid.astype(dtype), grad_output.astype(dtype))
