"""Numba's compiler, but for two things. Loops become vectors as wide as the micro-kernels', and what only kernels call is a `Part`.

On CPUs whose clock once fell under wide instructions, LLVM prefers half of AVX-512. Next to micro-kernels that use all of it
the clock is what it is, and loops in double precision take up to twice as long in halves. No sum is reordered for a vector, so
the width does not reach the bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core.callwrapper import PyCallWrapper
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from ._jit_entry import accepts, shared_entry
from ._jit_part import Part, introduce_parts
from ._simd import VECTOR_BYTES

WIDTH = f'"prefer-vector-width"="{8 * VECTOR_BYTES}"'


class _WideLower(Lower):
    """Says so in the code that LLVM gets."""

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        set.add(self.function.attributes, WIDTH)  # llvmlite's own `add` knows no attribute with a value
        if isinstance(self.library, Part) and not fndesc.inline:
            self.function.attributes.add("noinline")  # loops of their own, with all registers for them

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """Let Python enter a kernel through `_jit_entry.shared_entry`."""
        if not accepts(self.fndesc):
            super().create_cpython_wrapper(release_gil)
            return
        module = self.context.create_module("wrapper")
        kind = self.call_conv.get_function_type(self.fndesc.restype, self.fndesc.argtypes)
        kernel = ir.Function(module, kind, self.fndesc.llvm_func_name)
        entry = shared_entry(self.context, module, kernel, self.fndesc)
        PyCallWrapper(self.context, module, entry, self.fndesc, self.env, self.call_helper, release_gil).build()
        self.library.add_ir_module(module)


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):
    _name = "rawseg_wide_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower

    def run_pass(self, state: Any) -> bool:
        if not state.flags.no_cpython_wrapper:
            super().run_pass(state)
            introduce_parts(state.library)
            return True
        state.library = Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state.cr
        state.cr = lowered._replace(cfunc=state.library)  # nothing to call, but Numba tells signatures apart by it
        state.targetctx.insert_user_function(state.library, lowered.fndesc, [state.library])
        return True


class KernelCompiler(CompilerBase):
    """The passes of ``numba.njit``, with `_WideLowering` in place of Numba's."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [(_WideLowering if step is NativeLowering else step, why) for step, why in passes.passes]
        passes.finalize()
        return [passes]
