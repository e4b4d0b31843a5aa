"""CUDA kernels under sanitizers, in a process of their own, which an error in one ends."""

from __future__ import annotations

import os
import subprocess
import sys

from rawseg_kernels._cuda import emulator


def sanitized(what: str) -> list[str]:
    """Return the lines that ``sanitized.py`` prints, a call each; an AssertionError with the last one if the process died."""
    environment = {**os.environ, **emulator.sanitizers(), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "on_gpu.sanitized", what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"died in {lines[-1]}: {done.stderr}"
    return lines
