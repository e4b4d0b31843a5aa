"""Channel lanes for regions of interest: maps with the channels last, so that one pixel of a box is one vector.

Arrays are flat and places count elements, as unsigned numbers: a slice costs 10 to 30 ns, as much as the work on it, and a
signed place is compared with 0 in every step of a loop, which then is no vector loop.
"""

from __future__ import annotations

import numpy as np

from ._arena import empty
from ._jit import kernel, piece
from ._threads import launch

LANES = 64  # channels worked on at a time: those of a map of 50 x 68 fit into 1 MiB


def channels_last(x):
    """Return an (N, H, W, C) copy of an (N, C, H, W) array."""
    n, c, h, w = x.shape
    out = empty((n, h, w, c), x.dtype)
    launch(_channels_last, n * h, x, out, work=x.size)
    return out


@kernel
def _channels_last(first, last, x, out):
    """One task is one row of a map; it is copied in squares that the first-level cache holds."""
    c, h, w = x.shape[1:]
    for task in range(first, last):
        b, ih = task // h, task % h
        for c0 in range(0, c, 16):
            for w0 in range(0, w, 16):
                for iw in range(w0, min(w0 + 16, w)):
                    pixel = out[b, ih, iw, c0 : c0 + 16]
                    for i in range(pixel.size):
                        pixel[i] = x[b, c0 + i, ih, iw]


@piece
def to_lanes(box, tile, lanes):
    """Copy a box (lanes, bins) into a flat tile (bins, lanes)."""
    for channel in range(lanes):
        source = box[channel]
        for p in range(source.size):
            tile[np.uint64(p * lanes + channel)] = source[p]


@piece
def from_lanes(tile, box, lanes):
    """Copy a flat tile (bins, lanes) into a box (lanes, bins)."""
    for channel in range(lanes):
        target = box[channel]
        for p in range(target.size):
            target[p] = tile[np.uint64(p * lanes + channel)]


@piece
def clear(to, to_at, count):
    """``to = 0``."""
    at = np.uint64(to_at)
    for i in range(np.uint64(count)):
        to[at + i] = 0


@piece
def add_scaled(to, to_at, weight, source, source_at, count):
    """``to += weight * source``."""
    at, source_at = np.uint64(to_at), np.uint64(source_at)
    for i in range(np.uint64(count)):
        to[at + i] += weight * source[source_at + i]


@piece
def set_pair(to, to_at, weight, source, source_at, other_weight, other_at, count):
    """``to = weight * source + other_weight * other``, both parts of one array."""
    at, source_at, other_at = np.uint64(to_at), np.uint64(source_at), np.uint64(other_at)
    for i in range(np.uint64(count)):
        to[at + i] = weight * source[source_at + i] + other_weight * source[other_at + i]
