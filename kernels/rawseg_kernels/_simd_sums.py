"""Vector code for sums along a row in double precision: what every average and every variance begins with.

Element i of a row goes to lane ``i % LANES``, whatever the dtype and the width of the vectors; the lanes stay in registers and
are added up by halves at the end. Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, _LANE, _Emitter, _same_dtype, vector_code

LANES = 32  # four vectors of AVX-512: one addition need not wait for the last
_WIDE = ir.VectorType(ir.DoubleType(), LANES)
_ZERO = ir.Constant(_WIDE, [0.0] * LANES)


class _SumEmitter(_Emitter):
    """Reads LANES elements at a time, as doubles; LLVM deals them out to registers."""

    def __init__(self, context, builder, dtype):
        super().__init__(context, builder, dtype)
        self.narrow, self.flags = ir.VectorType(self.scalar, LANES), ir.VectorType(ir.IntType(1), LANES)
        kind = ir.FunctionType(self.narrow, [self.narrow.as_pointer(), _LANE, self.flags, self.narrow])
        self.masked = self.declare(kind, f"llvm.masked.load.v{LANES}f{dtype.bitwidth}.p0")

    def wide(self, value):
        return value if self.narrow == _WIDE else self.builder.fpext(value, _WIDE)

    def read(self, pointer, at, mask=None):
        """Load LANES elements, or those of a mask and zeros."""
        if mask is None:
            return self.wide(self.load(pointer, at, self.narrow))
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), self.narrow.as_pointer())
        zero = ir.Constant(self.narrow, [0.0] * LANES)
        return self.wide(self.builder.call(self.masked, [place, _LANE(self.itemsize), mask, zero]))

    def everywhere(self, scalar, kind=_WIDE):
        """Return a vector of one value."""
        undefined = ir.Constant(kind, ir.Undefined)
        return self.shuffle(self.builder.insert_element(undefined, scalar, _LANE(0)), undefined, [0] * LANES)

    def first(self, count):
        """Return the mask of the first ``count`` lanes."""
        kind = ir.VectorType(_LANE, LANES)
        count = self.everywhere(self.builder.trunc(count, _LANE), kind)
        return self.builder.icmp_signed("<", ir.Constant(kind, list(range(LANES))), count)

    def added(self, lanes):
        """Return the sum of all lanes, by halves."""
        half = LANES // 2
        while half:
            undefined = ir.Constant(lanes.type, ir.Undefined)
            lower, upper = (self.shuffle(lanes, undefined, list(range(at, at + half))) for at in (0, half))
            lanes, half = self.builder.fadd(lower, upper), half // 2
        return self.builder.extract_element(lanes, _LANE(0))

    def row(self, count, add):
        """Call ``add(place, mask)`` for all elements of a row: LANES at a time, and the mask of those left over."""
        builder = self.builder
        whole = builder.mul(builder.sdiv(count, _INDEX(LANES)), _INDEX(LANES))
        with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(LANES), intp=_INDEX) as (i, _):
            add(i, None)
        with builder.if_then(builder.icmp_signed("<", whole, count)):
            add(whole, self.first(builder.sub(count, whole)))


@vector_code
def sum_row(typing_context, row, at, count):
    """Return the sum of ``count`` elements from a place on."""
    dtype = _same_dtype(row)

    def generate(context, builder, signature, arguments):
        emitter = _SumEmitter(context, builder, dtype)
        row = emitter.address(signature.args[0], *arguments[:2])
        lanes = cgutils.alloca_once_value(builder, _ZERO)

        def add(i, mask):
            builder.store(builder.fadd(builder.load(lanes), emitter.read(row, i, mask)), lanes)

        emitter.row(arguments[2], add)
        return emitter.added(builder.load(lanes))

    return types.float64(row, types.int64, types.int64), generate


@vector_code
def sum_squares(typing_context, row, at, count, centre):
    """Return the sum of the squared distances of ``count`` elements from a centre."""
    dtype = _same_dtype(row)

    def generate(context, builder, signature, arguments):
        emitter = _SumEmitter(context, builder, dtype)
        row = emitter.address(signature.args[0], *arguments[:2])
        lanes, centre = cgutils.alloca_once_value(builder, _ZERO), emitter.everywhere(arguments[3])

        def add(i, mask):
            distance = builder.fsub(emitter.read(row, i, mask), centre)
            square = builder.fmul(distance, distance)
            square = square if mask is None else builder.select(mask, square, _ZERO)
            builder.store(builder.fadd(builder.load(lanes), square), lanes)

        emitter.row(arguments[2], add)
        return emitter.added(builder.load(lanes))

    return types.float64(row, types.int64, types.int64, types.float64), generate


@vector_code
def sum_distances(typing_context, factors, factors_at, row, at, count, centre):
    """Return the sum of the distances of ``count`` elements from a centre, each times its factor."""
    dtype = _same_dtype(factors, row)
    place = types.int64

    def generate(context, builder, signature, arguments):
        emitter = _SumEmitter(context, builder, dtype)
        factors, row = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 2))
        lanes, centre = cgutils.alloca_once_value(builder, _ZERO), emitter.everywhere(arguments[5])

        def add(i, mask):
            product = builder.fmul(emitter.read(factors, i, mask), builder.fsub(emitter.read(row, i, mask), centre))
            builder.store(builder.fadd(builder.load(lanes), product), lanes)

        emitter.row(arguments[4], add)
        return emitter.added(builder.load(lanes))

    return types.float64(factors, place, row, place, place, types.float64), generate
