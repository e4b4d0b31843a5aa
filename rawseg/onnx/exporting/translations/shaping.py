"""The same elements in another arrangement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....autograd import shaping
from ....autograd.indexing import Interleave
from ..program import Step, Varying
from ..versions import reduced
from ..writer import Writer, refuse
from .registry import translates


@translates(shaping.Reshape)
def reshape(w: Writer, step: Step) -> str:
    """Translate a new shape; a size that follows the input is left open, or kept, before it is computed."""
    return reshaped(w, step, w.inputs(step)[0])


def reshaped(w: Writer, step: Step, x: str, before: Sequence[Any] | None = None) -> str:
    """Add what gives a value, of the shape ``before`` or that of the step's input, the shape of the step's output."""
    sizes, before = step.out.shape, step.x.shape if before is None else before
    if 0 in sizes:
        refuse(step, "arrays with elements", f"shape {sizes}")
    open_sizes = [i for i, size in enumerate(sizes) if isinstance(size, Varying)]
    kept = [i for i in open_sizes if i < len(before) and before[i] == sizes[i]]
    inferred = [i for i in open_sizes if i not in kept]
    if len(inferred) > 1:
        return w.node("Reshape", x, w.shape(sizes, step.module))
    numbers: list[Any] = [0 if i in kept else -1 if i in inferred else size for i, size in enumerate(sizes)]
    return w.node("Reshape", x, w.builder.ints(*numbers))


@translates(shaping.Permute)
def permute(w: Writer, step: Step) -> str:
    """Translate axes in another order."""
    return w.node("Transpose", *w.inputs(step), perm=list(step.options["axes"]))


@translates(shaping.Expand)
def expand(w: Writer, step: Step) -> str:
    """Translate broadcasting."""
    return w.node("Expand", *w.inputs(step), w.shape(step.out.shape, step.module))


@translates(shaping.SumTo)
def sum_to(w: Writer, step: Step) -> str:
    """Translate the sum over axes along which a shape was broadcast."""
    before, after = step.x.shape, step.out.shape
    lead = len(before) - len(after)
    axes = (*range(lead), *(lead + i for i, n in enumerate(after) if n == 1 and before[lead + i] != 1))
    return reshaped(w, step, reduced(w.builder, "ReduceSum", w.name(step.x), axes, True))


@translates(shaping.Flip)
def flip(w: Writer, step: Step) -> str:
    """Translate reversal along axes."""
    axes = step.options["axes"]
    if not axes:
        return w.inputs(step)[0]
    first, before_first = w.builder.ints(*[-1] * len(axes)), w.builder.ints(*[np.iinfo(np.int64).min] * len(axes))
    return w.node("Slice", *w.inputs(step), first, before_first, w.builder.ints(*axes), w.builder.ints(*[-1] * len(axes)))


@translates(shaping.Concat)
def concat(w: Writer, step: Step) -> str:
    """Translate arrays joined along an axis."""
    names = w.inputs(step)
    return w.node("Concat", *names, axis=step.options["axis"]) if len(names) > 1 else names[0]


@translates(Interleave)
def interleave(w: Writer, step: Step) -> str:
    """Translate rows that are brought into an order: joined, then taken from where they lie."""
    places = [w.array(place) for place in step.options["places"]]
    if any(place is None for place in places):
        refuse(step, "places that do not follow the input", "computed ones")
    order = np.argsort(np.concatenate(places))  # type: ignore[arg-type]
    names = w.inputs(step)
    joined = w.node("Concat", *names, axis=0) if len(names) > 1 else names[0]
    return w.node("Gather", joined, w.builder.constant(order, np.int64), axis=0)
