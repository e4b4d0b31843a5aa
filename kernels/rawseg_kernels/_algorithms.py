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
    if not choices:
        return None
    return next((function for choose in reversed(choices) if (function := choose(op, verb)) is not None), None)


def are_substituted() -> bool:
    """Return whether anything may stand in for a function now."""
    return bool(_choices) or bool(_own_choices.get())


def reference(op: str, verb: str) -> Callable[..., Any] | None:
    """Return the compiled loops that define a function of an operation, if there are any: a choice for `substituted`."""
    from ._jit import compiled

    function = getattr(algorithm_module(f"{__package__}.{op}", "reference"), verb, None)
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
        One of ``choices``, or ``"reference"``: the loops that define the operation, compiled; or one in CUDA, ``"cuda"`` say,
        whose source an array on the CPU is computed by, too; or ``"auto"``: the first choice, or the GPU's.
    device : str
        ``"cpu"`` or ``"cuda:0"`` and so on.
    """
    if device == "cpu" and type(algorithm) is str and not are_substituted():
        module = _usual(room, algorithm, choices)
        if module is not None:
            return getattr(module, verb)
    op = room.rpartition(".")[2]
    on_gpu = cuda_algorithms(room)
    if algorithm != "auto" and algorithm not in ("reference", *choices, *on_gpu):
        raise ArgumentError(op, "algorithm", f"one of {('auto', 'reference', *choices, *on_gpu)}", repr(algorithm))
    if device != "cpu":
        return _find_on_gpu(room, op, verb, algorithm, on_gpu, device)
    if (function := substitute(op, verb)) is not None:
        return function
    name = choices[0] if algorithm == "auto" and choices else algorithm
    if name in ("auto", "reference"):
        from ._jit import compiled

        return compiled(getattr(algorithm_module(room, "reference"), verb))
    return getattr(algorithm_module(room, name), verb)


def _find_on_gpu(room: str, op: str, verb: str, algorithm: str, on_gpu: tuple[str, ...], device: str) -> Callable[..., Any]:
    """Return the function of the algorithm that is asked for, or of the first that has the verb."""
    names = on_gpu if algorithm == "auto" else tuple(name for name in on_gpu if name == algorithm)
    function = next((f for name in names if (f := getattr(algorithm_module(room, name), verb, None)) is not None), None)
    if function is None:
        asked = "'auto'" if algorithm == "auto" else repr(algorithm)
        expected = f"a NumPy array ({verb} has {on_gpu or 'no algorithm'} on a GPU, and {asked} was asked for)"
        raise BackendError(op, "x", expected, f"an array on {device}")
    return function


@cache
def cuda_algorithms(room: str) -> tuple[str, ...]:
    """Return the names of an operation's algorithms in CUDA, the first of which ``"auto"`` is on a GPU."""
    return getattr(import_module(room), "CUDA_ALGORITHMS", ())


@cache
def _usual(room: str, algorithm: str, choices: tuple[str, ...]) -> ModuleType | None:
    """Return the module of an algorithm that runs on the CPU as it is; None: there is more to decide, or to refuse."""
    name = choices[0] if algorithm == "auto" and choices else algorithm
    return algorithm_module(room, name) if name in choices else None


@cache
def algorithm_module(room: str, name: str) -> ModuleType:
    """Return the module of an algorithm."""
    return import_module(f".{name}", room)
