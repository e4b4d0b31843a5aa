"""Which windows and which taps meet inside a row: the compiled half of the window arithmetic, used by every pooling kernel."""

from __future__ import annotations

from ._jit import piece


@piece
def columns_inside(left, stride_w, w, out_w):
    """Return the range of output columns whose pixel ``left + ow * stride_w`` lies in a row of ``w``."""
    return max(0, -(left // stride_w)), min(out_w, (w - 1 - left) // stride_w + 1)


@piece
def taps_inside(kernel_w, stride_w, padding_w, dilation_w, w, out_w):
    """Return the range outside of which no output column has its tap in a row of ``w``: a huge kernel costs no more than w."""
    first = max(0, -(((out_w - 1) * stride_w - padding_w) // dilation_w))
    return first, min(kernel_w, (w - 1 + padding_w) // dilation_w + 1)
