"""Image segmentation from scratch: autograd, hand-written kernels and models on NumPy, CuPy and Numba.

>>> import numpy as np
>>> import rawseg
>>> from rawseg import functional as F
>>> x = rawseg.ones(1, 1, 4, 4, requires_grad=True)
>>> y = F.conv2d(x, rawseg.ones(1, 1, 3, 3), padding=1)
>>> y.sum().backward()
>>> x.grad[0, 0, 0]
tensor([4., 6., 6., 4.])
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from numpy import float32, float64, int32, int64, uint8

from rawseg_kernels._arena import empty_cache, memory_stats, reset_peak_memory_stats
from rawseg_kernels._precision import get_precision, set_precision
from rawseg_kernels._tensor_cores import get_tensor_core_precision, set_tensor_core_precision
from rawseg_kernels._threads import get_num_threads, set_num_threads
from rawseg_kernels._tuning import get_autotune, set_autotune

from . import autograd, errors, functional, nn, ops, optim
from .autograd import Tensor, detect_anomaly, enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled
from .autograd.arithmetic import maximum, minimum, where
from .autograd.linear import einsum, matmul
from .autograd.shaping import cat, stack
from .creation import (
    arange,
    as_tensor,
    empty,
    eye,
    from_dlpack,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from .random import get_rng_state, manual_seed, set_rng_state
from .serialization import load, save

__version__ = "0.1.0"

# loaded when first asked for, so that `import rawseg` stays quick
_LATE = ("cuda", "data", "metrics", "models", "onnx", "testing", "tfjs", "training")


def __getattr__(name: str) -> _Any:
    if name in _LATE:
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module 'rawseg' has no attribute {name!r}")


__all__ = [
    "Tensor",
    "arange",
    "as_tensor",
    "autograd",
    "cat",
    "detect_anomaly",
    "einsum",
    "empty",
    "empty_cache",
    "enable_grad",
    "errors",
    "eye",
    "float32",
    "float64",
    "from_dlpack",
    "from_numpy",
    "full",
    "functional",
    "get_autotune",
    "get_num_threads",
    "get_precision",
    "get_rng_state",
    "get_tensor_core_precision",
    "grad",
    "int32",
    "int64",
    "is_grad_enabled",
    "linspace",
    "load",
    "manual_seed",
    "matmul",
    "maximum",
    "memory_stats",
    "minimum",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "ops",
    "optim",
    "rand",
    "randint",
    "randn",
    "randperm",
    "reset_peak_memory_stats",
    "save",
    "set_autotune",
    "set_grad_enabled",
    "set_num_threads",
    "set_precision",
    "set_rng_state",
    "set_tensor_core_precision",
    "stack",
    "tensor",
    "uint8",
    "where",
    "zeros",
    "zeros_like",
]
