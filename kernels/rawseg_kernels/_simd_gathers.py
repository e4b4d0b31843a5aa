"""Vector code that reads a row at places of a table: what Numba reads one by one, as it cannot know what the places are.

Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types

from ._simd import _INDEX, _same_dtype, vector_code
from ._simd_rows import _ALIGNMENT, _MaskedEmitter

_PLACE = types.int64


class _GatherEmitter(_MaskedEmitter):
    """Reads the lanes of a mask, or all if it is None, wherever they are."""

    def gather(self, pointer, places, at, mask):
        """Return the elements at the places, of uint32, that a table has from ``at`` on."""
        narrow, wide = (ir.VectorType(ir.IntType(bits), self.lanes) for bits in (32, 64))
        whole = ir.Constant(self.kind, [1] * self.lanes)
        reads = ir.FunctionType(narrow, [narrow.as_pointer(), _ALIGNMENT, self.kind, narrow])
        read = self.declare(reads, f"llvm.masked.load.v{self.lanes}i32.p0")
        table = self.builder.bitcast(self.builder.gep(places, [at]), narrow.as_pointer())
        mask, zeros = whole if mask is None else mask, ir.Constant(narrow, [0] * self.lanes)
        offsets = self.builder.zext(self.builder.call(read, [table, _ALIGNMENT(4), mask, zeros]), wide)
        offsets = self.builder.mul(offsets, ir.Constant(wide, [self.itemsize] * self.lanes))
        base = self.builder.insert_element(ir.Constant(wide, ir.Undefined), self.builder.ptrtoint(pointer, _INDEX), _INDEX(0))
        base = self.shuffle(base, ir.Constant(wide, ir.Undefined), [0] * self.lanes)
        pointers = ir.VectorType(self.scalar.as_pointer(), self.lanes)
        addresses = self.builder.inttoptr(self.builder.add(base, offsets), pointers)
        gathers = ir.FunctionType(self.vector, [pointers, _ALIGNMENT, self.kind, self.vector])
        name = f"llvm.masked.gather.v{self.lanes}f{8 * self.itemsize}.v{self.lanes}p0"
        arguments = [addresses, _ALIGNMENT(self.itemsize), mask, self.zero]
        return self.builder.call(self.declare(gathers, name), arguments)


@vector_code
def interpolate_row(typing_context, count, source, at, left, right, left_weight, right_weight, to):
    """``to[i] = left_weight[i] * source[at + left[i]] + right_weight[i] * source[at + right[i]]``."""
    dtype = _same_dtype(source, left_weight, right_weight, to)
    signature = types.void(_PLACE, source, _PLACE, left, right, left_weight, right_weight, to)

    def generate(context, builder, signature, arguments):
        emitter, start = _GatherEmitter(context, builder, dtype), _INDEX(0)
        arrays = [emitter.address(signature.args[i], arguments[i], start) for i in (1, 3, 4, 5, 6, 7)]
        source, left, right, left_weight, right_weight, to = arrays
        source = builder.gep(source, [arguments[2]])

        def write(i, mask):
            sides = (left, left_weight), (right, right_weight)
            parts = [builder.fmul(emitter.read(w, i, mask), emitter.gather(source, side, i, mask)) for side, w in sides]
            emitter.write(builder.fadd(*parts), to, i, mask)

        emitter.each_masked(arguments[0], write)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def add_products_of(typing_context, count, weights, places, at, source, sums, sums_at):
    """``sums[sums_at + i] += weights[at + i] * source[places[at + i]]``."""
    dtype = _same_dtype(weights, source, sums)
    signature = types.void(_PLACE, weights, places, _PLACE, source, sums, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, start = _GatherEmitter(context, builder, dtype), _INDEX(0)
        places_at = {1: arguments[3], 2: arguments[3], 4: start, 5: arguments[6]}
        weights, places, source, sums = (emitter.address(signature.args[i], arguments[i], at) for i, at in places_at.items())

        def write(i, mask):
            product = builder.fmul(emitter.read(weights, i, mask), emitter.gather(source, places, i, mask))
            emitter.write(builder.fadd(emitter.read(sums, i, mask), product), sums, i, mask)

        emitter.each_masked(arguments[0], write)
        return context.get_dummy_value()

    return signature, generate
