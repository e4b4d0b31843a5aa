"""NVIDIA's compute-sanitizer over every kernel of the catalogue, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

TOOLS = ("memcheck", "racecheck", "synccheck")
SECONDS = 120  # of one tool
FAULT = 9  # its exit status where it finds something
PLACES = ("nvidia/cu13/bin", "nvidia/cuda_sanitizer_api/bin", "nvidia/cu13/compute-sanitizer")  # in site-packages
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
    """Run all calls under a tool, which ends at its first finding."""
    found = program()
    if found is None:
        return {"not_run": f"there is no compute-sanitizer: {INSTALL}", "said": "not run: no compute-sanitizer"}
    command = [found, "--tool", tool, "--error-exitcode", str(FAULT), sys.executable, "-m", "gpu.calls"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUPY_CACHE_IN_MEMORY": "0"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired as late:
        calls = (late.stdout or b"").decode(errors="replace").splitlines()
        return {"not_run": f"{SECONDS} s were too short", "calls": len(calls), "said": f"stopped after {len(calls)} calls"}
    calls = [line for line in done.stdout.splitlines() if not line.startswith("=")]
    if done.returncode:
        report = "\n".join(line for line in done.stdout.splitlines() if line.startswith("="))
        raise AssertionError(f"{tool}, in {calls[-1] if calls else 'no call'}: {report[-1500:]}{done.stderr[-500:]}")
    return {"calls": len(calls), "said": f"{len(calls)} calls, nothing found"}
