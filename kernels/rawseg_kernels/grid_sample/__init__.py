r"""Sampling planes at arbitrary points: every output is a weighted sum of a few pixels, its *taps*.

.. math:: y_{b,k,s} = \sum_{t} w_{b,s,t}\; x_{b,k,\,i_{b,s,t}}

`locate` turns a grid of points into the taps of each: the four pixels around a point (Jaderberg et al., Spatial Transformer
Networks, arXiv 1506.02025, equation 5), or the nearest one. What remains is linear in ``x`` and in ``weights``, so `forward`,
`backward_input` and `backward_weights` are the three contractions of one form with two of ``x``, ``weights`` and
``grad_output``, and the derivative of each is another of them. A tap with index ``H * W`` lies outside the plane: it is
neither read nor multiplied.

Algorithms: ``"direct"`` looks each tap up; `forward` and `backward_weights` share a segment of points among all channels,
`backward_input` gives a plane to one task. ``"cuda"`` is for GPUs: a thread a sample or a tap, and `backward_input` sorts the
taps by their pixel, so that every pixel adds up its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError, ShapeError
from .reference import BORDER, REFLECTION, ZEROS

OP = "grid_sample"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
MODES = ("bilinear", "nearest")
PADDING_MODES = {"zeros": ZEROS, "border": BORDER, "reflection": REFLECTION}
POINTS, TAPS = "(N, out_h, out_w, 2)", "(N, out_h, out_w, taps)"


def locate(
    grid: Any, size: Any, mode: str, padding_mode: str, align_corners: bool, algorithm: str = "auto"
) -> tuple[Any, Any, Any]:
    """Find the taps of every point.

    Parameters
    ----------
    grid : ndarray, shape (N, out_h, out_w, 2)
        Points (x, y), float32 or float64; -1 and 1 are the edges of the plane.
    size : int or (int, int)
        Height and width of the plane.
    mode : {"bilinear", "nearest"}
        The four pixels around a point, or the nearest one; half-way between two pixels the one of even index.
    padding_mode : {"zeros", "border", "reflection"}
        Where points outside go: nowhere, to the nearest pixel of the border, or back as often as needed, mirrored at the edges.
    align_corners : bool
        -1 and 1 are the centres of the outermost pixels, rather than their outer edges.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    indices : ndarray of int64, shape (N, out_h, out_w, 4 or 1)
        ``ih * W + iw`` of each tap, ``H * W`` for one outside: upper left, upper right, lower left, lower right.
    fractions : ndarray, shape (N, out_h, out_w, 2)
        How far (right, down) from the upper left tap towards the others the point lies, 0 to 1; 0 for "nearest".
    slopes : ndarray, shape (N, out_h, out_w, 2)
        Derivative of each fraction in its coordinate of the grid: 0 for "nearest" and where padding holds the point still.

    Notes
    -----
    Computed in the dtype of the grid, every operation rounded, in the order that is written in ``reference.locate``. No point,
    however far out, infinite or NaN, reaches a pixel that is not there: with "zeros" it has no taps; with "border" and
    "reflection" NaN is the coordinate of the first pixel, and so is an infinite one with "reflection".
    """
    device = _arrays.check_floating(OP, grid=grid)
    _arrays.check_rank(OP, "grid", grid, POINTS)
    if grid.shape[3] != 2:
        raise ShapeError(OP, "grid", f"shape {POINTS}", f"shape {grid.shape}")
    size = _arrays.pair(OP, "size", size, 1)
    for name, value, choices in (("mode", mode, MODES), ("padding_mode", padding_mode, tuple(PADDING_MODES))):
        if not isinstance(value, str) or value not in choices:
            raise ArgumentError(OP, name, f"one of {choices}", repr(value))
    taps = 4 if mode == "bilinear" else 1
    _memory.check_size(OP, (*grid.shape[:3], taps), np.dtype(np.int64))
    options = size, taps, PADDING_MODES[padding_mode], _arrays.flag(OP, "align_corners", align_corners)
    return find(__name__, "locate", algorithm, ALGORITHMS, device)(_arrays.contiguous(grid), *options)


def weights(fractions: Any, taps: int) -> Any:
    """Return the weight of every tap, shape (N, out_h, out_w, taps).

    Parameters
    ----------
    fractions : ndarray, shape (N, out_h, out_w, 2)
        Those of `locate`.
    taps : {4, 1}
        Of a point: of four, the weights are products of the point's distances from the others; of one, it is 1.
    """
    if taps == 1:
        return _arrays.filled(fractions, (*fractions.shape[:3], 1), 1)
    if isinstance(fractions, np.ndarray):
        from .direct import weights  # numba

        return weights(_arrays.contiguous(fractions))
    right, down = fractions[..., 0], fractions[..., 1]
    left, up = 1 - right, 1 - down
    return _arrays.module_of(fractions).stack([up * left, up * right, down * left, down * right], -1)


def forward(x: Any, indices: Any, weights: Any, algorithm: str = "auto") -> Any:
    """Sum up the weighted taps of every point.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N and C may be 0.
    indices : ndarray of int64, shape (N, out_h, out_w, taps)
        As `locate` returns them.
    weights : ndarray, shape (N, out_h, out_w, taps)
        Of each tap.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, out_h, out_w)
        The samples.

    Raises
    ------
    ShapeError
        If H or W is 0, or the shapes do not fit each other.
    IndexRangeError
        If an index is less than 0 or greater than H * W.
    """
    device = _arrays.check_floating(OP, x=x, weights=weights)
    _check_planes("x", x)
    _check_taps(indices, weights, x.shape[0], x.shape[2] * x.shape[3], device)
    _memory.check_size(OP, (*x.shape[:2], *indices.shape[1:3]), x.dtype)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    return run(*map(_arrays.contiguous, (x, indices, weights)))


def backward_input(grad_output: Any, indices: Any, weights: Any, input_size: Any, algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``x``, shape (N, C, H, W): every sample shared out over its taps.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, out_h, out_w)
        Gradient with respect to the samples.
    indices, weights : ndarray, shape (N, out_h, out_w, taps)
        As in `forward`.
    input_size : int or (int, int)
        Height and width of ``x``.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output, weights=weights)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    size = _arrays.pair(OP, "input_size", input_size, 1)
    _check_taps(indices, weights, grad_output.shape[0], size[0] * size[1], device)
    _check_samples(grad_output, indices)
    _memory.check_size(OP, (*grad_output.shape[:2], *size), grad_output.dtype)
    run = find(__name__, "backward_input", algorithm, ALGORITHMS, device)
    return run(*map(_arrays.contiguous, (grad_output, indices, weights)), size)


def backward_weights(grad_output: Any, x: Any, indices: Any, algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``weights``, shape (N, out_h, out_w, taps); 0 for taps outside the plane.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, out_h, out_w)
        Gradient with respect to the samples.
    x, indices : ndarray
        As in `forward`.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.
    """
    device = _arrays.check_floating(OP, x=x, grad_output=grad_output)
    _check_planes("x", x)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    _check_taps(indices, None, x.shape[0], x.shape[2] * x.shape[3], device)
    _arrays.check_shape(OP, "grad_output", grad_output, (*x.shape[:2], *grad_output.shape[2:]))
    _check_samples(grad_output, indices)
    _memory.check_size(OP, indices.shape, x.dtype)
    run = find(__name__, "backward_weights", algorithm, ALGORITHMS, device)
    return run(*map(_arrays.contiguous, (grad_output, x, indices)))


def _check_planes(name: str, x: Any) -> None:
    _arrays.check_rank(OP, name, x, "(N, C, H, W)")
    _arrays.check_not_empty(OP, name, x, "HW")


def _check_samples(grad_output: Any, indices: Any) -> None:
    _arrays.check_shape(OP, "grad_output", grad_output, (*grad_output.shape[:2], *indices.shape[1:3]))


def _check_taps(indices: Any, weights: Any, batch: int, pixels: int, device: str) -> None:
    """Check that indices are int64, on the device, of the weights' shape, and each a pixel's or ``pixels``."""
    _arrays.check_integers(OP, "indices", indices, device)
    _arrays.check_rank(OP, "indices", indices, TAPS)
    _arrays.check_shape(OP, "indices", indices, (batch, *indices.shape[1:]))
    if weights is not None:
        _arrays.check_shape(OP, "weights", weights, indices.shape)
    expected = f"0 <= index <= {pixels}, the number of pixels"
    _arrays.check_range(OP, "indices", indices, 0, pixels + 1, expected)
