"""Program: what a network computes, as a list of steps between numbered values; free of Tensors and of ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Differing", "Program", "Reference", "Size", "Step", "Value", "Varying"]


@dataclass(frozen=True)
class Varying:
    """A whole number that follows the size of the input: what it was in each recording."""

    numbers: tuple[int, ...]

    def __repr__(self) -> str:
        return " or ".join(map(str, self.numbers))


Size: TypeAlias = "int | Varying"


@dataclass(frozen=True)
class Reference:
    """A value in the place of an array among a step's options."""

    number: int


@dataclass(frozen=True)
class Differing:
    """An option that was another one in each recording, and is no number."""

    found: tuple[Any, ...]

    def __repr__(self) -> str:
        return " or ".join(map(repr, self.found))


@dataclass(frozen=True, eq=False)
class Value:
    """One array of a program.

    Parameters
    ----------
    number : int
        Its place among the program's values.
    shape : tuple of int or Varying
        Sizes of its axes.
    dtype : dtype
        Of its elements.
    array : ndarray, optional
        Of what is no result of a step: a parameter, a buffer or a constant.
    state : str, optional
        Name of a parameter or a buffer.
    module : str
        Path of the module that a constant was first used in.
    fill : bool
        Whether a constant holds one number everywhere, and its shape alone follows the input.
    frozen : tuple of ndarray
        What a constant was in each recording, if it was not always the same: writing one of them down would be wrong.
    """

    number: int
    shape: tuple[Size, ...]
    dtype: np.dtype
    array: np.ndarray | None = None
    state: str | None = None
    module: str = ""
    fill: bool = False
    frozen: tuple[Any, ...] = ()

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


@dataclass(frozen=True, eq=False)
class Step:
    """One operation.

    Parameters
    ----------
    operation : type or callable
        A `rawseg.autograd.Function`, or a function that is `rawseg.autograd.recording.recordable`.
    inputs : tuple of Value or None
        What it reads.
    options : dict
        Its other arguments, by name.
    outputs : tuple of Value
        What it gives.
    module : str
        Path of the module that ran it, "" for the network itself.
    """

    operation: Any
    inputs: tuple[Value | None, ...]
    options: dict[str, Any]
    outputs: tuple[Value, ...]
    module: str

    @property
    def name(self) -> str:
        """What the operation is called."""
        return self.operation.name() if isinstance(self.operation, type) else self.operation.__name__

    @property
    def x(self) -> Value:
        """The first input, where it is there for sure."""
        return self.inputs[0]  # type: ignore[return-value]

    @property
    def out(self) -> Value:
        """The first output."""
        return self.outputs[0]

    def read(self) -> Iterator[int]:
        """Yield the numbers of all values that the step needs, those among the options included."""
        for value in self.inputs:
            if value is not None:
                yield value.number
        yield from references(self.options)

    def reading(self, instead: dict[int, Value]) -> Step:
        """Return the step with other values in the place of some inputs."""
        inputs = tuple(None if value is None else instead.get(value.number, value) for value in self.inputs)
        return replace(self, inputs=inputs)


@dataclass
class Program:
    """Steps in an order in which every value is written before it is read.

    Parameters
    ----------
    values : list of Value
        All of them, by number.
    inputs, outputs : list of Value
        What goes in and what comes out.
    steps : list of Step
        The operations.
    """

    values: list[Value]
    inputs: list[Value]
    outputs: list[Value]
    steps: list[Step] = field(default_factory=list)

    def makers(self) -> dict[int, Step]:
        """Return for each value that a step gives that step."""
        return {value.number: step for step in self.steps for value in step.outputs}

    def readers(self) -> dict[int, int]:
        """Return how often each value is read, as an output of the program too."""
        counts: dict[int, int] = {}
        for number in [*(n for step in self.steps for n in step.read()), *(value.number for value in self.outputs)]:
            counts[number] = counts.get(number, 0) + 1
        return counts


def references(option: Any) -> Iterator[int]:
    """Yield the numbers of the values inside an option."""
    if isinstance(option, Reference):
        yield option.number
    elif isinstance(option, dict):
        for part in option.values():
            yield from references(part)
    elif isinstance(option, (tuple, list)):
        for part in option:
            yield from references(part)
