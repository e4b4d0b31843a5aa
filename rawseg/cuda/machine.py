"""Which GPUs there are, and what CuPy's memory pool holds of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..device import gpu_module, named_gpu
from ..errors import ArgumentTypeError

__all__ = [
    "current_device",
    "device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "set_device",
    "synchronize",
]

NAMES = "a number, 'cuda' or 'cuda:N'"


def is_available() -> bool:
    """Return whether CuPy is installed and finds a GPU; never raises."""
    return device_count() > 0


def device_count() -> int:
    """Return the number of GPUs, 0 without CuPy or a driver; never raises."""
    try:
        import cupy  # type: ignore[import-not-found]

        return int(cupy.cuda.runtime.getDeviceCount())
    except Exception:  # CuPy raises many kinds where a driver or library is missing
        return 0


def current_device() -> int:
    """Return the number of the GPU that ``"cuda"`` stands for.

    Raises
    ------
    BackendError
        If there is no GPU; as everything below.
    """
    return int(gpu_module("current_device").cuda.runtime.getDevice())


def set_device(device: Any) -> None:
    """Make a GPU, a number or ``"cuda:N"``, the current one of this thread, where everything is computed; ``"cuda"`` is it.

    Raises
    ------
    ArgumentError
        If there are not as many GPUs.
    """
    cupy = gpu_module("set_device")
    cupy.cuda.Device(_number("set_device", device)).use()


@contextmanager
def device(device: Any) -> Iterator[None]:
    """Do as `set_device` while this lasts."""
    cupy = gpu_module("device")
    with cupy.cuda.Device(_number("device", device)):
        yield


def get_device_name(device: Any = None) -> str:
    """Return a GPU's name; ``device`` is a number or ``"cuda:N"``, by default the current one."""
    cupy = gpu_module("get_device_name")
    name = cupy.cuda.runtime.getDeviceProperties(_number("get_device_name", device))["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def synchronize(device: Any = None) -> None:
    """Wait until a GPU has done everything, on all streams."""
    cupy = gpu_module("synchronize")
    cupy.cuda.Device(_number("synchronize", device)).synchronize()


def memory_allocated(device: Any = None) -> int:
    """Return the bytes of a GPU's arrays that something refers to; CUDA graphs have pools of their own, which do not count."""
    cupy = gpu_module("memory_allocated")
    with cupy.cuda.Device(_number("memory_allocated", device)):
        return int(cupy.get_default_memory_pool().used_bytes())


def memory_reserved(device: Any = None) -> int:
    """Return the bytes that CuPy's pool holds of a GPU, those for the next arrays included."""
    cupy = gpu_module("memory_reserved")
    with cupy.cuda.Device(_number("memory_reserved", device)):
        return int(cupy.get_default_memory_pool().total_bytes())


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Return the bytes of a GPU that no process holds, and all of them."""
    cupy = gpu_module("mem_get_info")
    with cupy.cuda.Device(_number("mem_get_info", device)):
        free, total = cupy.cuda.runtime.memGetInfo()
    return int(free), int(total)


def memory_stats(device: Any = None) -> dict[str, int]:
    """Return what is known of a GPU's memory, in bytes.

    Returns
    -------
    dict
        ``allocated_bytes.all.current`` and ``reserved_bytes.all.current``, as PyTorch calls `memory_allocated` and
        `memory_reserved`; ``inactive_bytes.all.current``, their difference; ``free`` and ``total`` of the device.

    Notes
    -----
    CuPy's pool keeps no peaks, so there are none here.
    """
    free, total = mem_get_info(device)
    allocated, reserved = memory_allocated(device), memory_reserved(device)
    return {
        "allocated_bytes.all.current": allocated,
        "reserved_bytes.all.current": reserved,
        "inactive_bytes.all.current": reserved - allocated,
        "free": free,
        "total": total,
    }


def empty_cache() -> None:
    """Give what the pool holds for the next arrays back to the GPU; arrays are left alone."""
    gpu_module("empty_cache").get_default_memory_pool().free_all_blocks()


def _number(op: str, device: Any) -> int:
    """Return a GPU's number; that of the current one for None."""
    if isinstance(device, int) and not isinstance(device, bool):
        device = f"cuda:{device}"
    if device is not None and not isinstance(device, str):
        raise ArgumentTypeError(op, "device", NAMES, repr(device))
    return int(named_gpu(device or "cuda", op, NAMES)[1].id)
