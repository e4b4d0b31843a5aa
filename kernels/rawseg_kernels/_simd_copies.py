"""Vector code that copies rows of any dtype, one after the other, out of a large array and into another.

Rows are too short for the processor to see what comes next, so lines are asked for in advance, beyond an array's end too.
Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError

from ._simd import _INDEX, vector_code
from ._simd_norms import _PLACE, _RowEmitter

SOON, LATER = 1024, 2048  # elements further on: lines asked for that will be written, and read


@vector_code
def copy_ahead(typing_context, source, source_at, to, to_at, count):
    """``to[to_at + i] = source[source_at + i]`` for a row, and ask for lines of both that follow."""
    if not (source.layout == to.layout == "C" and source.dtype == to.dtype):
        raise TypingError(f"vector code needs C-contiguous arrays of one dtype, got {(source, to)}")

    def generate(context, builder, signature, arguments):
        arrays = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2))
        source, to = (builder.gep(array.data, [at]) for array, at in zip(arrays, (arguments[1], arguments[3])))
        itemsize = context.get_abi_sizeof(source.type.pointee)
        if itemsize < 4:
            cgutils.raw_memcpy(builder, to, source, arguments[4], itemsize)
            return context.get_dummy_value()
        emitter = _RowEmitter(context, builder, types.float32 if itemsize == 4 else types.float64)  # bits pass as they are
        source, to = (builder.bitcast(pointer, emitter.scalar.as_pointer()) for pointer in (source, to))

        def move(i, lanes):
            emitter.expect(to, builder.add(i, _INDEX(SOON)))
            emitter.fetch(source, builder.add(i, _INDEX(LATER)))
            emitter.store(emitter.take(source, i, lanes), to, i)

        emitter.each(arguments[4], move)
        return context.get_dummy_value()

    return types.void(source, _PLACE, to, _PLACE, _PLACE), generate
