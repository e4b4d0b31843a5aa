"""Streams, events and graphs of the pretended CuPy.

Operations run at once, but a copy from the host on a stream of its own lands only when somebody waits for it, and work on one
stream that should have waited for another is an error. While a stream captures, operations are recorded and nothing is
computed: results hold poison until the graph is launched, and after their last use in it, too. Whatever needs a value on the
host raises as CuPy does.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import numpy as np
from on_gpu.pretended_memory import DEFAULT, Block, CUDARuntimeError, current_device, current_pool, poisoned

_threads, _numbers, _streams = threading.local(), count(2), weakref.WeakSet()


UNSUPPORTED = "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing"
INVALIDATED = "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture"
ISOLATION = "cudaErrorStreamCaptureIsolation: dependency created on uncaptured work in another stream"


def _stack() -> list[Stream]:
    if not hasattr(_threads, "stack"):
        _threads.stack = [Stream.null]
    return _threads.stack


def get_current_stream() -> Stream:
    """Return the stream that operations of this thread go to."""
    return _stack()[-1]


def of_pointer(ptr: int) -> Stream:
    """Return a stream by its address, or by DLPack's number of the default one."""
    return Stream.null if ptr in (0, 1) else next(stream for stream in _streams if stream.ptr == ptr)


def hand_over(ptr: int | None) -> None:
    """Let the stream that will read, as DLPack's consumer names it, wait for the current one; -1 asks for nothing."""
    reader, writer = of_pointer(1 if ptr is None else ptr) if ptr != -1 else None, get_current_stream()
    if reader is not None and reader is not writer:
        reader.wait_event(writer.record())


class Stream:
    """An order of operations."""

    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr, self.is_non_blocking = 0 if null else next(_numbers), non_blocking
        self.device_id = current_device()
        self.copies: list[Callable[[], None]] = []  # from the host, not landed yet
        self.landed = self.done = 0  # copies that have; operations that are no copies
        self.expected: list[tuple[Stream, int]] = []  # copies on other streams for which the next operation waits
        self.seen: dict[int, int] = {}  # by stream: how many of its operations this one has waited for
        self.graph: Graph | None = None
        self._broken = False
        _streams.add(self)

    @classmethod
    def from_external(cls, obj: Any) -> Stream:
        """Return the stream of anything that has CUDA's protocol for streams; here, of one that is known."""
        version, ptr = obj.__cuda_stream__()
        assert version == 0
        return of_pointer(ptr)

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr

    def __enter__(self):
        _stack().append(self)
        return self

    def __exit__(self, *_exception):
        _stack().pop()

    def record(self, event: Event | None = None) -> Event:
        """Mark this place."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what follows wait for a mark."""
        if self.graph is not None:
            self._broken = True
            raise CUDARuntimeError(ISOLATION)
        event.reach(self)
        self.expected += event.expected  # the host goes on: they land with this stream's next operation

    def synchronize(self) -> None:
        """Wait for all."""
        if self.graph is not None:
            self._broken = True
            raise CUDARuntimeError(UNSUPPORTED)
        self.record().synchronize()

    def land(self, until: int | None = None) -> None:
        """Let copies land, up to a number of them."""
        while self.copies and (until is None or self.landed < until):
            self.copies.pop(0)()
            self.landed += 1

    def start(self) -> None:
        """Begin an operation: whatever it waits for is there."""
        self.check_order()
        self.land()
        for stream, copies in self.expected:
            stream.land(copies)
        self.expected = []

    def check_order(self) -> None:
        """Raise unless this stream has waited for what others have done."""
        for other in _streams:
            apart = other is not self and (other.is_non_blocking or self.is_non_blocking)
            if apart and other.done > self.seen.get(other.ptr, 0):
                raise RuntimeError(f"a race: stream {self.ptr} has not waited for stream {other.ptr}")

    def begin_capture(self, _mode: Any = None) -> None:
        """Record from here on; CuPy allows the default pool, whose memory others get while the graph still writes to it."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if current_pool() is DEFAULT:
            raise RuntimeError("a graph needs a memory pool of its own")
        self.graph, self._broken = Graph(), False

    def end_capture(self) -> Graph:
        """Return what was recorded."""
        graph, self.graph = self.graph, None
        if self._broken or graph is None:
            raise CUDARuntimeError(INVALIDATED)
        return graph

    def is_capturing(self) -> bool:
        """Return whether it records."""
        return self.graph is not None


Stream.null = Stream(null=True)


class Event:
    """A mark in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.stream: Stream | None = None
        self.copies, self.seen, self.expected = 0, {}, []
        self.time = 0.0

    def record(self, stream: Stream | None = None) -> None:
        """Mark a place."""
        self.stream = get_current_stream() if stream is None else stream
        self.copies = self.stream.landed + len(self.stream.copies)
        self.expected = [*self.stream.expected, (self.stream, self.copies)]
        self.seen = {**self.stream.seen, self.stream.ptr: self.stream.done}  # what came before the mark, in all streams
        self.time = time.perf_counter()

    def reach(self, waiting: Stream) -> None:
        """Let a stream have waited for what came before this."""
        for stream, done in self.seen.items():
            waiting.seen[stream] = max(waiting.seen.get(stream, 0), done)

    def synchronize(self) -> None:
        """Let the host, and so whatever it asks for from now on, have waited for this."""
        for stream, copies in self.expected:
            stream.land(copies)
        for stream in list(_streams):
            self.reach(stream)

    @property
    def done(self) -> bool:
        """Return whether everything before the mark has been done."""
        return self.stream is None or self.stream.landed >= self.copies


def get_elapsed_time(begin: Event, end: Event) -> float:
    """Return milliseconds."""
    return (end.time - begin.time) * 1000


def synchronize_all() -> None:
    """Wait for all streams."""
    for stream in list(_streams):
        stream.synchronize()


class Graph:
    """What was recorded: operations on the same arrays again and again."""

    def __init__(self) -> None:
        self.steps: list[Callable[[], Any]] = []
        self.pool = weakref.ref(current_pool())

    def launch(self, stream: Stream | None = None) -> None:
        """Do it."""
        if self.pool() is None:
            raise CUDARuntimeError("cudaErrorIllegalAddress: the graph's memory has been given back")
        with get_current_stream() if stream is None else stream:
            run(lambda: [step() for step in self.steps])

    def record(self, operation: Callable[[], Any], written: Any) -> Any:
        """Keep an operation; return what it writes to, or poisoned arrays that a launch fills."""
        if written is not None:
            self.steps.append(operation)
            return written
        with np.errstate(all="ignore"):
            results, again = operation(), operation()
        fresh = [one for one, other in zip(_arrays(results), _arrays(again)) if not _same_memory(one, other)]
        if isinstance(results, np.generic):
            results = np.asarray(results)
            fresh = [results]
        for array in fresh:
            poisoned(array)
        if fresh:
            self.steps.append(lambda: _refill(results, operation()))
        return results


def _refill(results: Any, computed: Any) -> None:
    for array, new in zip(_arrays(results), _arrays(computed)):
        if not _same_memory(array, new):
            array[...] = new


def _arrays(result: Any) -> list[np.ndarray]:
    parts: Iterable[Any] = result if isinstance(result, (tuple, list)) else (result,)
    return [
        np.asarray(part) if isinstance(part, np.generic) else part
        for part in parts
        if isinstance(part, np.ndarray | np.generic)
    ]


def _same_memory(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether an operation that was run twice gave a view of its operand, and nothing fresh."""
    return a.__array_interface__["data"] == b.__array_interface__["data"]


def run(operation: Callable[[], Any], written: Any = None) -> Any:
    """Run an operation on this thread's stream, or record it; ``written`` are the operands that it changes, if it does."""
    stream = get_current_stream()
    if stream.graph is not None:
        return stream.graph.record(operation, written)
    stream.start()
    stream.done += 1
    return operation()


def allocate(make: Callable[[], np.ndarray]) -> np.ndarray:
    """Make an array whose memory the stream may have from an earlier one: it holds poison, and is no operation."""
    stream = get_current_stream()
    if stream.graph is not None:
        array = poisoned(make())
        if current_pool() is stream.graph.pool():  # where it may be the memory of what the graph computed before
            stream.graph.steps.append(lambda: poisoned(array))
        return array
    stream.check_order()
    return poisoned(make())


def _died(array: np.ndarray, pool: Any) -> None:
    """Let a graph write poison where something died during its capture: whatever comes next may lie there."""
    graph = get_current_stream().graph
    if graph is not None and pool is graph.pool() and array.flags.writeable:
        graph.steps.append(lambda: poisoned(array))


Block.died = staticmethod(_died)


def refuse_capture(direction: str) -> None:
    """Raise as CuPy does where a copy between host and device is asked for during a capture."""
    if get_current_stream().graph is not None:
        raise RuntimeError(f"the current stream is capturing, so {direction} transfers are disallowed")


def refuse_library(name: str) -> None:
    """Raise as CuPy does where a library of CUDA is called during a capture."""
    if get_current_stream().graph is not None:
        raise NotImplementedError(f"calling {name} API during stream capture is currently unsupported")


def copy(target: np.ndarray, source: np.ndarray, stream: Stream | None = None) -> None:
    """Copy from the host: at once on the default stream, and on another when somebody waits for it."""
    stream = get_current_stream() if stream is None else stream
    if stream.graph is not None:
        refuse_capture("H2D")
        raise RuntimeError("the current stream is capturing, so H2D transfers are disallowed")
    if stream.is_non_blocking:
        stream.check_order()
        poisoned(target)
        stream.copies.append(lambda: np.copyto(target, source))
    else:
        stream.start()
        stream.done += 1
        np.copyto(target, source)
