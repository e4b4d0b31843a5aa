"""Rows as a table, as a file, and against an older file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import DataError
from ..files import write_bytes_atomically
from .timing import median, spread

VERSION = 1
SIDES = {"torch": "torch", "last": "torch channels_last"}  # heading: key of a row
LEFT = ("pass", "algorithm")
WIDTHS = {"pass": 16, "algorithm": 12, "ms": 7, "GFLOP/s": 7, "GB/s": 5, "roof": 5, "work": 6, "err/bound": 9, "same": 4}
WIDTHS |= {"torch": 6, "last": 6, "tuned": 6}
COLD = {"empty": 6, "warm": 6}
FIRM = 5  # times the noise of two medians: what differs by more has changed
LEAST = 0.05  # and by less than this share nothing has


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what names a row in every file."""
    return row["op"], row["case"], tuple(row["shape"]), row["pass"], row["algorithm"]


def ratio(row: dict[str, Any], side: str) -> float:
    """Return PyTorch's time over rawseg's; NaN where one is missing."""
    return median(row[side]) / median(row["ms"]) if row.get(side) and row.get("ms") else math.nan


def tuned_ratio(row: dict[str, Any]) -> float:
    """Return the same for PyTorch's faster layout with a tuned allocator, both timed in one process."""
    theirs = [median(row["tuned"][side]) for side in SIDES.values() if row.get("tuned", {}).get(side)]
    return min(theirs) / median(row["tuned"]["ms"]) if theirs and row["tuned"].get("ms") else math.nan


def share_of_roof(row: dict[str, Any], machine: dict[str, Any]) -> float:
    """Return the time that the machine's ceilings allow, over the time that was taken."""
    least = max(row["flops"] / machine["peak_flops"], row["bytes"] / machine["copy_bandwidth"])
    return 1e3 * least / median(row["ms"])


def _size(count: float) -> str:
    """Return bytes in a short form.

    Examples
    --------
    >>> _size(0), _size(2_000_000)
    ('', '1.9M')
    """
    return f"{count / 2**20:.1f}M" if count else ""


def _ratio_text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def cells(row: dict[str, Any], machine: dict[str, Any]) -> list[str]:
    """Return a row's cells under the headings of ``WIDTHS``."""
    start = [row["pass"], row["algorithm"] + ("*" if row["auto"] else "")]
    if not row.get("ms"):
        return [*start, "wrong", *[""] * (len(WIDTHS) - 3)]
    seconds = median(row["ms"]) / 1e3
    return [
        *start,
        f"{1e3 * seconds:.3g}",
        f"{row['flops'] / seconds / 1e9:.0f}" if row["flops"] else "",
        f"{row['bytes'] / seconds / 1e9:.1f}",
        f"{100 * share_of_roof(row, machine):.0f}%",
        _size(row.get("workspace", 0)),
        f"{row['ratio']:.1g}" if "ratio" in row else "",
        {True: "yes", False: "NO", None: ""}[row.get("deterministic")],
        *(_ratio_text(ratio(row, side)) for side in SIDES.values()),
        _ratio_text(tuned_ratio(row)),
    ]


def tables(rows: list[dict[str, Any]], machine: dict[str, Any]) -> Iterator[str | Table]:
    """Yield a run in pieces to print: the machine, then for each case its name and its rows, in columns that line up."""
    ceilings = f"{machine['peak_flops'] / 1e9:.0f} GFLOP/s, copies {machine['copy_bandwidth'] / 1e9:.1f} GB/s"
    yield f"{machine['cpu']}, {machine['threads']} threads: {ceilings}"
    cold, longest = any("cold" in row for row in rows), max(len(row["algorithm"]) for row in rows) + 1
    for i, (name, found) in enumerate(groupby(rows, lambda row: f"{row['op']} {row['case']}")):
        yield f"\n{name}"
        result = Table(box=None, padding=(0, 1, 0, 0), show_header=i == 0, pad_edge=False)
        for heading, width in {**WIDTHS, "algorithm": longest, **(COLD if cold else {})}.items():
            result.add_column(heading, justify="left" if heading in LEFT else "right", width=width, no_wrap=heading != "ms")
        for row in found:
            first = row.get("cold", {})
            result.add_row(*cells(row, machine), *(f"{first[n] / 1e3:.2f}" if n in first else "" for n in COLD if cold))
            if row.get("wrong"):
                yield f"{row['pass']}, {row['algorithm']}: NOT TIMED: {row['wrong']}"
        yield result


LEGEND = (
    "* what algorithm='auto' is. roof: share of what the measured peak and copy bandwidth allow, for the operation's own "
    "products and bytes. work: memory beside the result. err/bound: largest error over the rounding bound. same: equal bits "
    "when run again and on one thread. torch, last, tuned: time of PyTorch's default layout, of channels_last, and of the "
    "faster of both with a tuned allocator, over rawseg's."
)
LEGEND_OF_COLD = "empty, warm: seconds of the first call in a new process, without and with kernels compiled before."
LEGEND_OF_CHANGES = (
    "old / new: how many times as fast as then; where PyTorch was timed, too, the change of its time, which is the machine's, "
    "is divided out. noise: five times the share that the samples' own spread explains; what changed by less has no verdict."
)


def save(path: Path, machine: dict[str, Any], **content: Any) -> None:
    """Write a run as JSON, whole or not at all."""
    document = {"version": VERSION, "machine": machine, **content}
    write_bytes_atomically(path, (json.dumps(document, separators=(",", ":")) + "\n").encode())


def load(path: Path) -> dict[str, Any]:
    """Return a run that was saved.

    Raises
    ------
    DataError
        If the file is none.
    """
    try:
        document = json.loads(path.read_bytes())
        rows = document["rows"]
        if not all(key(row) and isinstance(row["ms"], list) for row in rows):
            raise ValueError("a row without times")
        if not isinstance(document["machine"]["threads"], int):
            raise ValueError("no number of threads")
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("bench", str(path), "a file that --save wrote", f"{type(error).__name__}: {error}") from error
    return document


class Change(NamedTuple):
    """A row in two files: the old time over the new, and by how much it can differ without a cause."""

    row: dict[str, Any]
    faster: float
    noise: float

    @property
    def verdict(self) -> str:
        """Say "slower", "faster" or nothing."""
        if self.faster < 1 / (1 + self.noise):
            return "slower"
        return "faster" if self.faster > 1 + self.noise else ""


def changes(old: dict[str, Any], new: list[dict[str, Any]]) -> list[Change]:
    """Return what both files have, new against old.

    Where both were timed beside PyTorch, the change of PyTorch's time, which is the machine's, is divided out.
    """
    known = {key(row): row for row in old["rows"] if row["ms"]}
    found = []
    for row in new:
        before = known.get(key(row))
        if before is None or not row.get("ms"):
            continue
        sides = [(before["ms"], row["ms"])]
        if before.get("torch") and row.get("torch"):
            sides.append((row["torch"], before["torch"]))
        faster = math.prod(median(one) / median(other) for one, other in sides)
        # The median of n samples varies about 1.9 / sqrt(n) as much as their median distance from it.
        noise = sum(1.9 * spread(times) / math.sqrt(len(times)) for pair in sides for times in pair)
        found.append(Change(row, faster, max(LEAST, FIRM * noise)))
    return found


def comparison(found: list[Change]) -> Table:
    """Return the table of what changed."""
    result = Table("case", "pass", "algorithm", "old / new", "noise", "", box=SIMPLE_HEAD, pad_edge=False)
    for change in found:
        row = change.row
        cells = f"{row['op']} {row['case']}", row["pass"], row["algorithm"], f"{change.faster:.2f}", f"{change.noise:.2f}"
        result.add_row(*cells, change.verdict)
    return result


def growth(case: Any, series: dict[str, list[dict[str, Any]]]) -> Table:
    """Return the table of a case that grows."""
    result = Table("along", "at", "ms", "MiB", *SIDES, title=f"{case.op} {case.name}", box=SIMPLE_HEAD, pad_edge=False)
    for axis, points in series.items():
        for point in points:
            ours = f"{median(point['ms']):.3g}", f"{point['memory'] / 2**20:.1f}"
            result.add_row(axis, str(point["at"]), *ours, *(_ratio_text(ratio(point, side)) for side in SIDES.values()))
    return result


def model(request: dict[str, Any], machine: dict[str, Any], result: dict[str, Any]) -> Table:
    """Return the table of a whole model: times, their ratios to rawseg's, peak memory and first steps."""
    shape = f"batch {request['batch']}, {request['size']} x {request['size']}"
    name = f"{request['model']} {request['width']}" if request["model"] == "unet" else request["model"]
    title = f"{name}, {shape}; {machine['cpu']}, {machine['threads']} threads"
    tuned, cold = bool(result.get("tuned")), result.get("cold", {})
    headings = ["mode", "side", "ms", "/ rawseg", *(("tuned ms", "/ rawseg") if tuned else ()), "peak MiB"]
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
    for i, heading in enumerate([*headings, *(("empty s", "warm s") if cold else ())]):
        table.add_column(heading, justify="left" if i < 2 else "right", no_wrap=True)
    if "wrong" in result:
        table.add_row("", "rawseg", f"not timed: {result['wrong']}")
    for mode, sides in result["ms"].items():
        for side in sides:
            cells = [mode, side]
            for times in (result["ms"][mode], result["tuned"][mode]) if tuned else (result["ms"][mode],):
                cells += [f"{median(times[side]):.1f}", f"{median(times[side]) / median(times['rawseg']):.2f}"]
            cells.append(f"{result['memory'][side][mode] / 2**20:.0f}")
            first = [f"{cold[cache][mode] / 1e3:.2f}" for cache in cold] if side == "rawseg" else []
            table.add_row(*cells, *first)
        table.add_section()
    return table
