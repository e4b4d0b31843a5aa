"""Sampling at the points of a grid, and the grid of an affine map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Resampled, Smooth
from ..strategies import sampling
from ..strategies.sampling import NOT_FINITE
from ..strategies.values import integers
from .contract import Contract, Edge, Refusal

ROW = np.array([3.0, -5, 2, 7]).reshape(1, 1, 1, 4)


def _case(shape: tuple[int, ...], points: Any, **options: Any) -> Case:
    """Return a call on whole numbers; points (x, y), or rows of them."""
    grid = np.asarray(points, np.float64)
    grid = grid.reshape(1, -1, grid.shape[-2] if grid.ndim > 2 else 1, 2)
    x = integers(np.random.default_rng(sum(shape)), shape)
    return Case("grid_sample", {"input": x, "grid": grid.repeat(shape[0], 0)}, options)


def _along(places: Any, **options: Any) -> Case:
    """Return a call on a row of four pixels, at pixel coordinates."""
    grid = np.zeros((1, 1, len(places), 2))
    grid[..., 0] = (2 * np.asarray(places, np.float64) + 1) / 4 - 1
    return Case("grid_sample", {"input": ROW, "grid": grid}, options)


def _grid_sample_edges() -> list[Edge]:
    corners = [(-1.0, -1.0), (1, 1), (-1, 1), (1, -1), (0, 0)]
    shape = (1, 2, 3, 4)
    holding, mirrored = {"padding_mode": "border"}, {"padding_mode": "reflection"}
    outside = Case("grid_sample", {"input": np.full((1, 1, 2, 2), np.inf), "grid": np.full((1, 1, 1, 2), 4.0)})
    wild = [(value, 0.25) for value in NOT_FINITE]
    return [
        Edge("grid_sample.coordinates", "the corners of the map", _case(shape, corners), True),
        Edge("grid_sample.coordinates", "the centres of the corners", _case(shape, corners, align_corners=True), True),
        Edge("grid_sample.coordinates", "maps of one pixel", _case((2, 1, 1, 1), corners, align_corners=True), True),
        Edge("grid_sample.taps", "a tap outside is not multiplied", outside),
        Edge("grid_sample.taps", "between the last pixel and nothing", _along([-0.75, -0.25, 3.25, 3.75]), True),
        Edge("grid_sample.nearest", "halves go to the even pixel", _along([-0.5, 0.5, 1.5, 2.5, 3.5], mode="nearest"), True),
        Edge("grid_sample.nearest", "held, then rounded", _along([-0.75, 3.75], mode="nearest", **holding), True),
        Edge("grid_sample.border", "points beyond the border are held", _along([-2, -0.25, 3.5, 9], **holding), True),
        Edge("grid_sample.reflection", "mirrored at the edges", _along([-0.75, -1.25, 4.25, 8.75], **mirrored), True),
        Edge("grid_sample.reflection", "mirrored at centres", _along([-0.75, 4.25, 9.5], align_corners=True, **mirrored), True),
        Edge("grid_sample.gradient", "on a pixel the cell right of it counts", _along([0, 1, 2, 3]), True),
        Edge("grid_sample.gradient", "the outermost centres are held", _along([0, 3], **holding), True),
        # In PyTorch the gradient of such points, with padding, ends the process.
        Edge("grid_sample.nonfinite", "points nowhere are 0", _case(shape, wild), own=True),
        Edge("grid_sample.nonfinite", "nowhere, to the nearest", _case(shape, wild, mode="nearest")),
        Edge("grid_sample.nonfinite", "NaN is held at the first pixel", _case(shape, wild, **holding)),
        Edge("grid_sample.nonfinite", "NaN is mirrored to the first pixel", _case(shape, wild, **mirrored)),
        Edge("grid_sample.shapes", "no image", _case((0, 2, 3, 4), corners), True),
        Edge("grid_sample.shapes", "no channel", _case((1, 0, 3, 4), corners)),
        Edge("grid_sample.shapes", "no point", _case(shape, np.zeros((1, 0, 3, 2)))),
    ]


def _grid_sample_refusals() -> list[Refusal]:
    row, fitting = "grid_sample.shapes", _case((2, 1, 3, 4), [(0.0, 0.5)])
    x, grid = fitting.values
    volume = np.zeros((2, 1, 2, 3, 4)), np.zeros((2, 1, 1, 1, 3))

    def other(x: np.ndarray, grid: np.ndarray, **options: Any) -> Case:
        return Case("grid_sample", {"input": x, "grid": grid}, options)

    return [
        Refusal(row, "the grid of another batch", other(x, grid[:1]), "grid", ShapeError),
        Refusal(row, "points in space", other(x, np.zeros((2, 1, 1, 3))), "grid", ShapeError),
        Refusal(row, "a map without a batch axis", other(x[0], grid), "input", ShapeError),
        Refusal(row, "a map without a row", other(x[:, :, :0], grid), "input", ShapeError),
        Refusal(row, "volumes", other(*volume), "input", ShapeError, True),
        Refusal(row, "cubic interpolation", other(x, grid, mode="bicubic"), "mode", ArgumentError, True),
        Refusal(row, "two dtypes", other(x, grid.astype(np.float32)), "grid", DTypeError),
        Refusal(row, "an unknown padding", other(x, grid, padding_mode="wrap"), "padding_mode", ArgumentError),
        Refusal("all.errors", "1 for a bool", other(x, grid, align_corners=1), "align_corners", ArgumentTypeError),
    ]


def _theta(n: int, size: Any, rows: int = 2, **options: Any) -> Case:
    theta = integers(np.random.default_rng(n), (n, rows, rows + 1))
    return Case("affine_grid", {"theta": theta}, {"size": size, **options})


def _affine_grid_edges() -> list[Edge]:
    row = "affine_grid.points"
    return [
        Edge(row, "the middles of pixels", _theta(1, (1, 1, 2, 4)), True),
        Edge(row, "the outermost pixels at -1 and 1", _theta(1, (1, 1, 2, 5), align_corners=True), True),
        Edge(row, "a single pixel lies at 0", _theta(2, (2, 1, 1, 3), align_corners=True), True),
        Edge("affine_grid.size", "no image", _theta(0, (0, 1, 2, 3)), True, own=True),
    ]


def _affine_grid_refusals() -> list[Refusal]:
    row = "affine_grid.size"
    return [
        Refusal(row, "volumes", _theta(1, (1, 1, 2, 3, 4), 3), "size", ArgumentError, True),
        Refusal(row, "no row", _theta(1, (1, 1, 0, 3)), "size", ArgumentError),
        Refusal(row, "no channel", _theta(1, (1, 0, 2, 3)), "size", ArgumentError),
        Refusal(row, "three sizes", _theta(1, (1, 2, 3)), "size", ArgumentError),
        Refusal(row, "half a pixel", _theta(1, (1, 1, 2, 1.5)), "size", ArgumentTypeError),
        Refusal(row, "other images", _theta(2, (1, 1, 2, 3)), "theta", ShapeError),
        Refusal(row, "matrices of space", _theta(1, (1, 1, 2, 3), 3), "theta", ShapeError),
    ]


def _side(case: Case) -> int:
    return max(case.arrays["input"].shape[2:])


def _reach(case: Case) -> float:
    """Return the largest coordinate in pixels: of mirrored ones before that."""
    grid = case.arrays["grid"]
    return (float(np.abs(grid[np.isfinite(grid)]).max(initial=0)) + 1) * _side(case) / 2 + 1


def _held(case: Case) -> Case:
    """Return the case with a border that holds every point, whose weights then add up to 1."""
    return Case(case.op, case.arrays, {**case.options, "padding_mode": "border"})


def _positions(case: Case) -> int:
    return math.prod(case.options["size"][2:])


CONTRACTS = [
    Contract(
        "grid_sample",
        F.grid_sample,
        sampling.grid_sample,
        ("input", "grid"),
        Resampled(_reach, lambda case: _side(case) / 2, lambda case: 1, _held, 3),
        _grid_sample_edges,
        _grid_sample_refusals,
        needed=("input", "grid"),
    ),
    Contract(
        "affine_grid",
        F.affine_grid,
        sampling.affine_grid,
        ("theta",),
        Smooth(lambda case: 3, _positions),  # a row of a matrix times (x, y, 1); its gradient sums over the image
        _affine_grid_edges,
        _affine_grid_refusals,
        needed=("theta", "size"),
    ),
]
