"""What a contract says of edges, one case each."""

from __future__ import annotations

import numpy as np

from . import checks
from .outcome import FAILED, NOT_OFFERED, PASSED, Failure, Outcome


def at_the_edges(subject: checks.Subject) -> Outcome:
    """Compare values, and gradients where the edge is about them; the first failure is told."""
    count, wrong, notes = 0, [], []
    for edge in subject.contract.edges():
        if not all(map(subject.takes, (*edge.case.arrays, *edge.case.options))):
            continue
        count += 1
        try:
            with np.errstate(all="ignore"):
                checks.values(subject, edge.case)
                if edge.gradients and subject.adapter.has_gradients:
                    checks.gradients(subject, edge.case)
        except Failure as failure:
            text = f"{edge.what} ({edge.row}): {failure.message}"
            if subject.adapter.framework != "rawseg" and edge.extra:
                notes.append(f"does without {edge.what} ({edge.row})")
            elif subject.adapter.framework != "rawseg" and edge.own:
                notes.append(f"differs where rawseg differs from PyTorch on purpose: {text}")
            else:
                wrong.append((text, failure.case))
    if not count:
        return Outcome("", NOT_OFFERED)
    if wrong:
        message, case = wrong[0]
        more = f" (and {len(wrong) - 1} more edges)" if len(wrong) > 1 else ""
        return Outcome("", FAILED, count, message + more, case, tuple(notes))
    return Outcome("", PASSED, count, notes=tuple(notes))
