"""What loops of numbers need: a fused multiply-add (Python has one from 3.13 on), their type, and a number's neighbours."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import vector_code


@vector_code
def fma(typing_context, a, b, c):
    """Return ``a * b + c`` in float64, rounded once: on a machine without such an instruction slowly, with the same bits."""

    def generate(context, builder, signature, arguments):
        double = ir.DoubleType()
        wide = [context.cast(builder, value, kind, types.float64) for value, kind in zip(arguments, signature.args)]
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(double, [double] * 3), "llvm.fma.f64")
        return builder.call(function, wide)

    return types.float64(a, b, c), generate


@vector_code
def is_single(typing_context, element):
    """Return whether a number is a float32: known while the kernel is compiled, so that only one branch is left of two."""

    def generate(context, builder, signature, arguments):
        return context.get_constant(types.boolean, signature.args[0] == types.float32)

    return types.boolean(element), generate


@vector_code
def rounded(typing_context, number, like):
    """Return a number in the dtype of another."""

    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[0], *signature.args)

    return like(number, like), generate


def _bits(dtype):
    """Return the integer type of a float's bits, and the largest of it that is not negative."""
    return ir.IntType(dtype.bitwidth), (1 << dtype.bitwidth - 1) - 1


@vector_code
def order_of(typing_context, number):
    """Return a number's place among all of its dtype: the next larger one has the next place, and 0 of either sign place 0."""

    def generate(context, builder, signature, arguments):
        kind, most = _bits(signature.args[0])
        bits = builder.bitcast(arguments[0], kind)
        negative = builder.icmp_signed("<", bits, kind(0))
        order = builder.select(negative, builder.neg(builder.and_(bits, kind(most))), bits)
        return order if kind.width == 64 else builder.sext(order, ir.IntType(64))

    return types.int64(number), generate


@vector_code
def number_at(typing_context, order, like):
    """Return the number of a dtype at a place that `order_of` gives; next to the infinities are NaN."""

    def generate(context, builder, signature, arguments):
        kind, most = _bits(signature.args[1])
        order = arguments[0] if kind.width == 64 else builder.trunc(arguments[0], kind)
        negative = builder.icmp_signed("<", order, kind(0))
        bits = builder.select(negative, builder.or_(builder.neg(order), kind(most + 1)), order)
        return builder.bitcast(bits, context.get_value_type(signature.args[1]))

    return like(types.int64, like), generate
