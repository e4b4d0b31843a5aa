"""Which parameters on a GPU an update rule takes in one launch: those for which all its numbers are equal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from rawseg_kernels._foreach.table import Table

from ..autograd.tensor import Tensor
from ..device import device_of
from ..errors import DeviceError

Prepared = tuple[dict[str, Any], Tensor, dict[str, Any], bool]  # group, parameter, state, and whether the state is new


class Batch(NamedTuple):
    """Parameters of one launch, and the table that says where their arrays are."""

    items: list[Prepared]
    table: Table


def batches(name: str, prepared: Iterable[Prepared], slots: Any, tables: list[Table]) -> tuple[list[Batch], list[Prepared]]:
    """Return what is updated together, with filled tables, and what alone.

    Parameters
    ----------
    name : str
        The rule's, for errors.
    prepared : iterable of (group, parameter, state, fresh)
        With all slots; every parameter has a gradient that fits it.
    slots : callable
        From a group to the names of its slots.
    tables : list of Table
        Those of the last step, in its order: as long as arrays stay where they are, nothing is copied to the device. Tables are
        added where there are too few.

    Raises
    ------
    DeviceError
        If a slot is on another device than its parameter.

    Notes
    -----
    An array on the CPU, or with strides of its own, is updated alone, and so are arrays that overlap: the threads of a launch
    have no order.
    """
    found: dict[tuple, list[Prepared]] = {}
    alone = []
    for item in prepared:
        group, param, state, fresh = item
        device = device_of(param.array)
        arrays = [param.array, param.grad.array, *(state[slot] for slot in slots(group))]  # type: ignore[union-attr]
        if device == "cpu" or not all(array.flags.c_contiguous for array in arrays):
            alone.append(item)
            continue
        for slot, array in zip(slots(group), arrays[2:]):
            if device_of(array) != device:
                raise DeviceError(name, slot, f"{device}, the device of its parameter", device_of(array) or "no array")
        found.setdefault((id(group), device, param.dtype, fresh, state.get("step")), []).append(item)
    together = []
    for number, items in enumerate(found.values()):
        if number == len(tables):
            tables.append(Table())
        names = slots(items[0][0])
        columns = [[item[1].array for item in items], *([item[2][slot] for item in items] for slot in names)]
        tables[number].point_at([[item[1].grad.array for item in items]], columns)  # type: ignore[union-attr]
        if tables[number].apart:
            together.append(Batch(items, tables[number]))
        else:
            alone += items
    return together, alone
