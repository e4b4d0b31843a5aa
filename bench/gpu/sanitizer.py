"""NVIDIA's compute-sanitizer over every kernel call, in processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

TOOLS = ("memcheck", "racecheck", "synccheck")
SECONDS = 40  # of one tool: 120 of the budget's 520 for all three
FAULT = 9  # its exit status where it finds something
PLACES = ("nvidia/cu13/bin", "nvidia/cuda_sanitizer_api/bin", "nvidia/cu13/compute-sanitizer")  # in site-packages
REPORT = "========="  # begins every line of its own
INSTALL = "pip install nvidia-cuda-sanitizer-api (or nvidia-cuda-sanitizer-api-cu12)"


def steps() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return a step for every tool."""
    return [(f"compute-sanitizer {tool}", partial(run, tool)) for tool in TOOLS]


def program() -> str | None:
    """Return compute-sanitizer, of CUDA's toolkit or of its package."""
    packages = [str(Path(sysconfig.get_path("purelib")) / place) for place in PLACES]
    toolkit = str(Path(os.environ.get("CUDA_PATH", "/usr/local/cuda")) / "bin")
    return shutil.which("compute-sanitizer", path=os.pathsep.join([os.environ.get("PATH", ""), toolkit, *packages]))


def run(tool: str) -> dict[str, Any]:
    """Run all calls under a tool; where the time is up, what ran until then counts for nothing."""
    found = program()
    if found is None:
        return {"not_run": f"there is no compute-sanitizer: {INSTALL}"}
    command = [found, "--tool", tool, "--error-exitcode", str(FAULT), sys.executable, "-m", "gpu.calls"]
    printed, status = output_of(command)
    calls = [line for line in printed if not line.startswith(REPORT)]
    if status is None:
        return {"not_run": f"{SECONDS} s were too short: it came to call {len(calls)}", "calls": len(calls)}
    if status:
        report = "\n".join(findings(printed))
        raise AssertionError(f"{tool}, after {last_call(printed) or 'no call'} began: {report[:1500]}")
    return {"calls": len(calls), "said": f"{len(calls)} calls, nothing found"}


def output_of(command: list[str]) -> tuple[list[str], int | None]:
    """Return the lines that a command prints, and its status; None if it was stopped, with all that it had started."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        printed, _ = started.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)  # the sanitizer's end alone would leave Python on the GPU
        printed, _ = started.communicate()
        return printed.splitlines(), None
    return printed.splitlines(), started.returncode


def findings(printed: list[str]) -> list[str]:
    """Return the report without its first lines, which are there in any case."""
    usual = tuple(f"{REPORT} {word}" for word in ("COMPUTE", "Target"))
    return [line for line in printed if line.startswith(REPORT) and not line.startswith(usual)]


def last_call(printed: list[str]) -> str:
    """Return the call that began last before the first finding: the tools go on after one."""
    name, found = "", set(findings(printed)[:1])
    for line in printed:
        if line in found:
            return name
        if not line.startswith(REPORT):
            name = line
    return name
