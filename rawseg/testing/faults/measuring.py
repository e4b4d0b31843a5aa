"""Who finds a planted fault: the checks of `rawseg check`, or the first failing test of anybody's suite."""

from __future__ import annotations

from functools import cache

from ...errors import ArgumentError
from ..plain import ONE_AT_A_TIME
from .fault import Fault
from .planting import named, planted
from .suites import first_failure

EXAMPLES = 20  # of each check, as `rawseg check` draws


def measure(fault: Fault | str, suite: str = "", examples: int = EXAMPLES, first: bool = False) -> tuple[str, ...]:
    """Plant a fault and return the names of what found it; nothing if it survived.

    Parameters
    ----------
    fault : Fault or str
        Of the catalogue, by name, or one of your own.
    suite : str
        A command that begins with "pytest" or "python -m pytest": its tests run in a process of their own, in which the fault
        is planted, up to the first that fails, and that test's node id is the answer. Without it the checks of
        `rawseg.testing.conformance.check` run on rawseg's own operation, and those that fail are the answer.
    examples : int
        Drawn cases of a check.
    first : bool
        Stop at the first check that fails.

    Raises
    ------
    ArgumentError
        If there is no such fault or operation; if the suite, or a check, fails without a fault; if the suite has no test, or
        breaks down.

    Examples
    --------
    >>> "values" in measure("conv2d.stride-axes")
    True
    """
    fault = named(fault) if isinstance(fault, str) else fault
    if suite:
        return first_failure(fault, suite)
    from ..conformance import CHECKS
    from ..contracts import contract_of

    contract_of(fault.op)
    found: list[str] = []
    for name in CHECKS:
        if not (first and found) and _finds(name, fault, examples):
            found.append(name)
    return tuple(found)


def _finds(name: str, fault: Fault, examples: int) -> bool:
    """Return whether a check fails; one that raises has found something, too."""
    try:
        with ONE_AT_A_TIME, planted(fault):
            passed = _passes(name, fault.op, examples)
    except Exception:
        passed = False
    if not passed:
        _check_sound(name, fault.op, examples)
    return not passed


@cache
def _check_sound(name: str, op: str, examples: int) -> None:
    if not _passes(name, op, examples):
        raise ArgumentError("measure", "fault", f"an operation that passes the check {name!r} without one", op)


def _passes(name: str, op: str, examples: int) -> bool:
    """Return whether rawseg's own operation passes a check; failing cases stay as large as they were drawn."""
    from hypothesis import settings

    from ..adapters import adapt
    from ..conformance.drawing import UNSHRUNK
    from ..conformance.outcome import FAILED
    from ..conformance.run import outcome_of
    from ..conformance.subject import Subject
    from ..contracts import contract_of
    from ..definition import Definition

    contract = contract_of(op)
    subject = Subject(adapt(contract.function), contract, Definition(contract))
    return outcome_of(name, subject, settings(UNSHRUNK, max_examples=examples)).state != FAILED
