"""The passes of what is normalised row by row: softmax, layer norm and group norm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels import group_norm, layer_norm, softmax

from ..testing.rounding.bounds import gamma
from .passes import Pass, beside, normals, relative

EPS = 1e-5


def softmax_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return forward and grad input of probabilities along axis 1."""
    import torch

    x, g = normals(0, shape, shape)
    aten = torch.ops.aten

    def backward_bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        """Bound p (g - sum of p g): in double, rounded once; or by the magnitudes of what a float32 sum adds."""
        g, p = (np.abs(array.astype(np.float64)) for array in item.arrays)
        return gamma(4, np.float32) * p * (g + (p * g).sum(1, keepdims=True))

    return [
        Pass(
            "forward",
            (x,),
            lambda f, x: lambda: f(x, 1),
            lambda x: lambda: torch.softmax(x, 1),
            5.0 * x.size,
            relative(3),
            softmax,
            "forward",
        ),
        Pass(
            "grad input",
            (g, softmax.forward(x, 1)),
            lambda f, g, p: lambda: f(g, p, 1),
            lambda g, p: lambda: aten._softmax_backward_data(g, p, 1, p.dtype),
            4.0 * x.size,
            backward_bound,
            softmax,
            "backward",
        ),
    ]


def layer_norm_passes(shape: tuple[int, ...]) -> list[Pass]:
    """Return forward and grad input, over the last axis."""
    import torch

    x, g, weight, bias = normals(0, shape, shape, shape[-1:], shape[-1:])
    last, aten = shape[-1:], torch.ops.aten
    saved = layer_norm.forward(x, last, weight, bias, EPS)[1:]

    def theirs_backward(g: Any, x: Any, w: Any, b: Any) -> Callable[[], Any]:
        statistics = aten.native_layer_norm(x, last, w, b, EPS)[1:]
        return lambda: aten.native_layer_norm_backward(g, x, last, *statistics, w, b, [True, True, True])

    def ours_backward(f: Any, g: Any, x: Any, w: Any, b: Any) -> Callable[[], Any]:
        there = beside(x, tuple(saved))
        return lambda: f(g, x, last, w, *there)

    return _normalised(
        (g, x, weight, bias),
        lambda f, x, w, b: lambda: f(x, last, w, b, EPS),
        lambda x, w, b: lambda: aten.native_layer_norm(x, last, w, b, EPS),
        ours_backward,
        theirs_backward,
        layer_norm,
        lambda array: array.reshape(-1, last[0]),
    )


def group_norm_passes(shape: tuple[int, ...], num_groups: int) -> list[Pass]:
    """Return forward and grad input of maps."""
    import torch

    x, g, weight, bias = normals(0, shape, shape, shape[1:2], shape[1:2])
    sizes, aten = (shape[0], shape[1], math.prod(shape[2:]), num_groups), torch.ops.aten
    saved = group_norm.forward(x, num_groups, weight, bias, EPS)[1:3]

    def theirs_backward(g: Any, x: Any, w: Any, b: Any) -> Callable[[], Any]:
        statistics = aten.native_group_norm(x, w, b, *sizes, EPS)[1:]
        return lambda: aten.native_group_norm_backward(g, x, *statistics, w, *sizes, [True, True, True])

    def ours_backward(f: Any, g: Any, x: Any, w: Any, b: Any) -> Callable[[], Any]:
        there = beside(x, tuple(saved))
        return lambda: f(g, x, num_groups, w, *there)

    return _normalised(
        (g, x, weight, bias),
        lambda f, x, w, b: lambda: f(x, num_groups, w, b, EPS),
        lambda x, w, b: lambda: aten.native_group_norm(x, w, b, *sizes, EPS),
        ours_backward,
        theirs_backward,
        group_norm,
        lambda array: array.reshape(shape[0] * num_groups, -1),
    )


def _normalised(
    arrays: tuple[np.ndarray, ...], ours: Any, theirs: Any, ours_backward: Any, theirs_backward: Any, room: Any, rows: Any
) -> list[Pass]:
    """Return forward and grad input of a normalisation of ``rows(array)``; the bounds are those of batch norm."""
    g, x, weight, bias = arrays
    along = (slice(None), *[None] * (x.ndim - 2)) if room is group_norm else ()

    def shifted(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return |z| of normalised numbers z, and 1 / standard deviation, of every row in double."""
        wide = rows(x.astype(np.float64))
        inv_std = 1 / np.sqrt(wide.var(1, keepdims=True) + EPS)
        return np.abs(wide - wide.mean(1, keepdims=True)) * inv_std, inv_std

    def forward_bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        z = shifted(x)[0].reshape(x.shape)
        return gamma(4, np.float32) * (np.abs(weight)[along] * z + np.abs(bias)[along])

    def backward_bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        z, inv_std = shifted(x)
        h = rows(np.abs(g.astype(np.float64)) * np.abs(weight)[along])
        inner = h + h.mean(1, keepdims=True) + z * (h * z).mean(1, keepdims=True)
        return (gamma(8, np.float32) * inner * inv_std).reshape(x.shape)

    return [
        Pass("forward", (x, weight, bias), ours, theirs, 8.0 * x.size, forward_bound, room, "forward"),
        Pass("grad input", arrays, ours_backward, theirs_backward, 12.0 * x.size, backward_bound, room, "backward"),
    ]


PASSES: dict[str, Callable[..., list[Pass]]] = {
    "softmax": softmax_passes,
    "layer_norm": layer_norm_passes,
    "group_norm": group_norm_passes,
}
