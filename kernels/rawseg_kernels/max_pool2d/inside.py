"""Whether every tap of an array is one of its window's, and stands on a pixel: asked by all threads."""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from .._threads import launch


def all_inside(taps, size, kernel_size, stride, padding, dilation) -> bool:
    """Return the answer for C-contiguous taps on planes of ``size``."""
    n, c, out_h, out_w = taps.shape
    wrong = np.zeros(n * c, np.bool_)
    views = taps.reshape(n * c, out_h, out_w), wrong
    launch(_find_outside, n * c, *views, size, kernel_size, stride, padding, dilation, work=taps.size // 4)
    return not wrong.any()


@kernel
def _find_outside(first, last, taps, wrong, size, kernel_size, stride, padding, dilation):
    """Windows whole inside the plane need but a tap that exists; those before and behind are asked for row and column."""
    _, out_h, out_w = taps.shape
    count, reach = kernel_size[0] * kernel_size[1], (kernel_size[1] - 1) * dilation[1]
    begin = min(out_w, (padding[1] + stride[1] - 1) // stride[1])
    end = max(begin, min(out_w, (size[1] - 1 - reach + padding[1]) // stride[1] + 1))
    below, beside = np.empty(256, np.int64), np.empty(256, np.int64)  # divisions take longer than all the rest
    for tap in range(256):
        below[tap], beside[tap] = tap // kernel_size[1] * dilation[0], tap % kernel_size[1] * dilation[1]
    for plane in range(first, last):
        most, all_taps = np.uint8(0), taps[plane].reshape(-1)
        for i in range(all_taps.size):
            most = max(most, all_taps[i])
        found = most >= count
        for oh in range(out_h):
            top = oh * stride[0] - padding[0]
            whole = top >= 0 and top + (kernel_size[0] - 1) * dilation[0] < size[0]
            for i in range(begin + out_w - end if whole else out_w):
                ow = i + end - begin if whole and i >= begin else i
                ih, iw = top + below[taps[plane, oh, ow]], ow * stride[1] - padding[1] + beside[taps[plane, oh, ow]]
                found |= not (0 <= ih < size[0] and 0 <= iw < size[1])
        wrong[plane] = found
