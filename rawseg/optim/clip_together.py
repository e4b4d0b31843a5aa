"""Gradients of one GPU, clipped in a few launches; their norm stays there, and nothing waits for it."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._foreach import clip
from rawseg_kernels._foreach.table import Table

from ..device import array_module


def norm_and_factor(arrays: list[Any], p: float, max_norm: float) -> tuple[Any, Any]:
    """Return the common p-norm of arrays, and the factor that brings it down to ``max_norm``; see `clip.norm_and_factor`.

    Parameters
    ----------
    arrays : list of ndarray
        At least one, all on the current GPU; float32 or float64, with strides or without. They are only read.
    p : float
        Above 0; may be inf.
    max_norm : float
        At least 0.

    Returns
    -------
    norm, factor : arrays of float64, shape ()
        On the GPU; nobody waits for them.

    Raises
    ------
    TypeError
        If an array is of another dtype or on another device.
    """
    whole = [array_module(array).ascontiguousarray(array) for array in arrays]  # held until the launch: some are copies
    tables, _ = _tables(whole, read=True)
    return clip.norm_and_factor(tables, arrays[0], p, max_norm)


def scale(arrays: list[Any], factor: Any) -> None:
    """Multiply every element by one factor, in place, with a launch for each dtype.

    Arrays with strides, and those that share memory with others, are taken one by one, as often as they are there.

    Parameters
    ----------
    arrays : list of ndarray
        On the current GPU; float32 or float64.
    factor : array of float64, shape ()
        There, too; rounded to each array's dtype.

    Raises
    ------
    TypeError
        As `norm_and_factor`.
    """
    tables, alone = _tables(arrays)
    for table in tables:
        clip.scale(table, factor)
    for array in alone:
        array *= factor.astype(array.dtype)


def limit(arrays: list[Any], largest: float) -> None:
    """Bring every element into ``[-largest, largest]``, in place, with launches as of `scale`; NaN stays.

    Parameters
    ----------
    arrays : list of ndarray
        At least one, all on the current GPU; float32 or float64.
    largest : float
        At least 0.

    Raises
    ------
    TypeError
        As `norm_and_factor`.
    """
    tables, alone = _tables(arrays)
    for table in tables:
        clip.limit(table, largest)
    for array in alone:
        array.clip(-largest, largest, out=array)


def _tables(arrays: list[Any], read: bool = False) -> tuple[list[Table], list[Any]]:
    """Return a table a dtype, in the order of the arrays, and the arrays that are taken alone: with strides, or overlapping."""
    found: dict[Any, list[Any]] = {}
    alone = [array for array in arrays if not array.flags.c_contiguous]
    for array in arrays:
        if array.flags.c_contiguous:
            found.setdefault(array.dtype, []).append(array)
    tables = []
    for column in found.values():
        table = Table()
        table.point_at([column] if read else [], [] if read else [column])
        if table.apart:
            tables.append(table)
        else:
            alone += column
    return tables, alone
