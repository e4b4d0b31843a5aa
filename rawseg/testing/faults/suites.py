"""A suite of tests against a planted fault, in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ...errors import ArgumentError
from .fault import Fault

PLUGIN = "rawseg.testing.faults.pytest_plugin"
PASSED, FAILED, NO_TESTS = 0, 1, 5  # pytest's exit codes
EXPECTED = "a pytest suite that passes without a fault"
SLOWER, SLACK = 10, 60.0  # how many times as long a run may last with a fault, and how many seconds more
_failures: dict[tuple[str, str, str], tuple[str, ...]] = {}  # of right loops: suite, module, function -> tests


class Run(NamedTuple):
    """What came of one run of a suite."""

    status: int  # pytest's exit code
    failed: tuple[str, ...]  # node ids, in the order in which they failed
    said: str  # pytest's last line


def first_failure(fault: Fault, suite: str) -> tuple[str, ...]:
    """Return the node id of the first test that fails with the fault, or nothing.

    A run that lasts ten times as long as it does without a fault has found it, too. A fault in loops puts them in every
    algorithm's place; tests that fail when the right loops stand there have found the exchange, not the fault, and do not
    count.

    Raises
    ------
    ArgumentError
        If the command is none of pytest's, fails without a fault, has no test, or breaks down.
    """
    limit = SLACK + SLOWER * _seconds_when_sound(suite)
    mute = _failures_of_right_loops(suite, fault) if fault.in_loops else ()
    try:
        run = _run(suite, json.dumps(fault), "-x", mute=mute, limit=limit)
    except subprocess.TimeoutExpired:
        return (f"no end within {limit:.0f} s",)
    if run.status in (PASSED, NO_TESTS):
        return ()
    if run.status != FAILED or not run.failed:
        raise ArgumentError("measure", "suite", f"{EXPECTED}, and does not break down with one", f"{fault.name}: {run.said}")
    return run.failed[:1]


@cache
def _seconds_when_sound(suite: str) -> float:
    """Return how long the suite takes without a fault; raise if it does not pass then."""
    start = time.monotonic()
    run = _run(suite, "", "-x")
    if run.status == NO_TESTS:
        raise ArgumentError("measure", "suite", EXPECTED, f"no test in {suite!r}")
    if run.status != PASSED:
        first = run.failed[0] if run.failed else f"exit code {run.status}"
        raise ArgumentError("measure", "suite", EXPECTED, f"{first} of {suite!r}: {run.said}")
    return time.monotonic() - start


def _failures_of_right_loops(suite: str, fault: Fault) -> tuple[str, ...]:
    """Return the tests that fail though the loops are right; the same for every fault of a function."""
    key = suite, fault.module, fault.function
    if key not in _failures:
        right = fault._replace(name=f"{fault.room}.right-loops", new=fault.old)
        run = _run(suite, json.dumps(right))
        if run.status not in (PASSED, FAILED):
            raise ArgumentError("measure", "suite", EXPECTED, f"{right.name}: {run.said}")
        _failures[key] = run.failed
    return _failures[key]


def _run(suite: str, fault: str, *options: str, mute: tuple[str, ...] = (), limit: float | None = None) -> Run:
    """Run a suite with a fault, which the plugin plants, but for the tests of ``mute``.

    A file names those: ``--deselect`` would take every name that begins like one of them.
    """
    words = shlex.split(suite)
    if words[:3] in (["python", "-m", "pytest"], ["python3", "-m", "pytest"]):
        words = words[2:]
    if words[:1] != ["pytest"]:
        raise ArgumentError("measure", "suite", "a command that begins with 'pytest' or 'python -m pytest'", repr(suite))
    with tempfile.TemporaryDirectory() as folder:
        told, muted = Path(folder) / "failed", Path(folder) / "mute"
        muted.write_text(json.dumps(mute))
        files = {"RAWSEG_FAULT_REPORT": str(told), "RAWSEG_FAULT_MUTE": str(muted)}
        command = [sys.executable, "-m", "pytest", *words[1:], *options, "-q", "-p", PLUGIN]
        environment = {**os.environ, "RAWSEG_FAULT": fault, **files}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=limit)
        failed = tuple(dict.fromkeys(told.read_text().splitlines())) if told.exists() else ()
    lines = (done.stdout + done.stderr).strip().splitlines()
    return Run(done.returncode, failed, lines[-1] if lines else "")
