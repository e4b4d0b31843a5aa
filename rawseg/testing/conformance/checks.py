"""The checks of one case each: an implementation beside the definition, and every promise it is held to."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rawseg_kernels import _threads

from ..adapters import Adapter, placed
from ..case import Case
from ..comparison import compare
from ..contracts.contract import Contract
from ..definition import Definition
from ..gradients.checking import examine
from ..gradients.hints import hints
from .outcome import Failure, failed
from .partly import PartlyMoved

Arrays = list[np.ndarray]


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
        """Return the arrays of a case, fresh copies of those that a call writes to: every run then begins with the same."""
        return [array.copy() if flag else array for array, flag in zip(case.values, case.arguments(*self.contract.writes))]


def values(subject: Subject, case: Case) -> None:
    """Compare outputs: number, shapes, dtypes, and every element within its bound."""
    want = subject.exact.values(case)
    handed = subject.handed(case)
    got = called(subject.called_as(case).values, case, handed, dict(case.options))
    if len(got) != len(want):
        raise failed("values", f"{len(got)} outputs, expected {len(want)}", case)
    dtype, names = _dtype(case, want), ["output"] if len(want) == 1 else [f"output {i}" for i in range(len(want))]
    for name, one, other in zip(names, got, want):
        _same_kind(name, one, other, dtype, case)
    bounds = subject.contract.rounding.of_values(subject.exact, case, want, dtype, got)
    for name, one, other, bound in zip(names, got, want, bounds):
        _within(name, one, other, bound, case)
    if any(case.arguments(*subject.contract.writes)):
        _written(subject, case, handed)


def gradients(subject: Subject, case: Case) -> None:
    """Compare the gradients of all arrays, along directions of small whole numbers."""
    names, wanted = _wanted(subject, case)
    directions = directions_of(subject.exact.values(case), case)
    want = subject.exact.gradients(case, directions)
    arguments = subject.handed(case), dict(case.options), wanted, directions
    got = called(subject.called_as(case).gradients, case, *arguments)
    names = [f"gradient of {name}" for name in names]
    for name, one, other in zip(names, got, want, strict=True):
        _same_kind(name, one, other, _dtype(case), case)
    bounds = subject.contract.rounding.of_gradients(subject.exact, case, directions, want, _dtype(case), got)
    _compare_derivatives(names, got, want, bounds, case)


def second(subject: Subject, case: Case) -> None:
    """Compare the derivatives of the gradients, in the arrays and in the gradient of the output."""
    names, wanted = _wanted(subject, case)
    directions = directions_of(subject.exact.values(case), case)
    seeds = directions_of([array for array, flag in zip(case.values, wanted) if flag], case, 1)
    want = subject.exact.second(case, directions, seeds)
    arguments = subject.handed(case), dict(case.options), wanted, directions, seeds
    got = called(subject.called_as(case).second, case, *arguments)
    bounds = subject.contract.rounding.of_second(subject.exact, case, directions, seeds, want, _dtype(case))
    names = [*names, *(f"grad_output {i}" if len(directions) > 1 else "grad_output" for i in range(len(directions)))]
    _compare_derivatives([f"second derivative of {name}" for name in names], got, want, bounds, case)


def differences(subject: Subject, case: Case) -> None:
    """Compare the gradients with difference quotients of the implementation's own values: no definition takes part."""
    _, wanted = _wanted(subject, case)
    adapter = PartlyMoved(subject.called_as(case), case, subject.contract.moving)
    arguments = adapter.parts(case.values)
    report = called(examine, case, adapter, *arguments, options=dict(case.options), wanted=wanted, kinks="subgradient")
    if not report.passed:
        raise Failure(str(report), case)


def repeatable(subject: Subject, case: Case) -> None:
    """Compare the bits of two runs, and look whether the arguments are as before."""
    before = [None if array is None else array.tobytes() for array in case.values]
    adapter, written, runs = subject.called_as(case), case.arguments(*subject.contract.writes), []
    for _ in range(2):
        handed = subject.handed(case)
        runs.append(called(adapter.values, case, handed, dict(case.options)))
        runs[-1] += [array for array, flag in zip(handed, written) if flag]
        for name, array, was in zip(case.arrays, case.values, before):
            if array is not None and array.tobytes() != was:
                raise failed("arguments", f"{name} was written to", case)
    if subject.adapter.has_gradients and any(case.arguments(*subject.contract.gradients)):
        _, wanted = _wanted(subject, case)
        directions = directions_of(subject.exact.values(case), case)
        for run in runs:
            run += called(adapter.gradients, case, subject.handed(case), dict(case.options), wanted, directions)
    for position, (one, other) in enumerate(zip(*runs)):
        if one.tobytes() != other.tobytes():
            at = tuple(int(i) for i in np.argwhere(one != other)[0]) if (one != other).any() else ()
            raise failed("two runs differ", f"result {position} at {at} is {one[at]:.17g} and then {other[at]:.17g}", case)


def any_threads(subject: Subject, case: Case) -> None:
    """Compare the bits of rawseg's results on one, two and four threads, however small the arrays."""
    _, wanted = _wanted(subject, case)
    directions = directions_of(subject.exact.values(case), case)
    adapter, threads, serial, found = subject.called_as(case), _threads.get_num_threads(), _threads.SERIAL_WORK, []
    _threads.SERIAL_WORK = 0
    try:
        for count in (1, 2, 4):
            _threads.set_num_threads(count)
            run = adapter.values(subject.handed(case), dict(case.options))
            if any(wanted):
                run += adapter.gradients(subject.handed(case), dict(case.options), wanted, directions)
            found.append([array.tobytes() for array in run])
    finally:
        _threads.set_num_threads(threads)
        _threads.SERIAL_WORK = serial
    if not found[0] == found[1] == found[2]:
        raise Failure("results differ between one, two and four threads", case)


def any_strides(subject: Subject, case: Case) -> None:
    """Compare values where arrays are column-major, or every second element of a larger one."""
    for spread_out in (_column_major, _every_second):
        arrays = {name: None if array is None else spread_out(array) for name, array in case.arrays.items()}
        values(subject, Case(case.op, arrays, case.options))


def _column_major(array: np.ndarray) -> np.ndarray:
    return np.array(array, order="F")  # np.asfortranarray gives a number alone an axis


def _every_second(array: np.ndarray) -> np.ndarray:
    wide = np.zeros([2 * size for size in array.shape], array.dtype)
    view = wide[(*[slice(None, None, 2)] * array.ndim, ...)]
    view[...] = array
    return view


def directions_of(arrays: Arrays, case: Case, seed: int = 0) -> Arrays:
    """Return whole numbers of magnitude 1 to 3, for the floating ones of some arrays."""
    rng = np.random.default_rng(seed)
    floating = [array for array in arrays if array.dtype.kind == "f"]
    return [np.asarray(rng.integers(1, 4, a.shape) * rng.choice([-1, 1], a.shape), _dtype(case)) for a in floating]


def called(function: Callable[..., Any], case: Case, *arguments: Any, **options: Any) -> Any:
    """Call foreign code; an exception is a failure of the case, and its warnings are its own affair."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **options)
    except Failure:
        raise
    except Exception as error:
        raise Failure(f"raised {type(error).__name__}: {error}", case) from error


def _dtype(case: Case, results: Arrays | None = None) -> Any:
    """Return the dtype of floating arrays, or, where only integers come in, that of what shall come out."""
    arrays = [*case.values, *(results or [])]
    return next((a.dtype for a in arrays if a is not None and a.dtype.kind == "f"), np.dtype(np.float64))


def _wanted(subject: Subject, case: Case) -> tuple[list[str], list[bool]]:
    wanted = case.arguments(*subject.contract.gradients)
    return [name for name, flag in zip(case.arrays, wanted) if flag], wanted


def _same_kind(what: str, got: np.ndarray, want: np.ndarray, dtype: Any, case: Case) -> None:
    if got.shape != want.shape:
        raise failed(what, f"shape {got.shape}, expected {want.shape}", case)
    kind, expected = (got.dtype, np.dtype(dtype)) if want.dtype.kind == "f" else (got.dtype.kind, want.dtype.kind)
    if kind != expected:
        raise failed(what, f"dtype {got.dtype}, expected {dtype if want.dtype.kind == 'f' else want.dtype}", case)


def _within(what: str, got: np.ndarray, want: np.ndarray, bound: np.ndarray, case: Case, hint: Any = None) -> None:
    found = compare(got, want, bound)
    if not found.explained:
        said = "".join(f"; {text}" for text in hint()[:2]) if hint is not None else ""
        raise failed(what, f"{found}{said}", case)


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
