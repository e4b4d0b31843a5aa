"""A dilated convolution as a dense one: pixels that lie whole dilations apart, together as images of their own.

Output pixels of residue r modulo the dilation d are ``r + d m``; tap u of pixel m sees the source at ``r + d (m + u)`` less the
padding. Each residue is so a convolution without dilation or padding, and its gradient of the weights a part of the whole sum.
"""

from __future__ import annotations

from .._arena import zeros
from .._jit import kernel
from .._simd import copy
from .._threads import launch


def residues(x, dilation, padding, size):
    """Return ``(N * dilation_h * dilation_w, C, *size)``: pixel ``residue + dilation * i - padding`` of every residue, or 0."""
    n, c, h, w = x.shape
    out = zeros((n * dilation[0] * dilation[1], c, *size), x.dtype)
    launch(_take_residues, n * c, x.reshape(-1), out.reshape(-1), (c, h, w), dilation, padding, size, work=4 * out.size)
    return out


@kernel
def _take_residues(first, last, x, out, shape, dilation, padding, size):
    c, h, w = shape
    for plane in range(first, last):
        for residue in range(dilation[0] * dilation[1]):
            top, left = residue // dilation[1] - padding[0], residue % dilation[1] - padding[1]
            image = plane // c * dilation[0] * dilation[1] + residue
            begin = min(size[1], max(0, -(left // dilation[1])))
            count = max(0, min(size[1], (w - 1 - left) // dilation[1] + 1) - begin)
            for row in range(size[0]):
                ih = top + row * dilation[0]
                if 0 <= ih < h:
                    seen = (plane * h + ih) * w + left + begin * dilation[1]
                    copy(x, seen, dilation[1], out, ((image * c + plane % c) * size[0] + row) * size[1] + begin, 1, count)
