"""Which GPU it is, with what software, and what it can do at best."""

from __future__ import annotations

import datetime
import platform
from functools import cache
from importlib import metadata
from typing import Any

import cupy  # type: ignore[import-not-found]
import numpy as np

from gpu.clock import microseconds
from rawseg.benchmark.machine import _commit

SIDE = 8192  # of the matrices whose product is timed
ELEMENTS = 2**28  # that are copied: 1 GiB of float32
PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "numpy", "torch", "torchvision", "rawseg")


def facts() -> dict[str, Any]:
    """Return what the results depend on."""
    runtime, found = cupy.cuda.runtime, cupy.cuda.runtime.getDeviceProperties(0)
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": found["name"].decode(),
        "compute_capability": f"{found['major']}.{found['minor']}",
        "memory_bytes": found["totalGlobalMem"],
        "cuda": {"driver": runtime.driverGetVersion(), "runtime": runtime.runtimeGetVersion()},
        "versions": versions,
        "python": platform.python_version(),
        "commit": _commit(),
    }


def file_name(result: dict[str, Any]) -> str:
    """Return the name of the file for these facts."""
    device = "".join(c if c.isalnum() else "_" for c in result["device"])
    return f"gpu_{result['when'][:10]}_{device}_cuda{result['cuda']['runtime']}_{result['commit'][:8]}.json"


@cache
def measured() -> dict[str, float]:
    """Return the rates of a copy and of a product of matrices, in float32 and rounded to TF32."""
    import torch

    x = cupy.zeros(ELEMENTS, np.float32)
    y = cupy.empty_like(x)
    copy = microseconds(lambda: cupy.copyto(y, x))
    a = cupy.ones((SIDE, SIDE), np.float32)
    product = microseconds(lambda: cupy.matmul(a, a), repeats=5)
    b, before = torch.ones(SIDE, SIDE).cuda(), torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    rounded = microseconds(lambda: torch.matmul(b, b), repeats=5)
    torch.backends.cuda.matmul.allow_tf32 = before
    flops = 2 * SIDE**3 / 1e6
    return {
        "copy_TB_s": 2 * x.nbytes / copy / 1e6,
        "matmul_TFLOP_s": flops / product,
        "matmul_tf32_TFLOP_s": flops / rounded,
    }


def ceilings() -> dict[str, Any]:
    """Return what was measured: what bounds every operation."""
    found = measured()
    words = "copy {copy_TB_s:.2f} TB/s, matmul {matmul_TFLOP_s:.0f} TFLOP/s, with TF32 {matmul_tf32_TFLOP_s:.0f}"
    return {**found, "said": words.format(**found)}
