r"""Adaptive average pooling: the means of a given number of bins, and its adjoint, which spreads a gradient over its bin.

.. math:: y_{b,k,i,j} = \frac{1}{(e_i - s_i)(e_j - s_j)} \sum_{u = s_i}^{e_i - 1} \sum_{v = s_j}^{e_j - 1} x_{b,k,u,v}
          \qquad s_i = \lfloor i H / \mathrm{out}_h \rfloor,\quad e_i = \lceil (i + 1) H / \mathrm{out}_h \rceil

One bin is global average pooling (Lin, Chen and Yan, Network in network, arXiv 1312.4400, section 3.2). The map is linear, so
``backward`` of ``backward`` is ``forward`` again.

Algorithms: ``"direct"`` adds whole rows in double precision; ``"cuda"`` is for GPUs, a thread a bin, and gathers backward.
"""

from __future__ import annotations

from typing import Any

from .. import _arrays, _convolution, _memory, _pooling
from .._algorithms import find

OP = "adaptive_avg_pool2d"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
PLANES = "(N, C, H, W)"


def forward(x: Any, output_size: Any, algorithm: str = "auto") -> Any:
    """Take the mean of every bin.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N may be 0.
    output_size : int or (int or None, int or None)
        Number of bins along height and width, which may exceed the plane's; None keeps a side.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, out_h, out_w)
        The means, summed in double precision and rounded once.

    Raises
    ------
    ShapeError
        If C, H or W is 0.
    ArgumentError
        If ``output_size`` is not at least 1 (PyTorch returns an empty array at 0).
    """
    device = "cpu"
    if not _arrays.are_planes(x):
        device = _arrays.check_floating(OP, x=x)
        _arrays.check_rank(OP, "x", x, PLANES)
        _arrays.check_not_empty(OP, "x", x)
    _, rows, columns = _pooling.adaptive_bins(OP, x.shape, output_size, x.dtype)
    return find(__name__, "forward", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), rows, columns)


def backward(grad_output: Any, input_shape: tuple[int, ...], algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``x``, shape ``input_shape``: the adjoint of `forward`.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, out_h, out_w)
        Gradient with respect to ``out``.
    input_shape : tuple of int, (N, C, H, W)
        Shape of ``x``.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    _arrays.check_not_empty(OP, "grad_output", grad_output)
    shape = _convolution.array_shape(OP, "input_shape", input_shape, PLANES)
    _arrays.check_shape(OP, "grad_output", grad_output, (*shape[:2], *grad_output.shape[2:]))
    _memory.check_size(OP, shape, grad_output.dtype)
    _, rows, columns = _pooling.adaptive_bins(OP, shape, grad_output.shape[2:], grad_output.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), shape, rows, columns)
