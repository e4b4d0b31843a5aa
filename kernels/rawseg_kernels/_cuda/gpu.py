"""Launches on a GPU through CuPy, which is imported by then: there is a CuPy array."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arrays import check_current
from .._capture import current
from .._errors import BackendError

if TYPE_CHECKING:
    from .kernel import Kernel

# What CuPy, NVRTC and the driver say where a library is missing, or where the driver is too old for what was compiled.
MISSING = re.compile(
    r"failed to (load|open) \S*nvrtc|(nvrtc|libcuda)\S*: cannot open|nvcuda\.dll"
    r"|cudaErrorInsufficientDriver|cudaErrorNoDevice|CUDA_ERROR_NO_DEVICE|CUDA_ERROR_STUB_LIBRARY|SYSTEM_DRIVER_MISMATCH"
    r"|CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
)
COMPILER = "CUDA's compiler and driver (pip install 'rawseg[cuda12-ctk]' or 'rawseg[cuda13-ctk]'; nvidia-smi shows the driver)"
FREE_SHARED = 48 * 1024  # bytes of shared memory that a launch may ask for without saying so before


def run(kernel: Kernel, grid: tuple[int, ...], block: tuple[int, ...], given: Sequence[Any], shared: int) -> None:
    """Launch a kernel on CuPy's current stream, of its current device.

    Raises
    ------
    DeviceError
        If the arrays are on another device.
    BackendError
        If the kernel cannot be compiled or launched, or, with ``RAWSEG_SYNC=1``, if it fails.
    """
    cupy = sys.modules["cupy"]
    first = next(a for a in given if isinstance(a, cupy.ndarray))
    check_current(kernel.name, "arrays", first)
    function = _function(kernel, cupy.RawModule, first.device.id)
    if shared > FREE_SHARED:
        function.max_dynamic_shared_size_bytes = shared
    arguments = tuple(np.uintp(0) if a is None else a for a in given)
    try:
        function(grid, block, arguments, shared_mem=shared)
        if os.environ.get("RAWSEG_SYNC", "") not in ("", "0") and current() is None:  # a capture runs nothing
            cupy.cuda.get_current_stream().synchronize()
    except cupy.cuda.driver.CUDADriverError as error:
        raise _failed(kernel, given, error) from error
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise _failed(kernel, given, error) from error


@lru_cache(maxsize=1024)
def _function(kernel: Kernel, raw_module: Any, _device: int) -> Any:
    """Return the kernel as compiled by a CuPy's ``RawModule``; CuPy keeps the machine code on disk.

    CuPy is part of the key, since what one CuPy has compiled is nothing to another in its place.
    """
    module = raw_module(code=kernel.source.whole, options=kernel.source.options(kernel.dtype, kernel.defines))
    try:
        return module.get_function(kernel.name)
    except MemoryError:
        raise
    except Exception as error:  # CuPy raises many kinds
        raise _not_compiled(kernel, error) from error


def _not_compiled(kernel: Kernel, error: Exception) -> BackendError:
    """Return what is told of a kernel that cannot be compiled or loaded: that a library is missing only where one is."""
    words = f"{type(error).__name__}: {str(error).strip()}"
    if isinstance(error, ImportError) or MISSING.search(words):
        return BackendError(kernel.name, "device", COMPILER, words.splitlines()[0])
    if current() is not None:
        return BackendError(kernel.name, "launch", "a call before the capture, which compiles and loads it", words)
    return BackendError(kernel.name, "source", f"{kernel.source.path.name} to be compiled and loaded", words)


def _failed(kernel: Kernel, given: Sequence[Any], error: Exception) -> BackendError:
    return BackendError(kernel.name, "launch", f"an end without error of ({kernel.shapes(given)})", error)
