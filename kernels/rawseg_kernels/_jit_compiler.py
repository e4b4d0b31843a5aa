"""Numba's compiler, but for one thing: loops become vectors as wide as the micro-kernels'.

On CPUs whose clock once fell under wide instructions, LLVM prefers half of AVX-512. Next to micro-kernels that use all of it
the clock is what it is, and loops in double precision take up to twice as long in halves. No sum is reordered for a vector, so
the width does not reach the bits.
"""

from __future__ import annotations

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from ._simd import VECTOR_BYTES

WIDTH = f'"prefer-vector-width"="{8 * VECTOR_BYTES}"'


class _WideLower(Lower):
    """Says so in the code that LLVM gets."""

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        set.add(self.function.attributes, WIDTH)  # llvmlite's own `add` knows no attribute with a value


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):
    _name = "rawseg_wide_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower


class KernelCompiler(CompilerBase):
    """The passes of ``numba.njit``, with `_WideLowering` in place of Numba's."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [(_WideLowering if step is NativeLowering else step, why) for step, why in passes.passes]
        passes.finalize()
        return [passes]
