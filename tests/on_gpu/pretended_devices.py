"""Devices of the pretended CuPy: as many as are asked for, of which each thread has one as its current one.

It is stricter than CuPy, which lets the current device compute on the memory of another one where it can.
"""

from __future__ import annotations

import threading

from on_gpu import pretended_memory as memory
from on_gpu import pretended_streams as streams

_threads = threading.local()
_there = [1]


def current() -> int:
    """Return this thread's device."""
    return memory.current_device()


def count() -> int:
    """Return how many there are."""
    return _there[0]


def provide(number: int) -> None:
    """Let there be so many; the first is current again."""
    _there[0] = number
    memory.use_device(0)


class Device:
    """One of them, by default the current one."""

    compute_capability = "90"

    def __init__(self, device: int | None = None) -> None:
        self.id = current() if device is None else int(device)

    def use(self) -> None:
        """Make it current."""
        if not 0 <= self.id < count():
            raise streams.CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        memory.use_device(self.id)

    def __enter__(self):
        if not hasattr(_threads, "stack"):
            _threads.stack = []
        _threads.stack.append(current())
        self.use()
        return self

    def __exit__(self, *_exception):
        memory.use_device(_threads.stack.pop())

    def __eq__(self, other):
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self):
        return self.id

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def synchronize(self):
        """Wait for all streams."""
        streams.synchronize_all()

    def check(self) -> None:
        """Raise unless it is current: something computes on its memory."""
        if self.id != current():
            raise RuntimeError(f"memory of device {self.id} in a computation of device {current()}")
