"""What a result was measured on: the processor and its two ceilings, the versions, and the commit of a checkout."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("rawseg", "numpy", "numba", "llvmlite", "torch", "torchvision")


def facts(threads: int) -> dict[str, Any]:
    """Return the machine, its measured ceilings at so many threads, versions and commit."""
    from rawseg_kernels._simd_peak import copy_bandwidth, peak_flops

    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "threads": threads,
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "peak_flops": peak_flops(),
        "copy_bandwidth": copy_bandwidth(),
    }


def _processor() -> str:
    """Return the name that the system and LLVM give the processor."""
    from llvmlite import binding

    code = binding.get_host_cpu_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return code
    return f"{name} ({code})"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    """Return the commit that the package is checked out at, with a + if it was changed since; nothing for an installed one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        run = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
        return subprocess.run(run, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
