"""The most fused multiply-adds that this machine does: chains in registers, and nothing else. What percentages are of."""

from __future__ import annotations

import time

import numpy as np
from numba import types
from numba.core import cgutils

from ._jit import inlined, kernel
from ._simd import _INDEX, ROWS, VECTOR_BYTES, VECTORS, _Emitter, _same_dtype, vector_code
from ._threads import get_num_threads, launch

CHAINS = ROWS * VECTORS  # as many accumulators as a tile of the matrix product: more than latency times units
STEPS = 1 << 16
LANES = VECTOR_BYTES // 4


@vector_code
def spin(typing_context, steps, data):
    """CHAINS vectors, each ``v = v * data[0] + data[1]`` over and over; their sum is written to ``data``."""
    dtype = _same_dtype(data)

    def generate(context, builder, signature, arguments):
        emitter = _Emitter(context, builder, dtype)
        pointer = emitter.address(signature.args[1], arguments[1], _INDEX(0))
        factor, summand = (emitter.broadcast(builder.load(builder.gep(pointer, [_INDEX(i)]))) for i in (0, 1))
        cells = [cgutils.alloca_once(builder, emitter.vector) for _ in range(CHAINS)]
        for i, cell in enumerate(cells):
            builder.store(emitter.load(pointer, _INDEX(i), emitter.vector), cell)
        with cgutils.for_range(builder, arguments[0], intp=_INDEX):
            for cell in cells:
                builder.store(builder.call(emitter.fma, [builder.load(cell), factor, summand]), cell)
        total = builder.load(cells[0])
        for cell in cells[1:]:
            total = builder.fadd(total, builder.load(cell))
        emitter.store(total, pointer, _INDEX(0))
        return context.get_dummy_value()

    return types.void(types.int64, data), generate


@kernel
def _spin_tasks(first, last, data, steps):
    for task in range(first, last):
        spin(steps, data[task])


@inlined
def _copy(source, to):
    for i in range(source.size):
        to[i] = source[i]


@kernel
def _copy_tasks(first, last, source, to, size):
    for task in range(first, last):
        _copy(source[task * size : (task + 1) * size], to[task * size : (task + 1) * size])


def _fastest(run, seconds: float) -> float:
    """Return the least time of a call, of as many as fit."""
    run()
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def peak_flops(seconds: float = 0.5) -> float:
    """Return float32 operations a second of all threads, a fused multiply-add counting two."""
    tasks = 4 * get_num_threads()
    data = np.full((tasks, CHAINS + LANES), 0.5, np.float32)
    took = _fastest(lambda: launch(_spin_tasks, tasks, data, STEPS), seconds)
    return 2.0 * CHAINS * LANES * STEPS * tasks / took


def copy_bandwidth(seconds: float = 0.5, size: int = 1 << 25) -> float:
    """Return bytes a second, read and written, of a copy far larger than the caches."""
    tasks = 8 * get_num_threads()
    source, to = (np.ones(tasks * (size // tasks), np.float32) for _ in range(2))
    took = _fastest(lambda: launch(_copy_tasks, tasks, source, to, size // tasks), seconds)
    return 2.0 * source.nbytes / took
