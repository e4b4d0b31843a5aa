"""The table of CUDA.md, made from what was recorded: ``python tests/on_gpu/table.py`` writes it into the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from on_gpu import foreach_calls
from on_gpu.foreach_calls import ForeachCall
from on_gpu.registers import CHIPS, recorded
from on_gpu.sources import SOURCES
from on_gpu.test_kernels import CALLS, CudaCall, room_of, tolerance

from rawseg_kernels._cuda.source import Source

REPOSITORY = Path(__file__).parents[2]
PAGE, RESULTS = REPOSITORY / "CUDA.md", REPOSITORY / "bench" / "results"
BEGIN, END = "<!-- table: python tests/on_gpu/table.py -->\n", "<!-- end of table -->\n"
COLUMNS = "file", "kernels", "calls beside the loops, on the CPU", f"registers, sm_{' / '.join(CHIPS)}", "on a GPU"


def calls_of(source: Source) -> list[CudaCall] | list[ForeachCall]:
    """Return the calls that launch kernels of a file: those of its room, or all of the catalogue if it serves many rooms."""
    room, file = source.path.parent.name, source.path.stem
    if room == "_foreach":
        return [call for call in foreach_calls.CALLS if call.name.startswith(file)]
    if room == "_cuda":
        return CALLS
    return [case for case in CALLS if room_of(case) == room and file_of(case.algorithm) == file.replace(room, "cuda", 1)]


def checks_of(source: Source) -> list[str]:
    """Return the names of the steps that check a file's calls on a GPU."""
    names = [f"check {call}" if isinstance(call, CudaCall) else f"check foreach {call.name}" for call in calls_of(source)]
    if source.path.name == "order.cu":
        return ["check order"]
    norms = foreach_calls.NORMS if source.path.name == "clip.cu" else []
    return [*names, *(f"check foreach clip norm {p:g}" for p in norms)]


def file_of(algorithm: str) -> str:
    """Return the name of an algorithm's file: the accuracies of one share it."""
    return algorithm.removesuffix("_tf32").removesuffix("_3xtf32")


def beside_loops(source: Source) -> str:
    """Return how near the loops' results are in float32, for every algorithm of a file."""
    if source.path.name == "order.cu":
        return "NumPy's order"
    if source.path.parent.name == "_cuda":
        return "those that it serves"
    if source.path.parent.name == "_foreach":
        return f"{len(calls_of(source))} with equal bits" + (", norms within 1e-12" if source.path.name == "clip.cu" else "")
    words, calls = [], [call for call in calls_of(source) if isinstance(call, CudaCall)]
    for algorithm in dict.fromkeys(call.algorithm for call in calls):
        allowed = [tolerance(call, np.float32) for call in calls if call.algorithm == algorithm]
        equal = f"{allowed.count(0)} with equal bits" if 0 in allowed else ""
        bounded = f"{len(allowed) - allowed.count(0)} within {max(allowed):.0e} of the largest" if any(allowed) else ""
        words.append(f"`{algorithm}`: {', '.join(filter(None, [equal, bounded]))}")
    return "; ".join(words)


def most_registers(source: Source) -> str:
    """Return the most that a kernel needs in float32, of either compiler, for every chip."""
    rows = [row for name, row in recorded()[source.path.name]["kernels"].items() if " float32" in name]
    return " / ".join(str(max(row[place] for row in rows)) for place in range(len(CHIPS)))


def on_a_gpu(source: Source, results: list[dict[str, Any]]) -> str:
    """Return the GPU and the day of the newest run in which this very source was right in every call, or what there is."""
    older = ""
    for result in sorted(results, key=lambda found: found["when"], reverse=True):
        steps = {step["name"]: step for step in result["steps"]}
        needed = [f"build {source.path.name}", *checks_of(source)]
        if not all(name in steps and steps[name]["ok"] for name in needed):
            continue
        seen = f"{result['device']}, {result['when'][:10]}"
        if steps[needed[0]].get("sha256") == source.digest:
            return f"verified: {seen}"
        older = older or f"changed since {seen}"
    return older or "not yet"


def table() -> str:
    """Return the table."""
    results = [json.loads(path.read_text()) for path in RESULTS.rglob("gpu_*.json")]
    rows = []
    for source in SOURCES:
        cells = [f"`{source.path.name}`", str(len(source.signatures)), beside_loops(source), most_registers(source)]
        rows.append("| " + " | ".join([*cells, on_a_gpu(source, results)]) + " |\n")
    return f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n" + "".join(rows)


def with_table(page: str) -> str:
    """Return a page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE.name} has no place for the table, between {BEGIN!r} and {END!r}")
    return before + BEGIN + "\n" + table() + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
