"""From a kernel that takes a run of elements to a function with the signature that the reference has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._arena import empty
from .._threads import launch


def forward_form(run: Callable[..., None]) -> Callable[..., Any]:
    """Return the function that allocates the output of ``run(first, last, x, out, *parameters)`` and starts it."""

    def start(x, *parameters):
        out = empty(x.shape, x.dtype)
        launch(run, x.size, x, out, *parameters, work=x.size)
        return out

    return start


def backward_form(run: Callable[..., None]) -> Callable[..., Any]:
    """Return the same for a gradient and what was saved: ``run(first, last, grad_output, saved, grad_input, *parameters)``."""

    def start(grad_output, saved, *parameters):
        grad_input = empty(saved.shape, saved.dtype)
        launch(run, saved.size, grad_output, saved, grad_input, *parameters, work=saved.size)
        return grad_input

    return start
