"""The passes of pooling, unpooling, resizing and RoIAlign: each is an operation on planes and its adjoint."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rawseg_kernels import adaptive_avg_pool2d, max_pool2d, max_unpool2d, resize, roi_align

from ..errors import BackendError
from .passes import Pass, beside, by_autograd, normals, nothing, sum_of
from .torchvision_on_cpu import torchvision


def max_pool2d_passes(shape: tuple[int, ...], kernel_size: Any, stride: Any = None, padding: Any = 0) -> list[Pass]:
    """Return forward (values and indices) and grad input."""
    import torch

    (x,) = normals(0, shape)
    out, indices = max_pool2d.forward(x, kernel_size, stride, padding)
    (g,) = normals(1, out.shape)
    pairs = [
        [value] * 2 if isinstance(value, int) else list(value) for value in (kernel_size, stride or kernel_size, padding, 1)
    ]
    aten = torch.ops.aten
    covering = math.prod(-(-kernel // step) for kernel, step in zip(*pairs[:2]))  # windows that see one pixel

    def theirs(g: Any, indices: Any) -> Any:
        like = g.new_empty(shape)
        if not g.is_contiguous():
            like = like.contiguous(memory_format=torch.channels_last)
        return lambda: aten.max_pool2d_with_indices_backward(g, like, *pairs, False, indices)

    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, kernel_size, stride, padding),
            lambda x: lambda: aten.max_pool2d_with_indices(x, *pairs),
            0.0,
            nothing,
            max_pool2d,
            "forward",
        ),
        Pass(
            "grad input",
            (g, indices),
            lambda f, g, i: lambda: f(g, i, shape),
            theirs,
            0.0,
            sum_of(covering),
            max_pool2d,
            "backward",
        ),
    ]


def max_unpool2d_passes(shape: tuple[int, ...], kernel_size: Any) -> list[Pass]:
    """Return forward and grad input, for indices of a pooling whose windows do not overlap."""
    import torch

    plane = shape[2] * kernel_size, shape[3] * kernel_size
    x, pooled, g = normals(0, shape, (*shape[:2], *plane), (*shape[:2], *plane))
    indices = max_pool2d.forward(pooled, kernel_size)[1]
    unpool = torch.nn.functional.max_unpool2d
    return [
        Pass(
            "forward",
            (x, indices),
            lambda f, x, i: lambda: f(x, i, plane),
            lambda x, i: lambda: unpool(x, i, kernel_size),
            0.0,
            nothing,
            max_unpool2d,
            "forward",
        ),
        Pass(
            "grad input",
            (g, indices),
            lambda f, g, i: lambda: f(g, i),
            lambda g, i: by_autograd(lambda x, i: unpool(x, i, kernel_size))(g, g.new_empty(shape), i),
            0.0,
            nothing,
            max_unpool2d,
            "backward",
        ),
    ]


def adaptive_avg_pool2d_passes(shape: tuple[int, ...], output_size: Any) -> list[Pass]:
    """Return forward and grad input."""
    import torch

    (x,) = normals(0, shape)
    (g,) = normals(1, adaptive_avg_pool2d.forward(x, output_size).shape)
    pool = torch.nn.functional.adaptive_avg_pool2d
    terms = x.size // g.size + 3
    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, output_size),
            lambda x: lambda: pool(x, output_size),
            float(x.size),
            sum_of(terms),
            adaptive_avg_pool2d,
            "forward",
        ),
        Pass(
            "grad input",
            (g,),
            lambda f, g: lambda: f(g, shape),
            lambda g: by_autograd(lambda x: pool(x, output_size))(g, g.new_zeros(shape)),
            float(x.size),
            sum_of(terms),
            adaptive_avg_pool2d,
            "backward",
        ),
    ]


def interpolate_passes(shape: tuple[int, ...], scale: int, mode: str) -> list[Pass]:
    """Return forward and grad input of a resize by a whole number."""
    import torch

    size = shape[2] * scale, shape[3] * scale
    x, g = normals(0, shape, (*shape[:2], *size))
    resized = torch.nn.functional.interpolate
    weighted = mode == "bilinear"
    flops = 8.0 * g.size if weighted else 0.0
    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, size, mode),
            lambda x: lambda: resized(x, size, mode=mode),
            flops,
            sum_of(8) if weighted else nothing,
            resize,
            "forward",
        ),
        Pass(
            "grad input",
            (g,),
            lambda f, g: lambda: f(g, shape[2:], mode),
            lambda g: by_autograd(lambda x: resized(x, size, mode=mode))(g, g.new_zeros(shape)),
            flops,
            sum_of(4 * (scale + 1) ** 2),
            resize,
            "backward",
        ),
    ]


def compiled_operations() -> Any:
    """Return torchvision's compiled operations, or None where they are not installed or do not load."""
    import torch

    try:
        torchvision()
    except BackendError:
        return None
    return torch.ops.torchvision


def roi_align_passes(
    shape: tuple[int, ...], boxes: int, output_size: int, sampling_ratio: int = 2, spatial_scale: float = 1.0
) -> list[Pass]:
    """Return forward and grad input, beside torchvision's if it is installed; the check is by loops in double precision."""
    import torch

    (x,) = normals(0, shape)
    rng = np.random.default_rng(2)
    limits = np.array([shape[3], shape[2]]) / spatial_scale
    corners = np.sort(rng.uniform(0, 1, (boxes, 2, 2)), axis=1) * limits
    rois = np.column_stack([rng.integers(0, shape[0], boxes), corners.reshape(boxes, 4)]).astype(np.float32)
    grid = roi_align.sample_grid(x, rois, output_size, spatial_scale, sampling_ratio, True)
    (g,) = normals(1, (boxes, shape[1], output_size, output_size))
    flops = 8.0 * g.size * sampling_ratio**2
    compiled, options = compiled_operations(), (spatial_scale, output_size, output_size)
    given = torch.from_numpy(rois)
    wide = grid._replace(row_weights=grid.row_weights.astype(np.float64), column_weights=grid.column_weights.astype(np.float64))

    def ours(f: Any, operand: Any) -> Any:
        there = beside(operand, grid)
        return lambda: f(operand, there)

    def their_forward(x: Any) -> Any:
        there = given.to(x.device)
        return lambda: compiled.roi_align(x, there, *options, sampling_ratio, True)

    def their_backward(g: Any) -> Any:
        there = given.to(g.device)
        return lambda: compiled._roi_align_backward(g, there, *options, *shape, sampling_ratio, True)

    return [
        Pass(
            "forward",
            (x,),
            ours,
            compiled and their_forward,
            flops,
            sum_of(4 * sampling_ratio**2 + 1),
            roi_align,
            "forward",
            oracle=lambda x: roi_align.forward(x, wide, algorithm="reference"),
        ),
        Pass(
            "grad input",
            (g,),
            ours,
            compiled and their_backward,
            flops,
            sum_of(4 * sampling_ratio**2 * output_size**2 * boxes + 1),
            roi_align,
            "backward_input",
            oracle=lambda g: roi_align.backward_input(g, wide, algorithm="reference"),
        ),
    ]
