"""Vector code for sums along a row in double precision: what every average and every variance begins with.

Element i of a row goes to lane ``i % LANES``, whatever the dtype and the width of the vectors; the lanes stay in registers and
are added up by halves at the end. Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, _LANE, _same_dtype, vector_code
from ._simd_rows import _MaskedEmitter

LANES = 32  # four vectors of AVX-512: one addition need not wait for the last


class _WideEmitter(_MaskedEmitter):
    """Computes in double: a vector of either dtype is as many doubles, which LLVM deals out to registers."""

    def wide(self, value):
        kind = ir.VectorType(ir.DoubleType(), value.type.count)
        return value if value.type == kind else self.builder.fpext(value, kind)

    def narrow(self, value):
        """Round to the dtype."""
        kind = ir.VectorType(self.scalar, value.type.count)
        return value if value.type == kind else self.builder.fptrunc(value, kind)

    def spread(self, scalar, lanes):
        """Return a vector of one value."""
        undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
        return self.shuffle(self.builder.insert_element(undefined, scalar, _LANE(0)), undefined, [0] * lanes)

    def totals(self, count, terms, number):
        """Return ``number`` sums along a row, of the vectors of doubles that ``terms(place, mask)`` returns for each vector.

        A mask is None where a vector is whole; terms are 0 outside of it. So many lanes are taken at once that the registers
        hold those of all sums.
        """
        together = LANES // number
        cells = [self._sums(count, terms, number, first, together) for first in range(0, LANES, together)]
        return [self._added([self.builder.load(row[i]) for part in cells for row in part]) for i in range(number)]

    def _sums(self, count, terms, number, first, together):
        """Sum what goes to the lanes from the first on; return each vector's sums, which LLVM keeps in registers."""
        builder = self.builder
        zero = ir.Constant(ir.VectorType(ir.DoubleType(), self.lanes), [0.0] * self.lanes)
        places = range(first, first + together, self.lanes)
        cells = [[cgutils.alloca_once_value(builder, zero) for _ in range(number)] for _ in places]
        whole = builder.and_(count, _INDEX(-LANES))

        def add(row, start, place, mask):
            for cell, term in zip(row, terms(builder.add(start, _INDEX(place)), mask)):
                builder.store(builder.fadd(builder.load(cell), term), cell)

        with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(LANES), intp=_INDEX) as (i, _):
            for row, place in zip(cells, places):
                add(row, i, place, None)
        rest = builder.sub(count, whole)
        for row, place in zip(cells, places):
            with builder.if_else(builder.icmp_signed(">=", rest, _INDEX(place + self.lanes))) as (full, partial):
                with full:
                    add(row, whole, place, None)
                with partial, builder.if_then(builder.icmp_signed(">", rest, _INDEX(place))):
                    add(row, whole, place, self.first(builder.sub(rest, _INDEX(place))))
        return cells

    def _added(self, vectors):
        """Return the sum of all lanes, by halves."""
        while len(vectors) > 1:
            half = len(vectors) // 2
            vectors = [self.builder.fadd(lower, upper) for lower, upper in zip(vectors[:half], vectors[half:])]
        lanes, half = vectors[0], self.lanes // 2
        while half:
            undefined = ir.Constant(lanes.type, ir.Undefined)
            lower, upper = (self.shuffle(lanes, undefined, list(range(at, at + half))) for at in (0, half))
            lanes, half = self.builder.fadd(lower, upper), half // 2
        return self.builder.extract_element(lanes, _LANE(0))

    def inside(self, mask, terms):
        """Return terms, and 0 outside of a mask."""
        return terms if mask is None else self.builder.select(mask, terms, ir.Constant(terms.type, [0.0] * self.lanes))


@vector_code
def sum_row(typing_context, row, at, count):
    """Return the sum of ``count`` elements from a place on."""
    dtype = _same_dtype(row)

    def generate(context, builder, signature, arguments):
        emitter = _WideEmitter(context, builder, dtype)
        row = emitter.address(signature.args[0], *arguments[:2])
        return emitter.totals(arguments[2], lambda i, mask: [emitter.wide(emitter.read(row, i, mask))], 1)[0]

    return types.float64(row, types.int64, types.int64), generate


@vector_code
def sum_squares(typing_context, row, at, count, centre):
    """Return the sum of the squared distances of ``count`` elements from a centre."""
    dtype = _same_dtype(row)

    def generate(context, builder, signature, arguments):
        emitter = _WideEmitter(context, builder, dtype)
        row, at, count, centre = arguments
        return _squares(emitter, emitter.address(signature.args[0], row, at), count, centre)

    return types.float64(row, types.int64, types.int64, types.float64), generate


@vector_code
def sum_squares_before(typing_context, row, at, count, centre, to):
    """Do as `sum_squares`, and ask for the lines of the same places of ``to``: they come while this is summed."""
    dtype = _same_dtype(row, to)

    def generate(context, builder, signature, arguments):
        emitter = _WideEmitter(context, builder, dtype)
        _, _, count, centre, _ = arguments
        row, to = (emitter.address(signature.args[i], arguments[i], arguments[1]) for i in (0, 4))
        return _squares(emitter, row, count, centre, lambda i: emitter.expect(to, i))

    return types.float64(row, types.int64, types.int64, types.float64, to), generate


def _squares(emitter, row, count, centre, meanwhile=lambda i: None):
    """Sum squared distances from a centre, with ``meanwhile(place)`` at every vector."""
    centre = emitter.spread(centre, emitter.lanes)

    def square(i, mask):
        meanwhile(i)
        distance = emitter.builder.fsub(emitter.wide(emitter.read(row, i, mask)), centre)
        return [emitter.inside(mask, emitter.builder.fmul(distance, distance))]

    return emitter.totals(count, square, 1)[0]
