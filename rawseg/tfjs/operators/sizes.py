"""Lists of sizes: networks compute them from the shapes of their values, and here they are computed while the network loads."""

from __future__ import annotations

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Shape, Value
from .slicing import strided_slice

ARITHMETIC = {
    "Add": lambda a, b: a + b,
    "AddV2": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "FloorDiv": lambda a, b: a // b if b else None,
}


@translation("Shape")
def shape(t: Translator, operation: Operation) -> Value:
    """List the sizes of a value."""
    x = t.input(operation, 0)
    return Value(operation.name, (x.rank,), sizes=x.shape)


@translation("Pack")
def pack(t: Translator, operation: Operation) -> Value:
    """List single sizes."""
    listed = [t.sizes(operation, slot) for slot in range(len(operation.inputs))]
    if not all(len(sizes) == 1 for sizes in listed) or operation.integer("axis", 0) != 0:
        operation.refuse("input", "single numbers", [len(sizes) for sizes in listed])
    return Value(operation.name, (len(listed),), sizes=tuple(sizes[0] for sizes in listed))


@translation("StridedSlice")
def slice_sizes(t: Translator, operation: Operation) -> Value:
    """Take one size, or some; or a part of any other value."""
    sizes = t.known(t.input(operation, 0))
    if sizes is None:
        return strided_slice(t, operation)
    numbers = [t.sizes(operation, slot) for slot in (1, 2, 3)]
    if any(len(listed) != 1 or listed[0] is None for listed in numbers) or numbers[2][0] == 0:
        operation.refuse("begin", "one begin, end and stride for a list of sizes", numbers)
    if any(operation.integer(f"{name}_mask", 0) for name in ("ellipsis", "new_axis")):
        operation.refuse("ellipsis_mask, new_axis_mask", "0 for a list of sizes", "others")
    begin, end, stride = (listed[0] for listed in numbers)
    if operation.integer("shrink_axis_mask", 0) & 1:
        if not -len(sizes) <= (begin or 0) < len(sizes):
            operation.refuse("begin", f"one of {len(sizes)} sizes", begin)
        return Value(operation.name, (), sizes=(sizes[begin or 0],))
    cut = slice(
        None if operation.integer("begin_mask", 0) & 1 else begin,
        None if operation.integer("end_mask", 0) & 1 else end,
        stride,
    )
    return Value(operation.name, (len(sizes[cut]),), sizes=sizes[cut])


@translation("FloorDiv")
def whole_quotient(t: Translator, operation: Operation) -> Value:
    """Divide sizes, rounding down."""
    found = arithmetic(t, operation, t.inputs(operation))
    if found is None:
        operation.refuse("input", "two lists of sizes", "other values")
    return found


def arithmetic(t: Translator, operation: Operation, values: list[Value]) -> Value | None:
    """Return what an operation makes of sizes, None if it is given anything else."""
    if operation.op not in ARITHMETIC or len(values) != 2 or all(value.sizes is None for value in values):
        return None
    one, other = (t.known(value) for value in values)
    if one is None or other is None:
        return None
    rank = max(value.rank for value in values)
    return Value(operation.name, (max(len(one), len(other)),) if rank else (), sizes=_paired(operation, one, other))


def _paired(operation: Operation, one: Shape, other: Shape) -> Shape:
    if len(one) != len(other) and 1 not in (len(one), len(other)):
        operation.refuse("input", "lists of one length", f"{len(one)} and {len(other)}")
    count, function = max(len(one), len(other)), ARITHMETIC[operation.op]
    pairs = zip(one * count if len(one) == 1 else one, other * count if len(other) == 1 else other)
    found = tuple(None if a is None or b is None else function(a, b) for a, b in pairs)
    if any(n is not None and not -(2**63) <= n < 2**63 for n in found):
        operation.refuse("input", "sizes whose result has 64 bits", f"{one} and {other}")
    return found
