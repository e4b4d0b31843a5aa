"""A kernel whose windows neither overlap nor leave gaps: every patch of pixels is one pixel with more channels.

The pixels of a patch become channels, in order of (channel, row, column), as a kernel's own elements are. What is left is a
1 x 1 convolution, with the same products added in the same order.
"""

from __future__ import annotations

from .._arena import empty
from .._jit import kernel
from .._simd import copy
from .._threads import launch


def are_patches(kernel_size, stride, padding, dilation, size, out_size):
    """Return whether a convolution's windows tile an image of this ``size``."""
    fits = all(size[i] == out_size[i] * kernel_size[i] for i in (0, 1))
    return fits and tuple(kernel_size) == tuple(stride) and tuple(padding) == (0, 0) and tuple(dilation) == (1, 1)


def to_channels(x, patch):
    """Return ``(N, C * rows * columns, H / rows, W / columns)`` for patches of (rows, columns)."""
    n, c, h, w = x.shape
    out = empty((n, c * patch[0] * patch[1], h // patch[0], w // patch[1]), x.dtype)
    launch(_take_apart, n * c, x.reshape(-1), out.reshape(-1), (h, w), patch, work=x.size)
    return out


@kernel
def _take_apart(first, last, x, out, size, patch):
    (h, w), (rows, columns) = size, patch
    down, across = h // rows, w // columns
    for plane in range(first, last):
        for p in range(rows * columns):
            to, start = (plane * rows * columns + p) * down * across, (plane * h + p // columns) * w + p % columns
            for i in range(down):
                copy(x, start + i * rows * w, columns, out, to + i * across, 1, across)
