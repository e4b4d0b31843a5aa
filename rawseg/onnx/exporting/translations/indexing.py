"""Elements by position: slices and integers as ``Slice``, arrays of positions as ``Gather`` and ``GatherND``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....autograd.indexing import GetItem
from ..geometry import in_each_recording
from ..program import Reference, Size, Step, Varying
from ..versions import unsqueezed
from ..writer import Writer, refuse
from .registry import translates
from .shaping import reshaped

EVERYTHING = slice(None)
LAST, BEFORE_FIRST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@translates(GetItem)
def getitem(w: Writer, step: Step) -> str:
    """Translate ``x[index]``."""
    parts = _parts(w, step)
    if any(_is_array(part) for part in parts):
        return _by_arrays(w, step, parts)
    along = [part for part in parts if part is not None]
    x = _sliced(w, step, along)
    if all(isinstance(part, slice) for part in parts):
        return x
    kept = iter(_without_new_axes(parts, step.out.shape))
    return reshaped(w, step, x, [next(kept) if isinstance(part, slice) else 1 for part in along])


def _is_array(part: Any) -> bool:
    return isinstance(part, (np.ndarray, Reference))


def _parts(w: Writer, step: Step) -> list[Any]:
    """Return the index as a slice, an int, an array, a Reference or None for each axis, and None for each new one."""
    index = step.options["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [np.asarray(part) if isinstance(part, (list, np.bool_)) else part for part in parts]
    opened: list[Any] = []
    for part in parts:
        known = w.array(part)
        if known is not None and known.dtype == bool:
            opened.extend(np.nonzero(known))  # what is chosen, axis by axis
        elif isinstance(part, Reference) and w.program.values[part.number].dtype.kind not in "iu":
            refuse(step, "an index that chooses as many elements for every input (where keeps them all)", "computed bools")
        else:
            opened.append(part if known is None else known)
    if isinstance(index, (bool, np.bool_)) or any(isinstance(part, bool) for part in parts):
        refuse(step, "slices, integers and arrays", "a single bool")
    x = step.x
    missing = x.ndim - sum(part is not None and part is not ... for part in opened)
    at = next((i for i, part in enumerate(opened) if part is ...), len(opened))
    return [*opened[:at], *[EVERYTHING] * missing, *opened[at + 1 :]]


def _without_new_axes(parts: list[Any], shape: tuple[Size, ...]) -> list[Size]:
    """Return the sizes of the output's axes that the input has, too."""
    axes = [part for part in parts if part is None or isinstance(part, slice)]
    return [size for part, size in zip(axes, shape) if part is not None]


def _sliced(w: Writer, step: Step, parts: list[Any]) -> str:
    """Add the slice of all axes; an integer is a slice of length 1."""
    x = step.x
    cuts = []
    for axis, (part, size) in enumerate(zip(parts, x.shape)):
        if not isinstance(part, slice):
            part = slice(part, None if part == -1 else _next(part))
        start, stop, stride = _bounds(step, part, size)
        if (start, stop, stride) != (0, LAST, 1):
            cuts.append((start, stop, axis, stride))
    if not cuts:
        return w.name(x)
    starts, stops, axes, strides = (w.builder.ints(*column) for column in zip(*cuts))
    return w.node("Slice", w.name(x), starts, stops, axes, strides)


def _next(at: Size) -> Size:
    return Varying(tuple(n + 1 for n in at.numbers)) if isinstance(at, Varying) else at + 1


def _bounds(step: Step, part: slice, size: Size) -> tuple[int, int, int]:
    """Return start, end and step of ``Slice`` for any size of the axis; ``LAST`` and ``BEFORE_FIRST`` reach past its ends."""
    stride = part.step or 1
    if isinstance(stride, Varying):
        refuse(step, "the step of a slice that does not follow the size of the input", stride)
    if isinstance(size, int) and not any(isinstance(bound, Varying) for bound in (part.start, part.stop)):
        start, stop, _ = slice(part.start, part.stop, stride).indices(size)
        if not range(start, stop, stride):
            return 0, 0, 1
        return start, LAST if stop >= size else BEFORE_FIRST if stop < 0 else stop, stride
    start = _bound(step, "the start of a slice", part.start, size, 0 if stride > 0 else LAST)
    # A start before the first element is nowhere for Python, and the first one for ONNX.
    if stride < 0 and start < -1 and not isinstance(part.start, Varying):
        refuse(step, "no start below -1 of a slice that goes backwards along an axis of any size", part.start)
    return start, _bound(step, "the end of a slice", part.stop, size, LAST if stride > 0 else BEFORE_FIRST), stride


def _bound(step: Step, what: str, bound: int | Varying | None, size: Size, default: int) -> int:
    """Return a bound as it was written, which holds for any size; one that follows the size is counted from the end."""
    if not isinstance(bound, Varying):
        return default if bound is None else bound
    behind = in_each_recording(step, what, lambda at, length: at - length, bound, size)
    return behind if behind < 0 else LAST


def _by_arrays(w: Writer, step: Step, parts: list[Any]) -> str:
    """Add elements at arrays of positions; an integer beside them is an array, too."""
    along = [part for part in parts if part is not None]
    x = _sliced(w, step, [part if isinstance(part, slice) else EVERYTHING for part in along])
    arrays = [axis for axis, part in enumerate(along) if not isinstance(part, slice)]
    if len(arrays) == 1 and _is_array(along[arrays[0]]):
        out = w.node("Gather", x, _positions(w, along[arrays[0]]), axis=arrays[0])
        return reshaped(w, step, out, ()) if any(part is None for part in parts) else out
    rest = [axis for axis in range(len(along)) if axis not in arrays]
    if arrays != list(range(len(arrays))):
        x = w.node("Transpose", x, perm=[*arrays, *rest])
    shape = _common_shape(w, [along[axis] for axis in arrays])
    columns = [_column(w, step, along[axis], shape) for axis in arrays]
    out = w.node("GatherND", x, w.node("Concat", *columns, axis=len(shape)))  # (*shape, *the rest)
    where = [i for i, part in enumerate(parts) if part is not None and not isinstance(part, slice)]
    if where[-1] - where[0] + 1 == len(where) and arrays[0] > 0:  # side by side: their axes stand where the first one was
        lead, depth = arrays[0], len(shape)
        order = [*range(depth, depth + lead), *range(depth), *range(depth + lead, depth + len(rest))]
        out = w.node("Transpose", out, perm=order)
    return reshaped(w, step, out, ()) if any(part is None for part in parts) else out


def _positions(w: Writer, part: Any) -> str:
    if isinstance(part, Reference):
        name = w.name(part)
        return name if w.program.values[part.number].dtype == np.int64 else w.builder.cast(name, np.int64)
    return w.builder.constant(np.asarray(part, np.int64))


def _common_shape(w: Writer, parts: list[Any]) -> tuple[Any, ...]:
    """Return the shape that all positions are broadcast to."""
    shapes = [w.program.values[p.number].shape if isinstance(p, Reference) else np.shape(p) for p in parts]
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded))


def _column(w: Writer, step: Step, part: Any, shape: tuple[Any, ...]) -> str:
    """Add the positions along one axis, shape (*shape, 1)."""
    wide = w.node("Expand", _positions(w, part), w.shape(shape, step.module))
    return unsqueezed(w.builder, wide, len(shape))
