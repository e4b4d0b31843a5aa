"""Adaptive max pooling in CUDA: a thread a bin; see ``adaptive_max_pool2d.cu``."""

from __future__ import annotations

import numpy as np

from .._cuda import Source, empty
from .._cuda.tables import uploaded

kernel = Source(__file__, "adaptive_max_pool2d.cu").kernel


def forward(x, rows, columns):
    """See ``reference.forward``."""
    size = rows[0].size, columns[0].size
    shape = *x.shape[:2], *size
    out, indices = empty(x, shape), empty(x, shape, np.int64)
    tables = uploaded(x, *rows, *columns)
    kernel("adaptive_max_pool2d_forward", x.dtype)(out.size, x, out, indices, *tables, out.size, *x.shape[2:], *size)
    return out, indices
