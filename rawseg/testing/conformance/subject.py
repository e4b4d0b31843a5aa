"""An implementation under test, and how it is called: with copies, so that nothing it does spoils a case."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..adapters import Adapter, placed
from ..case import Case
from ..contracts.contract import Contract
from ..definition import Definition
from .copies import copied
from .outcome import Failure, failure_of

Arrays = list[np.ndarray]


class Answer(NamedTuple):
    """The results of one call, and the arrays that were handed over, as they were left."""

    results: Arrays
    arrays: list[Any]


class Subject(NamedTuple):
    """An implementation, the contract that it is held to, and the definition that it is compared with."""

    adapter: Adapter
    contract: Contract
    exact: Definition

    def takes(self, name: str) -> bool:
        """Return whether the implementation has this argument; the arrays that every call has, it must."""
        needed = name in self.contract.needed
        return needed or self.adapter.accepts(name)

    def called_as(self, case: Case) -> Adapter:
        """Return the implementation as it takes the arrays of a case."""
        return placed(self.adapter, case, self.contract.function)

    def handed(self, case: Case) -> list[Any]:
        """Return copies of the arrays of a case: every call then begins with the same, whatever the last one wrote."""
        writes = case.arguments(*self.contract.writes)
        return [None if array is None else copied(array, flag) for array, flag in zip(case.values, writes)]

    def wanted(self, case: Case) -> list[bool]:
        """Return for each array of a case whether it has a gradient."""
        return case.arguments(*self.contract.gradients)

    def differentiable(self, case: Case) -> bool:
        """Return whether there are gradients to ask for."""
        return self.adapter.has_gradients and any(self.wanted(case))

    def call(self, what: str, case: Case, *ways: Arrays) -> Answer:
        """Call the implementation.

        Parameters
        ----------
        what : str
            "values", "gradients" or "second", of an `Adapter`.
        case : Case
            Its arrays and options.
        *ways : list of ndarray
            Directions of the outputs, and of the gradients.

        Raises
        ------
        Failure
            If it raises, or writes to an argument that the operation does not write to.
        """
        handed, given = self.handed(case), [[copied(way) for way in some] for some in ways]
        flags = [self.wanted(case)] if ways else []
        results = called(getattr(self.called_as(case), what), case, handed, dict(case.options), *flags, *given)
        writes = list(case.arrays)[:1] if case.options.get("inplace") else self.contract.writes
        for name, before, after in zip(case.arrays, case.values, handed):
            if before is not None and name not in writes and before.tobytes() != after.tobytes():
                raise failure_of("arguments", f"{name} was written to", case)
        for some, theirs in zip(ways, given):
            if any(before.tobytes() != after.tobytes() for before, after in zip(some, theirs)):
                raise failure_of("arguments", "the gradient of the output was written to", case)
        return Answer(results, handed)


def called(function: Callable[..., Any], case: Case, *arguments: Any, **options: Any) -> Any:
    """Call foreign code; an exception is a failure of the case, and its warnings are its own affair."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **options)
    except Failure:
        raise
    except (Exception, SystemExit) as error:
        raise Failure(f"raised {type(error).__name__}: {error}", case) from error
