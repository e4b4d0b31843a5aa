"""Listed calls, one after the other: edges, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..case import Case
from .outcome import FAILED, NOT_OFFERED, PASSED, Outcome
from .subject import Subject


class Remark(NamedTuple):
    """What is to be said of one call: that it is wrong, or only that it differs."""

    text: str
    case: Case
    wrong: bool = True


def tried(subject: Subject, items: Iterable[Any], attempt: Callable[[Subject, Any], Remark | None]) -> Outcome:
    """Try every item whose arguments an implementation takes; the first that is wrong is told.

    Parameters
    ----------
    subject : Subject
        The implementation.
    items : iterable of Edge or Refusal
        What has a ``case``.
    attempt : callable
        Returns a remark about an item, or None.
    """
    count, wrong, notes = 0, [], []
    for item in items:
        if all(map(subject.takes, (*item.case.arrays, *item.case.options))):
            count += 1
            if remark := attempt(subject, item):
                (wrong if remark.wrong else notes).append(remark)
    told = tuple(note.text for note in notes)
    if not count:
        return Outcome("", NOT_OFFERED)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Outcome("", FAILED, count, wrong[0].text + more, wrong[0].case, told)
    return Outcome("", PASSED, count, notes=told)
