r"""Adaptive max pooling with stored indices: the largest value of each of a given number of bins.

.. math:: y_{b,k,i,j} = \max_{\substack{s_i \le u < e_i \\ s_j \le v < e_j}} x_{b,k,u,v}
          \qquad s_i = \lfloor i H / \mathrm{out}_h \rfloor,\quad e_i = \lceil (i + 1) H / \mathrm{out}_h \rceil

with the rules of `rawseg_kernels.max_pool2d`: the first of equal values in row-major order wins, a bin with NaN gives NaN and
the index of its last NaN. Its ``backward`` and ``gather`` are max pooling's: they know nothing of windows.

Algorithms: ``"direct"`` reduces a bin's rows first, whole rows at a time, and then the columns of each bin; ``"cuda"`` is for
GPUs, a thread a bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arrays, _pooling
from .._algorithms import find
from ..max_pool2d import backward as backward
from ..max_pool2d import gather as gather

OP = "adaptive_max_pool2d"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(x: Any, output_size: Any, algorithm: str = "auto") -> tuple[Any, Any]:
    """Take the largest value of every bin.

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
    out : ndarray, shape (N, C, out_h, out_w)
        The selected values, bit for bit.
    indices : ndarray of int64, shape (N, C, out_h, out_w)
        ``ih * W + iw`` of each, in the plane of its (batch, channel).

    Raises
    ------
    ShapeError
        If C, H or W is 0.
    ArgumentError
        If ``output_size`` is not at least 1 (PyTorch returns an empty array at 0).
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, "(N, C, H, W)")
    _arrays.check_not_empty(OP, "x", x)
    _, rows, columns = _pooling.adaptive_bins(OP, x.shape, output_size, np.dtype(np.int64))  # indices: the larger output
    return find(__name__, "forward", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), rows, columns)
