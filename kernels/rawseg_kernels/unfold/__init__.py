r"""Windows as columns (im2col), and its adjoint, which adds columns back into planes (col2im, "fold").

.. math:: y_{b,\,(c k_h + u) k_w + v,\,i\,\mathrm{out}_w + j} = x_{b,\,c,\,i s_h - p_h + u d_h,\,j s_w - p_w + v d_w}

and 0 where the tap lies outside the plane. A convolution is a matrix product with these columns (Chellapilla, Puri and Simard,
High performance convolutional neural networks for document processing, 2006). The map is linear, so ``backward`` of
``backward`` is ``forward`` again.

Algorithms: ``"direct"`` copies, or adds, one tap of a whole output row at a time; ``"cuda"`` is for GPUs, a thread an element,
and gathers backward.
"""

from __future__ import annotations

from typing import Any

from .. import _arrays, _convolution, _memory
from .._algorithms import find
from .._errors import ShapeError

OP = "unfold"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
Pair = tuple[int, int]


def _geometry(size: Pair, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Pair, Pair, Pair, Pair, Pair]:
    """Normalise the plain arguments: ``(out_size, kernel_size, dilation, padding, stride)``."""
    kernel_size = _arrays.pair(OP, "kernel_size", kernel_size, 1)
    dilation = _arrays.pair(OP, "dilation", dilation, 1)
    padding = _arrays.pair(OP, "padding", padding, 0)
    stride = _arrays.pair(OP, "stride", stride, 1)
    sides = padding[0], padding[0], padding[1], padding[1]
    out_size = _convolution.output_size(OP, size, kernel_size, stride, sides, dilation)
    return out_size, kernel_size, dilation, padding, stride


def forward(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1, algorithm: str = "auto") -> Any:
    """Lay every window of ``x`` out as a column.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel_size : int or (int, int)
        Height and width of the window in taps.
    dilation : int or (int, int)
        Step between the taps of a window.
    padding : int or (int, int)
        Zeros around the planes.
    stride : int or (int, int)
        Step of the window.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C * kernel_h * kernel_w, out_h * out_w)
        One column a window, windows in row-major order.

    Raises
    ------
    ShapeError
        If C, H or W is 0, or the padded plane is smaller than the window.
    ArgumentError
        If a plain argument is outside its domain.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, "(N, C, H, W)")
    _arrays.check_not_empty(OP, "x", x)
    geometry = out_size, (kernel_h, kernel_w), *_ = _geometry(x.shape[2:], kernel_size, dilation, padding, stride)
    shape = x.shape[0], x.shape[1] * kernel_h * kernel_w, out_size[0] * out_size[1]
    _memory.check_size(OP, shape, x.dtype)
    return find(__name__, "forward", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), *geometry)


def backward(
    grad_output: Any,
    input_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
    algorithm: str = "auto",
) -> Any:
    """Add every column back to the pixels that it was read from: the adjoint of `forward`.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C * kernel_h * kernel_w, out_h * out_w)
        Columns.
    input_size : int or (int, int)
        Height and width of the planes.
    kernel_size, dilation, padding, stride, algorithm
        As in `forward`.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Sums in row-major order of the taps; exactly 0 where no window reads.

    Raises
    ------
    ShapeError
        If the columns are not those of such planes.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C * kernel_h * kernel_w, L)")
    size = _arrays.pair(OP, "input_size", input_size, 1)
    geometry = out_size, (kernel_h, kernel_w), *_ = _geometry(size, kernel_size, dilation, padding, stride)
    n, rows, windows = grad_output.shape
    if rows < 1 or rows % (kernel_h * kernel_w):
        taps = f"a multiple of {kernel_h * kernel_w} rows (kernel_size {(kernel_h, kernel_w)})"
        raise ShapeError(OP, "grad_output", taps, f"{rows} (shape {grad_output.shape})")
    if windows != out_size[0] * out_size[1]:
        count = f"{out_size[0] * out_size[1]} columns, one for each of {out_size[0]} x {out_size[1]} windows"
        raise ShapeError(OP, "grad_output", count, f"{windows} (shape {grad_output.shape})")
    shape = n, rows // (kernel_h * kernel_w), *size
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), size, *geometry)
