"""CUDA kernels: ``.cu`` files beside the loops that define their operations, launched on CuPy arrays.

A room's ``cuda`` module has the functions of its ``reference`` module. It asks a `Source` for a kernel and calls it: with CuPy
arrays it runs on their GPU, compiled by NVRTC; with NumPy arrays the same source runs on the CPU, compiled by g++ against
``on_cpu.h``, which is for tests, debuggers and students, not for speed.

Floating-point operations are not contracted, so both compute the same bits, except that a GPU flushes float32 numbers below
1.2e-38 to 0 and has an ``exp``, ``log``, ``sin`` and ``tanh`` of its own, right to a unit or two in the last place.
"""

from .memory import empty, zeros
from .source import Source

__all__ = ["Source", "empty", "zeros"]
