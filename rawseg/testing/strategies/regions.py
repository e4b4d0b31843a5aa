"""Regions of interest for hypothesis: boxes that lie in, across, beside and on the edges of a map."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...ops.roi_sampling import roi_align as aligned_regions
from ..case import Case
from .convolution import everything
from .seeds import SEEDS
from .values import distinct, integers, normals
from .windows import written

PLACES = ("inside", "across", "outside", "border", "point", "whole", "small")
AXES = ((2, 4), (1, 3))  # columns of the low and the high end of a box, down and across
APART = 1e-2  # from the largest sample of a bin to the next: neither rounding nor a difference quotient exchanges them


class Regions(NamedTuple):
    """Maps of some shape, boxes on them, (K, 5), and the options of ``roi_align``."""

    shape: tuple[int, int, int, int]
    boxes: np.ndarray
    options: dict[str, Any]


def box(rng: np.random.Generator, place: str, size: tuple[int, int], step: float) -> list[float]:
    """Return (x1, y1, x2, y2) in pixels of a map; whole multiples of ``step``, if that is not 0."""

    def number(low: float, high: float) -> float:
        value = rng.uniform(low, high)
        return round(value / step) * step if step else float(value)

    lows, highs = [], []
    for length in size:
        if place == "border":  # samples that lie exactly on -1 and on the size, at the ends of what is valid
            low, high = -2.0, length + 1.0
        elif place == "whole":
            low, high = 0.0, float(length)
        else:
            spans = {"inside": (0, length), "across": (-2, length + 2), "outside": (length + 2, length + 9)}
            low, high = sorted(number(*spans.get(place, (0, length))) for _ in range(2))
            if place == "point":
                high = low
            elif place == "small":
                high = low + (step or 0.3)
        lows.append(low)
        highs.append(high)
    return [lows[1], lows[0], highs[1], highs[0]]


@st.composite
def regions(
    draw: Any,
    step: float = 0.0,
    bins: Any = (1, 2, 3),
    ratios: Any = (-1, 0, 1, 2, 3),
    scales: Any = (1.0, 0.5, 0.3),
    large: bool = True,
) -> Regions:
    """Draw `Regions`; with a ``step``, powers of two and scales of 1 all coordinates and weights are exact in float32.

    Not ``large`` ones suit loops in Python, and mostly have a box.
    """
    size = draw(st.integers(1, 6 if large else 3)), draw(st.integers(1, 7 if large else 4))
    images, scale = draw(st.integers(1, 3 if large else 2)), draw(st.sampled_from(scales))
    least = 0 if large else draw(st.sampled_from([1, 1, 1, 0]))
    places = draw(st.lists(st.sampled_from(PLACES), min_size=least, max_size=3 if large else 2))
    rng = np.random.default_rng(draw(SEEDS))
    rois = [[rng.integers(images), *np.array(box(rng, place, size, step)) / scale] for place in places]
    options = {
        "output_size": (draw(st.sampled_from(bins)), draw(st.sampled_from(bins))),
        "spatial_scale": scale,
        "sampling_ratio": draw(st.sampled_from(ratios)),
        "aligned": draw(st.booleans()),
    }
    return Regions((images, 2, *size), np.array(rois, np.float64).reshape(-1, 5), options)


def exact_regions() -> Any:
    """Regions whose every product and sum is exact in float32, for small integers on the map."""
    return regions(0.5, (1, 2), (1, 2), (1.0,))


def off_the_kinks(drawn: Regions) -> Regions:
    """Return regions with their boxes moved, so that every sample lies at an odd sixteenth of a pixel.

    So none is near a pixel or an end of the map, no number of samples is near its next, and, with a scale that is a power of
    two, all coordinates are exact in float32 too. Boxes shorter than the one pixel that they count without ``aligned`` begin at
    a pixel: their samples lie at odd halves, quarters, sixths, eighths, twelfths or eighteenths.
    """
    boxes, scale, ratio = drawn.boxes.copy(), drawn.options["spatial_scale"], drawn.options["sampling_ratio"]
    for row in boxes:
        for (low, high), bins in zip(AXES, drawn.options["output_size"]):
            start, extent = row[low] * scale, (row[high] - row[low]) * scale
            if ratio > 0:
                unit = bins * ratio / 4
                extent = unit * max(1, round(extent / unit))
            else:
                # As many samples as the step is rounded up to: 1, 1, 1, 2, 3.
                extent = bins * min((0.25, 0.5, 0.75, 1.5, 2.25), key=lambda step: abs(step - extent / bins))
            if not drawn.options["aligned"] and extent == 1:  # as long as the shortest that counts as it is
                extent *= 2 if ratio > 0 else 1.5
            lengthened = not drawn.options["aligned"] and extent < 1
            start = round(start) if lengthened else (2 * math.floor(8 * start) + 1) / 16
            row[low], row[high] = start / scale, (start + extent) / scale
    return drawn._replace(boxes=boxes)


def off_the_halves(drawn: Regions) -> Regions:
    """Return regions with the ends of their boxes at odd quarters of a pixel: all arithmetic rounds them to the same pixels."""
    boxes, scale = drawn.boxes.copy(), drawn.options["spatial_scale"]
    boxes[:, 1:] = (2 * np.floor(2 * scale * boxes[:, 1:]) + 1) / 4 / scale
    return drawn._replace(boxes=boxes)


@st.composite
def roi_align(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.roi_align`."""
    drawn = draw(_of_powers_of_two(offered, (1, 2, 3), (-1, 0, 1, 2, 3)))
    drawn = off_the_kinks(drawn._replace(options={**drawn.options, "aligned": drawn.options["aligned"] and offered("aligned")}))
    largest = offered("mode") and draw(st.integers(0, 2)) == 0
    seed, options = draw(SEEDS), written(draw, drawn.options, offered)
    values = draw(st.sampled_from([integers, integers, normals]))
    if offered("mode"):
        options["mode"] = "max" if largest else "avg"
    x = _with_one_largest(drawn, seed) if largest else values(np.random.default_rng(seed), drawn.shape)
    return Case("roi_align", {"input": x.astype(dtype), "boxes": drawn.boxes.astype(dtype)}, options)


@st.composite
def roi_warp(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.roi_warp`; the bins' and the samples' numbers divide a box exactly."""
    drawn = off_the_halves(draw(_of_powers_of_two(offered, (1, 2), (-1, 0, 1, 2))))
    values = draw(st.sampled_from([integers, integers, normals]))
    x = values(np.random.default_rng(draw(SEEDS)), drawn.shape, dtype)
    options = {name: value for name, value in drawn.options.items() if name != "aligned"}
    return Case("roi_warp", {"input": x, "boxes": drawn.boxes.astype(dtype)}, written(draw, options, offered))


@st.composite
def roi_pool(draw: Any, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Case:
    """Draw a call of `rawseg.ops.roi_pool`; no two pixels are equal."""
    drawn = off_the_halves(draw(_of_powers_of_two(offered, (1, 2, 3), (1,))))
    x = distinct(np.random.default_rng(draw(SEEDS)), drawn.shape, dtype)
    options = {name: drawn.options[name] for name in ("output_size", "spatial_scale")}
    return Case("roi_pool", {"input": x, "boxes": drawn.boxes.astype(dtype)}, written(draw, options, offered))


def _of_powers_of_two(offered: Callable[[str], bool], bins: Any, ratios: Any) -> Any:
    """Regions for loops in Python, whose scale is exact."""
    scales = (1.0, 0.5, 2.0) if offered("spatial_scale") else (1.0,)
    return regions(0.0, bins, ratios if offered("sampling_ratio") else ratios[:1], scales, large=False)


def _with_one_largest(drawn: Regions, seed: int) -> np.ndarray:
    """Return a map on which every bin has one largest sample, or some that are held at the same place of an edge."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(drawn.shape)
    while not all(_has_one_largest(x, row, **drawn.options) for row in drawn.boxes):  # a few times at most
        x = rng.standard_normal(drawn.shape)
    return x


def _has_one_largest(
    x: np.ndarray, row: np.ndarray, output_size: tuple[int, int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> bool:
    """Look at the samples one by one: they are bins of one sample each."""
    sides = [spatial_scale * (row[high] - row[low]) for low, high in AXES]
    counts = [
        sampling_ratio if sampling_ratio > 0 else math.ceil((side if aligned else max(side, 1)) / bins)
        for side, bins in zip(sides, output_size)
    ]
    (down, across), (high, wide) = output_size, counts
    samples = aligned_regions(x, row[None], (down * high, across * wide), spatial_scale, 1, aligned).numpy()
    samples = samples.reshape(-1, down, high, across, wide).swapaxes(2, 3).reshape(-1, down, across, high * wide)
    largest = samples.max(-1, keepdims=True)
    return bool(((samples == largest) | (samples < largest - APART)).all())
