"""An implementation through all checks: cases drawn by hypothesis, and of a failure the smallest one that still fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ...errors import ArgumentError
from ..adapters import Adapter, adapt
from ..case import Case
from ..contracts import contract_of
from ..contracts.contract import Contract
from ..definition import Definition
from ..steady import STEADY
from . import checks
from .edges import at_the_edges
from .outcome import FAILED, NOT_OFFERED, PASSED, Failure, Outcome, Report
from .partly import lacking
from .refusals import refused

EXAMPLES = 20  # of each check; with differences of every element, and with threads, fewer
FEW = 6
QUIET = settings(
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    backend=STEADY,
)
CHECKS = ("values", "gradients", "second order", "differences", "edges", "bad input", "determinism")


def check(
    op: str,
    function: Any = None,
    backward: Any = None,
    *,
    framework: str | None = None,
    examples: int = EXAMPLES,
    only: tuple[str, ...] = CHECKS,
    device: str = "cpu",
) -> Report:
    """Hold an implementation of an operation to its contract.

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
        Drawn cases of a check.
    only : tuple of str
        Some of "values", "gradients", "second order", "differences", "edges", "bad input" and "determinism".

    Returns
    -------
    Report
        With an outcome for each check; ``str`` of it is the text to read.

    Raises
    ------
    ArgumentError
        If there is no such operation or check.

    Examples
    --------
    >>> import numpy as np
    >>> report = check("relu", lambda x: np.maximum(x, 0), framework="numpy", only=("values", "edges"))
    >>> report.passed
    True
    """
    if unknown := [name for name in only if name not in CHECKS]:
        raise ArgumentError("check", "only", f"some of {CHECKS}", unknown)
    contract = contract_of(op)
    adapter = adapt(contract.function if function is None else function, backward, framework=framework, device=device)
    missing = () if function is None else lacking(adapter, contract)
    contract = replace(contract, gradients=tuple(name for name in contract.gradients if name not in missing))
    subject = checks.Subject(adapter, contract, Definition(contract))
    outcomes = tuple(timed(name, partial(RUNS[name], subject, examples)) for name in CHECKS if name in only)
    told = tuple(f"gradient of {name}: not offered" for name in missing)
    outcomes = tuple(one._replace(notes=one.notes + told) if one.check == "gradients" else one for one in outcomes)
    return Report(op, adapter.name, outcomes, left_out(subject))


def assert_conforms(op: str, function: Any, backward: Any = None, **options: Any) -> None:
    """Raise an AssertionError that says what is wrong, unless an implementation passes `check`, whose arguments these are."""
    __tracebackhide__ = True
    report = check(op, function, backward, **options)
    if not report.passed:
        raise AssertionError(str(report))


def timed(name: str, run: Callable[[], Outcome]) -> Outcome:
    """Run a check."""
    start = time.perf_counter()
    outcome = run()
    return outcome._replace(check=name, seconds=time.perf_counter() - start)


def left_out(subject: checks.Subject) -> tuple[str, ...]:
    """Return the arguments of the operation that an implementation does not take."""
    return tuple(name for name in signature(subject.contract.function).parameters if not subject.takes(name))


def drawn(test: Callable[..., None], subject: checks.Subject, examples: int) -> Outcome:
    """Try drawn cases in every dtype, and make a failing one as small as it can be."""
    count = 0
    cases = [subject.contract.cases(dtype, subject.takes) for dtype in subject.contract.dtypes]

    @settings(QUIET, max_examples=examples)
    @given(st.one_of(cases))
    def run(case: Case) -> None:
        nonlocal count
        count += 1
        with np.errstate(all="ignore"):
            test(subject, case)

    try:
        run()
    except Failure as failure:
        return Outcome("", FAILED, count, failure.message, failure.case)
    return Outcome("", PASSED, count)


def with_gradients(test: Callable[..., None], subject: checks.Subject, examples: int) -> Outcome:
    """Do as `drawn`, if there are gradients."""
    if not (subject.contract.gradients and subject.adapter.has_gradients):
        return Outcome("", NOT_OFFERED)
    return drawn(test, subject, examples)


def second_order(subject: checks.Subject, examples: int) -> Outcome:
    """Compare second derivatives, if there are any."""
    if not (subject.contract.second and subject.contract.gradients and subject.adapter.has_second):
        return Outcome("", NOT_OFFERED)
    return drawn(checks.second, subject, examples)


def by_differences(subject: checks.Subject, examples: int) -> Outcome:
    """Compare with difference quotients, which takes long: few cases, and in float64 alone."""
    wide = subject._replace(contract=in_double(subject.contract))
    return with_gradients(checks.differences, wide, min(examples, FEW))


def in_double(contract: Contract) -> Contract:
    """Return the contract for float64 alone."""
    return replace(contract, dtypes=(np.float64,))


def determinism(subject: checks.Subject, examples: int) -> Outcome:
    """Repeat runs, on one and on more threads where they are rawseg's, and on arrays of other strides."""

    def test(subject: checks.Subject, case: Case) -> None:
        checks.repeatable(subject, case)
        checks.any_strides(subject, case)
        if subject.adapter.framework == "rawseg":
            checks.any_threads(subject, case)

    return drawn(test, subject, min(examples, FEW))


RUNS: dict[str, Callable[..., Outcome]] = {
    "values": partial(drawn, checks.values),
    "gradients": partial(with_gradients, checks.gradients),
    "second order": second_order,
    "differences": by_differences,
    "edges": lambda subject, examples: at_the_edges(subject),
    "bad input": lambda subject, examples: refused(subject),
    "determinism": determinism,
}


def each(op: str, function: Any, backward: Any = None, **options: Any) -> list[Callable[[], None]]:
    """Return every check as a function of its own, named after it, for ``pytest.mark.parametrize``."""
    return [_one(name, op, function, backward, options) for name in CHECKS]


def _one(name: str, op: str, function: Any, backward: Any, options: dict[str, Any]) -> Callable[[], None]:
    def run() -> None:
        __tracebackhide__ = True
        assert_conforms(op, function, backward, **{**options, "only": (name,)})

    run.__name__ = name.replace(" ", "_")
    return run


__all__ = ["CHECKS", "Adapter", "assert_conforms", "check", "each"]
