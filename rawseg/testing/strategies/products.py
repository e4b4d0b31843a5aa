"""Affine maps for hypothesis: any leading axes, no rows, no features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS
from .values import integers, normals

LEADS = [(), (1,), (4,), (2, 3), (2, 1, 3), (0,), (2, 0)]


@st.composite
def linear(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.functional.linear`, with whole numbers or with numbers of very different magnitudes."""
    rng = np.random.default_rng(draw(SEEDS))
    values = draw(st.sampled_from([integers, integers, normals]))
    into, out = draw(st.sampled_from([1, 2, 5, 0])), draw(st.sampled_from([1, 3, 4]))
    shape = *draw(st.sampled_from(LEADS)), into
    arrays: dict[str, Any] = {"input": values(rng, shape, dtype), "weight": values(rng, (out, into), dtype)}
    if offered("bias"):
        arrays["bias"] = values(rng, (out,), dtype) if draw(st.booleans()) else None
    return Case("linear", arrays)
