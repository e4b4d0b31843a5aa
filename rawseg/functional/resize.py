"""Resizing: nearest and bilinear interpolation, linear maps with a written adjoint."""

from __future__ import annotations

import math
from typing import Any

from rawseg_kernels import resize as resize_room
from rawseg_kernels._arrays import LARGEST, flag, pair, real

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..errors import ArgumentError, ShapeError
from .naming import operation

__all__ = ["interpolate"]

OP = "interpolate"
MODES = ("nearest", "nearest-exact", "bilinear")


class Resize(Function):
    """A resized copy; adjoint of `ResizeBackward`."""

    @staticmethod
    def forward(ctx, x, *, size, options):
        ctx.input_size, ctx.size, ctx.options = x.shape[2:], size, options
        return resize_room.forward(x, size, **options)

    @staticmethod
    def backward(ctx, grad_output):
        return ResizeBackward.apply(grad_output, input_size=ctx.input_size, options=ctx.options)


class ResizeBackward(Function):
    """Every pixel shared out over those that it was made of; adjoint of `Resize`."""

    @staticmethod
    def forward(ctx, grad_output, *, input_size, options):
        ctx.size, ctx.options = grad_output.shape[2:], options
        return resize_room.backward(grad_output, input_size, **options)

    @staticmethod
    def backward(ctx, grad_input):
        return Resize.apply(grad_input, size=ctx.size, options=ctx.options)


@operation
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    *,
    compat: str = "exact",
) -> Tensor:
    """Resize feature maps.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
        Feature maps, float32 or float64.
    size : int or (int, int), optional
        Height and width of the result; exactly one of ``size`` and ``scale_factor`` is given.
    scale_factor : float or (float, float), optional
        The result has ``floor(H * scale_factor)`` rows.
    mode : {"nearest", "nearest-exact", "bilinear"}
        ``"nearest"`` takes pixel ``floor(i * H / out_h)``, ``"nearest-exact"`` the one nearest to the centre of pixel i; a
        ``scale_factor`` stands for ``out_h / H``.
    align_corners : bool, optional
        For ``"bilinear"`` only: let the centres of the corner pixels coincide, rather than their outer corners.
    recompute_scale_factor : bool, optional
        Take the scale from the two sizes, as if ``size`` had been given, rather than ``scale_factor`` itself.
    compat : {"exact", "torch"}
        For the nearest modes: ``"torch"`` picks the pixels that PyTorch picks with its float32 coordinates.

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w)
        The resized maps.

    Raises
    ------
    ArgumentError
        If not exactly one of ``size`` and ``scale_factor`` is given, or an argument is outside its domain.
    ShapeError
        If a side would have no pixel.

    Notes
    -----
    Linear; differentiable to every order. Coordinates are exact integers (nearest) or float64 (bilinear); PyTorch computes
    them in float32, and its ``"nearest"`` then picks another pixel for some pairs of sizes. PyTorch's other modes, its
    antialiasing and its inputs of other ranks are not there.
    """
    x = as_tensor(OP, "input", input)
    if x.ndim != 4:
        raise ShapeError(OP, "input", "shape (N, C, H, W)", f"shape {x.shape}")
    if not isinstance(mode, str) or mode not in MODES:
        raise ArgumentError(OP, "mode", f"one of {MODES}", repr(mode))
    if align_corners is not None and mode != "bilinear":
        raise ArgumentError(OP, "align_corners", f"None with mode {mode!r}", align_corners)
    align_corners = align_corners is not None and flag(OP, "align_corners", align_corners)
    recompute = recompute_scale_factor is not None and flag(OP, "recompute_scale_factor", recompute_scale_factor)
    if (size is None) == (scale_factor is None):
        raise ArgumentError(OP, "size", "exactly one of size and scale_factor", f"size={size}, scale_factor={scale_factor}")
    scale = None
    if size is not None:
        if recompute:
            raise ArgumentError(OP, "recompute_scale_factor", "None beside a size", True)
        out_size = pair(OP, "size", size, 1)
    else:
        factors = _factors(scale_factor)
        out_size = tuple(math.floor(length * factor) for length, factor in zip(x.shape[2:], factors))
        if min(out_size) < 1:
            raise ShapeError(OP, "scale_factor", f"at least one pixel a side (input {x.shape[2:]})", f"{factors}")
        scale = None if recompute else (1 / factors[0], 1 / factors[1])  # source pixels per pixel of the result
    options = {"mode": mode, "align_corners": align_corners, "scale": scale, "compat": compat}
    return Resize.apply(x, size=out_size, options=options)


def _factors(scale_factor: Any) -> tuple[float, float]:
    both = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor, scale_factor)
    if len(both) != 2:
        raise ArgumentError(OP, "scale_factor", "a number or a pair (height, width)", scale_factor)
    factors = real(OP, "scale_factor", both[0]), real(OP, "scale_factor", both[1])
    if min(factors) <= 0 or max(factors) > LARGEST:
        raise ArgumentError(OP, "scale_factor", f"greater than 0, at most {LARGEST}", factors)
    return factors
