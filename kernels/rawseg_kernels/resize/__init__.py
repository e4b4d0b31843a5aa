r"""Resizing by nearest neighbour or bilinear interpolation, and the adjoint of each.

An output pixel o reads at the source coordinate, along each axis with input pixels per output pixel s,

.. math:: \mathrm{src} = s\,(o + \tfrac12) - \tfrac12 \quad\text{or, with aligned corners,}\quad
          \mathrm{src} = o\,\frac{\mathrm{in} - 1}{\mathrm{out} - 1}

"bilinear" weights the four pixels around it, first along x, then along y; "nearest" copies the pixel
``floor(o * in / out)`` and "nearest-exact" the pixel ``floor((o + 1/2) * in / out)``. The tables of both axes are made on the
host, coordinates in float64, nearest indices in integers (``tables``).

Algorithms: ``"direct"`` prepares each input row once; its backward pass is a gather over the transposed tables. ``"cuda"`` is
for GPUs, a thread an output, and gathers backward in the order of the loops.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError
from . import tables

OP = "resize"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
MODES = ("nearest", "nearest-exact", "bilinear")


def forward(
    x: Any,
    size: Any,
    mode: str,
    align_corners: bool = False,
    scale: tuple[float, float] | None = None,
    compat: str = "exact",
    algorithm: str = "auto",
) -> Any:
    """Resize the planes of ``x``.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N may be 0.
    size : int or (int, int)
        Output height and width.
    mode : {"nearest", "nearest-exact", "bilinear"}
        See the module's docstring.
    align_corners : bool
        For "bilinear" alone: map the centres of the corner pixels onto each other.
    scale : (float, float), optional
        Input pixels per output pixel along height and width, to use instead of ``in / out``: ``1 / scale_factor`` where the
        output size was rounded down from a factor. Aligned corners depend on the sizes alone, and so does an axis that keeps
        its size, but for "nearest-exact".
    compat : {"exact", "torch"}
        For the nearest modes: "torch" computes indices in float32 as PyTorch does, which is off by one pixel for some sizes.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, out_h, out_w)
        Resized planes.

    Raises
    ------
    ShapeError
        If C, H or W is 0.
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    All four terms of a bilinear value are evaluated, so an infinite or NaN neighbour of weight 0 gives NaN, as in PyTorch.
    Coordinates are float64 for every dtype; PyTorch's are float32 for float32, a difference below one unit in the last place
    of the coordinate.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, "(N, C, H, W)")
    _arrays.check_not_empty(OP, "x", x)
    size = _arrays.pair(OP, "size", size, 1)
    _memory.check_size(OP, (*x.shape[:2], *size), x.dtype)
    verb, rows, columns = _tables(x.shape[2:], size, mode, align_corners, scale, compat, x.dtype)
    return find(__name__, f"forward_{verb}", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), rows, columns)


def backward(
    grad_output: Any,
    input_size: Any,
    mode: str,
    align_corners: bool = False,
    scale: tuple[float, float] | None = None,
    compat: str = "exact",
    algorithm: str = "auto",
) -> Any:
    """Return the gradient with respect to ``x``, shape (N, C, H, W): the adjoint of `forward`.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, out_h, out_w)
        Gradient with respect to the output.
    input_size : int or (int, int)
        Height and width of ``x``.
    mode, align_corners, scale, compat, algorithm
        As in `forward`.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    _arrays.check_not_empty(OP, "grad_output", grad_output)
    size = _arrays.pair(OP, "input_size", input_size, 1)
    _memory.check_size(OP, (*grad_output.shape[:2], *size), grad_output.dtype)
    verb, rows, columns = _tables(size, grad_output.shape[2:], mode, align_corners, scale, compat, grad_output.dtype)
    run = find(__name__, f"backward_{verb}", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), size, rows, columns)


def _tables(in_size, out_size, mode, align_corners, scale, compat, dtype):
    """Check the options and return ``("nearest" or "bilinear", rows, columns)``."""
    _memory.check_tables(OP, sum(in_size) + sum(out_size))
    if not isinstance(mode, str) or mode not in MODES:
        raise ArgumentError(OP, "mode", f"one of {MODES}", repr(mode))
    if not isinstance(compat, str) or compat not in ("exact", "torch"):
        raise ArgumentError(OP, "compat", "'exact' or 'torch'", repr(compat))
    if _arrays.flag(OP, "align_corners", align_corners) and mode != "bilinear":
        raise ArgumentError(OP, "align_corners", f"False with mode {mode!r}", align_corners)
    if compat == "torch" and mode == "bilinear":
        raise ArgumentError(OP, "compat", "'exact' with mode 'bilinear'", repr(compat))
    return _known_tables(tuple(in_size), tuple(out_size), mode, bool(align_corners), _scales(scale), compat, dtype)


@lru_cache(maxsize=64)
def _known_tables(in_size, out_size, mode, align_corners, scales, compat, dtype):
    axes = list(zip(in_size, out_size, scales))
    if mode == "bilinear":
        return "bilinear", *(tables.bilinear(old, new, align_corners, step, dtype) for old, new, step in axes)
    if compat == "torch":
        centre = 0.5 if mode == "nearest-exact" else 0.0
        return "nearest", *(tables.nearest_float32(old, new, step, centre) for old, new, step in axes)
    table = tables.nearest_exact if mode == "nearest-exact" else tables.nearest
    return "nearest", *(table(old, new, step) for old, new, step in axes)


def _scales(scale: Any) -> tuple[float | None, float | None]:
    """Return the pair of source scales, or a pair of None."""
    if scale is None:
        return None, None
    if not isinstance(scale, (tuple, list)) or len(scale) != 2:
        raise ArgumentError(OP, "scale", "None or a pair (height, width)", repr(scale))
    steps = _arrays.real(OP, "scale", scale[0]), _arrays.real(OP, "scale", scale[1])
    if min(steps) <= 0:
        raise ArgumentError(OP, "scale", "numbers greater than 0", steps)
    return steps
