"""What a captured call is fixed to: shapes, weights at their places, modes. Every later call is compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..autograd import Tensor
from ..errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError, GraphError, ShapeError, type_of
from ..nn import Module
from ..random import get_rng_state, set_rng_state
from .graphs import place

__all__ = ["Fixed"]


class Fixed:
    """The inputs of a captured call, and what its module must still be.

    Parameters
    ----------
    op : str
        Who is named in errors.
    modules : sequence of Module
        Whose weights and modes the call depends on.
    samples : sequence of Tensor
        Arguments on a GPU; the call gets copies, whose arrays are those of all later calls.
    """

    def __init__(self, op: str, modules: Sequence[Module], samples: Sequence[Tensor]) -> None:
        self.op = op
        self.inputs = [_copied(op, position, sample) for position, sample in enumerate(samples)]
        if not self.inputs:
            raise ArgumentError(op, "sample_args", "at least one Tensor", "none")
        self.place = place(self.inputs[0].array)
        self.modes = [(name, m, m.training) for module in modules for name, m in module.named_modules()]
        self.parameters = [parameter for module in modules for parameter in module.parameters()]
        named = [pair for module in modules for pair in (*module.named_parameters(), *module.named_buffers())]
        self.state = [(name, tensor, tensor.array) for name, tensor in named]
        for name, tensor, _ in self.state:
            if tensor.device != self.inputs[0].device:
                raise DeviceError(op, name, f"{self.inputs[0].device}, the device of the inputs", tensor.device)
            if tensor._leaf_hooks:
                raise GraphError(op, name, "a parameter without hooks, which run in Python", "one with")

    def check(self, args: Sequence[Any]) -> None:
        """Raise unless a call is the captured one with other values.

        Raises
        ------
        ShapeError, DTypeError, DeviceError, ArgumentError, ArgumentTypeError
            If an argument has another shape, dtype or device, or there are more or fewer.
        GraphError
            If a module is in another mode, or a weight lies somewhere else.
        """
        if len(args) != len(self.inputs):
            raise ArgumentError(self.op, "arguments", f"{len(self.inputs)}, as captured", len(args))
        for position, (arg, fixed) in enumerate(zip(args, self.inputs)):
            name = f"argument {position}"
            if not isinstance(arg, Tensor):
                raise ArgumentTypeError(self.op, name, "a Tensor", type_of(arg))
            if arg.shape != fixed.shape:
                raise ShapeError(self.op, name, f"shape {fixed.shape}, as captured", f"shape {arg.shape}")
            if arg.dtype != fixed.dtype:
                raise DTypeError(self.op, name, f"{fixed.dtype}, as captured", arg.dtype)
            if arg.device != fixed.device:
                raise DeviceError(self.op, name, f"{fixed.device}, as captured", arg.device)
        for name, module, training in self.modes:
            if module.training is not training:
                words = {True: "in training mode", False: "in eval mode"}
                whose = f"module {name or type(module).__name__!r}"
                raise GraphError(self.op, whose, f"{words[training]}, as captured", words[not training])
        for name, tensor, array in self.state:
            if tensor.array is not array:
                raise GraphError(self.op, name, "the array that was captured (write into it with copy_)", "another one")

    def fill(self, args: Sequence[Tensor]) -> None:
        """Copy a call's arguments to where the captured one read them."""
        with self.place.device:
            for arg, fixed in zip(args, self.inputs):
                fixed.array[...] = arg.array

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Be on the inputs' GPU; give weights, buffers and random numbers back what they were: warming up is no training."""
        with self.place.device:
            before, random = [(array, array.copy()) for _, _, array in self.state], get_rng_state()
            try:
                yield
            finally:
                for array, content in before:
                    array[...] = content
                set_rng_state(random)


def _copied(op: str, position: int, sample: Any) -> Tensor:
    name = f"sample_args[{position}]"
    if not isinstance(sample, Tensor):
        raise ArgumentTypeError(op, name, "a Tensor", type_of(sample))
    if sample.device == "cpu":
        raise DeviceError(op, name, "a Tensor on a GPU", "cpu")
    with sample.array.device:
        twin = sample.detach().clone()
    return twin.requires_grad_(sample.requires_grad)
