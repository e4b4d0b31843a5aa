"""Plain loops that are fast because the compiler makes vector code of them: it must go on doing so."""

from __future__ import annotations

import re
from inspect import getclosurevars

import numpy as np
import pytest
from numba.core import types
from numba.core.caching import NullCache

from rawseg_kernels import _arithmetic, activation, max_pool2d, pad, softmax
from rawseg_kernels._jit import kernel
from rawseg_kernels._simd import VECTOR_BYTES
from rawseg_kernels.activation import _pieces, _smooth
from rawseg_kernels.max_pool2d import direct as max_pool2d_loops
from rawseg_kernels.pad import direct as pad_loops
from rawseg_kernels.softmax import direct as softmax_loops

SIZES = {"float": 4, "double": 8}  # bytes of what the loops compute with, by LLVM's names
LEAST = max(16, VECTOR_BYTES // 2)  # of a vector: LLVM often takes half of what AVX-512 has
X = np.random.default_rng(0).standard_normal((2, 4, 32, 32)).astype(np.float32)
HALF = X[..., :16, :16].copy()
TAPS = np.zeros(HALF.shape, np.uint8)


def run_of(start):
    """Return the kernel that an activation's function starts."""
    return getclosurevars(start).nonlocals["run"]


LOOPS = [
    (_arithmetic._add, lambda: _arithmetic.combined(np.add, X, X)),
    (_arithmetic._multiply, lambda: _arithmetic.combined(np.multiply, X, X)),
    (run_of(_pieces.relu), lambda: activation.forward(X, "relu")),
    (run_of(_pieces.relu_backward), lambda: activation.backward(X, X, "relu")),
    (run_of(_pieces.hardtanh), lambda: activation.forward(X, "hardtanh", (0.0, 6.0))),
    (run_of(_pieces.hardswish_backward), lambda: activation.backward(X, X, "hardswish")),
    (run_of(_smooth.silu), lambda: activation.forward(X, "silu")),
    (run_of(_smooth.gelu_backward), lambda: activation.backward(X, X, "gelu")),
    (max_pool2d_loops._forward_quarters, lambda: max_pool2d.forward(X, 2)),
    (max_pool2d_loops._forward_quarter_taps, lambda: max_pool2d.forward_taps(X, 2)),
    (max_pool2d_loops._backward_quarters, lambda: max_pool2d.backward_taps(HALF, TAPS, X.shape, 2)),
    (pad_loops._backward, lambda: pad.backward(X, ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")),
    (softmax_loops._strips_forward, lambda: softmax.forward(X, 1)),
    (softmax_loops._strips_backward, lambda: softmax.backward(X, X, 1)),
]


@pytest.mark.parametrize(("loop", "call"), LOOPS, ids=[f"{loop.__module__}.{loop.__name__}" for loop, _ in LOOPS])
def test_a_plain_loop_becomes_vector_code(loop, call):
    call()
    again = kernel(loop.py_func)
    again._cache = NullCache()  # the cache keeps machine code alone, in which nobody can read
    signature = next(kinds for kinds in loop.overloads if types.float32 in [getattr(kind, "dtype", None) for kind in kinds])
    again.compile(signature)
    vectors = re.findall(r"<(\d+) x (\w+)>", again.inspect_llvm(signature))
    assert max((int(count) * SIZES[kind] for count, kind in vectors if kind in SIZES), default=0) >= LEAST
