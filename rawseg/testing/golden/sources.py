"""The cases of a contract in the order in which they are written: drawn ones, edges, bad input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from ..case import Case
from ..contracts.contract import Contract
from ..steady import STEADY

DRAWN = 6  # cases of a dtype: about a dozen an operation
ONCE = settings(
    max_examples=DRAWN,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    backend=STEADY,
)


class Source(NamedTuple):
    """A case, what is said of it, and which results it has."""

    kind: str
    case: Case
    words: dict[str, Any]
    values: bool = True
    gradients: bool = True
    second: bool = True


def sources(contract: Contract) -> Iterator[Source]:
    """Yield every case that is to be written."""
    has = bool(contract.gradients)
    for case in drawn_cases(contract):
        yield Source(
            "drawn",
            case,
            {"row": "*", "what": "drawn at random", "own": False, "extra": False},
            gradients=has,
            second=has and contract.second,
        )
    for edge in contract.edges():
        words = {"row": edge.row, "what": edge.what, "own": edge.own, "extra": edge.extra}
        yield Source("edge", edge.case, words, gradients=edge.gradients, second=False)
    for refusal in contract.refusals():
        words = {"row": refusal.row, "what": refusal.what, "own": refusal.own, "extra": False, "argument": refusal.argument}
        yield Source("bad input", refusal.case, words, values=False, gradients=False, second=False)


def drawn_cases(contract: Contract) -> list[Case]:
    """Return cases that hypothesis draws from a fixed seed, of every dtype of a contract, each once."""
    found: dict[str, Case] = {}
    for dtype in contract.dtypes:

        @seed(np.dtype(dtype).itemsize)  # other shapes in another dtype
        @ONCE
        @given(contract.cases(dtype, lambda name: True))
        def keep(case: Case) -> None:
            bits = [(a.dtype.str, a.shape, a.tobytes()) for a in case.values if a is not None]
            found.setdefault(repr((bits, case.options)), case)

        keep()
    return list(found.values())
