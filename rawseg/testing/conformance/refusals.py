"""What a contract says must be refused, one call each."""

from __future__ import annotations

import warnings

import numpy as np

from ..contracts.contract import Refusal
from . import checks
from .outcome import FAILED, NOT_OFFERED, PASSED, Outcome


def refused(subject: checks.Subject) -> Outcome:
    """Call with every wrong argument: an exception is right, and of rawseg's own function the one that is promised."""
    count, wrong, notes = 0, [], []
    for refusal in subject.contract.refusals():
        if not all(map(subject.takes, (*refusal.case.arrays, *refusal.case.options))):
            continue
        count += 1
        if said := _missed(subject, refusal):
            text = f"{refusal.what} ({refusal.row}): {said}"
            if refusal.own and subject.adapter.framework != "rawseg":
                notes.append(f"accepts what rawseg alone refuses: {text}")
            else:
                wrong.append((text, refusal.case))
    if not count:
        return Outcome("", NOT_OFFERED)
    if wrong:
        message, case = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Outcome("", FAILED, count, message + more, case, tuple(notes))
    return Outcome("", PASSED, count, notes=tuple(notes))


def _missed(subject: checks.Subject, refusal: Refusal) -> str:
    """Return what is wrong with how a call is refused, or nothing."""
    case = refusal.case
    before = [None if array is None else array.tobytes() for array in case.values]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning refuses nothing
            out = subject.called_as(case).values(case.values, dict(case.options))
    except Exception as error:
        if [None if array is None else array.tobytes() for array in case.values] != before:
            return "an argument was written to before the error"
        if subject.adapter.framework != "rawseg":
            return ""
        told = type(error), getattr(error, "op", None), getattr(error, "argument", None)
        expected = refusal.error, case.op, refusal.argument
        return "" if told == expected else f"{error!r}, expected {refusal.error.__name__} about {refusal.argument}"
    return f"accepted; returned {', '.join(f'{a.dtype} {a.shape}' for a in out)}, expected an error about {refusal.argument}"
