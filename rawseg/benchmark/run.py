"""A whole run: processes are started, their rows are joined, and whoever waits is told how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cases import Case
from .model_steps import SIDES
from .processes import ask, cold_start
from .report import key

Tell = Callable[[str], None]


def operations(request: dict[str, Any], tell: Tell, *, tuned: bool, cold: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the machine and the rows of a request's cases.

    Parameters
    ----------
    request : dict
        What `worker` serves.
    tell : callable
        Called with the name of every case that is done, once for each process.
    tuned, cold : bool
        Also beside PyTorch with a tuned allocator; also first calls in new processes, once for each operation, pass and
        algorithm, whatever the shape: that is what is compiled.
    """
    machine, rows = _rows(request, tell)
    if tuned:
        again = {key(row): row for row in _rows({**request, "check": False}, tell, tuned=True)[1]}
        for row in rows:
            other = again.get(key(row), {})
            row["tuned"] = {name: other[name] for name in ("ms", "torch", "torch channels_last") if other.get(name)}
    if cold:
        seen = set()
        for row in rows:
            what = row["op"], row["pass"], row["algorithm"]
            if row["ms"] and what not in seen and row["algorithm"] != request.get("impl"):
                seen.add(what)
                row["cold"] = _cold(row, request["threads"])
    return machine, rows


def _cold(row: dict[str, Any], threads: int) -> dict[str, float]:
    case = Case(row["op"], row["family"], row["case"], tuple(row["shape"]), row["options"])
    what = {"case": case, "pass": row["pass"], "algorithm": row["algorithm"]}
    return cold_start({"kind": "first call", "threads": threads, "torch": False, "check": False, **what})


def _rows(request: dict[str, Any], tell: Tell, tuned: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    machine: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for answer in ask(request, tuned=tuned):
        if "machine" in answer:
            machine = answer["machine"]
        elif "done" in answer:
            tell(answer["done"])
        else:
            rows.append(answer)
    return machine, rows


def model(request: dict[str, Any], tell: Tell, *, tuned: bool, cold: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the machine; ``ms`` and ``tuned`` by mode and side, ``memory`` by side and mode, ``cold`` by cache and mode."""
    machine: dict[str, Any] = {}
    result: dict[str, Any] = {"ms": {}, "tuned": {}, "memory": {}}
    for kept in (False, True) if tuned else (False,):
        for answer in ask({**request, "kind": "model", "side": "", "check": not kept}, tuned=kept):
            if "mode" in answer:
                result["tuned" if kept else "ms"][answer["mode"]] = answer["ms"]
                tell(answer["mode"])
            elif "machine" in answer:
                machine = answer["machine"]
            else:
                result |= answer
    for side in SIDES if "wrong" not in result else ():
        (answer,) = ask({**request, "kind": "model", "side": side})
        result["memory"][side] = answer["memory"]
        tell(side)
    if cold:
        result["cold"] = cold_start({**request, "kind": "first step", "side": ""})
    return machine, result


AXES = {"batch": (1, 2, 4, 8, 16), "size": (16, 32, 64, 128, 256), "channels": (16, 32, 64, 128, 256), "threads": ()}


def scaled(case: Case, axis: str, at: int) -> Case:
    """Return a case with another batch, size or number of channels; ``out_channels`` stays in proportion."""
    n, c, h, w = case.shape
    options = dict(case.options)
    if axis == "batch":
        shape = at, c, h, w
    elif axis == "size":
        shape = n, c, at, at
    else:
        shape = n, at, h, w
        for name in ("out_channels", "groups"):
            if options.get(name, 1) != 1:
                options[name] = max(1, options[name] * at // c)
    return Case(case.op, case.family, f"{axis} {at}", shape, options)


def growth(
    case: Case, axes: list[str], request: dict[str, Any], cores: int, tell: Tell
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the machine, and time and memory of a case's first pass along each axis."""
    series: dict[str, list[dict[str, Any]]] = {}
    machine: dict[str, Any] = {}
    for axis in axes:
        values = AXES[axis] or tuple(range(1, cores + 1))
        series[axis] = []
        for at in values if axis == "threads" else (0,):
            cases = [case] if at else [scaled(case, axis, value) for value in values]
            asked = {**request, "cases": cases, "threads": at or request["threads"]}
            found, rows = _rows(asked, tell)
            machine = machine or found
            for value, row in zip((at,) if at else values, (row for row in rows if row["auto"])):
                names = ("ms", "torch", "torch channels_last")
                point = {name: row[name] for name in names if name in row}
                series[axis].append({"at": value, "memory": row.get("workspace", 0) + row.get("result", 0), **point})
    return machine, series
