"""Measuring processes: one for each setting of the allocator, with threads that are pinned and equal on both sides."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, BackendError

# glibc: keep what was freed instead of giving it back, which takes page faults out of PyTorch's times
TUNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 34), "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_TOP_PAD_": str(1 << 28)}
DEFAULTS: dict[str, Any] = {
    "kind": "operations",
    "threads": 1,
    "repeats": 9,
    "seconds": 2.0,
    "algorithms": [],
    "passes": [],
    "impl": "",
    "torch": True,
    "check": True,
}


def torch_is_there() -> bool:
    """Return whether PyTorch is installed; nothing is compared without it, and nothing checked."""
    return importlib.util.find_spec("torch") is not None


def environment(threads: int, **settings: str) -> dict[str, str]:
    """Return the settings that a process reads when it starts."""
    pinned = {} if "GOMP_CPU_AFFINITY" in os.environ else {"GOMP_CPU_AFFINITY": ",".join(map(str, _cpus()))}
    count = str(threads)
    # The caller's folder comes first on the path, as it does for a script: a foreign kernel may lie in it.
    paths = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **pinned, "OMP_NUM_THREADS": count, "RAWSEG_NUM_THREADS": count, "PYTHONPATH": paths, **settings}


def _cpus() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def ask(request: dict[str, Any], *, tuned: bool = False, **settings: str) -> Iterator[dict[str, Any]]:
    """Yield the answers of a new process to a request.

    Parameters
    ----------
    request : dict
        What `worker` serves; what is left out is as in ``DEFAULTS``.
    tuned : bool
        With an allocator that keeps its memory.
    **settings : str
        Further environment variables.

    Raises
    ------
    ArgumentError
        What the process refused, raised here.
    BackendError
        If it ended in any other way.
    """
    request = {**DEFAULTS, **request}
    variables = environment(request["threads"], **(TUNED if tuned else {}), **settings)
    command = [sys.executable, "-m", "rawseg.benchmark.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it has ended: its exit code says more
                process.stdin.write(json.dumps(request))
                process.stdin.close()
            for line in process.stdout:
                answer = json.loads(line)
                if "refused" in answer:
                    raise ArgumentError(*answer["refused"])
                yield answer
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        got = f"exit code {process.returncode}; what it said stands above"
        raise BackendError("bench", "measuring process", "an end without an error", got)


def cold_start(request: dict[str, Any]) -> dict[str, Any]:
    """Return what a "first call" or "first step" takes in a new process, without compiled kernels (``empty``) and with."""
    times = {}
    with tempfile.TemporaryDirectory(prefix="rawseg-bench-") as folder:
        for name in ("empty", "warm"):
            *_, last = ask(request, RAWSEG_CACHE_DIR=str(Path(folder)))
            times[name] = last["first"]
    return times
