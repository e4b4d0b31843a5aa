"""Launches on a GPU through CuPy, which is imported by then: there is a CuPy array."""

from __future__ import annotations

import os
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
    function = _function(kernel, first.device.id)
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


def load(kernel: Kernel, device: int) -> None:
    """Compile a kernel for a device, if it is not yet: during a capture that is too late."""
    _function(kernel, device)


@lru_cache(maxsize=1024)
def _function(kernel: Kernel, _device: int) -> Any:
    """Return the compiled kernel; CuPy keeps the machine code on disk."""
    cupy = sys.modules["cupy"]
    module = cupy.RawModule(code=kernel.source.whole, options=kernel.source.options(kernel.dtype, kernel.defines))
    try:
        return module.get_function(kernel.name)
    except Exception as error:  # CuPy raises many kinds where NVRTC or the driver is missing, or the source is wrong
        lines = str(error).strip().splitlines() or [""]
        expected = "CUDA's compiler and driver (pip install 'rawseg[cuda12-ctk]'; nvidia-smi shows the driver)"
        raise BackendError(kernel.name, "device", expected, f"{type(error).__name__}: {lines[0]}") from error


def _failed(kernel: Kernel, given: Sequence[Any], error: Exception) -> BackendError:
    return BackendError(kernel.name, "launch", f"an end without error of ({kernel.shapes(given)})", error)
