"""CUDA graphs: operations that are captured once and launched as one, with the names of `torch.cuda`."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rawseg_kernels._capture import Capture, capturing
from rawseg_kernels._cuda import order

from ..autograd import Function
from ..device import gpu_module
from ..errors import BackendError, GraphError
from .private_pool import PrivatePool

__all__ = ["CUDAGraph", "Place", "graph"]

REFUSED = ("is capturing", "during stream capture")  # CuPy's words


class Place:
    """Where graphs are captured: graphs that share one may read each other's arrays, and run one after the other.

    A graph holds addresses alone. What dies during its capture, and is written again by each replay, stays in a pool from which
    nobody else gets memory. With the last graph the place ends, and so does the pool.
    """

    def __init__(self, device: Any) -> None:
        cuda = gpu_module("graph").cuda
        with device:
            self.device, self.stream, self.pool = device, cuda.Stream(non_blocking=True), PrivatePool(device)
        weakref.finalize(self, self.pool.retire).atexit = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Work on the stream, in the pool: after what the current stream was asked for, and before what it will be."""
        cupy = gpu_module("graph")
        with self.device:
            outside = cupy.cuda.get_current_stream()
            self.stream.wait_event(outside.record())
            try:
                with cupy.cuda.using_allocator(self.pool.malloc), self.stream:
                    yield
            finally:
                outside.wait_event(self.stream.record())


def place(array: Any = None) -> Place:
    """Return a new one on the GPU of an array, or on the current one."""
    cuda = gpu_module("graph").cuda
    return Place(cuda.Device(cuda.runtime.getDevice()) if array is None else array.device)


class CUDAGraph:
    """Operations on fixed arrays, captured by `graph`; `replay` does them again, on what the arrays hold by then.

    Notes
    -----
    A replay costs the CPU one launch in place of one for every kernel. Inputs have to be copied into the arrays that were there
    during the capture, and results lie where they lay.

    Whatever copies between GPU and host cannot be captured: the error names the operation. Checks of values (class ids in
    range, running statistics finite) are captured, and raise after the replay that met a wrong one; masks of dropout are
    drawn anew for each replay. Compile kernels by running everything once before the capture: `make_graphed_callables` and
    `GraphedStep` do this and more.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._place: Place | None = None
        self._capture = Capture()

    def pool(self) -> Place:
        """Return where it was captured, for another graph that reads its arrays."""
        if self._place is None:
            self._place = place()
        return self._place

    def replay(self) -> None:
        """Do it again, on the current stream.

        Raises
        ------
        GraphError
            If nothing was captured.
        RawsegError
            That of a captured check which found a wrong value.
        """
        if self._graph is None:
            raise GraphError("replay", "graph", "one that was captured", "an empty one")
        with self.pool().device:
            self._capture.refresh()
            self._graph.launch()
            self._capture.check()

    def reset(self) -> None:
        """Forget what was captured, and give its memory back: to the GPU, with the last graph of a place."""
        self._graph, self._capture = None, Capture()
        self._place = None  # the last, as this gives the memory back


@contextmanager
def graph(cuda_graph: CUDAGraph, pool: Place | None = None) -> Iterator[None]:
    """Capture what a ``with`` block does on a GPU; nothing is computed in it.

    Parameters
    ----------
    cuda_graph : CUDAGraph
        Takes it; must be empty.
    pool : Place, optional
        That of another graph, ``other.pool()``, whose arrays this one uses. Replays must then take turns.

    Raises
    ------
    BackendError
        If an operation needs the host, or a library that cannot be captured (cuBLAS, cuSOLVER, cuRAND); it names the operation.
    GraphError
        If the graph holds something already.
    """
    if cuda_graph._graph is not None:
        raise GraphError("graph", "cuda_graph", "an empty one (see reset())", "one that was captured")
    if pool is not None:
        cuda_graph._place = pool
    here, capture = cuda_graph.pool(), Capture()
    with here.entered(), capturing(capture):
        order.load(here.device.id)
        here.stream.begin_capture()
        try:
            yield
            capture.close()
            captured = here.stream.end_capture()
        except BaseException as error:
            with suppress(Exception):  # it tells once more what is being raised
                here.stream.end_capture()
            cuda_graph._place = None
            if isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSED):
                expected = "an operation that stays on the GPU, without cuBLAS: it is being captured"
                raise BackendError(_operation(error), "graph", expected, str(error)) from error
            raise
    cuda_graph._graph, cuda_graph._capture = captured, capture


def _operation(error: BaseException) -> str:
    """Return the innermost operation that a traceback goes through."""
    found, step = "graph", error.__traceback__
    while step is not None:
        module, name, values = step.tb_frame.f_globals["__name__"], step.tb_frame.f_code.co_name, step.tb_frame.f_locals
        function, cls = values.get("function"), values.get("cls")
        if module == "rawseg.functional.naming" and name == "call" and function is not None:
            found = function.__name__
        elif module == "rawseg.autograd.function" and isinstance(cls, type) and issubclass(cls, Function):
            found = cls.name()
        elif module == "rawseg.autograd.engine" and isinstance(function, type) and issubclass(function, Function):
            found = function.name()
        elif module == "rawseg.autograd.tensor" and name in ("item", "numpy"):
            found = name
        step = step.tb_next
    return found
