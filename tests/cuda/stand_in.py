"""A stand-in for CuPy, so that the code around kernels runs as it does for arrays on a GPU; the kernels run in the emulator.

Its arrays are NumPy's in a type of their own, which refuses what CuPy's refuse: to become NumPy arrays unasked, and to meet
them in an expression. It also refuses NumPy's functions, of which CuPy takes some. What it has is a small part of CuPy.
"""

from __future__ import annotations

import operator
import re
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from cuda.sources import SOURCES

from rawseg_kernels._cuda import emulator

FUNCTIONS = (
    *("arange", "argsort", "asarray", "concatenate", "cumsum", "empty", "full", "isfinite", "isnan", "maximum", "minimum"),
    *("ones", "searchsorted", "sort", "stack", "sum", "where", "zeros"),
)
METHODS = (
    *("any", "all", "argmax", "argmin", "astype", "copy", "max", "min", "ravel", "reshape", "sum", "swapaxes", "transpose"),
    "view",
)
ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or")
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
REALS = {"float": np.float32, "double": np.float64}


class Device:
    """The one that there is."""

    id = 0

    def __str__(self) -> str:
        return "<CUDA Device 0>"

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class ndarray:  # noqa: N801: CuPy's name
    """An array as if it were on a GPU."""

    __array_ufunc__ = None  # NumPy's arrays leave expressions with one to it
    __hash__ = None  # type: ignore[assignment]
    device = Device()

    def __init__(self, held: np.ndarray) -> None:
        self.held = held
        self.shape, self.dtype, self.size, self.ndim = held.shape, held.dtype, held.size, held.ndim
        self.itemsize, self.nbytes = held.itemsize, held.nbytes
        self.flags = SimpleNamespace(c_contiguous=held.flags.c_contiguous, f_contiguous=held.flags.f_contiguous)

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_function__(self, function: Any, *_: object) -> Any:
        raise TypeError(f"{function.__name__} of NumPy was given an array of a GPU")

    def __getitem__(self, key: Any) -> Any:
        return wrapped(self.held[unwrapped(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.held[unwrapped(key)] = unwrapped(value)

    def __len__(self) -> int:
        return len(self.held)

    def __bool__(self) -> bool:
        return bool(self.held)

    def __int__(self) -> int:
        return int(self.held)

    def __index__(self) -> int:
        return operator.index(self.held)

    def __float__(self) -> float:
        return float(self.held)

    def __str__(self) -> str:
        return str(self.held)

    __format__ = lambda self, how: format(self.held[()] if not self.ndim else str(self.held), how)  # noqa: E731

    def __neg__(self) -> Any:
        return wrapped(-self.held)

    def __invert__(self) -> Any:
        return wrapped(~self.held)

    def fill(self, value: Any) -> None:
        self.held.fill(unwrapped(value))

    def get(self) -> np.ndarray:
        return self.held.copy()


def wrapped(result: Any) -> Any:
    """Return what a function of NumPy returned as CuPy would: scalars are arrays without axes."""
    if isinstance(result, (tuple, list)):
        return type(result)(map(wrapped, result))
    return ndarray(np.asarray(result)) if isinstance(result, (np.ndarray, np.generic)) else result


def unwrapped(argument: Any) -> Any:
    """Return the argument of a function of NumPy; an array of NumPy itself is refused."""
    if isinstance(argument, (tuple, list)):
        return type(argument)(map(unwrapped, argument))
    if isinstance(argument, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return argument.held if isinstance(argument, ndarray) else argument


def _through(function: Any) -> Any:
    return lambda *given, **options: wrapped(
        function(*map(unwrapped, given), **{name: unwrapped(value) for name, value in options.items()})
    )


def _turned(function: Any) -> Any:
    return lambda second, first: function(first, second)


for _name in METHODS:
    setattr(ndarray, _name, _through(getattr(np.ndarray, _name)))
for _name in (*ARITHMETIC, *COMPARISONS):
    setattr(ndarray, f"__{_name}__", _through(getattr(operator, f"__{_name}__")))
for _name in ARITHMETIC:
    setattr(ndarray, f"__r{_name}__", _through(_turned(getattr(operator, f"__{_name}__"))))
ndarray.__module__ = "cupy"


class RawModule:
    """Compiled source: its functions run in the emulator."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        (self.source,) = (source for source in SOURCES if source.whole == code)
        defines = dict(found.groups() for option in options if (found := re.fullmatch(r"-D(\w+)=(\w+)", option)))
        self.dtype = REALS[defines.pop("RS_REAL")]
        self.defines = {name: int(value) for name, value in defines.items()}

    def get_function(self, name: str) -> Any:
        kernel = self.source.kernel(name, self.dtype, **self.defines)

        def run(grid: Any, block: Any, arguments: Any, shared_mem: int) -> None:
            held = [None if type(a) is np.uintp else unwrapped(a) for a in arguments]
            emulator.run(kernel, grid, block, held, shared_mem)

        return run


def module() -> ModuleType:
    """Return what ``import cupy`` gives."""
    cupy = ModuleType("cupy")
    for name in FUNCTIONS:
        setattr(cupy, name, _through(getattr(np, name)))
    cupy.asarray = lambda array: ndarray(np.array(array.held if isinstance(array, ndarray) else array))  # type: ignore[attr-defined]
    cupy.ndarray, cupy.RawModule = ndarray, RawModule  # type: ignore[attr-defined]
    error = type("Error", (Exception,), {})
    cupy.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        driver=SimpleNamespace(CUDADriverError=error),
        runtime=SimpleNamespace(CUDARuntimeError=error),
        memory=SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (MemoryError,), {})),
        get_current_stream=lambda: SimpleNamespace(synchronize=lambda: None, null=nullcontext()),
    )
    return cupy
