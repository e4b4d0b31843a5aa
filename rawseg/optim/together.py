"""Which parameters an update rule takes in one launch: those for which all its numbers are equal."""

from __future__ import annotations

from typing import Any, NamedTuple

from rawseg_kernels._foreach.rows import Rows, fits

from ..device import device_of
from ..errors import DeviceError

Prepared = tuple[dict[str, Any], Any, dict[str, Any], bool]  # group, parameter, state, and whether the state is new


class Batch(NamedTuple):
    """Parameters of one launch, and the table that says where their arrays are: columns gradient, parameter, slots."""

    items: list[Prepared]
    table: Any  # a `rawseg_kernels._foreach.table.Table`, or its `rows.Rows` on a CPU

    def update(self, rule: Any) -> None:
        """Do one step of a rule: its ``update_together(group, states, table, fresh)``, with the states of all parameters."""
        for _, param, _, _ in self.items:
            param._write(rule.name)
        group, _, _, fresh = self.items[0]
        rule.update_together(group, [state for _, _, state, _ in self.items], self.table, fresh)
        rule.state.update({param: state for _, param, state, _ in self.items if state})


def split(rule: Any, prepared: list[Prepared]) -> tuple[list[Batch], list[Prepared]]:
    """Return what is updated together, with filled tables, and what alone.

    Parameters
    ----------
    rule : Optimizer
        Its tables are those of the last step, in the same order: as long as arrays stay where they are, nothing travels.
    prepared : list of (group, parameter, state, fresh)
        With all slots; every parameter has a gradient that fits it.

    Raises
    ------
    DeviceError
        If a slot is on another device than its parameter.

    Notes
    -----
    An array with strides is updated alone, and so are arrays that overlap: the threads of a launch have no order. What is
    updated alone comes first, then the launches in the order of their first parameters.
    """
    if not _knows_together(type(rule)):
        return [], prepared
    found: dict[tuple, list[Prepared]] = {}
    alone, batches = [], []
    for item in prepared:
        numbers = _numbers(rule, *item)
        (found.setdefault(numbers, []) if numbers else alone).append(item)
    for number, items in enumerate(found.values()):
        table = _table(rule._tables, number, items, rule.slots(items[0][0]))
        if table.apart:
            batches.append(Batch(items, table))
        else:
            alone += items
    del rule._tables[len(found) :]
    return batches, alone


def _numbers(rule: Any, group: dict[str, Any], param: Any, state: dict[str, Any], fresh: bool) -> tuple[Any, ...]:
    """Return what is equal for all parameters of a launch; nothing for one that is updated alone."""
    device, slots = device_of(param.array), rule.slots(group)
    arrays = [param.array, param.grad.array, *(state[slot] for slot in slots)]
    if device == "cpu":
        fit = all(fits(array, arrays[0], place != 1) for place, array in enumerate(arrays))
        return (id(group), device, param.dtype, fresh, state.get("step")) if fit else ()
    if not all(array.flags.c_contiguous for array in arrays):
        return ()
    for slot, array in zip(slots, arrays[2:]):
        if device_of(array) != device:
            raise DeviceError(rule.name, slot, f"{device}, the device of its parameter", device_of(array) or "no array")
    return id(group), device, param.dtype, fresh, state.get("step")


def _knows_together(kind: type) -> bool:
    """Return whether the class that defines ``update`` has it for many parameters: an heir may change the rule."""
    owner = next(base for base in kind.__mro__ if {"update", "update_together"} & set(vars(base)))
    return "update_together" in vars(owner)


def _table(tables: list[Any], number: int, items: list[Prepared], slots: tuple[str, ...]) -> Any:
    kind = _kind(device_of(items[0][1].array))
    if number == len(tables):
        tables.append(kind())
    elif not isinstance(tables[number], kind):
        tables[number] = kind()
    gradients = [param.grad.array for _, param, _, _ in items]
    written = [[param.array for _, param, _, _ in items], *([state[slot] for _, _, state, _ in items] for slot in slots)]
    tables[number].point_at([gradients], written)
    return tables[number]


def _kind(device: str) -> type:
    """Return the class that says where arrays on a device are."""
    if device == "cpu":
        return Rows
    from rawseg_kernels._foreach.table import Table

    return Table
