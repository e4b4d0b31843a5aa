"""Another framework for a function that does not take NumPy's arrays after all."""

from __future__ import annotations

from ..adapters import Adapter, adapt, imported_frameworks
from ..case import Case
from ..contracts.contract import Contract
from ..definition import Definition
from .outcome import WRONG_ARRAYS, Failure
from .subject import Subject


def guessed_again(adapter: Adapter, contract: Contract, device: str) -> Adapter:
    """Return the adapter that a function answers with, where that NumPy's arrays go in was no more than a guess.

    The first edge that it takes is tried. If NumPy's arrays are refused there as of the wrong type, and Tensors of a framework
    that the function's module has imported are not, they are what it takes.
    """
    others = imported_frameworks(adapter.function) if adapter.guessed else []
    subject = Subject(adapter, contract, Definition(contract))
    fits = (edge.case for edge in contract.edges() if all(map(subject.takes, (*edge.case.arrays, *edge.case.options))))
    case = next(fits, None) if others else None
    if case is None or not isinstance(_error(subject, case), WRONG_ARRAYS):
        return adapter
    for name in others:
        other = adapt(adapter.function, framework=name, device=device)
        if _error(subject._replace(adapter=other), case) is None:
            return other
    return adapter


def _error(subject: Subject, case: Case) -> BaseException | None:
    """Return what a call raises."""
    try:
        subject.call("values", case)
    except Failure as failure:
        return failure.__cause__
    return None
