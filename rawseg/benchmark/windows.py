"""The passes of windows and of points: average pooling, columns of windows, frames and sampling grids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels import avg_pool2d, grid_sample, pad, unfold

from .. import functional as F
from .. import tensor
from ..autograd import no_grad
from ..testing.rounding.bounds import gamma
from .passes import Pass, by_autograd, normals, nothing, sum_of

MOVED = 0.2  # of a pixel, at most: how far a grid's points are from the pixels of a map that is hardly bent


def avg_pool2d_passes(shape: tuple[int, ...], kernel_size: int, stride: Any = None, padding: int = 0) -> list[Pass]:
    """Return forward and grad input; windows are squares."""
    import torch

    geometry = kernel_size, stride or kernel_size, padding
    (x,) = normals(0, shape)
    (g,) = normals(1, avg_pool2d.forward(x, *geometry).shape)
    pool = torch.nn.functional.avg_pool2d
    flops, bound = float(g.size * kernel_size**2), sum_of(kernel_size**2 + 3)
    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, *geometry),
            lambda x: lambda: pool(x, *geometry),
            flops,
            bound,
            avg_pool2d,
            "forward",
        ),
        Pass(
            "grad input",
            (g,),
            lambda f, g: lambda: f(g, shape, *geometry),
            lambda g: by_autograd(lambda x: pool(x, *geometry))(g, g.new_zeros(shape)),
            flops,
            bound,
            avg_pool2d,
            "backward",
        ),
    ]


def unfold_passes(shape: tuple[int, ...], kernel_size: int, padding: int = 0, stride: int = 1) -> list[Pass]:
    """Return windows as columns (im2col), and columns added up (col2im)."""
    import torch

    geometry = kernel_size, 1, padding, stride
    (x,) = normals(0, shape)
    (g,) = normals(1, unfold.forward(x, *geometry).shape)
    functions = torch.nn.functional
    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, *geometry),
            lambda x: lambda: functions.unfold(x, *geometry),
            0.0,
            nothing,
            unfold,
            "forward",
        ),
        Pass(
            "grad input",
            (g,),
            lambda f, g: lambda: f(g, shape[2:], *geometry),
            lambda g: lambda: functions.fold(g, shape[2:], *geometry),
            float(g.size),
            sum_of(kernel_size**2),
            unfold,
            "backward",
        ),
    ]


def pad_passes(shape: tuple[int, ...], width: int, mode: str = "constant") -> list[Pass]:
    """Return forward and grad input of a frame of one width."""
    import torch

    widths, frame = [(0, 0)] * 2 + [(width, width)] * 2, torch.nn.functional.pad
    (x,) = normals(0, shape)
    (g,) = normals(1, pad.forward(x, widths, mode).shape)
    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, widths, mode),
            lambda x: lambda: frame(x, [width] * 4, mode),
            0.0,
            nothing,
            pad,
            "forward",
        ),
        Pass(
            "grad input",
            (g,),
            lambda f, g: lambda: f(g, widths, mode),
            lambda g: by_autograd(lambda x: frame(x, [width] * 4, mode))(g, g.new_zeros(shape)),
            0.0,
            sum_of((width + 1) ** 2 + 9),
            pad,
            "backward",
        ),
    ]


def grid_sample_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return forward, and forward with grad input, of a map that is hardly bent: bilinear, zeros outside."""
    import torch

    (x,) = normals(0, shape)
    (g,) = normals(1, shape)
    grid = _bent(shape)
    sampled = torch.nn.functional.grid_sample
    # A coordinate is at most the side, and rounded up to four times: so far off are a point, and its weights.
    apart = gamma(4, np.float32) * max(shape[2:])
    indices = grid_sample.locate(grid, shape[2:], "bilinear", "zeros", False)[0]
    pixels = shape[2] * shape[3]  # also the index of a tap outside
    most = max(int(np.bincount(taps.ravel(), minlength=pixels)[:pixels].max()) for taps in indices)  # taps on one pixel

    def ours(f: Any, x: Any, grid: Any) -> Callable[[], Any]:
        operands = tensor(x), tensor(grid)

        def run() -> Any:
            with no_grad():
                return F.grid_sample(*operands, align_corners=False)

        return run

    def ours_backward(f: Any, g: Any, x: Any, grid: Any) -> Callable[[], Any]:
        leaf, points, push = tensor(x, requires_grad=True), tensor(grid), tensor(g)

        def run() -> Any:
            leaf.grad = None
            F.grid_sample(leaf, points, align_corners=False).backward(push)
            return leaf.grad

        return run

    def theirs_backward(g: Any, x: Any, grid: Any) -> Callable[[], Any]:
        leaf = x.detach().requires_grad_()

        def run() -> Any:
            with torch.enable_grad():
                return torch.autograd.grad(sampled(leaf, grid, align_corners=False), leaf, g)

        return run

    def of(largest: np.ndarray, terms: int) -> Callable[..., float]:
        most_of = float(np.abs(largest).max())
        return lambda algorithm, item, exact: terms * most_of * (gamma(terms + 4, np.float32) + 2 * apart)

    return [
        Pass(
            "forward",
            (x, grid),
            ours,
            lambda x, grid: lambda: sampled(x, grid, align_corners=False),
            8.0 * x.size,
            of(x, 4),
        ),
        Pass("forward and grad", (g, x, grid), ours_backward, theirs_backward, 16.0 * x.size, of(g, most)),
    ]


def _bent(shape: tuple[int, ...]) -> np.ndarray:
    """Return a grid (N, H, W, 2) of points beside the pixels of a map, in its own coordinates, -1 to 1."""
    rng = np.random.default_rng(2)
    sides = [(np.arange(n) + 0.5) * 2 / n - 1 for n in shape[2:]]
    rows, columns = np.meshgrid(*sides, indexing="ij")
    moves = rng.uniform(-2 * MOVED, 2 * MOVED, (shape[0], *shape[2:], 2)) / [shape[3], shape[2]]
    return (np.stack([columns, rows], -1) + moves).astype(np.float32)


PASSES: dict[str, Callable[..., list[Pass]]] = {
    "avg_pool2d": avg_pool2d_passes,
    "unfold": unfold_passes,
    "pad": pad_passes,
    "grid_sample": grid_sample_passes,
}
