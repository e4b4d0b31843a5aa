"""Resizing for hypothesis: enlarged, reduced and kept, each side by itself; and pixels that become channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .windows import batches, filled, written

MODES = ("nearest", "nearest-exact", "bilinear")
SIDES = st.sampled_from([3, 2, 5, 7, 1])
FACTORS = (0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)


@st.composite
def interpolate(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.interpolate`.

    Sides and factors are so small that the pixel which "nearest" takes does not depend on how a coordinate is rounded, and no
    factor but 1 keeps a side and none but 2 doubles it, of more than one pixel: there is an edge for each of these.
    """
    mode = draw(st.sampled_from([*MODES, "bilinear"])) if offered("mode") else "nearest"
    old = draw(SIDES), draw(SIDES)
    options: dict[str, Any] = {}
    if offered("size") and (not offered("scale_factor") or draw(st.booleans())):
        options["size"] = draw(SIDES), draw(SIDES)
    else:
        options["scale_factor"] = tuple(draw(st.sampled_from([f for f in FACTORS if side * f >= 1])) for side in old)
    options = written(draw, options, everything)
    if offered("mode"):
        options["mode"] = mode
    if mode == "bilinear" and offered("align_corners"):
        options["align_corners"] = draw(st.sampled_from([None, False, True]))
    if "scale_factor" in options and offered("recompute_scale_factor"):
        options["recompute_scale_factor"] = draw(st.sampled_from([None, False, True]))
    return Case("interpolate", {"input": filled(draw, (*batches(draw), *old), dtype)}, options)


@st.composite
def pixel_shuffle(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.pixel_shuffle`, with any leading axes."""
    r, (*lead, channels), (h, w) = draw(_shuffled())
    return Case("pixel_shuffle", {"input": filled(draw, (*lead, channels * r * r, h, w), dtype)}, {"upscale_factor": r})


@st.composite
def pixel_unshuffle(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.pixel_unshuffle`, with any leading axes."""
    r, lead, (h, w) = draw(_shuffled())
    return Case("pixel_unshuffle", {"input": filled(draw, (*lead, h * r, w * r), dtype)}, {"downscale_factor": r})


@st.composite
def _shuffled(draw: Any) -> tuple[int, tuple[int, ...], tuple[int, int]]:
    """Draw ``(r, (..., C), (h, w))``: the factor, leading axes and channels, and the smaller of the two sizes."""
    lead = draw(st.sampled_from([(1, 2), (3,), (2, 2), (2, 1), (2, 1, 2)]))
    return draw(st.sampled_from([2, 3, 2, 1])), lead, (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
