"""Softmax and normalisations for hypothesis: small, because their bounds ask for a backward pass an element.

What is normalised together has at least three values. Of two, deviations divided by their own deviation are 1 and -1 whatever
they are: the gradient is what rounding leaves over, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .seeds import SEEDS

Offered = Callable[[str], bool]
# (N, C, *spatial), three values a channel at least
BATCHES = [(3, 2), (4, 1), (2, 3, 2), (1, 2, 3), (3, 2, 1, 1), (2, 2, 2, 1), (1, 1, 2, 3), (0, 2), (0, 3, 2, 1)]
EVALUATED = [(1, 3), (2, 2), (1, 2, 1, 1)]  # and fewer where statistics are given
# the same, three values an image and channel
IMAGES = [(1, 2, 3), (2, 1, 4), (2, 2, 3, 1), (1, 1, 2, 2), (3, 1, 3), (1, 2, 1, 5)]
GROUPED = [  # shapes, and how many groups
    ((2, 3), 1),
    ((1, 6), 2),
    ((2, 4, 2), 2),
    ((1, 4, 3, 1), 4),
    ((2, 2, 1, 3), 1),
    ((0, 4, 2), 2),
    ((1, 6, 2), 3),
]
ROWS = [((3,), 1), ((6, 3), 1), ((2, 3, 2), 2), ((1, 2, 1, 3), 1), ((0, 3), 1), ((2, 0, 4), 1), ((1, 5, 3), 1)]  # last axes


@st.composite
def softmax(draw: Any, op: str, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.softmax` or `log_softmax`, along any axis."""
    shape = draw(st.sampled_from([(1,), (5,), (2, 3), (3, 1), (2, 3, 2), (1, 4, 1, 2), (0, 3), (2, 3, 0)]))
    axes = [axis for axis in range(-len(shape), len(shape)) if shape[axis]]
    return Case(op, {"input": _numbers(draw, shape, dtype)}, {"dim": draw(st.sampled_from(axes))})


@st.composite
def batch_norm(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.batch_norm`, in training with and without running statistics."""
    training = draw(st.booleans()) if offered("training") else False
    shape = draw(st.sampled_from(BATCHES if training else BATCHES + EVALUATED))
    return _of_channels(draw, "batch_norm", shape, {"training": training}, not training, dtype, offered)


@st.composite
def instance_norm(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.instance_norm`, by the statistics of the input or by given ones."""
    given = offered("running_mean") and offered("running_var")
    own = draw(st.sampled_from([True, True, False])) if given and offered("use_input_stats") else True
    shape = draw(st.sampled_from(IMAGES))
    return _of_channels(draw, "instance_norm", shape, {"use_input_stats": own}, not own, dtype, offered, given)


@st.composite
def group_norm(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.group_norm`."""
    shape, groups = draw(st.sampled_from(GROUPED))
    arrays = {"input": _numbers(draw, shape, dtype), **_affine(draw, shape[1:2], dtype, offered)}
    return Case("group_norm", arrays, {"num_groups": groups, **_eps(draw, offered)})


@st.composite
def layer_norm(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.layer_norm` over the last axis or axes."""
    shape, last = draw(st.sampled_from(ROWS))
    arrays = {"input": _numbers(draw, shape, dtype), **_affine(draw, shape[-last:], dtype, offered)}
    return Case("layer_norm", arrays, {"normalized_shape": shape[-last:], **_eps(draw, offered)})


def _of_channels(
    draw: Any, op: str, shape: Any, flags: Any, needed: bool, dtype: Any, offered: Offered, given: bool = True
) -> Case:
    """Draw what both norms with running statistics have in common; ``needed`` are those where the batch's own are not used."""
    arrays: dict[str, Any] = {"input": _numbers(draw, shape, dtype)}
    if given:
        there = needed or draw(st.booleans())
        mean, var = _numbers(draw, shape[1:2], dtype), _numbers(draw, shape[1:2], dtype)
        arrays |= {"running_mean": mean if there else None, "running_var": (var**2 + 0.25).astype(dtype) if there else None}
    arrays |= _affine(draw, shape[1:2], dtype, offered)
    options = {name: value for name, value in flags.items() if offered(name)}
    if given and offered("momentum"):
        options["momentum"] = draw(st.sampled_from([0.1, 0.25, 0.0, 1.0]))
    return Case(op, arrays, options | _eps(draw, offered))


def _affine(draw: Any, shape: tuple[int, ...], dtype: Any, offered: Offered) -> dict[str, Any]:
    """Draw scale and shift: both, or the scale alone, or none."""
    there = draw(st.sampled_from([("weight", "bias"), ("weight",), ()]))
    return {name: _numbers(draw, shape, dtype) if name in there else None for name in ("weight", "bias") if offered(name)}


def _eps(draw: Any, offered: Offered) -> dict[str, Any]:
    return {"eps": draw(st.sampled_from([1e-5, 1e-3, 0.5]))} if offered("eps") else {}


def _numbers(draw: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(draw(SEEDS))
    return (rng.standard_normal(shape) * 1.5 + 0.5).astype(dtype)
