"""Faults put into the running process, and taken out again: no file changes, and none is compiled into Numba's cache.

A function gets the faulty code, `__code__` of it: whoever holds the function, however decorated, runs that. A value that a
module assigns is replaced in the module. Loops of a ``reference.py`` are left alone, as they are the definition; the faulty
ones are a function of their own, which takes the place of every algorithm.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import FunctionType
from typing import Any

from rawseg_kernels._algorithms import substituted

from ...errors import ArgumentError
from .. import plain
from .fault import Fault, target
from .loops import Loops

KERNELS = "rawseg_kernels"
SIZES = "_pooling"  # of its modules that rooms share, one that keeps what a fault may change
_lock = threading.RLock()
_edits: list[Edit] = []  # in the order in which they were planted


@dataclass(frozen=True, eq=False)
class Edit:
    """One planted change: a place, and what belongs there without and with the fault."""

    place: tuple[int, str]  # whose attribute: edits of one place follow each other
    put: Callable[[Any], None]
    sound: Any
    faulty: Any
    forget: tuple[Callable[[], None], ...]  # results that kernels keep for the same plain arguments


@contextmanager
def planted(fault: Fault | str) -> Iterator[None]:
    """Let an operation be wrong while this lasts; all threads see it.

    Within `rawseg.testing.plain.plain_kernels`, which says what is right, nothing is wrong. Faults may be planted while others
    are; of two in one function the later one counts.

    Parameters
    ----------
    fault : Fault or str
        Of the catalogue, by name, or one of your own.

    Raises
    ------
    ArgumentError
        If there is none of this name, or it does not fit the source.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.tensor([-1.0, float("nan")])
    >>> with planted("relu.nan-dropped"):
    ...     rawseg.functional.relu(x)
    tensor([0., 0.])
    >>> rawseg.functional.relu(x)
    tensor([ 0., nan])
    """
    fault = named(fault) if isinstance(fault, str) else fault
    if fault.in_loops:
        loops = Loops(_faulty(fault))
        with substituted(lambda op, verb: loops if _wanted(fault, op, verb) else None):
            yield
        return
    with _lock:
        edit = _edit(fault)
        _edits.append(edit)
    try:
        _settle()
        yield
    finally:
        with _lock:
            _edits.remove(edit)
            edit.put(edit.sound)
            _settle()
            _forget([edit])


def named(name: str) -> Fault:
    """Return a fault of the catalogue."""
    from . import faults

    for fault in faults():
        if fault.name == name:
            return fault
    raise ArgumentError("planted", "fault", "the name of one (`rawseg check --mutate` lists them)", repr(name))


def _wanted(fault: Fault, op: str, verb: str) -> bool:
    return (op, verb) == (fault.room, fault.function) and not plain.definitions_count()


def _faulty(fault: Fault) -> FunctionType:
    sound = target(fault)
    return FunctionType(fault.code(), sound.__globals__, sound.__name__, sound.__defaults__, sound.__closure__)


def _edit(fault: Fault) -> Edit:
    found = target(fault)
    if isinstance(found, FunctionType):
        owner, name, faulty = found, "__code__", fault.code()
        if faulty.co_freevars != found.__code__.co_freevars:  # Python would refuse it, later
            expected = f"an edit that leaves the names {found.__code__.co_freevars} of {fault.function} from around it"
            raise ArgumentError("planted", "fault", expected, faulty.co_freevars)
    else:
        owner, name, faulty = import_module(fault.module), fault.function, fault.value()
    place = id(owner), name
    sound = next((edit.sound for edit in _edits if edit.place == place), getattr(owner, name))
    return Edit(place, partial(setattr, owner, name), sound, faulty, _memories() if fault.in_kernels else ())


def _settle() -> None:
    """Put into every place what belongs there: of the faults planted in it the last, unless definitions count."""
    with _lock:
        for edit in _edits:
            edit.put(edit.sound if plain.definitions_count_somewhere() else edit.faulty)
        _forget(_edits)


def _forget(edits: list[Edit]) -> None:
    for clear in {clear for edit in edits for clear in edit.forget}:
        clear()


def _memories() -> tuple[Callable[[], None], ...]:
    """Return how to empty every cache of sizes and tables of the kernels; not those of modules and of machine code."""
    names = [name.removeprefix(f"{KERNELS}.") for name in list(sys.modules) if name.startswith(f"{KERNELS}.")]
    rooms = [sys.modules[f"{KERNELS}.{name}"] for name in names if name[0] != "_" or name == SIZES]
    return tuple(value.cache_clear for room in rooms for value in vars(room).values() if hasattr(value, "cache_clear"))


plain.watchers.append(_settle)
