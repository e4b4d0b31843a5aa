"""Vector code for the rows that a norm scales, forward and back: short ones, where a compiled loop has hardly begun.

Values are computed in double and rounded once. The last vector of a row begins so early that it ends with the row: what it
writes again are the same bits, because no result lies where something is read. Places count elements and nothing is checked,
as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, _same_dtype, vector_code
from ._simd_sums import _WideEmitter

_PLACE, _REAL = types.int64, types.float64


class _RowEmitter(_WideEmitter):
    """Writes one row, and reads it and others."""

    def each(self, count, write, sizes=None):
        """Call ``write(place, lanes)`` until each of the elements is written, in the longest vectors that a row fills."""
        builder, sizes = self.builder, sorted({self.lanes, min(self.lanes, 4), 1}) if sizes is None else sizes
        size = sizes[-1]
        with builder.if_else(builder.icmp_signed(">=", count, _INDEX(size))) as (long, short):
            with long:
                last = builder.sub(count, _INDEX(size))
                with cgutils.for_range_slice(builder, _INDEX(0), last, _INDEX(size), intp=_INDEX) as (i, _):
                    write(i, size)
                write(last, size)
            with short:
                if size > 1:
                    self.each(count, write, sizes[:-1])

    def take(self, pointer, at, lanes):
        return self.load(pointer, at, ir.VectorType(self.scalar, lanes))

    def line(self, distance, scale, shift):
        """Return ``distance * scale + shift`` in the dtype."""
        scale, shift = (self.spread(number, distance.type.count) for number in (scale, shift))
        return self.narrow(self.builder.fadd(self.builder.fmul(distance, scale), shift))

    def distance(self, value, centre):
        return self.builder.fsub(self.wide(value), self.spread(centre, value.type.count))

    def hold(self, values, low, high):
        """Return values held between two numbers; NaN stays."""
        for relation, number in (("<", low), (">", high)):
            limit = self.spread(number, values.type.count)
            values = self.builder.select(self.builder.fcmp_ordered(relation, values, limit), limit, values)
        return values

    def passed(self, gradient, values, centre, least, most, some=True):
        """Return a gradient where the values' distances from a centre are not below or above two numbers, and the distances.

        Both are in double: elements are widened while they are read, and masks need not be.
        """
        distance, gradient = self.distance(values, centre), self.wide(gradient)
        zero = ir.Constant(gradient.type, [0.0] * gradient.type.count)
        for relation, number in (("<", least), (">", most)) if some else ():
            beyond = self.builder.fcmp_ordered(relation, distance, self.spread(number, gradient.type.count))
            gradient = self.builder.select(beyond, zero, gradient)
        return gradient, distance

    def fused(self, one, other, addend):
        """Return ``one * other + addend``, rounded once."""
        kind = addend.type
        multiply = self.declare(ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{kind.count}f64")
        return self.builder.call(multiply, [one, other, addend])

    def whether_some(self, least, most):
        """Yield, each in code of its own, whether distances may be beyond two numbers: masks cost a third of the time."""
        infinity = ir.Constant(least.type, float("inf"))
        endless = [self.builder.fcmp_ordered("==", *pair) for pair in ((least, self.builder.fneg(infinity)), (most, infinity))]
        with self.builder.if_else(self.builder.and_(*endless)) as (none, some):
            with none:
                yield False
            with some:
                yield True

    def less_line(self, gradient, distance, scale, shift, slope):
        """Return ``scale * (gradient - shift - distance * slope)`` in the dtype: two fused products, for scale is the row's."""
        less = self.builder.fneg(scale)
        products = [scale, *(self.builder.fmul(less, number) for number in (shift, slope))]
        scale, less_shift, less_slope = (self.spread(number, distance.type.count) for number in products)
        return self.narrow(self.fused(distance, less_slope, self.fused(gradient, scale, less_shift)))


@vector_code
def copy_row(typing_context, source, source_at, to, to_at, count):
    """``to[to_at + i] = source[source_at + i]`` for a short row: `_simd.copy` calls memcpy."""
    dtype = _same_dtype(source, to)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        source, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 2))
        emitter.each(arguments[4], lambda i, lanes: emitter.store(emitter.take(source, i, lanes), to, i))
        return context.get_dummy_value()

    return types.void(source, _PLACE, to, _PLACE, _PLACE), generate


@vector_code
def normalise_row(typing_context, row, at, count, centre, scale, shift, low, high, to, to_at):
    """Write ``(row - centre) * scale + shift``, rounded, and held between two numbers; NaN stays."""
    dtype = _same_dtype(row, to)
    signature = types.void(row, _PLACE, _PLACE, *[_REAL] * 3, dtype, dtype, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        row, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 8))
        centre, scale, shift, low, high = arguments[3:8]

        def write(i, lanes):
            value = emitter.line(emitter.distance(emitter.take(row, i, lanes), centre), scale, shift)
            emitter.store(emitter.hold(value, low, high), to, i)

        emitter.each(arguments[2], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def widen_gradient(typing_context, grad, row, at, count, centre, least, most, wide, wide_at, distances_at):
    """Write to ``wide`` a gradient, 0 where ``row - centre`` is below or above two numbers, and that distance."""
    dtype = _same_dtype(grad, row)
    signature = types.void(grad, row, _PLACE, _PLACE, *[_REAL] * 3, wide, _PLACE, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        grad, row = (emitter.address(signature.args[i], arguments[i], arguments[2]) for i in (0, 1))
        targets = [emitter.address(signature.args[7], arguments[7], at) for at in arguments[8:]]

        def write(i, lanes):
            read = emitter.take(grad, i, lanes), emitter.take(row, i, lanes)
            for value, target in zip(emitter.passed(*read, *arguments[4:7]), targets):
                emitter.store(value, target, i)

        emitter.each(arguments[3], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def sum_wide(typing_context, wide, at, distances_at, count):
    """Return the sum of a gradient, and that of its products with the distances, from where `widen_gradient` writes both."""
    dtype = _same_dtype(wide)
    pair = types.UniTuple(_REAL, 2)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        arrays = [emitter.address(signature.args[0], arguments[0], at) for at in arguments[1:3]]

        def terms(i, mask):
            gradient, distance = (emitter.read(array, i, mask) for array in arrays)
            return gradient, builder.fmul(gradient, distance)

        return context.make_tuple(builder, pair, emitter.totals(arguments[3], terms, 2))

    return pair(wide, _PLACE, _PLACE, _PLACE), generate


@vector_code
def sum_gradient(typing_context, grad, row, at, count, centre, least, most):
    """Do as `widen_gradient` and `sum_wide` in one, and write nothing."""
    dtype = _same_dtype(grad, row)
    pair = types.UniTuple(_REAL, 2)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        arrays = [emitter.address(signature.args[i], arguments[i], arguments[2]) for i in (0, 1)]

        results = [cgutils.alloca_once(builder, ir.DoubleType()) for _ in range(2)]
        for some in emitter.whether_some(*arguments[5:]):

            def terms(i, mask, some=some):
                gradient, distance = emitter.passed(
                    *(emitter.read(array, i, mask) for array in arrays), *arguments[4:], some=some
                )
                return gradient, emitter.inside(mask, builder.fmul(gradient, distance))

            for total, result in zip(emitter.totals(arguments[3], terms, 2), results):
                builder.store(total, result)
        return context.make_tuple(builder, pair, [builder.load(result) for result in results])

    return pair(grad, row, _PLACE, _PLACE, *[_REAL] * 3), generate


@vector_code
def subtract_wide(typing_context, wide, at, distances_at, count, scale, shift, slope, to, to_at):
    """Write ``scale * (gradient - shift - distance * slope)`` for what `widen_gradient` has written."""
    dtype = _same_dtype(to)
    signature = types.void(wide, _PLACE, _PLACE, _PLACE, *[_REAL] * 3, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        arrays = [emitter.address(signature.args[0], arguments[0], at) for at in arguments[1:3]]
        to = emitter.address(signature.args[7], *arguments[7:9])

        def write(i, lanes):
            wide = [emitter.load(array, i, ir.VectorType(ir.DoubleType(), lanes)) for array in arrays]
            emitter.store(emitter.less_line(*wide, *arguments[4:7]), to, i)

        emitter.each(arguments[3], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def subtract_line(typing_context, grad, row, at, count, centre, least, most, scale, shift, slope, to):
    """Do as `widen_gradient` and `subtract_wide` in one, at the same place of all three arrays."""
    dtype = _same_dtype(grad, row, to)
    signature = types.void(grad, row, _PLACE, _PLACE, *[_REAL] * 6, to)

    def generate(context, builder, signature, arguments):
        emitter = _RowEmitter(context, builder, dtype)
        *arrays, to = (emitter.address(signature.args[i], arguments[i], arguments[2]) for i in (0, 1, 10))

        for some in emitter.whether_some(*arguments[5:7]):

            def write(i, lanes, some=some):
                wide = emitter.passed(*(emitter.take(array, i, lanes) for array in arrays), *arguments[4:7], some=some)
                emitter.store(emitter.less_line(*wide, *arguments[7:10]), to, i)

            emitter.each(arguments[3], write)
        return context.get_dummy_value()

    return signature, generate
