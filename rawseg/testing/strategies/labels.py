"""Class ids and instance masks for hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS

Offered = Callable[[str], bool]


@st.composite
def one_hot(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.one_hot`; without `num_classes` there is at least one id."""
    rng = np.random.default_rng(draw(SEEDS))
    told = offered("num_classes") and draw(st.booleans())
    shape = draw(st.sampled_from([(), (1,), (5,), (2, 3), (2, 1, 3), *([(0,), (2, 0)] if told else [])]))
    classes = draw(st.integers(1, 5))
    more = draw(st.sampled_from([0, 0, 2]))
    return Case(
        "one_hot", {"tensor": np.asarray(rng.integers(0, classes, shape))}, {"num_classes": classes + more} if told else {}
    )


@st.composite
def border_weights(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.border_weights`: none, one or several instances, of ids with gaps between."""
    rng = np.random.default_rng(draw(SEEDS))
    height, width = draw(st.sampled_from([(1, 1), (1, 6), (5, 1), (4, 5), (6, 3)]))
    ids = np.array([0, *draw(st.sampled_from([[], [7], [1, 2], [1, 2, 3], [9, 4]]))])
    mask = ids[np.where(rng.random((height, width)) < 0.5, 0, rng.integers(0, len(ids), (height, width)))]
    some = {
        "w0": [10.0, 2.5, 0.0],
        "sigma": [5.0, 2.0, 3.0],
        "class_weights": [None, (0.5, 3.0), (1.0, 0.0), "balanced"],
    }
    return Case("border_weights", {"mask": mask}, {k: draw(st.sampled_from(v)) for k, v in some.items() if offered(k)})
