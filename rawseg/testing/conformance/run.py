"""An implementation through all checks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from hypothesis import settings

from ...device import move
from ...errors import ArgumentError
from ..adapters import adapt
from ..case import Case
from ..contracts import contract_of
from ..contracts.contract import Contract
from ..definition import Definition
from ..plain import ONE_AT_A_TIME
from . import checks
from .determinism import any_strides, any_threads, repeatable
from .drawing import QUIET, drawn
from .edges import at_the_edges
from .guessing import guessed_again
from .outcome import NOT_OFFERED, Outcome, Report
from .partly import lacking
from .refusals import refused
from .subject import Subject

EXAMPLES = 20  # of each check,
LONG_EXAMPLES = 6  # but of one that calls an implementation many times for a case
CHECKS = ("values", "gradients", "second order", "differences", "edges", "bad input", "determinism")


def check(
    op: str,
    function: Any = None,
    backward: Any = None,
    *,
    framework: str | None = None,
    examples: int = EXAMPLES,
    only: str | Collection[str] = CHECKS,
    device: str = "cpu",
) -> Report:
    """Hold an implementation of an operation to its contract.

    One check runs at a time: another thread that asks for one, or for what an operation is by definition, waits.

    Parameters
    ----------
    op : str
        The public name in `rawseg.functional` or `rawseg.ops`.
    function : callable or Adapter, optional
        Called as ``function(*arrays, **options)`` with the arguments of that function; rawseg's own, unless given. It may
        leave arguments out: cases then keep their defaults.
    backward, framework, device
        As in `adapt`.
    examples : int
        Drawn cases of a check, at least 1.
    only : str or collection of str
        One or some of "values", "gradients", "second order", "differences", "edges", "bad input" and "determinism".

    Returns
    -------
    Report
        With an outcome for each check; ``str`` of it is the text to read.

    Raises
    ------
    ArgumentError
        If there is no such operation, check or device, or nothing to check.
    BackendError
        If CuPy or a GPU is missing for ``device``.

    Examples
    --------
    >>> import numpy as np
    >>> report = check("relu", lambda x: np.maximum(x, 0), framework="numpy", only=("values", "edges"))
    >>> report.passed
    True
    """
    names = chosen(only)
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 1:
        raise ArgumentError("check", "examples", "a whole number, at least 1", repr(examples))
    whole = contract_of(op)
    with ONE_AT_A_TIME:
        adapter = adapt(whole.function if function is None else function, backward, framework=framework, device=device)
        if adapter.framework == "rawseg":
            move(np.zeros(0), device)  # one that is none is the caller's mistake, and no operation's
        adapter = guessed_again(adapter, whole, device)
        missing = () if function is None else lacking(adapter, whole)
        contract = replace(whole, gradients=tuple(name for name in whole.gradients if name not in missing))
        subject = Subject(adapter, contract, Definition(contract))
        outcomes = tuple(outcome_of(name, subject, settings(QUIET, max_examples=examples)) for name in names)
    told = tuple(f"gradient of {name}: not offered" for name in missing)
    outcomes = tuple(one._replace(notes=one.notes + told) if one.check == "gradients" else one for one in outcomes)
    lacks = _lacks(whole, outcomes)
    return Report(op, adapter.name, outcomes, left_out(subject), lacks, adapter.guessed)


def chosen(only: str | Collection[str]) -> list[str]:
    """Return the names of the checks that are asked for, in their order."""
    names = (only,) if isinstance(only, str) else tuple(only)
    if not names or any(name not in CHECKS for name in names):
        unknown = [name for name in names if name not in CHECKS]
        raise ArgumentError("check", "only", f"some of {CHECKS}", unknown or "none")
    return [name for name in CHECKS if name in names]


def outcome_of(name: str, subject: Subject, how: settings) -> Outcome:
    """Return what one check finds, with cases drawn as hypothesis is told to."""
    start = time.perf_counter()
    outcome = RUNS[name](subject, how)
    return outcome._replace(check=name, seconds=time.perf_counter() - start)


def left_out(subject: Subject) -> tuple[str, ...]:
    """Return the arguments of the operation that an implementation does not take."""
    return tuple(name for name in signature(subject.contract.function).parameters if not subject.takes(name))


def _lacks(contract: Contract, outcomes: tuple[Outcome, ...]) -> tuple[str, ...]:
    """Return which derivatives the operation has and the implementation has not."""
    has = {"gradients": bool(contract.gradients), "differences": bool(contract.gradients)}
    has["second order"] = bool(contract.gradients) and contract.second
    missing = [one.check for one in outcomes if one.state == NOT_OFFERED and has.get(one.check, False)]
    return tuple(name for name in missing if name != "differences" or "gradients" not in missing)


def with_gradients(test: Callable[[Subject, Case], None], subject: Subject, how: settings) -> Outcome:
    """Do as `drawn`, if there are gradients."""
    if not (subject.contract.gradients and subject.adapter.has_gradients):
        return Outcome("", NOT_OFFERED)
    return drawn(test, subject, how)


def second_order(subject: Subject, how: settings) -> Outcome:
    """Compare second derivatives, if there are any."""
    if not (subject.contract.second and subject.contract.gradients and subject.adapter.has_second):
        return Outcome("", NOT_OFFERED)
    return drawn(checks.second, subject, how)


def by_differences(subject: Subject, how: settings) -> Outcome:
    """Compare with difference quotients, which takes long: few cases, and in float64 alone."""
    wide = subject._replace(contract=replace(subject.contract, dtypes=(np.float64,)))
    return with_gradients(checks.differences, wide, _fewer(how))


def determinism(subject: Subject, how: settings) -> Outcome:
    """Repeat runs, on one and on more threads where they are rawseg's, and on arrays of other strides."""

    def test(subject: Subject, case: Case) -> None:
        repeatable(subject, case)
        any_strides(subject, case)
        if subject.adapter.framework == "rawseg":
            any_threads(subject, case)

    return drawn(test, subject, _fewer(how))


def _fewer(how: settings) -> settings:
    return settings(how, max_examples=min(how.max_examples, LONG_EXAMPLES))


RUNS: dict[str, Callable[[Subject, settings], Outcome]] = {
    "values": partial(drawn, checks.values),
    "gradients": partial(with_gradients, checks.gradients),
    "second order": second_order,
    "differences": by_differences,
    "edges": lambda subject, how: at_the_edges(subject),
    "bad input": lambda subject, how: refused(subject),
    "determinism": determinism,
}
