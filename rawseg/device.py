"""Where arrays live: NumPy on the CPU, CuPy on a GPU; cupy is imported only when a GPU is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels._arrays import device_of
from rawseg_kernels._arrays import module_of as array_module
from rawseg_kernels._capture import current
from rawseg_kernels._memory import with_room

from .errors import ArgumentError, ArgumentTypeError, BackendError

__all__ = ["array_module", "device_of", "drawn", "gpu_module", "move", "named_gpu", "zeros"]


def gpu_module(op: str = "to") -> Any:
    """Return CuPy, for an operation that needs a GPU.

    Raises
    ------
    BackendError
        If it or a GPU is missing.
    """
    try:
        import cupy  # type: ignore[import-not-found]
    except ImportError:
        raise BackendError(op, "device", "CuPy to be installed: pip install 'rawseg[cuda12]'", "no cupy module") from None
    if not cupy.cuda.is_available():
        raise BackendError(op, "device", "an NVIDIA GPU with a driver", "none that CuPy can use")
    return cupy


def move(array: Any, device: str) -> Any:
    """Return the array on ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; the same array if it is there already.

    Raises
    ------
    ArgumentError
        If ``device`` is not such a name, or there are not as many GPUs.
    BackendError
        If CuPy or a GPU is missing.
    MemoryError
        If the GPU has no room, even after CuPy's free blocks have been given back.
    """
    if not isinstance(device, str):
        raise ArgumentTypeError("to", "device", "'cpu', 'cuda' or 'cuda:N'", repr(device))
    if device == "cpu":
        return array if isinstance(array, np.ndarray) else array.get()
    cupy, there = named_gpu(device)
    with there:
        return with_room("to", cupy, array.shape, array.dtype, lambda: cupy.asarray(array))


def zeros(shape: tuple[int, ...], dtype: Any, device: str) -> Any:
    """Return zeros on a device, which a GPU writes itself; see `move` for what is raised."""
    if device == "cpu":
        return np.zeros(shape, dtype)
    cupy, there = named_gpu(device)
    with there:
        return with_room("zeros", cupy, shape, np.dtype(dtype), lambda: cupy.zeros(shape, dtype))


def drawn(draw: Callable[[], np.ndarray], device: str) -> Any:
    """Return random numbers of the host on a device; a CUDA graph gets new ones before each of its replays."""
    capture = current()
    if device == "cpu" or capture is None:
        return move(np.asarray(draw()), device)
    host, (cupy, there) = np.asarray(draw()), named_gpu(device)
    with there, cupy.cuda.using_allocator(cupy.get_default_memory_pool().malloc):
        # memory that nothing else in the graph writes to before this is read
        array = with_room("to", cupy, host.shape, host.dtype, lambda: cupy.empty(host.shape, host.dtype))
    capture.drawn.append((array, draw))
    return array


def named_gpu(name: str, op: str = "to", names: str = "'cpu', 'cuda' or 'cuda:N'") -> tuple[Any, Any]:
    """Return CuPy and its device of a name, ``"cuda"`` (the current one) or ``"cuda:N"``.

    Raises
    ------
    ArgumentError
        If it is not such a name (``names`` are those that ``op`` takes), or there are not as many GPUs.
    BackendError
        If CuPy or a GPU is missing.
    """
    kind, _, number = name.partition(":")
    if kind != "cuda" or (number and not number.isdigit()) or name == "cuda:":
        raise ArgumentError(op, "device", names, repr(name))
    cupy = gpu_module(op)
    count = cupy.cuda.runtime.getDeviceCount()
    if number and int(number) >= count:
        known = "'cuda:0'" if count == 1 else f"'cuda:0' to 'cuda:{count - 1}'"
        raise ArgumentError(op, "device", f"{known}, of which CuPy sees {count}", repr(name))
    return cupy, cupy.cuda.Device(int(number) if number else cupy.cuda.runtime.getDevice())
