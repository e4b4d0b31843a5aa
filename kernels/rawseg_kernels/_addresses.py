"""Arrays that kernels find by their addresses, where there are too many of them to be arguments."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.np.arrayobj import populate_array

from ._atomics import word_code

_WORD = ir.IntType(64)


@word_code
def array_at(typing_context, address, start, size, like):
    """Return ``size`` elements of the dtype of ``like``, the ``start``-th after an address first, as a flat array.

    Nothing is checked, and nobody holds the memory but who gave the address.
    """
    if not isinstance(like, types.Array):
        raise TypingError(f"array_at needs an array of the dtype, got {like}")
    kind = types.Array(like.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        address, start, size = arguments[:3]
        array = context.make_array(kind)(context, builder)
        itemsize = _WORD(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        place = builder.inttoptr(builder.add(address, builder.mul(start, itemsize)), array.data.type)
        shape, strides = cgutils.pack_array(builder, [size]), cgutils.pack_array(builder, [itemsize])
        populate_array(array, place, shape, strides, itemsize, None)
        return array._getvalue()

    return kind(types.int64, types.int64, types.int64, like), generate
