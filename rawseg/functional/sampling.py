"""Sampling feature maps at arbitrary points, and the grid of points of an affine map."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import grid_sample as grid_sample_room
from rawseg_kernels._arrays import check_floating, check_rank, check_shape, flag, integer
from rawseg_kernels._memory import check_size

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..autograd.recording import recordable
from ..autograd.shaping import stack
from ..device import array_module
from ..errors import ArgumentError, ShapeError
from .naming import operation

__all__ = ["affine_grid", "grid_sample"]


class Locate(Function):
    """Where the points of a grid lie between the pixels: linear but for its kinks."""

    @staticmethod
    def forward(ctx, grid, *, size, options):
        indices, fractions, slopes = grid_sample_room.locate(grid, size, **options)
        ctx.save(slopes)
        return fractions, indices

    @staticmethod
    def backward(ctx, grad_fractions, _grad_indices):
        (slopes,) = ctx.saved
        return grad_fractions * slopes


class Weights(Function):
    """The weights of the four taps around a point, products of its distances; of a single tap the weight is 1."""

    @staticmethod
    def forward(ctx, fractions, *, taps):
        ctx.save(fractions)
        ctx.taps = taps
        return grid_sample_room.weights(fractions, taps)

    @staticmethod
    def backward(ctx, grad_weights):
        (fractions,) = ctx.saved
        if ctx.taps == 1:
            return fractions.zeros_like()
        right, down = fractions[..., 0], fractions[..., 1]
        upper, lower = (grad_weights[..., tap + 1] - grad_weights[..., tap] for tap in (0, 2))
        first, second = (grad_weights[..., tap + 2] - grad_weights[..., tap] for tap in (0, 1))
        return stack([upper * (1 - down) + lower * down, first * (1 - right) + second * right], -1)


class Sample(Function):
    """Sums of weighted taps; with `SampleInput` and `SampleWeights` the three contractions of one trilinear form."""

    @staticmethod
    def forward(ctx, x, weights, *, indices):
        ctx.indices = indices
        ctx.save(x if ctx.needs_grad[1] else None, weights)
        ctx.size = x.shape[2:]
        return grid_sample_room.forward(x, indices, weights)

    @staticmethod
    def backward(ctx, grad_output):
        x, weights = ctx.saved
        grad_input = SampleInput.apply(grad_output, weights, indices=ctx.indices, size=ctx.size) if ctx.needs_grad[0] else None
        return grad_input, SampleWeights.apply(grad_output, x, indices=ctx.indices) if ctx.needs_grad[1] else None


class SampleInput(Function):
    """Samples shared out over their taps; adjoint of `Sample` in its planes."""

    @staticmethod
    def forward(ctx, grad_output, weights, *, indices, size):
        ctx.indices = indices
        ctx.save(grad_output, weights)
        return grid_sample_room.backward_input(grad_output, indices, weights, size)

    @staticmethod
    def backward(ctx, grad_input):
        grad_output, weights = ctx.saved
        again = Sample.apply(grad_input, weights, indices=ctx.indices) if ctx.needs_grad[0] else None
        return again, SampleWeights.apply(grad_output, grad_input, indices=ctx.indices) if ctx.needs_grad[1] else None


class SampleWeights(Function):
    """What each tap holds times the gradient of its sample; adjoint of `Sample` in its weights."""

    @staticmethod
    def forward(ctx, grad_output, x, *, indices):
        ctx.indices, ctx.size = indices, x.shape[2:]
        ctx.save(grad_output, x)
        return grid_sample_room.backward_weights(grad_output, x, indices)

    @staticmethod
    def backward(ctx, grad_weights):
        grad_output, x = ctx.saved
        again = Sample.apply(x, grad_weights, indices=ctx.indices) if ctx.needs_grad[0] else None
        if not ctx.needs_grad[1]:
            return again, None
        return again, SampleInput.apply(grad_output, grad_weights, indices=ctx.indices, size=ctx.size)


@recordable
@operation
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """Sample feature maps at the points of a grid.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
        Feature maps, float32 or float64.
    grid : Tensor, shape (N, out_h, out_w, 2)
        Points (x, y); (-1, -1) is the upper left and (1, 1) the lower right corner of a map.
    mode : {"bilinear", "nearest"}
        Weight the four pixels around a point, or take the nearest; half-way between two pixels the one of even index.
    padding_mode : {"zeros", "border", "reflection"}
        What lies outside: zeros, the pixels of the border, or the map mirrored at its edges as often as needed.
    align_corners : bool, optional
        -1 and 1 are the centres of the outermost pixels, rather than their outer edges. False by default.

    Returns
    -------
    Tensor, shape (N, C, out_h, out_w)
        The samples.

    Raises
    ------
    ShapeError
        If H or W is 0, or the shapes do not fit each other.
    ArgumentError
        If ``mode`` or ``padding_mode`` is none of the above.

    Notes
    -----
    Jaderberg et al., Spatial Transformer Networks, arXiv 1506.02025, section 3.3. A point g becomes the pixel coordinate
    ``((g + 1) * size - 1) / 2``, or ``(g + 1) / 2 * (size - 1)`` with aligned corners, in the dtype of the grid. A tap outside
    the map contributes nothing, and is not read. Differentiable to every order in both arguments, away from the kinks at
    pixels; at a kink the gradient is that of the cell to the right and below, and it is 0 where padding holds a point still,
    the outermost pixels' centres included. Sums have one order, so that all results are the same for any number of threads.

    A point that is not finite lies outside: it samples 0 with ``"zeros"`` (PyTorch: NaN with ``"bilinear"``); with ``"border"``
    and ``"reflection"`` NaN is the first pixel, as in PyTorch, whose backward pass then crashes. Reflection takes the exact
    remainder (PyTorch's place of a far point is lost to rounding). The mode ``"bicubic"`` and volumes (N, C, D, H, W) are
    PyTorch's alone.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> grid_sample(x, rawseg.tensor([[[[0.0, 0.0], [0.5, -0.5], [2.0, 0.0]]]])).tolist()
    [[[[2.5, 2.0, 0.0]]]]
    """
    x, points = as_tensor("grid_sample", "input", input), as_tensor("grid_sample", "grid", grid)
    check_floating("grid_sample", input=x.array, grid=points.array)
    check_rank("grid_sample", "input", x.array, "(N, C, H, W)")
    check_rank("grid_sample", "grid", points.array, "(N, out_h, out_w, 2)")
    check_shape("grid_sample", "grid", points, (x.shape[0], *points.shape[1:3], 2))
    if min(x.shape[2:]) < 1:
        raise ShapeError("grid_sample", "input", "at least 1 along H and W", f"shape {x.shape}")
    corners = False if align_corners is None else align_corners
    options = {"mode": mode, "padding_mode": padding_mode, "align_corners": corners}
    fractions, indices = Locate.apply(points, size=x.shape[2:], options=options)
    weights = Weights.apply(fractions, taps=indices.shape[3])
    return Sample.apply(x, weights, indices=indices.array)


@operation
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Tensor:
    """Return the points that an affine map sends the pixels of a plane to, for `grid_sample`.

    Parameters
    ----------
    theta : Tensor, shape (N, 2, 3)
        Of every image, the matrix that maps a point (x, y, 1) of the result to a point (x, y) of the input.
    size : (int, int, int, int)
        (N, C, H, W) of the result.
    align_corners : bool, optional
        As in `grid_sample`.

    Returns
    -------
    Tensor, shape (N, H, W, 2)
        Points (x, y). Pixel i of n lies at ``(2 i + 1 - n) / n``, or at ``(2 i + 1 - n) / (n - 1)`` with aligned corners, where
        a single pixel lies at 0.

    Raises
    ------
    ShapeError
        If ``theta`` is not N matrices (2, 3).
    ArgumentError
        If ``size`` is not four numbers of at least 1 (N may be 0).

    Notes
    -----
    Linear in ``theta``. Arguments of volumes, ``theta`` (N, 3, 4) and five sizes, are refused (PyTorch has them).

    Examples
    --------
    >>> import rawseg
    >>> affine_grid(rawseg.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]]), (1, 1, 1, 2)).tolist()
    [[[[-0.5, 0.5], [0.5, 0.5]]]]
    """
    matrices = as_tensor("affine_grid", "theta", theta)
    check_floating("affine_grid", theta=matrices.array)
    n, _, h, w = _image_size(size)
    check_rank("affine_grid", "theta", matrices.array, "(N, 2, 3)")
    check_shape("affine_grid", "theta", matrices, (n, 2, 3))
    corners = False if align_corners is None else flag("affine_grid", "align_corners", align_corners)
    check_size("affine_grid", (max(1, n), h, w, 3), matrices.dtype)
    xp = array_module(matrices.array)
    points = xp.ones((h, w, 3), matrices.dtype)  # (x, y, 1)
    points[..., 0], points[..., 1] = _centres(xp, w, corners), _centres(xp, h, corners)[:, None]
    rows = Tensor(points.reshape(1, h * w, 3)).expand(n, h * w, 3)
    return (rows @ matrices.swapaxes(1, 2)).reshape(n, h, w, 2)


def _image_size(size: Any) -> tuple[int, int, int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 4:
        raise ArgumentError("affine_grid", "size", "(N, C, H, W)", size)
    n, c, h, w = (integer("affine_grid", "size", length, least) for length, least in zip(size, (0, 1, 1, 1)))
    return n, c, h, w


def _centres(xp: Any, pixels: int, align_corners: bool) -> Any:
    """Return where the pixels of an axis lie between -1 and 1: the numerators are exact, so only the division rounds."""
    return (2.0 * xp.arange(pixels) + (1 - pixels)) / max(1, pixels - 1 if align_corners else pixels)
