"""Checks as tests: one assertion for all, or a test function for each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from unittest import SkipTest

from .outcome import NOT_OFFERED
from .run import CHECKS, check, chosen


def assert_conforms(
    op: str, function: Any, backward: Any = None, *, require: str | Collection[str] = (), **options: Any
) -> None:
    """Raise an AssertionError that says what is wrong, unless an implementation passes `check`.

    Parameters
    ----------
    op, function, backward, **options
        As `check` takes them.
    require : str or collection of str
        Checks that must have taken place, as "gradients": an implementation without is wrong, too. One is needed in any case.

    Raises
    ------
    AssertionError
        With the report.
    ArgumentError
        As of `check`, or if a check is required that ``only`` leaves out.
    """
    __tracebackhide__ = True
    needed = chosen(require) if require else []
    report = check(op, function, backward, **options)
    missing = [name for name in needed if report.of(name).state == NOT_OFFERED]
    if not report.passed or missing or all(outcome.state == NOT_OFFERED for outcome in report.outcomes):
        raise AssertionError(str(report) + "".join(f"\nrequired, and not offered: {name}" for name in missing))


def each(
    op: str, function: Any, backward: Any = None, *, only: str | Collection[str] = CHECKS, **options: Any
) -> list[Callable[[], None]]:
    """Return every check as a function of its own, named after it, for ``pytest.mark.parametrize``.

    Parameters are those of `check`. A function whose check the implementation does not offer raises `unittest.SkipTest`, and
    pytest shows it as skipped.
    """
    return [_one(name, op, function, backward, options) for name in chosen(only)]


def _one(name: str, op: str, function: Any, backward: Any, options: dict[str, Any]) -> Callable[[], None]:
    def run() -> None:
        __tracebackhide__ = True
        report = check(op, function, backward, only=name, **options)
        if not report.passed:
            raise AssertionError(str(report))
        if report.of(name).state == NOT_OFFERED:
            raise SkipTest(f"{name}: not offered by {report.name}")

    run.__name__ = name.replace(" ", "_")
    return run
