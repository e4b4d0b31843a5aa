"""Vector code for the largest element of a window and a number that says which it is: along its rows first, then down them.

An element replaces the largest so far if it is greater, or NaN: in the order of a scan, the first of equal ones and the last
NaN stay. Done for each row and then for the rows' own, that is the same choice as over all elements in row-major order. Numbers
are integers as wide as the elements, so that a vector has as many of either.

Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError

from ._simd import _INDEX, _same_dtype, vector_code
from ._simd_rows import _ALIGNMENT, _MaskedEmitter

_PLACE = types.int64


class _MaximumEmitter(_MaskedEmitter):
    """Holds the largest elements and their numbers, a vector of each, in two cells that LLVM turns into registers."""

    def __init__(self, context, builder, dtype):
        super().__init__(context, builder, dtype)
        self.number = ir.IntType(8 * self.itemsize)
        self.numbers = ir.VectorType(self.number, self.lanes)
        self.cells = [cgutils.alloca_once(builder, kind) for kind in (self.vector, self.numbers)]

    def same(self, number):
        """Return a vector of one number, given as an index."""
        number = number if self.itemsize == 8 else self.builder.trunc(number, self.number)
        undefined = ir.Constant(self.numbers, ir.Undefined)
        return self.shuffle(self.builder.insert_element(undefined, number, ir.IntType(32)(0)), undefined, [0] * self.lanes)

    def hold(self, values, numbers):
        for cell, held in zip(self.cells, (values, numbers)):
            self.builder.store(held, cell)

    def offer(self, values, numbers):
        """Let elements compete with those that are held."""
        best, chosen = self.held()
        wins = self.builder.fcmp_ordered(">", values, best)
        wins = self.builder.or_(wins, self.builder.fcmp_unordered("uno", values, values))
        self.hold(self.builder.select(wins, values, best), self.builder.select(wins, numbers, chosen))

    def held(self):
        return [self.builder.load(cell) for cell in self.cells]

    def write_numbers(self, numbers, pointer, at, mask):
        """Store numbers as what an array has, in the lanes of a mask, or all if it is None."""
        kind = pointer.type.pointee
        if kind.width != self.number.width:
            change = self.builder.trunc if kind.width < self.number.width else self.builder.sext
            numbers = change(numbers, ir.VectorType(kind, self.lanes))
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), numbers.type.as_pointer())
        if mask is None:
            self.builder.store(numbers, place, align=kind.width // 8)
            return
        writes = ir.FunctionType(ir.VoidType(), [numbers.type, place.type, _ALIGNMENT, self.kind])
        write = self.declare(writes, f"llvm.masked.store.v{self.lanes}i{kind.width}.p0")
        self.builder.call(write, [numbers, place, _ALIGNMENT(kind.width // 8), mask])


def _check_numbers(dtype, *arrays):
    if not all(array.layout == "C" and array.dtype == types.Integer.from_bitwidth(dtype.bitwidth) for array in arrays):
        raise TypingError(f"vector code needs numbers as wide as {dtype}, got {arrays}")


@vector_code
def maxima_along(typing_context, count, lines, taps, firsts, best, chosen, to_at):
    """Write the largest of ``lines[taps[t, 0] + i]`` over all t to ``best[to_at + i]``, ``taps[t, 1]`` of it to ``chosen``.

    Where all are -inf it is ``firsts[i]``. Whole vectors are read and written: up to BLOCK - 1 elements behind the last.
    """
    dtype = _same_dtype(lines, best)
    _check_numbers(dtype, firsts, chosen)
    signature = types.void(_PLACE, lines, taps, firsts, best, chosen, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, start = _MaximumEmitter(context, builder, dtype), _INDEX(0)
        places = (start, start, start, arguments[6], arguments[6])
        arrays = (emitter.address(signature.args[i], arguments[i], at) for i, at in zip(range(1, 6), places))
        lines, taps, firsts, best, chosen = arrays
        lowest = ir.Constant(emitter.vector, [float("-inf")] * emitter.lanes)
        length = builder.extract_value(context.make_array(signature.args[2])(context, builder, arguments[2]).shape, 0)
        with cgutils.for_range_slice(builder, start, arguments[0], _INDEX(emitter.lanes), intp=_INDEX) as (i, _):
            emitter.hold(lowest, emitter.load(firsts, i, emitter.numbers))
            with cgutils.for_range(builder, length, intp=_INDEX) as loop:
                tap = builder.gep(taps, [builder.add(loop.index, loop.index)])
                shift, number = (builder.load(builder.gep(tap, [_INDEX(column)])) for column in (0, 1))
                emitter.offer(emitter.load(lines, builder.add(shift, i), emitter.vector), emitter.same(number))
            values, numbers = emitter.held()
            emitter.store(values, best, i)
            emitter.store(numbers, chosen, i)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def maxima_down(typing_context, count, rows, starts, step, best, chosen, first, run, to, to_at, where, where_at):
    """Write the largest of ``best[starts[r] + i]`` over ``rows`` rows r to ``to[to_at + i]``, and where it is.

    ``where[where_at + i]`` is ``first + i * run``, plus ``r * step``, plus what ``chosen`` says of it. Whole vectors are read.
    """
    dtype = _same_dtype(best, to)
    _check_numbers(dtype, chosen)
    signature = types.void(_PLACE, _PLACE, starts, _PLACE, best, chosen, _PLACE, _PLACE, to, _PLACE, where, _PLACE)

    def generate(context, builder, signature, arguments):
        count, rows, step, first, run = (arguments[i] for i in (0, 1, 3, 6, 7))
        emitter, start = _MaximumEmitter(context, builder, dtype), _INDEX(0)
        places = {2: start, 4: start, 5: start, 8: arguments[9], 10: arguments[11]}
        arrays = (emitter.address(signature.args[i], arguments[i], at) for i, at in places.items())
        starts, best, chosen, to, where = arrays
        lanes = ir.Constant(emitter.numbers, list(range(emitter.lanes)))
        runs = builder.mul(lanes, emitter.same(run))

        def write(i, mask):
            begin = builder.add(builder.load(starts), i)
            emitter.hold(emitter.load(best, begin, emitter.vector), emitter.load(chosen, begin, emitter.numbers))
            with cgutils.for_range_slice(builder, _INDEX(1), rows, _INDEX(1), intp=_INDEX) as (row, _):
                at = builder.add(builder.load(builder.gep(starts, [row])), i)
                numbers = builder.add(emitter.load(chosen, at, emitter.numbers), emitter.same(builder.mul(row, step)))
                emitter.offer(emitter.load(best, at, emitter.vector), numbers)
            values, numbers = emitter.held()
            numbers = builder.add(numbers, builder.add(runs, emitter.same(builder.add(first, builder.mul(i, run)))))
            emitter.write(values, to, i, mask)
            emitter.write_numbers(numbers, where, i, mask)

        emitter.each_masked(count, write)
        return context.get_dummy_value()

    return signature, generate
