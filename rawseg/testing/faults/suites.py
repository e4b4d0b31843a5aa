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


def first_failure(fault: Fault, suite: str) -> tuple[str, ...]:
    """Return the node id of the first test that fails with the fault, or nothing.

    Raises
    ------
    ArgumentError
        If the command is none of pytest's, fails without a fault, has no test, or breaks down.
    """
    _check_sound(suite)
    status, failed, said = _run(suite, json.dumps(fault))
    if status == PASSED:
        return ()
    if status != FAILED or not failed:
        raise ArgumentError("measure", "suite", f"{EXPECTED}, and does not break down with one", f"{fault.name}: {said}")
    return (failed,)


@cache
def _check_sound(suite: str) -> None:
    status, failed, said = _run(suite, "")
    if status == NO_TESTS:
        raise ArgumentError("measure", "suite", EXPECTED, f"no test in {suite!r}")
    if status != PASSED:
        raise ArgumentError("measure", "suite", EXPECTED, f"{failed or f'exit code {status}'} of {suite!r}: {said}")


def _run(suite: str, fault: str) -> tuple[int, str, str]:
    """Return pytest's exit code, the first failed test, and the last line that pytest said; ``fault`` is for the plugin."""
    words = shlex.split(suite)
    if words[:3] in (["python", "-m", "pytest"], ["python3", "-m", "pytest"]):
        words = words[2:]
    if words[:1] != ["pytest"]:
        raise ArgumentError("measure", "suite", "a command that begins with 'pytest' or 'python -m pytest'", repr(suite))
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "failed"
        environment = {**os.environ, "RAWSEG_FAULT": fault, "RAWSEG_FAULT_REPORT": str(told)}
        command = [sys.executable, "-m", "pytest", *words[1:], "-x", "-q", "-p", PLUGIN]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        failed = told.read_text().splitlines()[0] if told.exists() else ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, failed, lines[-1] if lines else ""
