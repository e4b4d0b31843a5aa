"""What a GPU makes of rawseg: builds every kernel, checks it, proves that its bits repeat, and times it beside PyTorch.

``python bench/gpu_check.py --budget 520 --out bench/results`` writes one JSON file, anew after every step: a run that is killed
keeps what it had. Steps that the time is too short for are listed as skipped. Without a GPU, or without what the tests need
(``pip install -e '.[cuda12,test]'``), it says so and writes nothing. The end is an error if any check failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests"), str(ROOT / "bench")]

NEEDED = ("pytest", "hypothesis", "torch")  # of the tests' catalogue of calls, and of all that is compared with PyTorch
INSTALL = "pip install -e '.[cuda12,test]'"
LEAST = 15  # seconds that must be left for another step


def main(arguments: list[str] | None = None) -> int:
    """Run all steps that the budget allows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=520, help="seconds")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--only", default="", help="a part of the names of the steps to run")
    asked, start = parser.parse_args(arguments), time.monotonic()
    missing = why_not()
    if missing:
        print(f"gpu_check: nothing checked, nothing timed, no file written: {missing}")
        return 0
    from gpu import checks, device, loops

    result: dict[str, Any] = {"schema": 1, **device.facts(), "steps": [], "skipped": []}
    path = asked.out / device.file_name(result)
    asked.out.mkdir(parents=True, exist_ok=True)
    chosen = [(name, step) for name, step in steps() if asked.only in name]
    checks.ask_for([name for name, _ in chosen])
    for name, step in chosen:
        if time.monotonic() - start > asked.budget - LEAST:
            result["skipped"].append({"name": name, "not_run": "the time was up"})
        else:
            row = run(name, step)
            result["skipped" if "not_run" in row else "steps"].append(row)
            print(f"{state(row)} {name:60s} {row['seconds']:6.1f} s  {row.get('said', row.get('not_run', ''))}", flush=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
    loops.end()
    failed = [row["name"] for row in result["steps"] if not row["ok"]]
    print(f"{len(result['steps']) - len(failed)} passed, {len(failed)} failed, {len(result['skipped'])} skipped: {path}")
    return int(bool(failed))


def why_not() -> str:
    """Return what is missing, or nothing."""
    try:
        import cupy  # type: ignore[import-not-found]

        if not cupy.cuda.is_available():
            return "CuPy finds no GPU (nvidia-smi shows the driver)"
    except Exception as error:  # CuPy raises many kinds where a library is missing
        return f"{type(error).__name__}: {error} ({INSTALL})"
    missing = [name for name in NEEDED if find_spec(name) is None]
    return f"there is no {', no '.join(missing)} ({INSTALL})" if missing else ""


def steps() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return all steps by name: what must be right first, what costs least to lose last."""
    from gpu import checks, device, models, sanitizer, timing

    right = [*checks.steps(), *models.checks(), *sanitizer.steps()]
    return [("ceilings", device.ceilings), *right, *timing.steps(), *models.steps(), *models.more_checks()]


def state(row: dict[str, Any]) -> str:
    """Return a word of three letters."""
    return "BAD" if not row["ok"] else "not" if "not_run" in row else "ok "


def run(name: str, step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run one step; what it returns is a row, and an exception fails it."""
    begin = time.monotonic()
    try:
        row = {"ok": True, **step()}
    except Exception:
        row = {"ok": False, "error": traceback.format_exc()[-2000:], "said": traceback.format_exc().splitlines()[-1][:160]}
    return {"name": name, **row, "seconds": round(time.monotonic() - begin, 2)}


if __name__ == "__main__":
    sys.exit(main())
