"""Sizes that follow the input: read from the shape of a value that has them, while the file runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import GraphError
from .model_builder import OP, ModelBuilder
from .program import Value, Varying

__all__ = ["sizes_at_run_time", "times"]


def times(size: Any, factor: int) -> Any:
    """Return a multiple of a size."""
    return Varying(tuple(factor * n for n in size.numbers)) if isinstance(size, Varying) else factor * size


def sizes_at_run_time(
    builder: ModelBuilder, names: Mapping[int, str], written: Sequence[Value], sizes: Sequence[Any], module: str
) -> str:
    """Return the name of a vector of int64 that holds sizes.

    Parameters
    ----------
    builder : ModelBuilder
        Receives the nodes.
    names : mapping of int to str
        Of the values that are already there.
    written : sequence of Value
        These values, those preferred first.
    sizes : sequence of int or Varying
        What is wanted.
    module : str
        For messages.
    """
    parts = [builder.ints(size) if isinstance(size, int) else _one(builder, names, written, size, module) for size in sizes]
    return builder.node("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]


def _one(builder: ModelBuilder, names: Mapping[int, str], written: Sequence[Value], size: Varying, module: str) -> str:
    for value in written:
        for axis, own in enumerate(value.shape):
            if own == size:
                return builder.length(names[value.number], axis)
    for op in ("Mul", "Div"):  # a multiple of some array's size, or an equal part of it
        for value in written:
            for axis, own in enumerate(value.shape):
                if isinstance(own, Varying) and (factor := _factor(size, own) if op == "Mul" else _factor(own, size)):
                    return builder.node(op, builder.length(names[value.number], axis), builder.ints(factor))
    expected = "sizes that are those of some array, multiples of them or equal parts (not rounded ones)"
    raise GraphError(OP, module or "model", expected, f"{size} for inputs of different sizes")


def _factor(size: Varying, own: Varying) -> int:
    """Return how many times one size is the other, or 0."""
    factor = size.numbers[0] // own.numbers[0] if own.numbers[0] else 0
    return factor if times(own, factor) == size else 0
