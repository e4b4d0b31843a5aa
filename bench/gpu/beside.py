"""Every timed operation beside PyTorch on the same GPU, before it is timed.

PyTorch computes in float64: with its float32, two roundings would be compared that nobody has a bound for. How far that one is
off is told, too, in parts of our bound. Where PyTorch has no such operation, the loops stand in its place, on the CPU.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gpu import sides
from rawseg.benchmark.cases import Case
from rawseg.benchmark.passes import Pass
from rawseg.benchmark.worker import check, passes_of

_made: dict[str, list[Pass]] = {}  # of the last case alone: it is compared, and then timed
_right: dict[str, dict[str, list[str]]] = {}  # case, pass: the algorithms that may be timed


def label(case: Case) -> str:
    """Return the name of a case among all."""
    return f"{case.family} {case.op} {case.name}"


def passes(case: Case) -> list[Pass]:
    """Return the passes of a case; making them takes the CPU longer than the GPU needs for them."""
    if label(case) not in _made:
        _made.clear()
        _made[label(case)] = passes_of(case)
    return _made[label(case)]


def right(case: Case) -> dict[str, list[str]]:
    """Return the algorithms of every pass that were found to be right; compare them if that was not done."""
    if label(case) not in _right:
        compare(case)
    return _right[label(case)]


def compare(case: Case) -> dict[str, Any]:
    """Compare every algorithm of every pass, at its own accuracy; return the errors in parts of their bounds."""
    rows, found = [], {}
    for item in passes(case):
        row = _compared(case, replace(item, where="cuda"))
        rows.append(row)
        found[item.name] = list(row["ratios"])
    if not rows:
        raise AssertionError(f"{label(case)}: no pass")
    _right[label(case)] = found
    return {"rows": rows, "said": "; ".join(map(_said, rows))}


def _compared(case: Case, item: Pass) -> dict[str, Any]:
    """Return how far each algorithm is off, or raise if one is off by more than rounding can be."""
    sides.let_torch(False)
    exact, ratios = item.exact(), {}
    for name, setup in sides.ours(case, item).items():
        made = sides.result(setup, item.room is None)
        if made is not None:
            ratios[name] = _ratio(item, name, sides.on_host(made), exact)
    if not ratios:
        raise AssertionError(f"{item.name}: no algorithm has this geometry")
    single = {}
    for name, setup in sides.theirs(item).items():
        seen = check(item, next(iter(ratios)), sides.on_host(setup()()), exact)
        single[name] = seen.get("ratio", seen.get("wrong"))  # which fails nothing: it is not ours
    oracle = "the loops" if item.oracle else "PyTorch in float64"
    return {"pass": item.name, "oracle": oracle, "ratios": ratios, "PyTorch in float32": single}


def _ratio(item: Pass, name: str, made: np.ndarray, exact: np.ndarray) -> float:
    found = check(item, name, made, exact)
    if "wrong" in found:
        raise AssertionError(f"{item.name} {name}: {found['wrong']}")
    return found["ratio"]


def _said(row: dict[str, Any]) -> str:
    """Return the largest error, and what it was compared with."""
    return f"{row['pass']} {max(row['ratios'].values()):.2f} of the bound, by {row['oracle']}"
