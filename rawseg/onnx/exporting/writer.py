"""Writer: goes through a program and has every step translated into ONNX nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ...errors import GraphError
from .model_builder import OP, ModelBuilder
from .module_paths import spelled
from .program import Differing, Program, Reference, Step, Value, Varying
from .sizes import sizes_at_run_time

__all__ = ["Writer", "refuse"]


class Writer:
    """What a translation works with.

    Parameters
    ----------
    builder : ModelBuilder
        Receives the nodes.
    program : Program
        What is written.
    given : mapping of int to str
        Names of the program's inputs, by their numbers.

    Attributes
    ----------
    flat_indices : dict of int to str
        Of values that are indices of a pooling: the name of what ONNX has in their place, which counts over the whole batch.
    """

    def __init__(self, builder: ModelBuilder, program: Program, given: Mapping[int, str]) -> None:
        self.builder, self.program = builder, program
        self.names = dict(given)
        self.flat_indices: dict[int, str] = {}
        self._makers = program.makers()

    def run(self) -> list[str]:
        """Write all steps; return the names of the outputs."""
        for step in self.program.steps:
            self.builder.path = spelled(step.module)
            _refuse_differing(step, step.options)
            for value, name in zip(step.outputs, self._translated(step)):
                if name:
                    self.names[value.number] = name
        self.builder.path = ""
        return [self.name(value) for value in self.program.outputs]

    def _translated(self, step: Step) -> list[str]:
        """Return the names of what a step gives, after its nodes were added."""
        from .translations import translation

        try:
            found = translation(step)(self, step)  # type: ignore[misc]
        except (TypeError, ValueError) as error:  # of Python or the onnx package, which cannot reckon with several numbers
            varying = [name for name, option in step.options.items() if _varies(option)]
            if not varying:
                raise
            got = "; ".join(f"{name}={step.options[name]!r:.80}" for name in varying)
            raise _refusal(step, "numbers that do not follow the size of the input", got) from error
        return [found] if isinstance(found, str) else found

    # values

    def name(self, value: Value | Reference | None) -> str:
        """Return the name of a value in the file, "" for none; constants and weights are added when they are first named."""
        if value is None:
            return ""
        if isinstance(value, Reference):
            value = self.program.values[value.number]
        if value.number not in self.names:
            self.names[value.number] = self._stored(value)
        return self.names[value.number]

    def inputs(self, step: Step) -> list[str]:
        """Return the names of what a step reads."""
        return [self.name(value) for value in step.inputs]

    def array(self, option: Any) -> np.ndarray | None:
        """Return an option's array if it is known now, else None."""
        if isinstance(option, Reference):
            return self.program.values[option.number].array
        return option if isinstance(option, np.ndarray) else None

    def maker(self, value: Value | None) -> Step | None:
        """Return the step that gives a value."""
        return None if value is None else self._makers.get(value.number)

    def _stored(self, value: Value) -> str:
        if value.frozen:
            first = value.frozen[0]
            expected = "constants that no input changes (NumPy's results and random numbers, as of dropout, cannot be followed)"
            got = f"an array of shape {np.shape(first)} that follows the input; written down it would be frozen"
            raise GraphError(OP, value.module or "model", expected, got)
        if value.fill and value.array is not None:
            return self.node("Expand", self.builder.constant(value.array), self.shape(value.shape, value.module))
        if value.array is None:
            raise GraphError(OP, value.module or "model", "indices and statistics that ONNX has", "a result that it lacks")
        return self.builder.constant(value.array) if value.state is None else self.builder.weight(value.state, value.array)

    # sizes

    def shape(self, sizes: Sequence[Any], module: str = "") -> str:
        """Return the name of a vector of sizes, some of which may follow the input."""
        if not any(isinstance(size, Varying) for size in sizes):
            return self.builder.ints(*sizes)
        written = [*self.program.inputs, *(v for v in self.program.values if v.number in self.names)]
        return sizes_at_run_time(self.builder, self.names, written, sizes, module)

    def fixed(self, step: Step, what: str, *numbers: Any) -> tuple[Any, ...]:
        """Return numbers that must not follow the input, or raise."""
        if any(isinstance(number, Varying) for number in numbers):
            refuse(step, f"{what} that does not follow the size of the input", numbers)
        return numbers

    # nodes

    def node(self, op: str, *inputs: str, **options: Any) -> Any:
        """Add a node; see `ModelBuilder.node`."""
        return self.builder.node(op, *inputs, **options)

    def number(self, number: float, like: Value) -> str:
        """Add a number of a value's dtype."""
        return self.builder.scalar(number, like.dtype)

    @property
    def opset(self) -> int:
        """Version of ONNX's operator set."""
        return self.builder.opset

    def needs(self, step: Step, opset: int) -> None:
        """Raise if the operator set is older than what a step needs."""
        if self.opset < opset:
            raise GraphError(OP, "opset", f"at least {opset}, for {step.name} in {step.module or 'the model'}", self.opset)


def _refuse_differing(step: Step, option: Any) -> None:
    """Raise if what a step was told differs in another way than sizes do."""
    if isinstance(option, Differing):
        refuse(step, "arguments that are the same for every input", f"{option!r:.200}")
    if isinstance(option, dict):
        option = list(option.values())
    for part in option if isinstance(option, (tuple, list)) else ():
        _refuse_differing(step, part)


def _varies(option: Any) -> bool:
    """Return whether a size that follows the input is among what a step was told."""
    if isinstance(option, (dict, tuple, list)):
        return any(map(_varies, option.values() if isinstance(option, dict) else option))
    return isinstance(option, Varying)


def _refusal(step: Step, expected: str, got: Any) -> GraphError:
    return GraphError(OP, f"{step.module or 'model'}, {step.name}", expected, got)


def refuse(step: Step, expected: str, got: Any) -> NoReturn:
    """Raise a GraphError that names a step's operation and its module."""
    raise _refusal(step, expected, got)
