"""Vector code for the means of windows: of 2 x 2 side by side, where two rows become one half as long, and of all others.

Values are computed in double and rounded once. Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, _same_dtype, vector_code
from ._simd_rows import _pairs_of_vectors
from ._simd_sums import _WideEmitter

_PLACE = types.int64
AHEAD = 1024  # elements further on, whose lines are asked for


@vector_code
def sum_quarters(typing_context, count, x, upper_at, lower_at, factor, to, to_at):
    """Write ``factor`` times the sum of each four elements, two of the upper row first, from ``2 * count`` of two rows."""
    dtype = _same_dtype(x, to)
    signature = types.void(_PLACE, x, _PLACE, _PLACE, types.float64, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, count = _WideEmitter(context, builder, dtype), arguments[0]
        rows = [emitter.address(signature.args[1], arguments[1], arguments[i]) for i in (2, 3)]
        to, lanes = emitter.address(signature.args[5], *arguments[5:]), emitter.lanes
        factor, zero = emitter.spread(arguments[4], lanes), ir.Constant(ir.VectorType(ir.DoubleType(), lanes), [0.0] * lanes)
        for index, masks in _pairs_of_vectors(emitter, builder.add(count, count)):
            at, total = builder.mul(index, _INDEX(lanes)), zero
            for row in rows:
                both = [emitter.read(row, builder.add(builder.add(at, at), _INDEX(i * lanes)), masks[i]) for i in (0, 1)]
                for i in (0, 1):  # rows are too short for the processor to see what comes next
                    emitter.fetch(row, builder.add(builder.add(at, at), _INDEX(AHEAD + i * lanes)))
                for half in (0, 1):
                    part = emitter.shuffle(both[0], both[1], [2 * lane + half for lane in range(lanes)])
                    total = builder.fadd(total, emitter.wide(part))
            mask = None if masks[0] is None else emitter.first(builder.sub(count, at))
            emitter.write(emitter.narrow(builder.fmul(total, factor)), to, at, mask)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def spread_quarters(typing_context, count, grad, grad_at, factor, to, upper_at, lower_at):
    """Write ``0 + factor * grad[grad_at + i]`` to the four places of each of ``count`` quarters of two rows."""
    dtype = _same_dtype(grad, to)
    signature = types.void(_PLACE, grad, _PLACE, types.float64, to, _PLACE, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, count = _WideEmitter(context, builder, dtype), arguments[0]
        grad = emitter.address(signature.args[1], *arguments[1:3])
        rows, lanes = [emitter.address(signature.args[4], arguments[4], arguments[i]) for i in (5, 6)], emitter.lanes
        factor, zero = emitter.spread(arguments[3], lanes), ir.Constant(ir.VectorType(ir.DoubleType(), lanes), [0.0] * lanes)
        for index, masks in _pairs_of_vectors(emitter, builder.add(count, count)):
            at = builder.mul(index, _INDEX(lanes))
            mask = None if masks[0] is None else emitter.first(builder.sub(count, at))
            share = builder.fmul(emitter.wide(emitter.read(grad, at, mask)), factor)
            share = emitter.narrow(builder.fadd(zero, share))
            for half in (0, 1):
                pairs = emitter.shuffle(share, share, [(half * lanes + lane) // 2 for lane in range(lanes)])
                for row in rows:
                    emitter.write(pairs, row, builder.add(builder.add(at, at), _INDEX(half * lanes)), masks[half])
        return context.get_dummy_value()

    return signature, generate


@vector_code
def mean_of_taps(typing_context, count, rows, starts, taps, lines, height, widths, to, to_at):
    """Write the sum of ``lines[starts[r] + taps[t, 0] + i]``, over rows r and then taps t in order, by its divisor.

    That is ``height * widths[i]``. Whole vectors are read: up to BLOCK - 1 elements behind the last.
    """
    dtype = _same_dtype(lines, to)
    signature = types.void(_PLACE, _PLACE, starts, taps, lines, types.float64, widths, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, count, start = _WideEmitter(context, builder, dtype), arguments[0], _INDEX(0)
        starts, taps, lines, widths = (emitter.address(signature.args[i], arguments[i], start) for i in (2, 3, 4, 6))
        to, doubles = emitter.address(signature.args[7], *arguments[7:]), ir.VectorType(ir.DoubleType(), emitter.lanes)
        length = builder.extract_value(context.make_array(signature.args[3])(context, builder, arguments[3]).shape, 0)
        height, cell = emitter.spread(arguments[5], emitter.lanes), cgutils.alloca_once(builder, doubles)

        def write(i, mask):
            builder.store(ir.Constant(doubles, [0.0] * emitter.lanes), cell)
            with cgutils.for_range(builder, arguments[1], intp=_INDEX) as row:
                begin = builder.add(builder.load(builder.gep(starts, [row.index])), i)
                with cgutils.for_range(builder, length, intp=_INDEX) as tap:
                    at = builder.add(begin, builder.load(builder.gep(taps, [builder.add(tap.index, tap.index)])))
                    part = emitter.wide(emitter.load(lines, at, emitter.vector))
                    builder.store(builder.fadd(builder.load(cell), part), cell)
            divisor = builder.fmul(height, emitter.load(widths, i, doubles))
            emitter.write(emitter.narrow(builder.fdiv(builder.load(cell), divisor)), to, i, mask)

        emitter.each_masked(count, write)
        return context.get_dummy_value()

    return signature, generate
