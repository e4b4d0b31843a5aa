"""From an algorithm's name to its code: every operation's folder holds one module an algorithm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from ._errors import ArgumentError, BackendError

Choice = Callable[[str, str], "Callable[..., Any] | None"]
_choices: list[Choice] = []  # of all threads; the last one counts,
_own_choices: ContextVar[tuple[Choice, ...]] = ContextVar("own choices", default=())  # but these count before


@contextmanager
def substituted(choose: Choice, everywhere: bool = True) -> Iterator[None]:
    """Take the functions that ``choose(op, verb)`` gives, whatever algorithm is asked for, while this lasts.

    None leaves a function as it is. It is for checks: plain loops in the place of every kernel, or a fault in one. All
    threads see it, or only the one that asks.
    """
    if not everywhere:
        before = _own_choices.set((*_own_choices.get(), choose))
        try:
            yield
        finally:
            _own_choices.reset(before)
        return
    _choices.append(choose)
    try:
        yield
    finally:
        _choices.remove(choose)


def substitute(op: str, verb: str) -> Callable[..., Any] | None:
    """Return what stands in for an operation's function, if anything does."""
    choices = (*_choices, *_own_choices.get())
    return next((function for choose in reversed(choices) if (function := choose(op, verb)) is not None), None)


def reference(op: str, verb: str) -> Callable[..., Any] | None:
    """Return the compiled loops that define a function of an operation, if there are any: a choice for `substituted`."""
    from ._jit import compiled

    function = getattr(_module(f"{__package__}.{op}", "reference"), verb, None)
    return compiled(function) if function is not None else None


def find(room: str, verb: str, algorithm: str, choices: tuple[str, ...], device: str) -> Callable[..., Any]:
    """Return the function ``verb`` of an operation's algorithm.

    Parameters
    ----------
    room : str
        The operation's package, i.e. its ``__name__``.
    verb : str
        E.g. ``"forward"`` or ``"backward_input"``.
    algorithm : str
        One of ``choices``, or ``"reference"``: the loops that define the operation, compiled; or ``"auto"``: the first choice.
    device : str
        ``"cpu"`` or ``"cuda:0"`` and so on.
    """
    op = room.rpartition(".")[2]
    if algorithm not in ("auto", "reference", *choices):
        raise ArgumentError(op, "algorithm", f"one of {('auto', 'reference', *choices)}", repr(algorithm))
    if device != "cpu":
        raise BackendError(op, "x", "a NumPy array (this operation has no CUDA form yet)", f"an array on {device}")
    if (_choices or _own_choices.get()) and (function := substitute(op, verb)) is not None:
        return function
    name = choices[0] if algorithm == "auto" and choices else algorithm
    if name in ("auto", "reference"):
        from ._jit import compiled

        return compiled(getattr(_module(room, "reference"), verb))
    return getattr(_module(room, name), verb)


@cache
def _module(room: str, name: str) -> ModuleType:
    return import_module(f".{name}", room)
