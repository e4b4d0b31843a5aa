"""One run of a network, written down: which operations it applied to which values."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.recording import recording
from ...device import device_of, move
from ...errors import GraphError
from .model_builder import OP
from .module_paths import following
from .program import Program, Reference, Step, Value

__all__ = ["Recording", "record"]


@dataclass
class Recording(Program):
    """A program together with what it gave."""

    results: list[np.ndarray] = field(default_factory=list)


class Known:
    """Which value an array or a Tensor is, as long as it lives; a Tensor that shares another one's array is the same value."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Any, int, int]] = {}  # id -> what has it, the value's number, version of the memory

    def remember(self, tensor: Tensor, number: int) -> None:
        """Note that a Tensor and its array are a value; what waits to be computed is computed now, or it would be nobody's."""
        for thing in (tensor.array, tensor):
            self._entries[id(thing)] = weakref.ref(thing), number, tensor._version[0]

    def find(self, tensor: Tensor) -> tuple[int | None, bool]:
        """Return the number of a Tensor's value, or None, and whether its memory is still as it was."""
        for thing in (tensor, tensor.array):
            reference, number, version = self._entries.get(id(thing), (None, 0, 0))
            if reference is not None and reference() is thing:
                wrapped = thing is not tensor and tensor._version[0] == 0  # a new Tensor on the array counts from 0
                return number, wrapped or version == tensor._version[0]
        return None, True

    def of_array(self, array: Any) -> int | None:
        """Return the number of the value that an array is."""
        reference, number, _ = self._entries.get(id(array), (None, 0, 0))
        return number if reference is not None and reference() is array else None


class Notes:
    """The recorder of `record`."""

    def __init__(self, state: Mapping[str, Tensor], inputs: Sequence[Tensor], running: Sequence[str]) -> None:
        self._known, self._running = Known(), running
        self._state: dict[int, str] = {}
        for name, tensor in state.items():
            for thing in (tensor, tensor.array):
                self._state.setdefault(id(thing), name)
        self._tensors = state
        self._of_state: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self.program = Recording([], [], [])
        self._alive = [*inputs, *(tensor.array for tensor in state.values())]  # so that nothing else gets their ids
        for tensor in inputs:
            self.program.inputs.append(self._new(tensor))

    def applied(self, operation: Any, inputs: tuple, options: dict[str, Any], outputs: tuple) -> None:
        """Add a step."""
        read = tuple(None if tensor is None else self.value(tensor) for tensor in inputs)
        kept = {name: self._kept(option) for name, option in options.items()}
        step = Step(operation, read, kept, tuple(self._new(tensor) for tensor in outputs), self._running[-1])
        self.program.steps.append(step)

    def overwritten(self, tensor: Tensor, index: Any, value: Tensor) -> None:
        """Let a Tensor be the value that was written to all of it."""
        if index is not ... or value.shape != tensor.shape:
            self._refuse("assignment to all elements of a Tensor (cat or where make one of parts)", "to some")
        self._known.remember(tensor, self.value(value).number)

    def value(self, tensor: Tensor) -> Value:
        """Return which value a Tensor is; one that nobody knows is a constant."""
        number, intact = self._known.find(tensor)
        if not intact:
            self._refuse("Tensors that are not changed through a view or another name", f"a change in place of {tensor.shape}")
        if number is not None:
            return self.program.values[number]
        name = self._state.get(id(tensor), self._state.get(id(tensor.array)))
        return self._new(tensor, constant=True) if name is None else self.parameter(name)

    def parameter(self, name: str) -> Value:
        """Return the value of a parameter or a buffer."""
        if name not in self._of_state:
            tensor = self._tensors[name]
            value = Value(len(self.program.values), tensor.shape, tensor.dtype, move(tensor.array, "cpu"), name)
            self.program.values.append(value)
            self._of_state[name], self._versions[name] = value.number, tensor._version[0]
        return self.program.values[self._of_state[name]]

    def check_state(self) -> None:
        """Raise a GraphError if the network changed what it is made of."""
        changed = [name for name, version in self._versions.items() if self._tensors[name]._version[0] != version]
        if changed:
            raise GraphError(OP, "model", "parameters and buffers that a call leaves alone", f"changes of {', '.join(changed)}")

    def _new(self, tensor: Tensor, constant: bool = False) -> Value:
        value = Value(len(self.program.values), tensor.shape, tensor.dtype, module=self._running[-1])
        if constant:
            value = replace(value, array=np.array(move(tensor.array, "cpu")))
        self.program.values.append(value)
        self._known.remember(tensor, value.number)
        return value

    def _kept(self, option: Any) -> Any:
        """Return an option with references in the place of arrays that are values, and copies of the others."""
        if isinstance(option, dict):
            return {name: self._kept(part) for name, part in option.items()}
        if type(option) in (tuple, list):
            return type(option)(self._kept(part) for part in option)
        if isinstance(option, Tensor):
            return Reference(self.value(option).number)
        if not device_of(option):
            return option
        number = self._known.of_array(option)
        if number is None and id(option) in self._state:
            number = self.parameter(self._state[id(option)]).number
        return np.array(move(option, "cpu")) if number is None else Reference(number)

    def _refuse(self, expected: str, got: str) -> None:
        raise GraphError(OP, self._running[-1] or "model", expected, got)


def record(model: Any, run: Callable[..., Any], state: Mapping[str, Tensor], inputs: Sequence[Tensor]) -> tuple[Recording, Any]:
    """Run a network, or a part of it, and write down what it computes.

    Parameters
    ----------
    model : Module
        Whose submodules give steps their paths.
    run : callable
        ``run(*inputs)`` returns Tensors, in any nesting of tuples, lists and dictionaries.
    state : dict of Tensor
        Parameters and buffers by the names that they shall have.
    inputs : sequence of Tensor
        What it is run on, or rather on copies of it: a network may write to its input.

    Returns
    -------
    program : Recording
        The steps, and the arrays that came out.
    form : object
        What ``run`` returned, with the outputs' numbers in the places of the Tensors.
    """
    given = [Tensor(x.array.copy()) for x in inputs]
    with following(model) as running:
        notes = Notes(state, given, running)
        with recording(notes):
            returned = run(*given)
        notes.check_state()
        form = _outputs(returned, notes)
    return notes.program, form


def _outputs(returned: Any, notes: Notes) -> Any:
    if returned is None:
        return None
    if isinstance(returned, Tensor):
        notes.program.outputs.append(notes.value(returned))
        notes.program.results.append(np.array(move(returned.array, "cpu")))
        return len(notes.program.outputs) - 1
    if isinstance(returned, dict):
        return {name: _outputs(part, notes) for name, part in returned.items()}
    if isinstance(returned, (tuple, list)):
        return [_outputs(part, notes) for part in returned]
    raise GraphError(OP, "model", "Tensors as outputs, in tuples, lists or dictionaries", type(returned).__name__)
