"""What a contract says of edges, one case each."""

from __future__ import annotations

import numpy as np

from ..contracts.contract import Edge
from .checks import gradients, values
from .outcome import Failure, Outcome
from .subject import Subject
from .trying import Remark, tried


def at_the_edges(subject: Subject) -> Outcome:
    """Compare values, and gradients where the edge is about them."""
    return tried(subject, subject.contract.edges(), _compared)


def _compared(subject: Subject, edge: Edge) -> Remark | None:
    try:
        with np.errstate(all="ignore"):
            values(subject, edge.case)
            if edge.gradients and subject.adapter.has_gradients:
                gradients(subject, edge.case)
    except Failure as failure:
        text = f"{edge.what} ({edge.row}): {failure.message}"
        if subject.adapter.framework != "rawseg" and edge.extra:
            return Remark(f"does without {edge.what} ({edge.row})", failure.case, wrong=False)
        if subject.adapter.framework != "rawseg" and edge.own:
            return Remark(f"differs where rawseg differs from PyTorch on purpose: {text}", failure.case, wrong=False)
        return Remark(text, failure.case)
    return None
