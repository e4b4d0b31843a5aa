"""Losses for hypothesis: logits, shares and labels, some of them ignored, and every reduction.

Labels are drawn as class ids; as probabilities or masks too where an implementation has the arguments that came with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..case import Case
from .convolution import everything
from .elementwise import off_kinks
from .seeds import SEEDS
from .values import shares

Offered = Callable[[str], bool]
REDUCTIONS = "mean", "sum", "none"
PIXELS: list[tuple[int, ...]] = [(1,), (3,), (2, 2), (1, 3, 2), (2, 1, 1, 3), (1, 1, 4)]  # (N, ...) without the classes
EMPTY = [(0,), (0, 2)]
SHAPES: list[tuple[int, ...]] = [(3,), (2, 4), (1, 2, 3), (5, 1), ()]  # of losses of single numbers


@st.composite
def of_classes(draw: Any, op: str, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.cross_entropy`, `nll_loss`, `weighted_cross_entropy` or `focal_loss`."""
    rng, classes, options = _generator(draw), draw(st.sampled_from([2, 3, 4])), _reduction(draw, offered)
    pixels = _shape(draw, PIXELS if op == "weighted_cross_entropy" else [*PIXELS, ()], EMPTY, options)
    x = rng.standard_normal((*pixels[:1], classes, *pixels[1:])).astype(dtype)
    target: Any = np.asarray(rng.integers(0, classes, pixels))
    soft = op == "cross_entropy" and offered("label_smoothing") and draw(st.sampled_from([False, False, True]))
    if soft:
        target = shares(rng, x.shape, dtype)
    elif offered("ignore_index"):
        options["ignore_index"] = _ignored(draw, rng, target, [-100, 255, classes - 1])
    arrays: dict[str, Any] = {"input": x, "target": target}
    if op == "weighted_cross_entropy":
        arrays["pixel_weight"] = rng.uniform(0.5, 2, pixels).astype(dtype)
    if op == "focal_loss" and offered("gamma"):
        options["gamma"] = draw(st.sampled_from([2.0, 1.0, 0.5, 0.0]))
    if op == "cross_entropy" and offered("label_smoothing"):
        options["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 0.75]))
    if offered("weight"):
        arrays["weight"] = rng.uniform(0.5, 2, classes).astype(dtype) if draw(st.booleans()) else None
    return Case(op, arrays, options)


@st.composite
def of_decisions(draw: Any, op: str, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of one of the two forms of binary cross entropy; weights may broadcast."""
    rng, options = _generator(draw), _reduction(draw, offered)
    shape = _shape(draw, SHAPES, EMPTY, options)
    x = shares(rng, shape, dtype) if op == "binary_cross_entropy" else off_kinks(rng, shape, dtype, -3, 3)
    arrays: dict[str, Any] = {"input": x, "target": shares(rng, shape, dtype)}
    for name in ("weight", "pos_weight"):
        if offered(name) and (op != "binary_cross_entropy" or name == "weight"):
            some = [None, shape, shape[-1:], ()]
            chosen = draw(st.sampled_from(some))
            arrays[name] = None if chosen is None else rng.uniform(0.5, 2, chosen).astype(dtype)
    return Case(op, arrays, options)


@st.composite
def sigmoid_focal_loss(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.sigmoid_focal_loss`."""
    rng, options = _generator(draw), _reduction(draw, offered)
    shape = _shape(draw, SHAPES, EMPTY, options)
    arrays = {"inputs": off_kinks(rng, shape, dtype, -3, 3), "targets": shares(rng, shape, dtype)}
    values = {"alpha": [0.25, 0.75, 1.0, -1], "gamma": [2.0, 1.0, 0.5, 0.0]}
    options |= {name: draw(st.sampled_from(some)) for name, some in values.items() if offered(name)}
    return Case("sigmoid_focal_loss", arrays, options)


@st.composite
def of_numbers(draw: Any, op: str, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of mse_loss, l1_loss, smooth_l1_loss or huber_loss: differences keep away from 0, beta and delta."""
    rng, options = _generator(draw), _reduction(draw, offered)
    shape = _shape(draw, SHAPES, EMPTY, options)
    target = np.asarray(np.round(rng.standard_normal(shape), 1), dtype)
    arrays: dict[str, Any] = {"input": np.asarray(target + off_kinks(rng, shape, dtype, -3, 3)), "target": target}
    if op != "smooth_l1_loss" and offered("weight"):
        counts = shape != () or options.get("reduction", "mean") != "mean"  # alone it divides out: its gradient is rounding
        arrays["weight"] = rng.uniform(0.5, 2, shape).astype(dtype) if draw(st.booleans()) and counts else None
    bends = {"smooth_l1_loss": "beta", "huber_loss": "delta"}
    if op in bends and offered(bends[op]):
        options[bends[op]] = draw(st.sampled_from([1.0, 0.5, 2.0]))
    return Case(op, arrays, options)


@st.composite
def of_masks(draw: Any, op: str, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of dice_loss, jaccard_loss or tversky_loss, with masks or with class ids."""
    rng, classes, options = _generator(draw), draw(st.sampled_from([1, 2, 3])), _reduction(draw, offered)
    pixels = _shape(draw, PIXELS, EMPTY, options)
    shape = *pixels[:1], classes, *pixels[1:]
    target: Any = rng.integers(0, 2, shape).astype(draw(st.sampled_from([dtype, bool])))
    if offered("ignore_index") and draw(st.booleans()):
        target = rng.integers(0, classes, pixels)
        options["ignore_index"] = _ignored(draw, rng, target, [-100, 255, classes - 1])
    values = {"alpha": [0.5, 0.25, 1.0], "beta": [0.5, 0.75, 1.0]} if op == "tversky_loss" else {}
    values |= {"smooth": [1.0, 0.5], "per": ["image-class", "image", "class", "batch"]}
    options |= {name: draw(st.sampled_from(some)) for name, some in values.items() if offered(name)}
    return Case(op, {"input": shares(rng, shape, dtype), "target": target}, options)


@st.composite
def lovasz_softmax(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.lovasz_softmax`: no two errors are equal."""
    rng, pixels, classes = _generator(draw), draw(st.sampled_from([*PIXELS, *EMPTY])), draw(st.sampled_from([1, 2, 3]))
    shape = *pixels[:1], classes, *pixels[1:]
    below = shares(rng, shape, np.float64) / 2  # with what is missing to 1 all different
    x = np.where(rng.random(shape) < 0.5, below, 1 - below).astype(dtype)
    target, options = rng.integers(0, classes, pixels), {}
    if offered("ignore_index"):
        options["ignore_index"] = _ignored(draw, rng, target, [-100, 255, classes - 1])
    values = {"classes": ["present", "all"], "per_image": [False, True]}
    options |= {name: draw(st.sampled_from(some)) for name, some in values.items() if offered(name)}
    return Case("lovasz_softmax", {"input": x, "target": target}, options)


@st.composite
def lovasz_hinge(draw: Any, dtype: Any = np.float64, offered: Offered = everything) -> Case:
    """Draw a call of `rawseg.functional.lovasz_hinge`: no two errors are equal, none is at the kink."""
    rng, shape = _generator(draw), draw(st.sampled_from([*PIXELS, *EMPTY]))
    x = np.asarray(off_kinks(rng, shape, dtype, 0, 3) * rng.choice([-1, 1], shape), dtype)
    target, options = rng.integers(0, 2, shape), {}
    if offered("ignore_index"):
        options["ignore_index"] = _ignored(draw, rng, target, [-100, 255])
    if offered("per_image"):
        options["per_image"] = draw(st.booleans())
    return Case("lovasz_hinge", {"input": x, "target": target}, options)


def _generator(draw: Any) -> np.random.Generator:
    return np.random.default_rng(draw(SEEDS))


def _reduction(draw: Any, offered: Offered) -> dict[str, Any]:
    return {"reduction": draw(st.sampled_from(REDUCTIONS))} if offered("reduction") else {}


def _shape(draw: Any, some: list[Any], empty: list[Any], options: dict[str, Any]) -> Any:
    """Draw a shape, an empty one where nothing is divided by the number of elements: the mean of nothing is an edge."""
    return draw(st.sampled_from([*some, *empty] if options.get("reduction", "mean") != "mean" else some))


def _ignored(draw: Any, rng: np.random.Generator, target: np.ndarray, values: list[int]) -> int:
    """Draw the id of what is ignored, and ignore some pixels, but not the first."""
    value = draw(st.sampled_from(values))
    some = rng.random(target.shape) < 0.3
    if some.size:
        some.flat[0] = False
        target[some] = value
        if target.flat[0] == value:
            target.flat[0] = 0
    return value
