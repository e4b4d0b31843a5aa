"""A stand-in for CuPy whose devices are this process: arrays that are no NumPy arrays, and kernels that the emulator runs.

It is stricter than CuPy where CuPy's leniency differs between versions: a NumPy array in the place of a device array is always
an error, so host and device never mix unnoticed. What it has is what rawseg uses; an unknown name is an AttributeError.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import scipy.special
from on_gpu import pretended_devices as devices
from on_gpu import pretended_memory as memory
from on_gpu import pretended_streams as streams
from on_gpu.pretended_devices import Device
from on_gpu.pretended_streams import refuse_capture, run

from rawseg_kernels._cuda import emulator
from rawseg_kernels._cuda.signature import Parameter, signatures
from rawseg_kernels._cuda.source import WAITS

NAMES = Path(__file__).with_name("cupy_names.txt").read_text().split()  # that CuPy 14.2 has, of those that NumPy has
COMPARE = {"array_equal", "allclose"}  # what this stand-in answers on the host; and what needs values there:
SYNCHRONOUS = {"nonzero", "flatnonzero", "unique", "bincount", "histogram", "delete", "apply_along_axis", "insert"}
SYNCHRONOUS |= {"argsort", "sort", "lexsort"}  # by Thrust, which waits for its stream
BY_BLAS = {"matmul", "dot", "tensordot", "einsum"}
WRITES = {"fill", "sort", "partition", "put"}  # methods that change their array
VIEWS = {"view", "reshape", "ravel", "transpose", "squeeze", "swapaxes"}  # methods that need not compute
POINTERS = 8  # arrays that concatenate takes without a table of their addresses, which comes from the host
ON_HOST = {"array_equal", "allclose", "can_cast", "may_share_memory", "ndim", "promote_types", "result_type", "shape", "size"}


class Flags(NamedTuple):
    """What CuPy's flags have."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class MemoryPointer:
    """Where an array is on the device: a number, and nothing that the host can read."""

    def __init__(self, host: np.ndarray) -> None:
        self.ptr = host.ctypes.data


class _Capsule(NamedTuple):
    """Memory of the device on its way: not a capsule of the host, which NumPy and PyTorch would take."""

    memory: np.ndarray
    device: Device


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device."""

    __array_priority__ = 100

    def __init__(self, host: np.ndarray, device: Device | None = None) -> None:
        self._host = host
        self._block = memory.block_of(host)
        self.device = Device(self._block.device_id) if device is None else device

    def __array__(self, *_arguments, **_options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array.")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__":
            return NotImplemented
        if ufunc.__name__ in BY_BLAS:
            streams.refuse_library("cuBLAS")
        given, out = [*map(unwrapped, inputs)], tuple(map(unwrapped, options.pop("out", ())))
        options = {key: unwrapped(value) for key, value in options.items()}
        if out:
            return wrapped(run(lambda: ufunc(*given, out=out, **options), written=out[0] if len(out) == 1 else out))
        return wrapped(run(lambda: ufunc(*given, **options)))

    def __array_function__(self, function, _types, arguments, options):
        if function.__name__ not in NAMES:
            raise TypeError(f"CuPy is not said to have {function.__name__}")
        return _function(function.__name__)(*arguments, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.device.id  # kDLCUDA

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """As CuPy's, which has these arguments; what it returns, only `from_dlpack` here takes."""
        if dl_device not in (None, self.__dlpack_device__()):
            raise BufferError("an array on the device is exported there")
        streams.hand_over(stream)
        return _Capsule(self._host.copy() if copy else self._host, self.device)

    def get(self) -> np.ndarray:
        """Return a copy on the host."""
        return self._read(lambda: self._host.copy())

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Copy from the host."""
        if not isinstance(arr, np.ndarray) or arr.dtype != self.dtype or arr.shape != self.shape:
            raise TypeError("Only numpy.ndarray of the same dtype and shape can be set to cupy.ndarray")
        self.device.check()
        streams.copy(self._host, memory.source_of(arr), stream)

    def _read(self, how: Any) -> Any:
        """Bring something to the host."""
        refuse_capture("D2H")
        return run(how)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_host"], name)
        if name in ("ctypes", "__array_interface__", "__array_struct__", "tobytes", "tofile"):
            raise AttributeError(f"an array on a device has no {name} for the host")
        return partial(self._method, name, value) if callable(value) else wrapped(value)

    def _method(self, name: str, method: Any, *arguments: Any, **options: Any) -> Any:
        if name in VIEWS and self.device != Device():
            return ndarray(run(lambda: method(*arguments, **options)), self.device)
        if name != "copy":  # which CuPy brings to the current device
            self.device.check()
        if name in SYNCHRONOUS:
            refuse_capture("D2H")
        given = [*map(unwrapped, arguments)]
        options = {key: unwrapped(value) for key, value in options.items()}
        return wrapped(run(lambda: method(*given, **options), written=() if name in WRITES else options.get("out")))

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        """As CuPy's, which has these arguments."""
        if not copy and self.dtype == dtype:
            return self
        self.device.check()
        return ndarray(run(lambda: self._host.astype(dtype, order=order, copy=True)))

    def item(self, *place):
        return self._read(lambda: self._host.item(*place))

    def tolist(self):
        return self._read(self._host.tolist)

    def __getitem__(self, index):
        self.device.check()
        self._refuse_positions(index)
        where = unwrapped(index)
        return wrapped(run(lambda: self._host[where]))

    @staticmethod
    def _refuse_positions(index):
        """Raise where a capture cannot have them."""
        if any(isinstance(part, ndarray) and part.dtype == bool for part in _parts(index)):
            refuse_capture("D2H")  # how many are True
        if any(isinstance(part, list) for part in _parts(index)):
            refuse_capture("H2D")

    def __setitem__(self, index, value):
        self.device.check()
        where, new = unwrapped(index), unwrapped(value)
        self._refuse_positions(index)
        run(lambda: operator.setitem(self._host, where, new), written=())

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (wrapped(part) for part in self._host)

    def __bool__(self):
        return self._read(lambda: bool(self._host))

    def __float__(self):
        return self._read(lambda: float(self._host))

    def __int__(self):
        return self._read(lambda: int(self._host))

    def __index__(self):
        return self._read(lambda: operator.index(self._host))

    def __repr__(self):
        return repr(self._host)

    def __str__(self):
        return str(self._host)

    def __deepcopy__(self, _memo):
        return ndarray(run(self._host.copy), self.device)

    data = property(lambda self: MemoryPointer(self._host))
    flags = property(lambda self: Flags(*(self._host.flags[name.upper()] for name in Flags._fields)))
    T = property(lambda self: ndarray(self._host.T, self.device))
    base = property(lambda self: None if self._host.base is None else ndarray(np.asarray(self._host.base), self.device))
    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)


ndarray.__module__ = "cupy"  # by which rawseg tells such arrays


def unwrapped(value: Any) -> Any:
    """Return what an argument holds; a NumPy array there is an error, and so is memory of another device."""
    if isinstance(value, ndarray):
        value.device.check()
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (tuple, list)) and not isinstance(value, np.dtype):
        return type(value)(map(unwrapped, value)) if type(value) in (tuple, list) else value
    return value


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def wrapped(value: Any) -> Any:
    """Return arrays, and numbers of NumPy, as arrays on the device."""
    if isinstance(value, (np.ndarray, np.generic)):
        return ndarray(np.asarray(value))
    if isinstance(value, (tuple, list)) and any(isinstance(part, (np.ndarray, np.generic)) for part in value):
        return type(value)(map(wrapped, value)) if type(value) in (tuple, list) else tuple(map(wrapped, value))
    return value


def _function(name: str) -> Any:
    original = getattr(np, name)
    if not callable(original) or isinstance(original, type) or name in ("iinfo", "finfo"):
        return original

    def call(*arguments: Any, **options: Any) -> Any:
        if name in ("array", "asarray", "ascontiguousarray") and not isinstance(arguments[0], ndarray):
            return _sent(arguments[0], np.array(arguments[0], *arguments[1:], **options))
        if name in ("array", "asarray") and arguments[0].device != Device():
            return ndarray(run(arguments[0]._host.copy))  # from device to device
        if name == "argsort" and options.get("kind") not in (None, "stable"):
            raise ValueError("Only stable sort is supported")
        if name == "where" and len(arguments) == 1:
            raise TypeError("where with one argument")
        _refuse_in_capture(name, arguments)
        given, out = [unwrapped(argument) for argument in arguments], unwrapped(options.pop("out", None))
        options = {key: unwrapped(value) for key, value in options.items()}
        if name in ON_HOST:
            return original(*given, **options)
        if name in ("empty", "empty_like"):
            return wrapped(streams.allocate(lambda: original(*given, **options)))
        if out is not None:
            return wrapped(run(lambda: original(*given, out=out, **options), written=out))
        return wrapped(run(lambda: original(*given, **options), written=() if name in ("copyto", "put_along_axis") else None))

    call.__name__ = name
    return call


def _refuse_in_capture(name: str, arguments: tuple[Any, ...]) -> None:
    """Raise what CuPy's function raises while a stream captures."""
    if name in SYNCHRONOUS or name in COMPARE:
        refuse_capture("D2H")
    if name in BY_BLAS:
        streams.refuse_library("cuBLAS")
    if name in ("concatenate", "stack", "hstack", "vstack") and len(arguments[0]) > POINTERS:
        refuse_capture("H2D")


def _sent(given: Any, staged: np.ndarray) -> ndarray:
    """Return an array of the host on the device: a copy, but of a single number a kernel that fills."""
    if staged.ndim == 0:
        return ndarray(run(staged.copy))
    array = ndarray(memory.poisoned(np.empty_like(staged)))
    streams.copy(array._host, staged)  # from a buffer of its own
    return array


class _Source:
    """A source as the emulator sees one."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        self.whole, self.path = code, Path(__file__).with_name("pretended")
        self.signatures: dict[str, tuple[Parameter, ...]] = signatures(code)
        self.waits, self._options = WAITS.search(code.partition("#line")[2]) is not None, options

    def options(self, *_):
        return self._options


class _Kernel:
    """A compiled kernel."""

    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, source: _Source, name: str) -> None:
        self.source, self.name, self.dtype, self.defines = source, name, None, ()
        if name not in source.signatures:
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")

    def __call__(self, grid, block, arguments, *, shared_mem=0):
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: more shared memory than was asked for")
        given = [None if isinstance(a, np.uintp) else unwrapped(a) for a in arguments]
        run(lambda: emulator.run(self, grid, block, given, shared_mem), written=())  # type: ignore[arg-type]


class RawModule:
    """CUDA source, compiled when a function of it is asked for."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        self._source = _Source(code, options)

    def get_function(self, name: str) -> _Kernel:
        """Return a kernel; CuPy compiles during a capture, too, where CUDA may refuse to load it."""
        if streams.get_current_stream().is_capturing():
            raise RuntimeError(f"{name} is compiled during a capture")
        return _Kernel(self._source, name)


def _cuda() -> ModuleType:
    cuda = ModuleType("cupy.cuda")
    runtime = type(
        "runtime",
        (),
        {
            "CUDARuntimeError": streams.CUDARuntimeError,
            "getDevice": staticmethod(devices.current),
            "getDeviceCount": staticmethod(devices.count),
            "getDeviceProperties": staticmethod(
                lambda _device: {"name": b"Pretended", "totalGlobalMem": 2**33, "major": 9, "minor": 0}
            ),
            "memGetInfo": staticmethod(lambda: (2**32, 2**33)),
            "runtimeGetVersion": staticmethod(lambda: 12090),
            "driverGetVersion": staticmethod(lambda: 12090),
        },
    )
    parts: dict[str, Any] = {
        "Device": Device,
        "is_available": lambda: True,
        "runtime": runtime,
        "nvrtc": type("nvrtc", (), {"getVersion": staticmethod(lambda: (12, 9))}),
        "driver": type("driver", (), {"CUDADriverError": type("CUDADriverError", (RuntimeError,), {})}),
        "memory": type("memory", (), {"OutOfMemoryError": memory.OutOfMemoryError}),
        "get_current_stream": streams.get_current_stream,
        "Stream": streams.Stream,
        "Event": streams.Event,
        "Graph": streams.Graph,
        "get_elapsed_time": streams.get_elapsed_time,
        "Memory": memory.Memory,
        "MemoryPointer": memory.MemoryPointer,
        "UnownedMemory": memory.UnownedMemory,
        "MemoryPool": memory.MemoryPool,
        "using_allocator": memory.using_allocator,
    }
    for name, part in parts.items():
        setattr(cuda, name, part)
    return cuda


def module() -> ModuleType:
    """Return the module."""
    cupy = ModuleType("cupy")
    for name in NAMES:
        setattr(cupy, name, _function(name))
    cupy.ndarray, cupy.RawModule, cupy.cuda = ndarray, RawModule, _cuda()  # type: ignore[attr-defined]
    cupy.asnumpy = lambda array: array.get()  # type: ignore[attr-defined]
    cupy.from_dlpack = from_dlpack  # type: ignore[attr-defined]
    cupy.get_default_memory_pool = lambda: memory.DEFAULT  # type: ignore[attr-defined]
    cupy.__version__ = "14.2.0"
    return cupy


def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> ndarray:
    """As CuPy's: of an exporter on the device, on its memory; the host's are refused."""
    if array.__dlpack_device__()[0] not in (2, 13):
        raise TypeError("CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` instead.")
    if device is not None:
        raise NotImplementedError("from_dlpack() does not support device yet.")
    stream = streams.get_current_stream().ptr or 1  # the one that will read; DLPack's default stream is number 1
    return ndarray(*array.__dlpack__(stream=stream, max_version=(1, 0), copy=copy))


def _cupyx() -> dict[str, ModuleType]:
    """Return the modules of cupyx that rawseg imports."""
    modules = {name: ModuleType(name) for name in ("cupyx", "cupyx.scipy", "cupyx.scipy.special")}
    for name in ("erf", "erfc"):
        function = getattr(scipy.special, name)
        setattr(
            modules["cupyx.scipy.special"], name, lambda x, function=function: wrapped(run(partial(function, unwrapped(x))))
        )
    modules["cupyx"].empty_pinned = memory.empty_pinned  # type: ignore[attr-defined]
    return modules


@contextmanager
def pretended(device_count: int = 1) -> Iterator[ModuleType]:
    """Let ``import cupy`` give the stand-in, with so many devices, while this lasts."""
    before = {name: sys.modules.get(name) for name in ("cupy", "cupy.cuda", *_cupyx())}
    devices.provide(device_count)
    cupy = module()
    sys.modules.update({"cupy": cupy, "cupy.cuda": cupy.cuda, **_cupyx()})
    try:
        yield cupy
    finally:
        devices.provide(1)
        for name, old in before.items():
            if old is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = old
