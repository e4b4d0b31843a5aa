"""New Tensors: from data, filled with numbers, or drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels import _arena as arena  # whose large arrays begin with a line of the caches, as vectors like them
from rawseg_kernels._arrays import integer

from . import random
from .autograd.memory import copied
from .autograd.operands import DEFAULT_DTYPE, dtype_of, has_numbers
from .autograd.tensor import Tensor
from .device import device_of, move
from .errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
    "zeros_like",
]


OF_THE_CPU, OF_CUDA = (1, 3), (2, 13)  # DLPack's device types: kDLCPU and kDLCUDAHost; kDLCUDA and kDLCUDAManaged


def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor with a copy of the data.

    Parameters
    ----------
    data : array_like
        A NumPy or CuPy array keeps its dtype and device; so does anything with DLPack. Python floats become float32,
        ints int64.
    dtype : dtype, optional
        Convert to this one.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    requires_grad : bool
        Record what is computed from it.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.tensor([[1, 2], [3, 4.5]])
    tensor([[1. , 2. ],
            [3. , 4.5]])
    """
    wanted = None if dtype is None else dtype_of("tensor", "dtype", dtype)
    array = copied(_to_array(data, default=wanted is None), wanted)
    return Tensor(array if device is None else move(array, device), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """Return the data as a Tensor, without a copy where its dtype and device allow it."""
    if isinstance(data, Tensor):
        result = data if dtype is None else data.astype(dtype)
        return result if device is None else result.to(device)
    array = _to_array(data, default=dtype is None)
    array = array.astype(array.dtype if dtype is None else dtype_of("as_tensor", "dtype", dtype), copy=False)
    return Tensor(array if device is None else move(array, device))


def from_numpy(array: np.ndarray) -> Tensor:
    """Return a Tensor on the array's own memory."""
    if not isinstance(array, np.ndarray):
        raise ArgumentTypeError("from_numpy", "array", "a NumPy array", type(array).__name__)
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """Return a Tensor on the memory of any object with ``__dlpack__``: PyTorch, CuPy, JAX and others, on CPU or GPU.

    Parameters
    ----------
    source : object with ``__dlpack__`` and ``__dlpack_device__``
        Without a graph. What is written to one is seen by the other.

    Raises
    ------
    ArgumentTypeError
        If it has no ``__dlpack__``.
    DeviceError
        If its memory is neither the CPU's nor a GPU's of CUDA.
    BackendError
        If it is a GPU's, and CuPy or the GPU is missing.

    Notes
    -----
    A GPU's memory is taken over by CuPy: its current stream, on which rawseg computes, waits for what the other library has
    still to write there. The other way, ``torch.from_dlpack(tensor)`` or ``cupy.from_dlpack(tensor)``, the other one waits.

    Examples
    --------
    >>> import numpy as np
    >>> array = np.zeros(2, np.float32)
    >>> x = from_dlpack(array)
    >>> array[0] = 3
    >>> x
    tensor([3., 0.])
    """
    if not hasattr(source, "__dlpack__"):
        raise ArgumentTypeError("from_dlpack", "source", "an object with __dlpack__", type(source).__name__)
    kind, _ = source.__dlpack_device__()
    if kind in OF_THE_CPU:
        return Tensor(np.from_dlpack(source))
    if kind not in OF_CUDA:
        raise DeviceError("from_dlpack", "source", "memory of the CPU or of a GPU of CUDA", f"DLPack's device type {int(kind)}")
    from .device import gpu_module

    return Tensor(gpu_module().from_dlpack(source))


def _to_array(data: Any, default: bool = True) -> Any:
    """Return the data as an array; Python floats in the default dtype, or all their digits for whoever rounds them later."""
    if isinstance(data, Tensor):
        return data.array
    if device_of(data):
        return data
    if hasattr(data, "__dlpack__"):
        return from_dlpack(data).array
    nested = isinstance(data, (list, tuple)) and any(isinstance(part, Tensor) for part in data)
    array = np.asarray([part.numpy() for part in data] if nested else data)
    if not has_numbers(array.dtype):
        raise DTypeError("tensor", "data", "numbers or bools", array.dtype)
    if default and array.dtype == np.float64 and not isinstance(data, np.generic) and not nested:
        array = array.astype(DEFAULT_DTYPE)  # Python floats are in the default dtype
    return array


def _made(array: np.ndarray, device: str | None, requires_grad: bool) -> Tensor:
    return Tensor(array if device is None else move(array, device), requires_grad)


def _shape(op: str, sizes: tuple) -> tuple[int, ...]:
    sizes = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    return tuple(integer(op, "size", length, 0) for length in sizes)


def zeros(*size: Any, dtype: Any = DEFAULT_DTYPE, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return zeros."""
    return _made(arena.zeros(_shape("zeros", size), dtype_of("zeros", "dtype", dtype)), device, requires_grad)


def ones(*size: Any, dtype: Any = DEFAULT_DTYPE, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return ones."""
    array = arena.empty(_shape("ones", size), dtype_of("ones", "dtype", dtype))
    array.fill(1)
    return _made(array, device, requires_grad)


def empty(*size: Any, dtype: Any = DEFAULT_DTYPE, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return uninitialised elements."""
    return _made(arena.empty(_shape("empty", size), dtype_of("empty", "dtype", dtype)), device, requires_grad)


def full(size: Any, fill_value: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return one number everywhere."""
    default = DEFAULT_DTYPE if isinstance(fill_value, float) else None
    return _made(np.full(_shape("full", (size,)), fill_value, dtype or default), device, requires_grad)


def zeros_like(x: Tensor) -> Tensor:
    """Return zeros of the shape, dtype and device of ``x``."""
    return x.zeros_like()


def ones_like(x: Tensor) -> Tensor:
    """Return ones of the shape, dtype and device of ``x``."""
    return x.ones_like()


def arange(*limits: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """Return evenly spaced numbers, as NumPy's ``arange``; floats in the default dtype."""
    array = np.arange(*limits, dtype=dtype)
    return _made(array.astype(DEFAULT_DTYPE) if dtype is None and array.dtype == np.float64 else array, device, False)


def linspace(start: float, stop: float, steps: int, dtype: Any = DEFAULT_DTYPE, device: str | None = None) -> Tensor:
    """Return ``steps`` evenly spaced numbers from ``start`` to ``stop``, both included."""
    array = np.linspace(start, stop, integer("linspace", "steps", steps, 0))
    return _made(array.astype(dtype_of("linspace", "dtype", dtype)), device, False)


def eye(n: int, dtype: Any = DEFAULT_DTYPE, device: str | None = None) -> Tensor:
    """Return the identity matrix."""
    return _made(np.eye(integer("eye", "n", n, 0), dtype=dtype_of("eye", "dtype", dtype)), device, False)


def rand(*size: Any, dtype: Any = DEFAULT_DTYPE, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return numbers uniform in [0, 1) from rawseg's generator."""
    kind: Any = dtype_of("rand", "dtype", dtype)
    return _made(random.generator().random(_shape("rand", size), kind), device, requires_grad)


def randn(*size: Any, dtype: Any = DEFAULT_DTYPE, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Return standard normal numbers from rawseg's generator."""
    kind: Any = dtype_of("randn", "dtype", dtype)
    return _made(random.generator().standard_normal(_shape("randn", size), kind), device, requires_grad)


def randint(low: int, high: int, size: Any, device: str | None = None) -> Tensor:
    """Return int64 numbers in [low, high) from rawseg's generator."""
    low, high = integer("randint", "low", low, -(2**63)), integer("randint", "high", high, -(2**63))
    if high <= low:
        raise ArgumentError("randint", "high", f"greater than low={low}", high)
    return _made(random.generator().integers(low, high, _shape("randint", (size,))), device, False)


def randperm(n: int, device: str | None = None) -> Tensor:
    """Return the numbers below ``n`` in random order, from rawseg's generator."""
    return _made(random.generator().permutation(integer("randperm", "n", n, 0)), device, False)
