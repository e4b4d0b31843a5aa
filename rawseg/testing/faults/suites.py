"""A suite of tests against a planted fault, in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from ...errors import ArgumentError
from .fault import Fault

PLUGIN = "rawseg.testing.faults.pytest_plugin"
PASSED, FAILED, NO_TESTS = 0, 1, 5  # pytest's exit codes
EXPECTED = "a pytest suite that passes without a fault"
_KNOWN_FAILURES: dict[tuple[str, str, str], tuple[str, ...]] = {}


def first_failure(fault: Fault, suite: str) -> tuple[str, ...]:
    """Return the node id of the first test that fails with the fault, or nothing.

    A fault in loops puts them in every algorithm's place. Tests that fail when the right loops stand there have found the
    exchange, not the fault, and do not count.

    Raises
    ------
    ArgumentError
        If the command is none of pytest's, fails without a fault, has no test, or breaks down.
    """
    _check_sound(suite)
    right = fault._replace(name=f"{fault.room}.right-loops", new=fault.old) if fault.in_loops else None
    mute = _failures(suite, right) if right else ()
    status, failed, said = _run(suite, json.dumps(fault), "-x", *(f"--deselect={test}" for test in mute))
    if status in (PASSED, NO_TESTS):
        return ()
    if status != FAILED or not failed:
        raise ArgumentError("measure", "suite", f"{EXPECTED}, and does not break down with one", f"{fault.name}: {said}")
    return (failed[0],)


@cache
def _check_sound(suite: str) -> None:
    status, failed, said = _run(suite, "", "-x")
    if status == NO_TESTS:
        raise ArgumentError("measure", "suite", EXPECTED, f"no test in {suite!r}")
    if status != PASSED:
        raise ArgumentError(
            "measure", "suite", EXPECTED, f"{failed[0] if failed else f'exit code {status}'} of {suite!r}: {said}"
        )


def _failures(suite: str, right: Fault) -> tuple[str, ...]:
    """Return the tests that fail though the loops are right; the same for every fault of a function."""
    key = suite, right.module, right.function
    if key not in _KNOWN_FAILURES:
        status, failed, said = _run(suite, json.dumps(right))
        if status not in (PASSED, FAILED):
            raise ArgumentError("measure", "suite", EXPECTED, f"{right.name}: {said}")
        _KNOWN_FAILURES[key] = failed
    return _KNOWN_FAILURES[key]


def _run(suite: str, fault: str, *options: str) -> tuple[int, tuple[str, ...], str]:
    """Return pytest's exit code, the failed tests, and the last line that pytest said; ``fault`` is for the plugin."""
    words = shlex.split(suite)
    if words[:3] in (["python", "-m", "pytest"], ["python3", "-m", "pytest"]):
        words = words[2:]
    if words[:1] != ["pytest"]:
        raise ArgumentError("measure", "suite", "a command that begins with 'pytest' or 'python -m pytest'", repr(suite))
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "failed"
        environment = {**os.environ, "RAWSEG_FAULT": fault, "RAWSEG_FAULT_REPORT": str(told)}
        command = [sys.executable, "-m", "pytest", *words[1:], *options, "-q", "-p", PLUGIN]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        failed = tuple(dict.fromkeys(told.read_text().splitlines())) if told.exists() else ()
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, failed, lines[-1] if lines else ""
