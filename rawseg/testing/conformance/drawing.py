"""Cases drawn by hypothesis, and of a failure the smallest one that still fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from ..case import Case
from ..steady import STEADY
from .outcome import FAILED, PASSED, Failure, Outcome
from .subject import Subject

QUIET = settings(
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    backend=STEADY,
)
UNSHRUNK = settings(QUIET, phases=(Phase.generate,))  # where all that is asked is whether a case fails


def drawn(test: Callable[[Subject, Case], None], subject: Subject, how: settings) -> Outcome:
    """Try drawn cases in every dtype, and make a failing one as small as it can be.

    An implementation that fails on a case and does not when it is called again has failed as well.
    """
    count, last = 0, None
    cases = [subject.contract.cases(dtype, subject.takes) for dtype in subject.contract.dtypes]

    @how
    @given(st.one_of(cases))
    def run(case: Case) -> None:
        nonlocal count, last
        count += 1
        try:
            with np.errstate(all="ignore"):
                test(subject, case)
        except Failure as failure:
            last = failure
            raise

    try:
        run()
    except Failure as failure:
        return Outcome("", FAILED, count, failure.message, failure.case)
    except Flaky:
        if last is None:
            raise
        return Outcome("", FAILED, count, f"not the same twice: {last.message}", last.case)
    return Outcome("", PASSED, count)
