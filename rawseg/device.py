"""Where arrays live: NumPy on the CPU, CuPy on a GPU; cupy is imported only when a GPU is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import device_of
from rawseg_kernels._arrays import module_of as array_module

from .errors import ArgumentError, ArgumentTypeError, BackendError

__all__ = ["array_module", "device_of", "move"]


def _cupy() -> Any:
    try:
        import cupy  # type: ignore[import-not-found]
    except ImportError:
        raise BackendError("to", "device", "CuPy to be installed: pip install 'rawseg[cuda12]'", "no cupy module") from None
    if not cupy.cuda.is_available():
        raise BackendError("to", "device", "an NVIDIA GPU with a driver", "none that CuPy can use")
    return cupy


def move(array: Any, device: str) -> Any:
    """Return the array on ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; the same array if it is there already.

    Raises
    ------
    ArgumentError
        If ``device`` is not such a name, or there are not as many GPUs.
    BackendError
        If CuPy or a GPU is missing.
    """
    if not isinstance(device, str):
        raise ArgumentTypeError("to", "device", "'cpu', 'cuda' or 'cuda:N'", repr(device))
    kind, _, number = device.partition(":")
    if kind == "cpu" and not number:
        return array if isinstance(array, np.ndarray) else array.get()
    if kind != "cuda" or (number and not number.isdigit()):
        raise ArgumentError("to", "device", "'cpu', 'cuda' or 'cuda:N'", repr(device))
    cupy = _cupy()
    count = cupy.cuda.runtime.getDeviceCount()
    if number and int(number) >= count:
        known = "'cuda:0'" if count == 1 else f"'cuda:0' to 'cuda:{count - 1}'"
        raise ArgumentError("to", "device", f"{known}, of which CuPy sees {count}", repr(device))
    with cupy.cuda.Device(int(number) if number else cupy.cuda.runtime.getDevice()):
        return cupy.asarray(array)
