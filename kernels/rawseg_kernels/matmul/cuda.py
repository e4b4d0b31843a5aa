"""Matrix products in CUDA, a thread an element: the readable form, with the bits of ``reference.py``."""

from __future__ import annotations

from .._cuda import Source, empty
from .._cuda.tables import uploaded

kernel = Source(__file__, "matmul.cu").kernel


def forward(a, b, pairs, transpose_a, transpose_b):
    """See ``reference.forward``."""
    rows, depth = (a.shape[2], a.shape[1]) if transpose_a else (a.shape[1], a.shape[2])
    columns = b.shape[1] if transpose_b else b.shape[2]
    out = empty(a, (len(pairs), rows, columns))
    run = kernel("matmul_forward", a.dtype)
    met = uploaded(a, pairs.reshape(-1))[0]
    run(out.size, a, b, met, out, out.size, rows, columns, depth, transpose_a, transpose_b)
    return out
