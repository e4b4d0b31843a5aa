"""The table of evidence: which promise of which operation is asserted, by how many tests over how many examples.

``RAWSEG_EVIDENCE=FOLDER pytest`` lets every process of a run write what it saw into the folder, and ``python tests/evidence.py
FOLDER`` prints the table. An example is one call of a test's body: hypothesis draws many, a plain test is one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from functools import wraps
from pathlib import Path
from typing import Any

COLUMNS = (
    "reference",
    "cpu",
    "adjoint",
    "complex step",
    "first order",
    "second order",
    "torch",
    "determinism",
    "bad input",
    "bound",
)
FOLDER = os.environ.get("RAWSEG_EVIDENCE")

calls: Counter[str] = Counter()  # test, or a function that stands for its parametrised tests -> how often its body ran
ratios: dict[str, float] = {}  # test -> largest error in parts of its bound
plan: dict[str, list[str]] = {}  # operation -> the columns that what pytest collected fills
tests: dict[str, dict[str, Any]] = {}  # test -> its function, what it proves, its outcome


def count_examples(items: list[Any]) -> None:
    """Make every test that hypothesis drives count the examples that it is given."""
    for item in items:
        handle = getattr(getattr(item, "obj", None), "hypothesis", None)
        if handle is None or hasattr(handle.inner_test, "counted"):
            continue
        handle.inner_test = _counted(handle.inner_test, _function(item))


def _function(item: Any) -> str:
    return item.nodeid.partition("[")[0]


def _counted(test: Any, name: str) -> Any:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        return test(*args, **kwargs)

    run.counted = True
    return run


def running() -> str:
    """Return the test that is running."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


def record_call() -> None:
    """Count an example of the test that is running, where a loop of its own draws them."""
    calls[running()] += 1


def record_ratio(ratio: float) -> None:
    """Note an error in parts of its bound, for the test that is running."""
    ratios[running()] = max(ratio, ratios.get(running(), 0.0))


def record_outcome(item: Any, passed: bool) -> None:
    """Note what a test proves, and whether it did."""
    marks = [list(mark.args) for mark in item.iter_markers("proves")]
    cells = [cell for mark in item.iter_markers("spec") for cell in mark.args]
    if marks or cells:
        tests[item.nodeid] = {"function": _function(item), "proves": marks, "spec": cells, "passed": passed}


def promised(items: list[Any]) -> dict[str, list[str]]:
    """Return for every operation the columns that the collected tests fill."""
    found: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for mark in item.iter_markers("proves"):
            op, *columns = mark.args
            found[op].update(columns)
    return {op: sorted(columns) for op, columns in found.items()}


def note_promises(items: list[Any]) -> None:
    """Keep what the collected tests promise."""
    plan.update(promised(items))


def write() -> None:
    """Write what this process saw."""
    if FOLDER and tests:
        folder = Path(FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        seen = {"tests": tests, "calls": calls, "ratios": ratios}
        (folder / f"{os.getpid()}.json").write_text(json.dumps(seen))


def table(folder: Path) -> str:
    """Return the table as Markdown: examples run, and in brackets those that failed."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failures: dict[str, Counter[str]] = defaultdict(Counter)
    worst: dict[str, float] = {}
    for path in sorted(folder.glob("*.json")):
        seen = json.loads(path.read_text())
        parametrised = Counter(test["function"] for test in seen["tests"].values())
        for nodeid, test in seen["tests"].items():
            # The calls of a function are shared out over its parametrised tests.
            shared = seen["calls"].get(test["function"], 0) // parametrised[test["function"]]
            examples = seen["calls"].get(nodeid) or shared or 1
            for op, *columns in test["proves"]:
                counts[op].update(dict.fromkeys(columns, examples))
                failures[op].update({column: int(not test["passed"]) for column in columns})
                worst[op] = max(worst.get(op, 0.0), seen["ratios"].get(nodeid, 0.0))
    lines = [f"| op | {' | '.join(COLUMNS)} | error / bound |", "|---" * (len(COLUMNS) + 2) + "|"]
    for op in sorted(counts):
        cells = [f"{counts[op][c]:,} ({failures[op][c]})" if counts[op][c] else "" for c in COLUMNS]
        lines.append(f"| {op} | {' | '.join(cells)} | {worst[op]:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
