"""Hooks of a module: before and after forward, and around backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import Function, Tensor, is_grad_enabled
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
        return ctx.on_gradients(tuple(g if need else None for g, need in zip(gradients, ctx.needs_grad)))


def call_with_backward_hooks(module: Any, hooks: dict[int, Callable], args: tuple, forward: Callable[..., Any]) -> Any:
    """Run ``forward(*args)`` between two gates, so that hooks see the gradients of its inputs and of its outputs.

    The input gate calls the hooks, when the gradients of all inputs are complete. Without an input that requires a gradient
    there is none to wait for, and the output gate calls them.
    """
    if not is_grad_enabled():
        return forward(*args)
    seen: dict[str, tuple] = {}
    has_input = any(isinstance(a, Tensor) and a.requires_grad for a in args)

    def run_hooks(grad_input: tuple) -> tuple:
        for hook in list(hooks.values()):
            answer = hook(module, grad_input, seen["grad_output"])
            if answer is not None:
                grad_input = _same_count(answer, grad_input)
        return grad_input

    def at_output(gradients: tuple) -> tuple:
        seen["grad_output"] = gradients
        if not has_input:
            run_hooks((None,) * sum(isinstance(a, Tensor) for a in args))
        return gradients

    out = forward(*(_through_gate(args, run_hooks) if has_input else args))
    gated = _through_gate(out if isinstance(out, tuple) else (out,), at_output)
    return gated if isinstance(out, tuple) else gated[0]


def _through_gate(values: tuple, on_gradients: Callable[[tuple], tuple]) -> tuple:
    """Pass the Tensors among the values through one gate."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not any(tensor.requires_grad for tensor in tensors):
        return values
    gated = Gate.apply(*tensors, on_gradients=on_gradients)
    for tensor, twin in zip(tensors, gated):
        twin._version = tensor._version  # one memory, one count of its changes
    following = iter(gated)
    return tuple(next(following) if isinstance(value, Tensor) else value for value in values)


def _same_count(answer: Any, grad_input: tuple) -> tuple:
    answer = answer if isinstance(answer, tuple) else (answer,)
    if len(answer) != len(grad_input):
        raise GraphError("hook", "grad_input", f"{len(grad_input)} gradients, one for each input", len(answer))
    return answer
