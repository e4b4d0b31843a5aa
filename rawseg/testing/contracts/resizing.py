"""Resized images, and pixels that become channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Moved, Resized
from ..strategies import resizing
from .contract import Contract, Edge, Refusal
from .planes import plane, shuffled


def _interpolate_edges() -> list[Edge]:
    op, nan, line = "interpolate", np.nan, list(range(26))
    smooth, corners = {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}
    wide, between = {"size": (1, 22)}, plane(op, [[1, 2, nan, 4, 5, nan, 7]], np.float32)
    crossed = [[float(i) if i != 5 else nan for i in range(13)]]
    return [
        Edge("interpolate.nearest", "the pixel above and to the left", shuffled(op, (1, 2, 3, 5), size=(7, 4)), True),
        Edge(
            "interpolate.nearest-exact", "the pixel under the centre", shuffled(op, (1, 1, 3, 5), size=(7, 2), **_exact()), True
        ),
        Edge("interpolate.nearest", "where float32 rounds to another pixel", plane(op, [line], np.float32, **wide), own=True),
        Edge(
            "interpolate.nearest-exact",
            "where float32 rounds to another pixel",
            plane(op, [line], np.float32, size=(1, 11), **_exact()),
            own=True,
        ),
        Edge(
            "interpolate.bilinear", "half a pixel, held at the edges", shuffled(op, (1, 1, 3, 2), size=(6, 7), **smooth), True
        ),
        Edge("interpolate.bilinear", "two pixels only, of many", shuffled(op, (1, 1, 7, 9), size=(2, 3), **smooth), True),
        Edge("interpolate.bilinear", "0 times NaN", plane(op, [[1, nan, 2]], size=(1, 5), **corners)),
        Edge(
            "interpolate.coordinates",
            "a pixel that float32 alone reads",
            plane(op, crossed, np.float32, size=(1, 11), **smooth),
            own=True,
        ),
        Edge("interpolate.scale", "corners on corners", shuffled(op, (1, 1, 3, 5), size=(5, 3), **corners), True),
        Edge("interpolate.scale", "one pixel is the first corner", shuffled(op, (1, 1, 3, 4), size=1, **corners), True),
        Edge("interpolate.scale", "the factor, not the sizes", shuffled(op, (1, 1, 3, 5), scale_factor=1.5, **smooth), True),
        Edge(
            "interpolate.scale",
            "the sizes, where that is asked for",
            shuffled(op, (1, 1, 3, 5), scale_factor=1.5, recompute_scale_factor=True, **smooth),
            True,
        ),
        Edge(
            "interpolate.scale",
            "a side that keeps its size",
            shuffled(op, (1, 1, 5, 3), scale_factor=(1.1, 2.0), **smooth),
            True,
        ),
        Edge(
            "interpolate.scale",
            "a side that keeps its size, by nearest pixels",
            shuffled(op, (1, 1, 3, 5), scale_factor=1.25),
            True,
        ),
        Edge(
            "interpolate.scale", "a doubled side, by nearest pixels", shuffled(op, (1, 1, 2, 3), scale_factor=(2.4, 2.2)), True
        ),
        Edge("interpolate.size", "rounded down", shuffled(op, (1, 1, 5, 7), scale_factor=(0.5, 0.4)), True),
        Edge("interpolate.size", "a batch without images", shuffled(op, (0, 2, 3, 4), size=(2, 5), **smooth), True),
        Edge("all.nonfinite", "NaN is copied", Case(op, between.arrays, {"size": (2, 9)})),
    ]


def _exact() -> dict[str, Any]:
    return {"mode": "nearest-exact"}


def _interpolate_refusals() -> list[Refusal]:
    op, row, shape = "interpolate", "interpolate.size", (1, 2, 3, 4)
    both = shuffled(op, shape, size=2, scale_factor=2.0)
    small = shuffled(op, shape, scale_factor=(0.3, 1.0))
    corners = shuffled(op, shape, size=2, mode="nearest", align_corners=True)
    again = shuffled(op, shape, size=2, recompute_scale_factor=True)
    integers = shuffled(op, shape, np.int64, size=2, mode="bilinear")
    return [
        Refusal(row, "neither a size nor a factor", shuffled(op, shape), "size", ArgumentError),
        Refusal(row, "a size and a factor", both, "size", ArgumentError),
        Refusal(row, "a size of 0", shuffled(op, shape, size=(0, 2)), "size", ArgumentError),
        Refusal(row, "a factor that leaves no pixel", small, "scale_factor", ShapeError),
        Refusal(row, "a factor below 0", shuffled(op, shape, scale_factor=-1.0), "scale_factor", ArgumentError),
        Refusal(row, "no row", shuffled(op, (1, 2, 0, 4), size=2), "input", ShapeError),
        Refusal("interpolate.scale", "corners of nearest pixels", corners, "align_corners", ArgumentError),
        Refusal("interpolate.scale", "a factor again beside a size", again, "recompute_scale_factor", ArgumentError),
        Refusal("interpolate.modes", "an unknown mode", shuffled(op, shape, size=2, mode="cubic"), "mode", ArgumentError),
        Refusal("interpolate.modes", "bicubic", shuffled(op, shape, size=2, mode="bicubic"), "mode", ArgumentError, True),
        Refusal("interpolate.modes", "a sequence", shuffled(op, (1, 2, 3), size=2), "input", ShapeError, True),
        Refusal("all.layout", "integers", integers, "input", DTypeError),
        Refusal("all.integers", "half a pixel", shuffled(op, shape, size=1.5), "size", ArgumentTypeError),
    ]


def _pixel_shuffle_edges() -> list[Edge]:
    op, row = "pixel_shuffle", "pixel_shuffle.layout"
    return [
        Edge(row, "channel, then row, then column", shuffled(op, (1, 8, 2, 3), upscale_factor=2), True),
        Edge(row, "no leading axis, and three", shuffled(op, (9, 1, 2), upscale_factor=3), True),
        Edge(row, "three leading axes", shuffled(op, (2, 1, 2, 4, 1, 3), upscale_factor=2)),
        Edge(row, "a factor of 1", shuffled(op, (1, 3, 2, 2), upscale_factor=1)),
        Edge(row, "a batch without images", shuffled(op, (0, 4, 2, 3), upscale_factor=2)),
        Edge(row, "integers", shuffled(op, (1, 4, 2, 3), np.int64, upscale_factor=2)),
    ]


def _pixel_unshuffle_edges() -> list[Edge]:
    op, row = "pixel_unshuffle", "pixel_shuffle.layout"
    return [
        Edge(row, "channel, then row, then column", shuffled(op, (1, 2, 4, 6), downscale_factor=2), True),
        Edge(row, "no leading axis", shuffled(op, (1, 3, 6), downscale_factor=3), True),
        Edge(row, "three leading axes", shuffled(op, (2, 1, 2, 1, 2, 6), downscale_factor=2)),
        Edge(row, "a batch without images", shuffled(op, (0, 1, 4, 6), downscale_factor=2), own=True),
    ]


def _pixel_shuffle_refusals() -> list[Refusal]:
    op, row = "pixel_shuffle", "pixel_shuffle.layout"
    return [
        Refusal(row, "channels that are no squares", shuffled(op, (1, 6, 2, 2), upscale_factor=2), "input", ShapeError),
        Refusal(row, "two axes", shuffled(op, (4, 4), upscale_factor=1), "input", ShapeError),
        Refusal(row, "a factor of 0", shuffled(op, (1, 4, 2, 2), upscale_factor=0), "upscale_factor", ArgumentError),
        Refusal("all.integers", "a float", shuffled(op, (1, 4, 2, 2), upscale_factor=2.0), "upscale_factor", ArgumentTypeError),
    ]


def _pixel_unshuffle_refusals() -> list[Refusal]:
    op, row = "pixel_unshuffle", "pixel_shuffle.layout"
    return [
        Refusal(row, "a height of 3", shuffled(op, (1, 2, 3, 4), downscale_factor=2), "input", ShapeError),
        Refusal(row, "a width of 3", shuffled(op, (1, 2, 4, 3), downscale_factor=2), "input", ShapeError),
        Refusal(row, "two axes", shuffled(op, (4, 4), downscale_factor=2), "input", ShapeError),
        Refusal(row, "a factor of 0", shuffled(op, (1, 1, 2, 2), downscale_factor=0), "downscale_factor", ArgumentError),
    ]


CONTRACTS = [
    Contract(
        "interpolate",
        F.interpolate,
        resizing.interpolate,
        ("input",),
        Resized(),
        _interpolate_edges,
        _interpolate_refusals,
    ),
    Contract(
        "pixel_shuffle",
        F.pixel_shuffle,
        resizing.pixel_shuffle,
        ("input",),
        Moved(),
        _pixel_shuffle_edges,
        _pixel_shuffle_refusals,
        needed=("input", "upscale_factor"),
    ),
    Contract(
        "pixel_unshuffle",
        F.pixel_unshuffle,
        resizing.pixel_unshuffle,
        ("input",),
        Moved(),
        _pixel_unshuffle_edges,
        _pixel_unshuffle_refusals,
        needed=("input", "downscale_factor"),
    ),
]
