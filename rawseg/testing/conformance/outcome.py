"""What a check found: the outcome of each, and the report of an implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..case import Case

PASSED, FAILED, NOT_OFFERED = "passed", "failed", "not offered"


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

    def __str__(self) -> str:
        head = f"{self.check}: {self.state}" + (f" ({self.cases} cases)" if self.cases else "")
        shown = f"\n  {self.message}" if self.message else ""
        shown += f"\n  smallest case: {self.case}" if self.case is not None else ""
        return head + shown + "".join(f"\n  note: {note}" for note in self.notes)


@dataclass(frozen=True)
class Report:
    """Everything that was found about one implementation of an operation."""

    op: str
    name: str
    outcomes: tuple[Outcome, ...]
    left_out: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(outcome.state == FAILED for outcome in self.outcomes)

    def of(self, check: str) -> Outcome:
        """Return the outcome of one check."""
        return next(outcome for outcome in self.outcomes if outcome.check == check)

    def __str__(self) -> str:
        head = f"{self.name} as {self.op}: {'conforms' if self.passed else 'does not conform'}"
        left = f"\nnot taken by it, and left out: {', '.join(self.left_out)}" if self.left_out else ""
        return "\n".join([head + left, *map(str, self.outcomes)])


def failed(what: str, detail: Any, case: Case) -> Failure:
    """Return the failure of some part of a result."""
    return Failure(f"{what}: {detail}", case)
