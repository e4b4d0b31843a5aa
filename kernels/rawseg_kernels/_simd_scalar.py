"""What loops of numbers need to become good vector code: a fused multiply-add (Python has one from 3.13 on), and their type."""

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
