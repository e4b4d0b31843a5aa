"""What a check found: the outcome of each, and the report of an implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ...errors import ArgumentError
from ..case import Case

PASSED, FAILED, NOT_OFFERED = "passed", "failed", "not offered"
WRONG_ARRAYS = (TypeError, AttributeError)  # what a function raises that gets arrays of another framework
GUESSED = "taken as a function of NumPy arrays; framework= (--framework torch) says otherwise"


class Failure(AssertionError):
    """A case on which an implementation is wrong."""

    def __init__(self, message: str, case: Case) -> None:
        super().__init__(message)
        self.message, self.case = message, case


class Outcome(NamedTuple):
    """Of one check: its state, how many cases it tried, and of a failure what is wrong, on the smallest case that shows it.

    ``notes`` are differences that are no failures: choices of rawseg's own.
    """

    check: str
    state: str
    cases: int = 0
    message: str = ""
    case: Case | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def of_wrong_arrays(self) -> bool:
        """Whether the implementation raised what a function does that gets arrays of another framework."""
        names = "TypeError", "AttributeError", "ArgumentTypeError"
        return self.state == FAILED and any(f"raised {name}: " in self.message for name in names)

    def __str__(self) -> str:
        head = f"{self.check}: {self.state}" + (f" ({self.cases} cases)" if self.cases else "")
        shown = f"\n  {self.message}" if self.message else ""
        shown += f"\n  smallest case: {self.case}" if self.case is not None else ""
        return head + shown + "".join(f"\n  note: {note}" for note in self.notes)


@dataclass(frozen=True)
class Report:
    """Everything that was found about one implementation of an operation.

    ``left_out`` are arguments that it does not take, ``lacks`` checks of what the operation has and it has not; ``guessed``
    tells that nobody has said whose arrays it takes.
    """

    op: str
    name: str
    outcomes: tuple[Outcome, ...]
    left_out: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(outcome.state == FAILED for outcome in self.outcomes)

    def of(self, check: str) -> Outcome:
        """Return the outcome of one check.

        Raises
        ------
        ArgumentError
            If there was none of this name.
        """
        found = {outcome.check: outcome for outcome in self.outcomes}
        if check not in found:
            raise ArgumentError("Report.of", "check", f"one of {tuple(found)}", repr(check))
        return found[check]

    def __str__(self) -> str:
        head = f"{self.name} as {self.op}: {self._verdict()}"
        left = f"\nnot taken by it, and left out: {', '.join(self.left_out)}" if self.left_out else ""
        doubt = f"\n{GUESSED}" if self.guessed and any(outcome.of_wrong_arrays for outcome in self.outcomes) else ""
        return "\n".join([head + left + doubt, *map(str, self.outcomes)])

    def _verdict(self) -> str:
        if not self.passed:
            return "does not conform"
        if all(outcome.state == NOT_OFFERED for outcome in self.outcomes):
            return "not checked, as nothing of this is offered"
        lacks = ", ".join(f"no {name}" for name in self.lacks)
        return f"conforms in what it offers: {lacks}" if lacks else "conforms"


def failure_of(what: str, detail: Any, case: Case) -> Failure:
    """Return the failure of some part of a result."""
    return Failure(f"{what}: {detail}", case)
