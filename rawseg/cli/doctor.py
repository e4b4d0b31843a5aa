"""``rawseg doctor``: what this machine offers, and what is wrong with it, one line each."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .output import console

PACKAGES = ("numpy", "numba", "scipy", "pillow", "safetensors", "matplotlib", "cupy-cuda12x", "cupy-cuda13x")


def doctor(
    warm: Annotated[bool, typer.Option("--warm", help="Compile all kernels now, for both dtypes: minutes, once.")] = False,
) -> None:
    """Show versions, CPU features, threads, BLAS, GPU and the kernel cache, and what is wrong with each."""
    if warm:
        from .warm import tasks

        todo = [(name, run, dtype) for dtype in ("float32", "float64") for name, run in tasks()]
        for _, run, dtype in track(todo, "compiling kernels", console=Console(stderr=True)):
            run(dtype)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in (
        ("rawseg", f"{_version('rawseg')} on Python {platform.python_version()}, {platform.platform(terse=True)}"),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES if _version(name))),
        ("cpu", cpu()),
        ("threads", threads()),
        ("blas", blas()),
        ("gpu", gpu()),
        ("cache", cache()),
    ):
        table.add_row(name, text)
    console().print(table)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def cpu() -> str:
    """Return the CPU's name as LLVM knows it, and the vector width that the kernels take."""
    from llvmlite import binding

    from rawseg_kernels import _simd

    features = binding.get_host_cpu_features()
    found = [name for name in ("sse2", "avx", "avx2", "fma", "avx512f", "neon") if features.get(name)]
    return f"{binding.get_host_cpu_name()} ({', '.join(found)}); kernels use {_simd.host_tile()} tiles"


def threads() -> str:
    """Return how many threads kernels use, and how to change that."""
    from rawseg_kernels._threads import get_num_threads

    used, there = get_num_threads(), os.cpu_count()
    return f"{used} of {there} (RAWSEG_NUM_THREADS or --threads; the count never changes a result)"


def blas() -> str:
    """Return NumPy's BLAS; rawseg's own products do not use it."""
    import numpy  # noqa: F401 (loads the BLAS that is looked for)
    from threadpoolctl import threadpool_info

    found = [f"{i['internal_api']} {i.get('version')} ({i.get('architecture', '?')})" for i in threadpool_info()]
    note = ""
    if os.environ.get("OPENBLAS_CORETYPE"):
        note = f"; OPENBLAS_CORETYPE={os.environ['OPENBLAS_CORETYPE']} overrides its choice of kernels"
    return f"{', '.join(found) or 'none found'}; rawseg multiplies with its own kernels{note}"


def gpu() -> str:
    """Return the GPU's name, memory and software, or the one thing that is missing."""
    if not (_version("cupy-cuda12x") or _version("cupy-cuda13x") or _version("cupy")):
        return "CuPy is not installed (the extra cuda12 or cuda13 brings it); kernels run on the CPU"
    try:
        import cupy  # type: ignore[import-not-found]

        count = cupy.cuda.runtime.getDeviceCount()
        properties = cupy.cuda.runtime.getDeviceProperties(0)
        chip = f"{properties['name'].decode()}, compute capability {properties['major']}.{properties['minor']}"
        runtime, driver = (cuda_version(v()) for v in (cupy.cuda.runtime.runtimeGetVersion, cupy.cuda.runtime.driverGetVersion))
        software = f"CUDA {runtime}, driver for {driver}, {compiler(cupy)}, CuPy {cupy.__version__}"
        return f"{count} x {chip}; {software}\n{gpu_memory()}"
    except Exception as error:  # CuPy raises many kinds where a driver or library is missing; doctor reports, never fails
        return f"CuPy finds no usable GPU: {_said(error)} (check the driver with nvidia-smi)"


def compiler(cupy: Any) -> str:
    """Return the version of NVRTC, which CuPy loads when a kernel is compiled, or how to get it where it is missing."""
    try:
        return "NVRTC {}.{}".format(*cupy.cuda.nvrtc.getVersion())
    except Exception as error:  # as above
        extra = "cuda13-ctk" if _version("cupy-cuda13x") else "cuda12-ctk"
        return f"NO COMPILER, without which no kernel runs: {_said(error)} (pip install 'rawseg[{extra}]' brings it)"


def _said(error: Exception) -> str:
    """Return the kind of an error and the first line of its words."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def gpu_memory() -> str:
    """Return what is free on the GPU, and what CuPy's pool holds of it."""
    from ..cuda import memory_stats

    stats = {name: size / 2**20 for name, size in memory_stats().items()}
    used, held = stats["allocated_bytes.all.current"], stats["reserved_bytes.all.current"]
    return (
        f"memory: {stats['free']:.0f} of {stats['total']:.0f} MiB free; CuPy's pool holds {held:.0f} MiB, {used:.0f} MiB in use"
    )


def cuda_version(number: int) -> str:
    """Return a version as CUDA writes it: 12090 is 12.9."""
    return f"{number // 1000}.{number % 1000 // 10}"


def cache() -> str:
    """Return the folder of compiled kernels, its size, and whether it can be written."""
    from rawseg_kernels._jit import cache_folder, cache_is_writable

    folder = cache_folder()
    files = [file for file in folder.rglob("*") if file.is_file()] if folder.exists() else []
    size = sum(file.stat().st_size for file in files) / 2**20
    refused = "; NOT WRITABLE: kernels are compiled anew in every process (set RAWSEG_CACHE_DIR)"
    return f"{folder}: {len(files)} kernels, {size:.1f} MiB{'' if cache_is_writable() else refused}"
