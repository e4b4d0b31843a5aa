"""Vector code for a packed matrix times a single column: where columns are too few to fill a vector, rows are its lanes.

Every sum is one chain of fused multiply-adds in order of k, as in `_simd.tile_product`: the same bits. Places count elements
and nothing is checked, as there.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, ROWS, _Emitter, _same_dtype, vector_code

PANELS = 8  # at once: so many chains of products hide how long one product takes


@vector_code
def column_product(typing_context, panels, depth, a, a_at, a_step, b, b_at, b_step, c, c_at):
    """``c[p][r] += sum over k of a[p][k][r] * b[k]`` for up to PANELS ``panels`` p and their ROWS rows r.

    ``a`` is packed, ROWS to a step k, and panel p begins at ``a_at + p * a_step``; element k of ``b`` is at ``b_at + k *
    b_step``; what ``c`` holds, ROWS elements a panel, is where the sums begin.
    """
    dtype = _same_dtype(a, b, c)
    place = types.int64
    signature = types.void(place, place, a, place, place, b, place, place, c, place)

    def generate(context, builder, signature, arguments):
        panels, depth, _, _, a_step, _, _, b_step, _, _ = arguments
        emitter = _Emitter(context, builder, dtype)
        a, b, c = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (2, 5, 8))
        for count in range(1, PANELS + 1):
            with builder.if_then(builder.icmp_signed("==", panels, _INDEX(count))):
                lefts = [builder.gep(a, [builder.mul(a_step, _INDEX(p))]) for p in range(count)]
                _sum_column(emitter, depth, lefts, b, b_step, c)
        return context.get_dummy_value()

    return signature, generate


def _sum_column(emitter, depth, lefts, b, b_step, c):
    """One number of panels: accumulators in registers from the load of c to its store."""
    builder, kind = emitter.builder, ir.VectorType(emitter.scalar, ROWS)
    fma = emitter.declare(ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{ROWS}f{8 * emitter.itemsize}")
    cells = [cgutils.alloca_once(builder, kind) for _ in lefts]  # LLVM turns these into registers
    for p, cell in enumerate(cells):
        builder.store(emitter.load(c, _INDEX(p * ROWS), kind), cell)
    with cgutils.for_range(builder, depth, intp=_INDEX) as loop:
        factor = builder.load(builder.gep(b, [builder.mul(loop.index, b_step)]))
        lanes = builder.insert_element(ir.Constant(kind, ir.Undefined), factor, _INDEX(0))
        lanes = builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(ir.IntType(32), ROWS), [0] * ROWS))
        for left, cell in zip(lefts, cells):
            row = emitter.load(left, builder.mul(loop.index, _INDEX(ROWS)), kind)
            builder.store(builder.call(fma, [row, lanes, builder.load(cell)]), cell)
    for p, cell in enumerate(cells):
        emitter.store(builder.load(cell), c, _INDEX(p * ROWS))
