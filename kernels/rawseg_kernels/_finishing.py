"""The kernels of `_epilogue`: one channel's sums at a time, or a whole output."""

from __future__ import annotations

import numpy as np

from ._epilogue import NOTHING, Epilogue
from ._jit import inlined, kernel, piece
from ._threads import launch


@inlined
def does_something(after):
    """Return whether an epilogue changes anything."""
    return after.scale.size > 0 or after.low > -np.inf or after.high < np.inf


@piece
def finish(values, at, count, channel, after):
    """Apply an epilogue to ``count`` sums of one output channel."""
    row = values[at : at + count]
    if after.scale.size:
        centre, scale, shift = after.centre[channel], after.scale[channel], after.shift[channel]
        for i in range(row.size):
            row[i] = (row[i] - centre) * scale + shift
    if after.low > -np.inf or after.high < np.inf:
        low, high = values.dtype.type(after.low), values.dtype.type(after.high)
        for i in range(row.size):
            held = low if row[i] < low else row[i]
            row[i] = high if held > high else held


@kernel
def _finish_planes(first, last, out, after):
    for task in range(first, last):
        plane = out[task // out.shape[1], task % out.shape[1]].reshape(-1)
        finish(plane, 0, plane.size, task % out.shape[1], after)


def finish_planes(out: np.ndarray, after: Epilogue) -> np.ndarray:
    """Apply an epilogue to a whole output (N, C, H, W) in place, and return it."""
    if after is not NOTHING:
        launch(_finish_planes, out.shape[0] * out.shape[1], out, after, work=2 * out.size)
    return out
