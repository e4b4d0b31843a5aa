"""Reverse-mode differentiation of any order over NumPy and CuPy arrays.

`Tensor` wraps an array; `Function` is an operation with a written derivative; `backward` and `grad` walk what was recorded.
"""

from .engine import backward, grad
from .function import Context, Function
from .grad_mode import detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .tensor import Tensor

__all__ = [
    "Context",
    "Function",
    "Tensor",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]
