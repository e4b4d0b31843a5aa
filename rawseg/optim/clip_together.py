"""Gradients of one GPU, clipped in a few launches; their norm stays there, and nothing waits for it."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._foreach import clip
from rawseg_kernels._foreach.table import Table

from ..device import array_module


def norm_and_factor(arrays: list[Any], p: float, max_norm: float) -> tuple[Any, Any]:
    """Return the common p-norm of arrays, and what brings it down to ``max_norm``: float64, shape (), on the device."""
    with arrays[0].device:
        whole = [array_module(array).ascontiguousarray(array) for array in arrays]  # held until the launch: some are copies
        tables, _ = _tables(whole, read=True)
        return clip.norm_and_factor(tables, arrays[0], p, max_norm)


def scale(arrays: list[Any], factor: Any) -> None:
    """Multiply every element by a factor, an array on the device."""
    with factor.device:
        tables, alone = _tables(arrays)
        for table in tables:
            clip.scale(table, factor)
        for array in alone:
            array *= factor.astype(array.dtype)


def limit(arrays: list[Any], largest: float) -> None:
    """Bring every element into ``[-largest, largest]``; NaN stays."""
    with arrays[0].device:
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
