"""Hooks of a module: before and after forward, and around backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import Function, Tensor
from ..autograd.hooks import RemovableHandle
from ..errors import GraphError

__all__ = ["RemovableHandle", "call_with_backward_hooks"]


class Gate(Function):
    """Several Tensors unchanged; their gradients pass through ``on_gradients`` together."""

    @staticmethod
    def forward(ctx, *arrays, on_gradients):
        ctx.on_gradients = on_gradients
        return arrays

    @staticmethod
    def backward(ctx, *gradients):
        return ctx.on_gradients(gradients)


def call_with_backward_hooks(module: Any, hooks: dict[int, Callable], args: tuple, forward: Callable[..., Any]) -> Any:
    """Run ``forward(*args)`` between two gates, so that hooks see the gradients of its inputs and of its outputs.

    The input gate calls the hooks, when the gradients of all inputs are complete. Without an input that requires a gradient
    there is none to wait for, and the output gate calls them. A gradient that did not come through the outputs, because it
    left the module another way or they are neither a Tensor nor a tuple of Tensors, calls no hook, as in PyTorch.
    """
    seen: dict[str, tuple] = {}

    def run_hooks(grad_input: tuple) -> tuple:
        grad_output = seen.pop("grad_output", None)
        for hook in list(hooks.values()) if grad_output is not None else ():
            answer = hook(module, grad_input, grad_output)
            if answer is not None:
                grad_input = _same_count(answer, grad_input)
        return grad_input

    gated_args = _through_gate(args, run_hooks)

    def at_output(grad_output: tuple) -> tuple:
        seen["grad_output"] = grad_output
        if gated_args is args:
            run_hooks((None,) * len(args))
        return grad_output

    out = forward(*gated_args)
    gated = _through_gate(out if isinstance(out, tuple) else (out,), at_output)
    return gated if isinstance(out, tuple) else gated[0]


def _through_gate(values: tuple, on_gradients: Callable[[tuple], tuple]) -> tuple:
    """Pass those Tensors that require gradients through one gate; ``on_gradients`` sees None in the other places."""
    live = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
    if not live:
        return values

    def at_gate(gradients: tuple) -> tuple:
        by_place = dict(zip(live, gradients))
        answer = on_gradients(tuple(by_place.get(i) for i in range(len(values))))
        return tuple(answer[i] for i in live)

    through = list(values)
    for i, twin in zip(live, Gate.apply(*[values[i] for i in live], on_gradients=at_gate)):
        twin._version = values[i]._version  # one memory, one count of its changes
        through[i] = twin
    return tuple(through)


def _same_count(answer: Any, grad_input: tuple) -> tuple:
    answer = answer if isinstance(answer, tuple) else (answer,)
    if len(answer) != len(grad_input):
        raise GraphError("hook", "grad_input", f"{len(grad_input)} gradients, one for each argument", len(answer))
    return answer
