"""The checks of one case each: an implementation beside the definition, and every promise it is held to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import Case
from ..comparison import compare
from ..definition import Definition
from ..gradients.checking import examine
from ..gradients.hints import hints
from .outcome import Failure, failure_of
from .partly import PartlyMoved
from .subject import Subject, called

Arrays = list[np.ndarray]


def values(subject: Subject, case: Case) -> None:
    """Compare outputs: number, shapes, dtypes, and every element within its bound."""
    want = subject.exact.values(case)
    got, handed = subject.call("values", case)
    if len(got) != len(want):
        raise failure_of("values", f"{len(got)} outputs, expected {len(want)}", case)
    dtype, names = _dtype(case, want), ["output"] if len(want) == 1 else [f"output {i}" for i in range(len(want))]
    for name, one, other in zip(names, got, want):
        _same_kind(name, one, other, dtype, case)
    bounds = subject.contract.rounding.of_values(subject.exact, case, want, dtype, got)
    for name, one, other, bound in zip(names, got, want, bounds):
        _within(name, one, other, bound, case)
    if any(case.arguments(*subject.contract.writes)):
        _written(subject, case, handed)


def gradients(subject: Subject, case: Case, directions: Arrays | None = None) -> None:
    """Compare the gradients of all arrays, along directions of small whole numbers unless others are given."""
    if directions is None:
        directions = directions_of(subject.exact.values(case), case)
    want = subject.exact.gradients(case, directions)
    got = subject.call("gradients", case, directions).results
    names = [f"gradient of {name}" for name in wanted_names(subject, case)]
    for name, one, other in zip(names, got, want, strict=True):
        _same_kind(name, one, other, _dtype(case), case)
    bounds = subject.contract.rounding.of_gradients(subject.exact, case, directions, want, _dtype(case), got)
    _compare_derivatives(names, got, want, bounds, case)


def second(subject: Subject, case: Case) -> None:
    """Compare the derivatives of the gradients, in the arrays and in the gradient of the output."""
    directions = directions_of(subject.exact.values(case), case)
    seeds = directions_of([array for array, flag in zip(case.values, subject.wanted(case)) if flag], case, 1)
    want = subject.exact.second(case, directions, seeds)
    got = subject.call("second", case, directions, seeds).results
    bounds = subject.contract.rounding.of_second(subject.exact, case, directions, seeds, want, _dtype(case))
    names = wanted_names(subject, case)
    names += [f"grad_output {i}" if len(directions) > 1 else "grad_output" for i in range(len(directions))]
    _compare_derivatives([f"second derivative of {name}" for name in names], got, want, bounds, case)


def differences(subject: Subject, case: Case) -> None:
    """Compare the gradients with difference quotients of the implementation's own values: no definition takes part."""
    adapter = PartlyMoved(subject.called_as(case), case, subject.contract.moving)
    arguments = adapter.parts(case.values)
    how = {"options": dict(case.options), "wanted": subject.wanted(case), "kinks": "subgradient"}
    report = called(examine, case, adapter, *arguments, **how)
    if not report.passed:
        raise Failure(str(report), case)


def directions_of(arrays: Arrays, case: Case, seed: int = 0) -> Arrays:
    """Return whole numbers of magnitude 1 to 3, for the floating ones of some arrays."""
    rng = np.random.default_rng(seed)
    floating = [array for array in arrays if array.dtype.kind == "f"]
    return [np.asarray(rng.integers(1, 4, a.shape) * rng.choice([-1, 1], a.shape), _dtype(case)) for a in floating]


def _dtype(case: Case, results: Arrays | None = None) -> Any:
    """Return the dtype of floating arrays, or, where only integers come in, that of what shall come out."""
    arrays = [*case.values, *(results or [])]
    return next((a.dtype for a in arrays if a is not None and a.dtype.kind == "f"), np.dtype(np.float64))


def wanted_names(subject: Subject, case: Case) -> list[str]:
    """Return the names of the arrays that have a gradient."""
    return [name for name, flag in zip(case.arrays, subject.wanted(case)) if flag]


def _same_kind(what: str, got: np.ndarray, want: np.ndarray, dtype: Any, case: Case) -> None:
    if got.shape != want.shape:
        raise failure_of(what, f"shape {got.shape}, expected {want.shape}", case)
    kind, expected = (got.dtype, np.dtype(dtype)) if want.dtype.kind == "f" else (got.dtype.kind, want.dtype.kind)
    if kind != expected:
        raise failure_of(what, f"dtype {got.dtype}, expected {dtype if want.dtype.kind == 'f' else want.dtype}", case)


def _within(what: str, got: np.ndarray, want: np.ndarray, bound: np.ndarray, case: Case, hint: Any = None) -> None:
    found = compare(got, want, bound)
    if not found.explained:
        said = "".join(f"; {text}" for text in hint()[:2]) if hint is not None else ""
        raise failure_of(what, f"{found}{said}", case)


def _written(subject: Subject, case: Case, handed: list[Any]) -> None:
    """Compare what a call has written into its arguments, as far as they share the memory of what was handed over."""
    if subject.adapter.framework == "cupy" or subject.adapter.device != "cpu":
        return
    contract = subject.contract.after()
    exact = Definition(contract)
    want = exact.values(case)
    names = [(name, array) for name, array in zip(case.arrays, handed) if name in subject.contract.writes]
    bounds = contract.rounding.of_values(exact, case, want, _dtype(case), [array for _, array in names])
    for (name, got), other, bound in zip(names, want, bounds, strict=True):
        _within(f"{name} after the call", got, other, bound, case)


def _compare_derivatives(names: list[str], got: Arrays, want: Arrays, bounds: Arrays, case: Case) -> None:
    for name, one, other, bound in zip(names, got, want, bounds, strict=True):
        _same_kind(name, one, other, _dtype(case), case)
        _within(name, one, other, bound, case, lambda one=one, other=other: hints(one, other))
