r"""Average pooling: the mean of every window, and its adjoint, which spreads a window's gradient evenly over its pixels.

.. math:: y_{b,k,i,j} = \frac{1}{D_{i,j}} \sum_{u,v} x_{b,\,k,\,i s_h - p_h + u,\,j s_w - p_w + v}

over the taps inside the plane. The divisor D counts the taps inside the padded plane, or inside the plane itself, or is given.
The map is linear in x, so ``backward`` of ``backward`` is ``forward`` again.

Algorithms: ``"direct"`` adds rows in double precision; ``"cuda"`` is for GPUs, a thread an output, and gathers
backward.
"""

from __future__ import annotations

from typing import Any

from .. import _arrays, _convolution, _memory, _pooling
from .._algorithms import find
from .._errors import ArgumentError

OP = "avg_pool2d"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
PLANES = "(N, C, H, W)"


def _geometry(size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Normalise the plain arguments: ``(output_size, (kernel_size, stride, padding), (count_include_pad, divisor))``."""
    kernel_size, stride, padding, _, output_size = _pooling.window(OP, size, kernel_size, stride, padding, 1, ceil_mode)
    include = _arrays.flag(OP, "count_include_pad", count_include_pad)
    divisor = 0 if divisor_override is None else _arrays.integer(OP, "divisor_override", divisor_override, 1)
    if divisor > _arrays.LARGEST:
        raise ArgumentError(OP, "divisor_override", f"at most {_arrays.LARGEST}", divisor)
    return output_size, (kernel_size, stride, padding), (include, divisor)


def forward(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    algorithm: str = "auto",
) -> Any:
    """Take the mean of every window.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel_size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int), optional
        Step of the window; None means ``kernel_size``.
    padding : int or (int, int)
        How far windows reach over the edges, at most half of ``kernel_size``.
    ceil_mode : bool
        Round the output size up; a window that would start beyond the right padding is left out.
    count_include_pad : bool
        Divide by the pixels of the window inside the *padded* plane; else by those inside the plane.
    divisor_override : int, optional
        Divide every sum by this, at least 1.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, out_h, out_w)
        The means, summed in double precision and rounded once.

    Raises
    ------
    ShapeError
        If C, H or W is 0, or the padded plane is smaller than the window.
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    PyTorch also takes a negative ``divisor_override``; it has no use and is refused here.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, PLANES)
    _arrays.check_not_empty(OP, "x", x)
    options = stride, padding, ceil_mode, count_include_pad, divisor_override
    output_size, geometry, divisor = _geometry(x.shape[2:], kernel_size, *options)
    _memory.check_size(OP, (*x.shape[:2], *output_size), x.dtype)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(x), *geometry, output_size, *divisor)


def backward(
    grad_output: Any,
    input_shape: tuple[int, ...],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    algorithm: str = "auto",
) -> Any:
    """Return the gradient with respect to ``x``, shape ``input_shape``: the adjoint of `forward`.

    Pixels that no window covers get exactly 0. Parameters as in `forward`.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    shape = _convolution.array_shape(OP, "input_shape", input_shape, PLANES)
    options = stride, padding, ceil_mode, count_include_pad, divisor_override
    output_size, geometry, divisor = _geometry(shape[2:], kernel_size, *options)
    _arrays.check_shape(OP, "grad_output", grad_output, (*shape[:2], *output_size))
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), shape, *geometry, *divisor)
