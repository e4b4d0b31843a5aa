"""Several recordings of one network on different inputs become one program: what differs among them follows the input.

Numbers that differ are sizes. Arrays that differ were computed outside of recorded operations: writing down what they were
would give a file that is right for one image only, so that they are found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import GraphError
from .model_builder import OP
from .program import Differing, Program, Step, Value, Varying
from .recording import Recording

__all__ = ["agreed"]


def agreed(recordings: Sequence[Recording]) -> Program:
    """Return the program that all recordings follow.

    Raises
    ------
    GraphError
        If they differ in their operations, in how these are connected or in the weights that they use: the network decides by
        the values or by the size of its input what to compute.
    """
    first = recordings[0]
    for other in recordings[1:]:
        _compare(first, other)
    values = [_value(group) for group in zip(*(one.values for one in recordings))]
    steps = [_step(group, values) for group in zip(*(one.steps for one in recordings))]
    return Program(values, [values[v.number] for v in first.inputs], [values[v.number] for v in first.outputs], steps)


def _compare(first: Recording, other: Recording) -> None:
    for ours, theirs in zip(first.steps, other.steps):
        if _wiring(ours) != _wiring(theirs):
            _refuse(ours, f"{ours.name}, then {theirs.name}" if ours.name != theirs.name else f"{ours.name} of other values")
    longer = max(first.steps, other.steps, key=len)
    if len(first.steps) != len(other.steps):
        step = longer[min(len(first.steps), len(other.steps))]
        _refuse(step, f"{len(first.steps)} operations, then {len(other.steps)}")
    if [v.number for v in first.outputs] != [v.number for v in other.outputs]:
        raise GraphError(OP, "model", "the same outputs for every input", "others")
    for ours, theirs in zip(first.values, other.values):
        if ours.state != theirs.state:
            expected = "the same weights for every input (decisions by value or size cannot be written down)"
            raise GraphError(OP, "model", expected, f"{ours.state or 'no weight'}, then {theirs.state or 'no weight'}")


def _refuse(step: Step, got: str) -> None:
    expected = "the same operations for every input (decisions by value or size cannot be written down)"
    raise GraphError(OP, step.module or "model", expected, got)


def _wiring(step: Step) -> tuple:
    """Return what must be the same in all recordings."""
    numbers = [None if value is None else value.number for value in step.inputs]
    return step.operation, numbers, [(value.number, value.ndim, value.dtype) for value in step.outputs], list(step.options)


def _value(group: Sequence[Value]) -> Value:
    value = group[0]
    if any(one.ndim != value.ndim for one in group):
        return replace(value, array=None, frozen=tuple(one.array for one in group))
    shape = tuple(_number(sizes) for sizes in zip(*(one.shape for one in group)))
    if value.array is None or value.state is not None:
        return replace(value, shape=shape)
    if all(_same(value.array, one.array) for one in group):
        return value
    found = tuple(one.array for one in group if one.array is not None)
    if shape != value.shape and all(array.size and (array == found[0].flat[0]).all() for array in found):
        return replace(value, shape=shape, array=found[0].ravel()[:1], fill=True)
    return replace(value, shape=shape, array=None, frozen=found)


def _step(group: Sequence[Step], values: Sequence[Value]) -> Step:
    step = group[0]
    inputs = tuple(None if value is None else values[value.number] for value in step.inputs)
    options = {name: _option([one.options[name] for one in group]) for name in step.options}
    return replace(step, inputs=inputs, options=options, outputs=tuple(values[value.number] for value in step.outputs))


def _option(found: Sequence[Any]) -> Any:
    first = found[0]
    if any(type(one) is not type(first) for one in found):
        return Differing(tuple(found))
    if isinstance(first, dict) and all(list(one) == list(first) for one in found):
        return {name: _option([one[name] for one in found]) for name in first}
    if type(first) in (tuple, list) and all(len(one) == len(first) for one in found):
        return type(first)(_option(parts) for parts in zip(*found))
    if isinstance(first, slice):
        return slice(*(_option([getattr(one, part) for one in found]) for part in ("start", "stop", "step")))
    if type(first) is int:
        return _number(found)
    return first if all(_same(first, one) for one in found) else Differing(tuple(found))


def _number(found: Sequence[int]) -> Any:
    return found[0] if len(set(found)) == 1 else Varying(tuple(found))


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        alike = first.shape == second.shape and first.dtype == second.dtype
        return alike and np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    return first is second or bool(first == second)
