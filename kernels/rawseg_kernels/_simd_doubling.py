"""Vector code for rows that become twice as long by linear interpolation: far from their ends, weights are a quarter and three.

Products and sums are rounded one by one. Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types

from ._simd import _INDEX, _same_dtype, vector_code
from ._simd_rows import _MaskedEmitter, _pairs_of_vectors

_PLACE = types.int64
FAR, NEAR = 0.25, 0.75


def _share(emitter, weight, vector):
    return emitter.builder.fmul(ir.Constant(emitter.vector, [weight] * emitter.lanes), vector)


@vector_code
def double_row(typing_context, count, source, at, to, to_at):
    """Write two elements between each of ``count`` neighbours from a place on and the next, each nearer to one of them."""
    dtype = _same_dtype(source, to)
    signature = types.void(_PLACE, source, _PLACE, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, count = _MaskedEmitter(context, builder, dtype), arguments[0]
        source, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (1, 3))
        lanes = emitter.lanes
        for index, masks in _pairs_of_vectors(emitter, builder.add(count, count)):
            place = builder.mul(index, _INDEX(lanes))
            mask = None if masks[0] is None else emitter.first(builder.sub(count, place))
            left, right = (emitter.read(source, builder.add(place, _INDEX(i)), mask) for i in (0, 1))
            sides = ((NEAR, FAR), (FAR, NEAR))
            both = [builder.fadd(_share(emitter, one, left), _share(emitter, other, right)) for one, other in sides]
            for half in (0, 1):
                order = [lane // 2 + lane % 2 * lanes + half * lanes // 2 for lane in range(lanes)]
                pair_at = builder.add(builder.add(place, place), _INDEX(half * lanes))
                emitter.write(emitter.shuffle(both[0], both[1], order), to, pair_at, masks[half])
        return context.get_dummy_value()

    return signature, generate


@vector_code
def gather_doubled(typing_context, count, source, at, to, to_at):
    """Write what each of ``count`` elements has given to four, the first of them at a place, the next one's two further on.

    That is ``0 + source[at] / 4 + source[at + 1] * 3 / 4 + source[at + 2] * 3 / 4 + source[at + 3] / 4``, from left to right.
    """
    dtype = _same_dtype(source, to)
    signature = types.void(_PLACE, source, _PLACE, to, _PLACE)

    def generate(context, builder, signature, arguments):
        emitter, count = _MaskedEmitter(context, builder, dtype), arguments[0]
        source, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (1, 3))
        lanes = emitter.lanes
        for index, masks in _pairs_of_vectors(emitter, builder.add(count, count)):
            place, parts = builder.mul(index, _INDEX(lanes)), []
            for ahead in (0, 2):
                both = [builder.add(builder.add(place, place), _INDEX(ahead + half * lanes)) for half in (0, 1)]
                both = [emitter.read(source, *where) for where in zip(both, masks)]
                parts += [emitter.shuffle(both[0], both[1], [2 * lane + odd for lane in range(lanes)]) for odd in (0, 1)]
            total = emitter.zero
            for weight, part in zip((FAR, NEAR, NEAR, FAR), parts):
                total = builder.fadd(total, _share(emitter, weight, part))
            mask = None if masks[0] is None else emitter.first(builder.sub(count, place))
            emitter.write(total, to, place, mask)
        return context.get_dummy_value()

    return signature, generate
