"""Vector code that puts each element of a row at the one of two places that its index names, and 0 at the other.

Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, _same_dtype, vector_code
from ._simd_rows import _MaskedEmitter, _pairs_of_vectors

_PLACE = types.int64


@vector_code
def place_pairs(typing_context, count, x, indices, at, start, to, to_at):
    """``to[to_at + 2 * i + p]`` is ``x[at + i]`` where ``indices[at + i]`` is ``start + 2 * i + p``, for p 0 and 1, else 0.

    Return how many of ``count`` elements have such an index: ``indices``, of int64, may be anything.
    """
    dtype = _same_dtype(x, to)
    signature = types.int64(_PLACE, x, indices, _PLACE, _PLACE, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, (count, _, _, at, start, _, to_at) = _MaskedEmitter(context, builder, dtype), arguments
        x, indices = (emitter.address(signature.args[i], arguments[i], at) for i in (1, 2))
        to, lanes = emitter.address(signature.args[5], arguments[5], to_at), emitter.lanes
        wide, total = ir.VectorType(_INDEX, lanes), cgutils.alloca_once_value(builder, _INDEX(0))
        reads = ir.FunctionType(wide, [wide.as_pointer(), ir.IntType(32), emitter.kind, wide])
        read_wide = emitter.declare(reads, f"llvm.masked.load.v{lanes}i64.p0")
        bits = ir.IntType(lanes)
        count_bits = emitter.declare(ir.FunctionType(bits, [bits]), f"llvm.ctpop.i{lanes}")
        for index, masks in _pairs_of_vectors(emitter, builder.add(count, count)):
            place = builder.mul(index, _INDEX(lanes))
            mask = None if masks[0] is None else emitter.first(builder.sub(count, place))
            where = builder.bitcast(builder.gep(indices, [place]), wide.as_pointer())
            none = ir.Constant(wide, [-1] * lanes)  # of a start that is not negative
            where = (
                builder.load(where, align=8)
                if mask is None
                else builder.call(read_wide, [where, ir.IntType(32)(8), mask, none])
            )
            values, begin = emitter.read(x, place, mask), builder.add(start, builder.add(place, place))
            begin = builder.insert_element(ir.Constant(wide, ir.Undefined), begin, ir.IntType(32)(0))
            begin = emitter.shuffle(begin, ir.Constant(wide, ir.Undefined), [0] * lanes)
            offsets = builder.sub(where, builder.add(begin, ir.Constant(wide, [2 * lane for lane in range(lanes)])))
            hits = [builder.icmp_signed("==", offsets, ir.Constant(wide, [half] * lanes)) for half in (0, 1)]
            even, odd = (builder.select(hit, values, emitter.zero) for hit in hits)
            found = builder.call(count_bits, [builder.bitcast(builder.or_(*hits), bits)])
            found = found if lanes == 64 else builder.zext(found, _INDEX)
            builder.store(builder.add(builder.load(total), found), total)
            for half in (0, 1):
                order = [lane // 2 + lane % 2 * lanes + half * lanes // 2 for lane in range(lanes)]
                pair_at = builder.add(builder.add(place, place), _INDEX(half * lanes))
                emitter.write(emitter.shuffle(even, odd, order), to, pair_at, masks[half])
        return builder.load(total)

    return signature, generate
