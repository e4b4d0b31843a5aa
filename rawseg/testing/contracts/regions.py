"""Regions of interest: RoIAlign, RoIPool and RoIWarp."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from ..case import Case
from ..rounding import Moved, Resampled
from ..strategies import regions
from ..strategies.values import integers
from .contract import Contract, Edge, Refusal

NAN = float("nan")
BOX = (0, 0.25, 0.5, 2.75, 2.0)


def _case(op: str, *boxes: tuple[float, ...], shape: tuple[int, ...] = (1, 2, 3, 4), x: Any = None, **options: Any) -> Case:
    """Return a call with boxes (batch index, x1, y1, x2, y2), on whole numbers unless ``x`` is given."""
    x = integers(np.random.default_rng(sum(shape)), shape) if x is None else np.asarray(x, np.float64)
    rows = np.array(boxes, np.float64).reshape(-1, 5)
    return Case(op, {"input": x, "boxes": rows}, {"output_size": (1, 2), **options})


def _plane(*rows: Any) -> np.ndarray:
    return np.array(rows, np.float64)[None, None]


def _roi_align_edges() -> list[Edge]:
    op, row = "roi_align", _plane([2.0, 5, 5, 1], [-1, -1, -1, -1])
    point, mixed = (0, 1.0, 1.5, 1.0, 1.5), (0, -2.5, 0.25, 1.5, 1.75)
    one: dict[str, Any] = {"sampling_ratio": 1}
    ends = _case(op, (0, -2, -2, 6, 4), shape=(1, 1, 3, 5), output_size=(3, 4), **one)
    beyond = _case(op, (0, -2.5, -2.5, 6.5, 4.5), shape=(1, 1, 3, 5), output_size=(3, 4), **one)
    beside = _plane([1, 2, NAN, 3], [4, 5, 6, 7])
    maps: dict[str, Any] = {"sampling_ratio": 2, "mode": "max", "output_size": 1}
    return [
        Edge("roi_align.sample", "samples on -1 and on the size count", ends),
        Edge("roi_align.sample", "samples beyond -1 and the size are 0", beyond),
        Edge("roi_align.sample", "NaN times 0 is NaN", _case(op, (0, 0.5, 0, 1.5, 1), x=beside, output_size=1, **one)),
        Edge("all.nonfinite", "NaN stays beside its samples", _case(op, (0, 0, 0, 4, 1), x=beside, output_size=(1, 4), **one)),
        Edge("roi_align.average", "samples outside count in the mean", _case(op, mixed, output_size=1, sampling_ratio=2), True),
        Edge("roi_align.gradient-input", "boxes that share pixels", _case(op, BOX, (0, 1.25, 0, 3.25, 1.5), **one), True),
        Edge("roi_align.arithmetic", "half a pixel", _case(op, BOX, sampling_ratio=2, aligned=True), True),
        Edge("roi_align.arithmetic", "as many samples as pixels, rounded up", _case(op, (0, 0.25, 0, 3.5, 2.75)), True),
        Edge("roi_align.arithmetic", "a scale", _case(op, (0, 0.5, 1, 5.25, 3), spatial_scale=0.5, sampling_ratio=2), True),
        Edge("roi_align.identity", "the whole map", _case(op, (0, 0, 0, 4, 3), output_size=(3, 4), aligned=True, **one)),
        Edge("roi_align.zero-area", "a point has an area of one pixel", _case(op, point, **one)),
        Edge("roi_align.zero-area", "the value at a point", _case(op, point, aligned=True, **one)),
        Edge("roi_align.zero-area", "a point without samples is 0", _case(op, point, aligned=True)),
        Edge("roi_align.empty", "no box", _case(op), True),
        Edge("roi_align.empty", "a map of one pixel", _case(op, (1, -0.25, 0.25, 0.5, 1.5), shape=(2, 1, 1, 1), **one), True),
        Edge("roi_align.boxes", "images out of order", _case(op, (1, *BOX[1:]), BOX, shape=(2, 1, 3, 4), **one), True),
        Edge(
            "roi_align.gradient-boxes", "a box held at the left", _case(op, (0, -0.5, 0.25, 0.5, 2), aligned=True, **one), True
        ),
        Edge("roi_align.gradient-boxes", "a box held below", _case(op, (0, 1.25, 2.25, 3, 4.25), aligned=True, **one), True),
        Edge("roi_align.gradient-boxes", "a box beside the map", _case(op, (0, 7, 1.25, 9, 2), **one), True),
        Edge("roi_align.gradient-boxes", "a box made longer", _case(op, (0, 1, 1, 1.5, 1.25), sampling_ratio=2), True),
        Edge("roi_align.maximum", "the first of equal samples", _case(op, (0, 0.5, -0.5, 2.5, 0.5), x=row, **maps), True),
        Edge("roi_align.maximum", "NaN wins", _case(op, (0, 0.5, -0.5, 3.5, 0.5), x=beside, **maps)),
        Edge("roi_align.maximum", "samples outside are 0", _case(op, (0, 0, 1, 1, 7), x=row, **maps), True),
    ]


def _region_refusals(op: str) -> list[Refusal]:
    """Return what every operation refuses of its boxes; of a NaN with a sampling_ratio the compiled torchvision would die."""
    fitting = _case(op, BOX)
    single = {name: array.astype(np.float32) for name, array in fitting.arrays.items()}
    corners = fitting.arrays["boxes"][:, 1:]
    return [
        Refusal("roi_align.boxes", "no batch index", fitting.having(boxes=corners), "boxes", ShapeError),
        Refusal("roi_align.boxes", "an image that is not there", _case(op, (1, *BOX[1:])), "boxes", IndexRangeError, True),
        Refusal("roi_align.boxes", "half an image", _case(op, (0.5, *BOX[1:])), "boxes", IndexRangeError, True),
        Refusal("roi_align.boxes", "a corner that is no number", _case(op, (0, 0, 0, NAN, 2)), "boxes", ArgumentError, True),
        Refusal("roi_align.boxes", "x2 below x1", _case(op, (0, 2, 0, 1, 2)), "boxes", ArgumentError, True),
        Refusal("roi_align.boxes", "y2 below y1", _case(op, (0, 0, 2, 1, 1)), "boxes", ArgumentError, True),
        Refusal("all.layout", "two dtypes", fitting.having(boxes=single["boxes"]), "boxes", DTypeError),
        Refusal(
            "all.layout", "a map without a batch axis", fitting.having(input=fitting.arrays["input"][0]), "input", ShapeError
        ),
        Refusal("roi_align.arithmetic", "no scale", _case(op, BOX, spatial_scale=0.0), "spatial_scale", ArgumentError, True),
        Refusal("all.integers", "no bin", _case(op, BOX, output_size=(0, 2)), "output_size", ArgumentError, True),
        Refusal("all.integers", "half a bin", _case(op, BOX, output_size=1.5), "output_size", ArgumentTypeError),
    ]


def _roi_align_refusals() -> list[Refusal]:
    op, large = "roi_align", (0, 0, 0, 300, 300)
    many = _case(op, BOX, sampling_ratio=257)
    return [
        *_region_refusals(op),
        Refusal("roi_align.limits", "257 x 257 samples in a bin", many, "sampling_ratio", ArgumentError, True),
        Refusal("roi_align.limits", "a bin of 300 x 300 pixels", _case(op, large, output_size=1), "boxes", ArgumentError, True),
        Refusal("roi_align.maximum", "an unknown mode", _case(op, BOX, mode="mean"), "mode", ArgumentError),
    ]


def _roi_pool_edges() -> list[Edge]:
    op, ties = "roi_pool", _plane([3.0, 7, 7, 1], [7, 2, 7, 7])
    halves = (0, 0.5, -0.5, 2.5, 1.5)
    return [
        Edge("roi_pool.quantisation", "halves away from 0", _case(op, halves, output_size=(2, 3)), True),
        Edge("roi_pool.quantisation", "bins that overlap", _case(op, (0, 0, 0, 3, 2), output_size=(2, 3)), True),
        Edge("roi_pool.quantisation", "a point has one pixel", _case(op, (0, 1.25, 1.25, 1.25, 1.25)), True),
        Edge("roi_pool.quantisation", "a scale", _case(op, (0, 0.5, 1.5, 6.5, 3.5), spatial_scale=0.5), True),
        Edge("roi_pool.empty-bin", "a bin left of the map is 0", _case(op, (0, -4, 0, 1, 2), output_size=(1, 3)), True),
        Edge("roi_pool.empty-bin", "a box below the map", _case(op, (0, 1, 9, 2, 12)), True),
        Edge("roi_pool.choice", "the first of equal pixels", _case(op, (0, 0, 0, 3, 1), x=ties, output_size=1), True),
        Edge("roi_pool.choice", "NaN wins", _case(op, (0, 0, 0, 3, 0), x=_plane([1, NAN, 3, 2]), output_size=1), own=True),
        Edge("roi_pool.choice", "-inf is a value", _case(op, (0, 0, 0, 3, 0), x=_plane([-np.inf] * 4)), own=True),
        Edge("roi_align.empty", "no box", _case(op), True),
        Edge("roi_align.boxes", "images out of order", _case(op, (1, *BOX[1:]), BOX, shape=(2, 1, 3, 4)), True),
    ]


def _roi_warp_edges() -> list[Edge]:
    op, mixed = "roi_warp", (0, -3, 0, 0, 2)
    return [
        Edge("roi_warp.samples", "halves away from 0", _case(op, (0, 0.5, -0.5, 2.5, 1.5), sampling_ratio=2), True),
        Edge("roi_warp.samples", "both ends belong to the box", _case(op, (0, 1, 1, 2, 1), output_size=(1, 2)), True),
        Edge("roi_warp.samples", "samples outside count in the mean", _case(op, mixed, output_size=1, sampling_ratio=2), True),
        Edge("roi_align.empty", "no box", _case(op), True),
        Edge("roi_align.boxes", "images out of order", _case(op, (1, *BOX[1:]), BOX, shape=(2, 1, 3, 4)), True),
    ]


def _option(case: Case, name: str, default: float) -> float:
    return float(case.options.get(name, default))


def _reach(case: Case) -> float:
    """Return how far from the map's origin a box reaches, in pixels of the map; a little more where it is made longer."""
    return _option(case, "spatial_scale", 1.0) * float(np.abs(case.arrays["boxes"][:, 1:]).max(initial=0)) + 2


def _samples(case: Case) -> int:
    """Return the samples in a bin: as many as are asked for, or as the largest bin has pixels, and one more."""
    ratio, scale = int(_option(case, "sampling_ratio", -1)), _option(case, "spatial_scale", 1.0)
    if ratio > 0:
        return ratio**2
    boxes, bins = case.arrays["boxes"], case.options["output_size"]
    steps = scale * (boxes[:, 3:] - boxes[:, 1:3]) / (bins if isinstance(bins, int) else bins[::-1])  # (K, 2), x first
    return int(np.prod(np.ceil(steps) + 1, axis=1).max(initial=1))


NEEDED = "input", "boxes", "output_size"
SAMPLED = Resampled(_reach, lambda case: _option(case, "spatial_scale", 1.0), _samples, lambda case: case, 1)
CONTRACTS = [
    Contract(
        "roi_align",
        ops.roi_align,
        regions.roi_align,
        ("input", "boxes"),
        SAMPLED,
        _roi_align_edges,
        _roi_align_refusals,
        needed=NEEDED,
        may_lack=("boxes",),
        moving={"boxes": np.s_[:, 1:]},
    ),
    Contract(
        "roi_pool",
        ops.roi_pool,
        regions.roi_pool,
        ("input",),
        Moved(),
        _roi_pool_edges,
        lambda: _region_refusals("roi_pool"),
        needed=NEEDED,
    ),
    Contract(
        "roi_warp",
        ops.roi_warp,
        regions.roi_warp,
        ("input",),
        SAMPLED,
        _roi_warp_edges,
        lambda: _region_refusals("roi_warp"),
        needed=NEEDED,
    ),
]
