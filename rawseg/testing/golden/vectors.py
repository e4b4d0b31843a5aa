"""The cases of one contract as golden vectors: entries of plain JSON, and the arrays that they name."""

from __future__ import annotations

from dataclasses import replace
from inspect import Parameter, signature
from typing import Any

import numpy as np

from ..case import Case
from ..conformance.checks import directions_of
from ..contracts.contract import Contract
from ..definition import Definition
from ..rounding import Arrays
from .shelf import Entry, Shelf
from .sources import Source, sources


def vectors_of(contract: Contract) -> tuple[list[Entry], Entry, Shelf]:
    """Return the entries of all cases of a contract, the defaults of its options, and the arrays of both."""
    exact, shelf, entries, everything = Definition(contract), Shelf(), [], list(sources(contract))
    takes = signature(contract.function).parameters
    names = {name for source in everything for name in source.case.arrays}
    options = {name for source in everything for name in source.case.options} - names
    usual = {n: p.default for n, p in takes.items() if n in options and p.default is not Parameter.empty}
    for number, source in enumerate(everything):
        said = {"op": contract.op, "number": number, "kind": source.kind, **source.words, "call": str(source.case)}
        case = _listed(source.case, {name: parameter for name, parameter in takes.items() if name in names})
        with np.errstate(all="ignore"):
            entries.append({**said, **_Vectors(number, case, exact, shelf, usual).entry(source)})
    return entries, {name: shelf.plain(f"default.{name}", value) for name, value in usual.items()}, shelf


def _listed(case: Case, arrays: dict[str, Parameter]) -> Case:
    """Return the case with None in the place of every array that it leaves out, less what may be left out at the end.

    Functions that do not take those at all can then run the case, too.
    """
    names = list(arrays)
    while names and case.arrays.get(names[-1]) is None and arrays[names[-1]].default is not Parameter.empty:
        names.pop()
    return replace(case, arrays={name: case.arrays.get(name) for name in names})


def _is_usual(value: Any, default: Any) -> bool:
    """Return whether an option is its default, or a pair of it."""
    values = value if isinstance(value, tuple) and not isinstance(default, tuple) else (value,)
    return all(type(one) is type(default) and one == default for one in values)


class _Vectors:
    """One case on its way into the files.

    Parameters
    ----------
    number : int
        Of the case in its operation: the first part of its arrays' names.
    case : Case
        The call.
    exact : Definition
        Says what is right.
    shelf : Shelf
        Where the arrays of all cases of the operation are put.
    usual : dict
        The defaults of the operation's options.
    """

    def __init__(self, number: int, case: Case, exact: Definition, shelf: Shelf, usual: dict[str, Any]) -> None:
        self.number, self.case, self.exact, self.shelf, self.usual = number, case, exact, shelf, usual
        self.dtype = np.dtype(np.float64)
        named = list(zip(case.arrays, signature(exact.contract.function).parameters))
        self.placed = next((i for i, (array, parameter) in enumerate(named) if array != parameter), len(named))
        self.wanted = case.arguments(*exact.contract.gradients)
        self.names = [name for name, flag in zip(case.arrays, self.wanted) if flag]

    def entry(self, source: Source) -> Entry:
        """Return what cases.json says of the case."""
        arrays = [self._input(i, name) for i, name in enumerate(self.case.arrays)]
        entry = {"options": self._named(source), "arrays": arrays}
        if not source.values:
            return entry
        results = self.exact.values(self.case)
        floating = (a.dtype for a in [*self.case.values, *results] if a is not None and a.dtype.kind == "f")
        self.dtype = next(floating, self.dtype)  # of floating results; by what comes out, where only integers go in
        bounds = self.exact.contract.rounding.of_values(self.exact, self.case, results, self.dtype)
        entry["outputs"] = self._results("output", [f"output {i}" for i in range(len(results))], results, bounds)
        return entry | self._written() | self._derivatives(source, results)

    def _named(self, source: Source) -> Entry:
        """Return the options, less those of valid calls that have their defaults: functions without them can run the case."""
        return {
            name: self.shelf.plain(f"{self.number}.{name}", value)
            for name, value in self.case.options.items()
            if not (source.values and name in self.usual and _is_usual(value, self.usual[name]))
        }

    def _input(self, position: int, name: str) -> Entry:
        array = self.case.arrays[name]
        put = {"npz": None} if array is None else self.shelf.put(f"{self.number}.{name}", array)
        flags = {"gradient": self.wanted[position], "may_lack": name in self.exact.contract.may_lack}
        return {"name": name, **put, "by_name": position >= self.placed, **flags}

    def _written(self) -> Entry:
        """Return what the arrays hold after the call that it writes to."""
        contract = self.exact.contract
        names = [name for name, flag in zip(self.case.arrays, self.case.arguments(*contract.writes)) if flag]
        if not names:
            return {}
        after = Definition(contract.after())
        results = after.values(self.case)
        bounds = after.contract.rounding.of_values(after, self.case, results, self.dtype)
        return {"written": self._results("written", names, results, bounds)}

    def _derivatives(self, source: Source, results: Arrays) -> Entry:
        if not (source.gradients and self.names):
            return {}
        exact, case, rounding = self.exact, self.case, self.exact.contract.rounding
        directions = directions_of(results, case)
        outputs = [f"output {position}" for position, result in enumerate(results) if result.dtype.kind == "f"]
        gradients = exact.gradients(case, directions)
        bounds = rounding.of_gradients(exact, case, directions, gradients, self.dtype)
        entry = {
            "directions": self._ways("direction", outputs, directions),
            "gradients": self._results("gradient", self.names, gradients, bounds),
        }
        if not source.second:
            return entry
        seeds = directions_of([array for array, flag in zip(case.values, self.wanted) if flag], case, 1)
        second = exact.second(case, directions, seeds)
        bounds = rounding.of_second(exact, case, directions, seeds, second, self.dtype)
        names = [*self.names, *(f"direction of {name}" for name in outputs)]
        ways = self._ways("seed", self.names, seeds)
        return entry | {"seeds": ways, "second": self._results("second", names, second, bounds)}

    def _ways(self, what: str, names: list[str], arrays: Arrays) -> list[Entry]:
        numbered = enumerate(zip(names, arrays, strict=True))
        return [{"of": name, **self.shelf.put(f"{self.number}.{what}.{i}", array)} for i, (name, array) in numbered]

    def _results(self, what: str, names: list[str], results: Arrays, bounds: Arrays) -> list[Entry]:
        """Put exact results and their bounds, stacked along a first axis; what is not finite has no bound."""
        entries = []
        for i, (name, result, bound) in enumerate(zip(names, results, bounds, strict=True)):
            dtype = self.dtype if result.dtype.kind == "f" else result.dtype
            allowed = np.where(np.isfinite(result), bound, 0).astype(result.dtype)
            stacked = np.stack([result, allowed])
            put = self.shelf.put(f"{self.number}.{what}.{i}", stacked.astype(np.float64) if dtype.kind == "f" else stacked)
            entries.append({"of": name, **put, "dtype": dtype.name, "shape": list(result.shape)})
        return entries
