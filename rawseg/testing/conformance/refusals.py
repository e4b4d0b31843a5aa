"""What a contract says must be refused, one call each."""

from __future__ import annotations

import warnings

import numpy as np

from ..contracts.contract import Refusal
from .outcome import Outcome
from .subject import Subject
from .trying import Remark, tried


def refused(subject: Subject) -> Outcome:
    """Call with every wrong argument: an exception is right, and of rawseg's own function the one that is promised."""
    return tried(subject, subject.contract.refusals(), _called_wrongly)


def _called_wrongly(subject: Subject, refusal: Refusal) -> Remark | None:
    if not (said := _missed(subject, refusal)):
        return None
    text = f"{refusal.what} ({refusal.row}): {said}"
    if refusal.own and subject.adapter.framework != "rawseg":
        return Remark(f"accepts what rawseg alone refuses: {text}", refusal.case, wrong=False)
    return Remark(text, refusal.case)


def _missed(subject: Subject, refusal: Refusal) -> str:
    """Return what is wrong with how a call is refused, or nothing."""
    case = refusal.case
    handed = subject.handed(case)
    before = [None if array is None else array.tobytes() for array in handed]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning refuses nothing
            out = subject.called_as(case).values(handed, dict(case.options))
    except SystemExit as error:
        return f"the process would have ended (exit code {error.code})"
    except Exception as error:
        if [None if array is None else array.tobytes() for array in handed] != before:
            return "an argument was written to before the error"
        if subject.adapter.framework != "rawseg":
            return ""
        told = type(error), getattr(error, "op", None), getattr(error, "argument", None)
        expected = refusal.error, case.op, refusal.argument
        return "" if told == expected else f"{error!r}, expected {refusal.error.__name__} about {refusal.argument}"
    return f"accepted; returned {', '.join(f'{a.dtype} {a.shape}' for a in out)}, expected an error about {refusal.argument}"
