"""A dilated convolution as a dense one: pixels that lie whole dilations apart, together as images of their own.

Output pixels of residue r modulo the dilation d are ``r + d m``; tap u of pixel m sees the source at ``r + d (m + u)`` less the
padding. Each residue is so a convolution without dilation or padding, and its gradient of the weights a part of the whole sum.

// per pixel: 1 read and 1 write, 4 bytes each
"""

from __future__ import annotations

from .._arena import zeros
from .._jit import kernel
from .._simd import copy
from .._threads import launch


def parted(out_size, dilation):
    """Return how many residues of an output have pixels, along each axis, and the size of the largest."""
    counts = min(out_size[0], dilation[0]), min(out_size[1], dilation[1])
    return counts, (-(-out_size[0] // dilation[0]), -(-out_size[1] // dilation[1]))


def residues(x, dilation, padding, counts, size):
    """Return ``(N * counts_h * counts_w, C, *size)``: pixel ``residue + dilation * i - padding`` of so many residues, or 0."""
    n, c, h, w = x.shape
    out = zeros((n * counts[0] * counts[1], c, *size), x.dtype)
    arrays, work = (x.reshape(-1), out.reshape(-1)), 4 * out.size
    launch(_take_residues, n * c, *arrays, (c, h, w), dilation, padding, counts, size, work=work)
    return out


def put_together(parts, dilation, out):
    """Write pixel i of every residue to ``out`` at ``residue + dilation * i``; what is behind its last is left out."""
    n, c, h, w = out.shape
    counts, size = parted((h, w), dilation)
    launch(_put_back, n * c, parts.reshape(-1), out.reshape(-1), (c, h, w), dilation, counts, size, work=2 * out.size)


@kernel
def _take_residues(first, last, x, out, shape, dilation, padding, counts, size):
    c, h, w = shape
    for plane in range(first, last):
        for residue in range(counts[0] * counts[1]):
            top, left = residue // counts[1] - padding[0], residue % counts[1] - padding[1]
            image = plane // c * counts[0] * counts[1] + residue
            begin = min(size[1], max(0, -(left // dilation[1])))
            count = max(0, min(size[1], (w - 1 - left) // dilation[1] + 1) - begin)
            for row in range(size[0]):
                ih = top + row * dilation[0]
                if 0 <= ih < h:
                    seen = (plane * h + ih) * w + left + begin * dilation[1]
                    copy(x, seen, dilation[1], out, ((image * c + plane % c) * size[0] + row) * size[1] + begin, 1, count)


@kernel
def _put_back(first, last, parts, out, shape, dilation, counts, size):
    c, h, w = shape
    for plane in range(first, last):
        for ih in range(h):
            for left in range(counts[1]):
                image = (plane // c * counts[0] + ih % dilation[0]) * counts[1] + left
                part = ((image * c + plane % c) * size[0] + ih // dilation[0]) * size[1]
                copy(parts, part, 1, out, (plane * h + ih) * w + left, dilation[1], (w - 1 - left) // dilation[1] + 1)
