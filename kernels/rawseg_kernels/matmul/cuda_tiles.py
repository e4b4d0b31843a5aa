"""Matrix products in CUDA by tiles in shared memory: see ``tiles.cuh``.

An element is one chain of fused multiply-adds in order of k, in its own precision, as that of ``"panels"``; at the precisions
"3xtf32" and "tf32" float32 is multiplied on tensor cores. `tile_for` says by which tiles, and they do not reach the bits.
"""

from __future__ import annotations

from .._cuda import Source, empty
from .._cuda.tables import uploaded
from .._cuda.tiles import CONSTANTS, LONGEST, THREADS, tile_for
from .._tensor_cores import products_for
from . import cuda

kernel = Source(__file__, "matmul_tiles.cu").kernel
VARIANTS = {"matmul_tiles.cu": CONSTANTS}


def forward(a, b, pairs, transpose_a, transpose_b, precision="fp32"):
    """See ``reference.forward``."""
    rows, depth = (a.shape[2], a.shape[1]) if transpose_a else (a.shape[1], a.shape[2])
    columns = b.shape[1] if transpose_b else b.shape[2]
    if max(rows * depth, depth, columns) > LONGEST:
        return cuda.forward(a, b, pairs, transpose_a, transpose_b)
    out = empty(a, (len(pairs), rows, columns))
    tile = tile_for(rows, columns, len(pairs), a.dtype.itemsize)
    down, across = tile.count(rows, columns)
    run = kernel("matmul_tiles_forward", a.dtype, **tile.constants(products_for(precision, a)))
    met = uploaded(a, pairs.reshape(-1))[0]
    run.launch((down * across * len(pairs),), (THREADS,), a, b, met, out, rows, columns, depth, transpose_a, transpose_b)
    return out
