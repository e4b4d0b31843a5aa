"""Vector code for rows whose elements have a scale and a shift each, forward and back.

Values are computed in double, where multiplications are fused with additions, and rounded once. Scales may be of either dtype.
Rows pass in bursts, too short for the processor to see what comes next, so lines are asked for in advance, beyond an array's
end too. Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, VECTOR_BYTES, _same_dtype, vector_code
from ._simd_norms import _PLACE, _REAL, _RowEmitter
from ._simd_rows import _ALIGNMENT

SOON, LATER = 1024, 4096  # elements further on: lines asked for that will be written, and read
TOGETHER = 2  # rows that are added to a column's sums at once, which are read and written less often


class _AffineEmitter(_RowEmitter):
    """Reads arrays of either dtype."""

    def less(self, gradient, weight, distance, scale, shift, slope):
        """Return ``scale * (weight * gradient - shift - distance * slope)`` in the dtype."""
        numbers = (scale, self.builder.fneg(shift), self.builder.fneg(slope))
        scale, less_shift, less_slope = (self.spread(number, distance.type.count) for number in numbers)
        rest = self.fused(distance, less_slope, self.fused(gradient, weight, less_shift))
        return self.narrow(self.builder.fmul(scale, rest))

    def ask(self, i, to, sources, ahead, soon=None):
        """Ask for the lines that are written soon, and for those ``ahead`` that are read later."""
        self.expect(to, self.builder.add(i, _INDEX(SOON) if soon is None else soon))
        for source in sources:
            self.fetch(source, self.builder.add(i, ahead))

    def take_wide(self, pointer, at, lanes):
        """Load as many elements, as doubles."""
        return self.wide(self.load(pointer, at, ir.VectorType(pointer.type.pointee, lanes)))

    def read_wide(self, pointer, at, mask):
        """Load the lanes of a mask, or all if it is None, as doubles; the others are 0."""
        if mask is None:
            return self.take_wide(pointer, at, self.lanes)
        kind = ir.VectorType(pointer.type.pointee, self.lanes)
        bits = 32 if isinstance(kind.element, ir.FloatType) else 64
        signature = ir.FunctionType(kind, [kind.as_pointer(), _ALIGNMENT, self.kind, kind])
        load = self.declare(signature, f"llvm.masked.load.v{self.lanes}f{bits}.p0")
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), kind.as_pointer())
        zero = ir.Constant(kind, [0.0] * self.lanes)
        return self.wide(self.builder.call(load, [place, _ALIGNMENT(bits // 8), mask, zero]))


@vector_code
def scale_row(typing_context, row, at, count, centre, scale, weight, bias, affine_at, to):
    """Write ``(row - centre) * scale * weight + bias``, rounded, at the same place of another array."""
    dtype = _same_dtype(row, to)
    signature = types.void(row, _PLACE, _PLACE, _REAL, _REAL, weight, bias, _PLACE, to)

    def generate(context, builder, signature, arguments):
        emitter = _AffineEmitter(context, builder, dtype)
        row, to = (emitter.address(signature.args[i], arguments[i], arguments[1]) for i in (0, 8))
        weight, bias = (emitter.address(signature.args[i], arguments[i], arguments[7]) for i in (5, 6))

        def write(i, lanes):
            emitter.ask(i, to, [row], _INDEX(LATER))
            scaled = builder.fmul(
                emitter.distance(emitter.take(row, i, lanes), arguments[3]), emitter.spread(arguments[4], lanes)
            )
            value = emitter.fused(scaled, emitter.take_wide(weight, i, lanes), emitter.take_wide(bias, i, lanes))
            emitter.store(emitter.narrow(value), to, i)

        emitter.each(arguments[2], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def normalise_ahead(typing_context, row, at, count, centre, scale, shift, to, soon, ahead):
    """Write ``(row - centre) * scale + shift``, rounded, at the same place of another array.

    The lines ``soon`` and ``ahead`` elements further on are fetched meanwhile: those that are written, and what is normalised
    next, come while this is computed.
    """
    dtype = _same_dtype(row, to)
    signature = types.void(row, _PLACE, _PLACE, *[_REAL] * 3, to, _PLACE, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter = _AffineEmitter(context, builder, dtype)
        row, to = (emitter.address(signature.args[i], arguments[i], arguments[1]) for i in (0, 6))

        def write(i, lanes):
            emitter.ask(i, to, [row], arguments[8], arguments[7])
            scale, shift = (emitter.spread(number, lanes) for number in arguments[4:6])
            value = emitter.fused(emitter.distance(emitter.take(row, i, lanes), arguments[3]), scale, shift)
            emitter.store(emitter.narrow(value), to, i)

        emitter.each(arguments[2], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def sum_weighted(typing_context, grad, row, at, count, centre, weight, weight_at):
    """Return the sum of a weighted gradient, and that of its products with ``row - centre``."""
    dtype = _same_dtype(grad, row)
    pair = types.UniTuple(_REAL, 2)

    def generate(context, builder, signature, arguments):
        emitter = _AffineEmitter(context, builder, dtype)
        grad, row = (emitter.address(signature.args[i], arguments[i], arguments[2]) for i in (0, 1))
        weight = emitter.address(signature.args[5], *arguments[5:7])
        centre = emitter.spread(arguments[4], emitter.lanes)

        def terms(i, mask):
            for array in (grad, row):
                emitter.fetch(array, builder.add(i, _INDEX(LATER)))
            gradient, value = (emitter.wide(emitter.read(array, i, mask)) for array in (grad, row))
            weighted = builder.fmul(gradient, emitter.read_wide(weight, i, mask))
            return weighted, emitter.inside(mask, builder.fmul(weighted, builder.fsub(value, centre)))

        return context.make_tuple(builder, pair, emitter.totals(arguments[3], terms, 2))

    return pair(grad, row, _PLACE, _PLACE, _REAL, weight, _PLACE), generate


@vector_code
def subtract_scaled(typing_context, grad, row, at, count, centre, weight, scale, shift, slope, to, ahead):
    """Write ``scale * (weight * gradient - shift - (row - centre) * slope)`` at the same place, and ask for lines ``ahead``."""
    dtype = _same_dtype(grad, row, to)
    signature = types.void(grad, row, _PLACE, _PLACE, *[_REAL] * 5, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter = _AffineEmitter(context, builder, dtype)
        grad, row, to = (emitter.address(signature.args[i], arguments[i], arguments[2]) for i in (0, 1, 9))

        def write(i, lanes):
            emitter.ask(i, to, [grad, row], arguments[10])
            distance = emitter.distance(emitter.take(row, i, lanes), arguments[4])
            weight = emitter.spread(arguments[5], lanes)
            emitter.store(emitter.less(emitter.take_wide(grad, i, lanes), weight, distance, *arguments[6:9]), to, i)

        emitter.each(arguments[3], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def finish_rows(
    typing_context, rows, grad, row, at, step, count, lines, lines_at, weight, weight_at, to, sums, moments_at, totals_at
):
    """Write the gradients of 1 or TOGETHER ``rows``, ``step`` apart, and add to the sums of each column, one row after another.

    Row r has the line ``centre, scale, shift, slope`` of doubles, and is ``scale * (weight * gradient - shift - distance *
    slope)``; with its ``distance = row - centre``, ``moments += gradient * (distance * scale)`` and ``totals += gradient``.
    """
    dtype = _same_dtype(grad, row, to)
    signature = types.void(_PLACE, grad, row, *[_PLACE] * 3, lines, _PLACE, weight, _PLACE, to, sums, _PLACE, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter = _AffineEmitter(context, builder, dtype)
        places = [(1, 3), (2, 3), (10, 3), (8, 9), (6, 7), (11, 12), (11, 13)]
        pointers = [emitter.address(signature.args[array], arguments[array], arguments[place]) for array, place in places]
        for height in (1, TOGETHER):
            with builder.if_then(builder.icmp_signed("==", arguments[0], _INDEX(height))):
                _finish(emitter, [builder.mul(arguments[4], _INDEX(r)) for r in range(height)], arguments[5], *pointers)
        return context.get_dummy_value()

    return signature, generate


def _finish(emitter, starts, count, grad, row, to, weight, lines, moments, totals):
    """One number of rows of `finish_rows`: what a column's sums hold stays in registers from the first row to the last."""
    builder = emitter.builder
    numbers = [[builder.load(builder.gep(lines, [_INDEX(4 * r + i)])) for i in range(4)] for r in range(len(starts))]
    size = VECTOR_BYTES // 8  # columns: the rows' numbers and a column's sums, a register each
    whole = builder.and_(count, _INDEX(-size))

    def finish(i, lanes):
        factor, moment, total = (emitter.take_wide(array, i, lanes) for array in (weight, moments, totals))
        for start, (centre, scale, shift, slope) in zip(starts, numbers):
            place = builder.add(start, i)
            emitter.expect(to, builder.add(place, _INDEX(SOON)))
            gradient = emitter.take_wide(grad, place, lanes)
            distance = emitter.distance(emitter.take(row, place, lanes), centre)
            moment = emitter.fused(gradient, builder.fmul(distance, emitter.spread(scale, lanes)), moment)
            total = builder.fadd(total, gradient)
            emitter.store(emitter.less(gradient, factor, distance, scale, shift, slope), to, place)
        emitter.store(moment, moments, i)
        emitter.store(total, totals, i)

    with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(size), intp=_INDEX) as (i, _):
        finish(i, size)
    with cgutils.for_range_slice(builder, whole, count, _INDEX(1), intp=_INDEX) as (i, _):
        finish(i, 1)
