"""Clipping of gradients in CUDA: by their common norm, which stays on the device, or each element by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._cuda import Source, empty
from .._cuda.kernel import BLOCK
from .table import Table

kernel = Source(__file__, "clip.cu").kernel


def norm_and_factor(tables: Sequence[Table], like: Any, p: float, max_norm: float) -> tuple[Any, Any]:
    """Return the p-norm of all rows of all tables, and ``min(1, max_norm / (norm + 1e-6))``; NaN where the norm is.

    Parameters
    ----------
    tables : sequence of Table
        One column each, one table a dtype.
    like : array
        One on their device.
    p : float
        Above 0; may be inf.
    max_norm : float
        At least 0.

    Returns
    -------
    norm, factor : arrays of float64, shape ()
        On the device. A chunk is a block's sum, and one block adds up the chunks: an order that the sizes alone fix.
    """
    count, start = sum(table.chunks for table in tables), 0
    partial, norm, factor = empty(like, (count,), np.float64), empty(like, (), np.float64), empty(like, (), np.float64)
    for table in tables:
        run = kernel("clip_chunks", table.dtype)
        table.launch(run, 1, partial[start : start + table.chunks], p, shared=8 * BLOCK)
        start += table.chunks
    join = kernel("clip_factor", np.float64)
    join.launch((1,), (BLOCK,), partial, norm, factor, count, p, max_norm, shared=8 * BLOCK)
    return norm, factor


def scale(table: Table, factor: Any) -> None:
    """Multiply every element by one factor.

    Parameters
    ----------
    table : Table
        One column, which is written to.
    factor : array of float64, shape ()
        On the device of the rows; rounded to their dtype. If it is 1, nothing is written.

    Raises
    ------
    TypeError
        If the table has another number of columns.
    """
    table.launch(kernel("clip_scale", table.dtype), 1, factor)


def limit(table: Table, largest: float) -> None:
    """Bring every element into ``[-largest, largest]``; see ``reference.limit``.

    Parameters
    ----------
    table : Table
        One column, which is written to.
    largest : float
        At least 0; rounded to the dtype of the rows.

    Raises
    ------
    TypeError
        If the table has another number of columns.
    """
    table.launch(kernel("clip_limit", table.dtype), 1, largest)
