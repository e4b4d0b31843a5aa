"""Numba's compiler as kernels need it: with vectors as wide as the micro-kernels', and without what makes it wait.

On CPUs whose clock once fell under wide instructions, LLVM prefers half of AVX-512. Next to micro-kernels that use all of it
the clock is what it is, and loops in double precision take up to twice as long in halves. No sum is reordered for a vector, so
the width does not reach the bits.

The first call of a fresh installation waits for its kernels. What only they call becomes machine code with them (`Part`), types
of arithmetic are looked up once, passes that kernels do without are left out, and nobody looks for garbage meanwhile.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from inspect import iscode
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.callwrapper import PyCallWrapper
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.errors import NumbaError, TypingError
from numba.core.ir import Expr
from numba.core.lowering import Lower
from numba.core.targetconfig import ConfigStack
from numba.core.typed_passes import NativeLowering, NopythonRewrites, NopythonTypeInference
from numba.core.typing.context import Context
from numba.core.untyped_passes import InlineClosureLikes

from ._jit_entry import accepts, shared_entry
from ._jit_part import Part, Whole
from ._simd import VECTOR_BYTES

WIDTH = f'"prefer-vector-width"="{8 * VECTOR_BYTES}"'


_known: dict[tuple[Any, tuple[Any, ...]], Any] = {}


class _Typing(Context):
    """Numba's typing context, but which number a function of numbers gives is asked once: every operator asks it anew."""

    def __init__(self, context: Context) -> None:
        self.__dict__ = context.__dict__  # one state for both

    def resolve_function_type(self, func: Any, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        if isinstance(func, types.Dispatcher):
            self._check_callee(func.dispatcher)
            return super().resolve_function_type(func, args, kws)
        if not args or kws or not all(isinstance(argument, types.Number) for argument in args):
            return super().resolve_function_type(func, args, kws)
        if getattr(func, "typing_key", None) in (min, max):  # functions of Numba's, compiled for each number that is written
            args = tuple(map(types.unliteral, args))
        known = _known.get((func, args))
        if known is None:
            known = super().resolve_function_type(func, args, kws)
            if known is not None and isinstance(known.return_type, types.Number | types.Boolean):
                _known[func, args] = known
        return known

    def _check_callee(self, dispatcher: Any) -> None:
        """Refuse Numba's own functions where nobody counts arrays: they would not, either, for whoever calls them later."""
        flags: Any = ConfigStack.top_or_none()
        if not hasattr(dispatcher, "is_shared") and not flags.nrt:
            name = dispatcher.py_func.__qualname__
            raise TypingError(f"{name}() is compiled by numba.njit: what counts no arrays calls only what `_jit` compiles")


_typing = cache(_Typing)  # one a context: Numba keeps what it makes of a function's types for each


@contextmanager
def _explaining(state: Any) -> Iterator[None]:
    """Say in words what Numba means where a function that counts no arrays makes one."""
    try:
        yield
    except NumbaError as error:
        if state.flags.nrt or not any(sign in str(error) for sign in UNCOUNTED):
            raise
        rule = "is for threads or kernels, which count no arrays: make them by np.empty, full or zeros, and raise constants"
        raise TypingError(f"{state.func_id.func_qualname}() {rule}") from error


@register_pass(mutates_CFG=True, analysis_only=False)
class _Inference(NopythonTypeInference):
    _name = "rawseg_type_inference"

    def run_pass(self, state: Any) -> bool:
        context = state.typingctx
        state.typingctx = _typing(context)
        try:
            with _explaining(state):
                return super().run_pass(state)
        finally:
            state.typingctx = context


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
class _Lowering(NativeLowering):
    _name = "rawseg_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower

    def run_pass(self, state: Any) -> bool:
        codegen, name = state.targetctx.codegen(), state.func_id.func_qualname
        self._check_counts(state, name)
        state.flags.no_compile = state.flags.no_cpython_wrapper
        state.library = part = (Part if state.flags.no_compile else Whole)(codegen, name)
        state.library.enable_object_caching()
        with _explaining(state):
            super().run_pass(state)
        if not state.flags.no_compile:
            return True
        state.cr = state.cr._replace(cfunc=part)  # nothing to call, but Numba tells signatures apart by it
        state.targetctx.insert_user_function(part, state.cr.fndesc, [part])
        return True

    def _check_counts(self, state: Any, name: str) -> None:
        """Refuse arrays that are handed over by one who counts them to one who does not, or the other way."""

        def is_counted(kind: Any) -> bool:
            return state.targetctx.data_model_manager[kind].contains_nrt_meminfo()

        if state.flags.no_cpython_wrapper and is_counted(state.return_type):
            raise TypingError(f"{name}() is called by kernels, which count no arrays that they get: give it one to fill")
        for call, signature in state.calltypes.items() if not state.flags.nrt else ():
            called = state.typemap[call.func.name] if isinstance(call, Expr) and call.op == "call" else None
            if isinstance(called, types.Dispatcher) and is_counted(signature.return_type):
                raise TypingError(f"{name}() makes no arrays, so it counts none: it cannot call what returns one")


INSTEAD = {NopythonTypeInference: _Inference, NativeLowering: _Lowering}
NEEDLESS = InlineClosureLikes, NopythonRewrites  # where no functions are inside; and no expressions of whole arrays are fused
UNCOUNTED = "NRT required", "Only accept returning of array passed"  # in Numba's words
_waiting = False  # whether the collector is kept from what it would do


@contextmanager
def no_collections() -> Iterator[None]:
    """Keep the garbage collector from looking through all that a compiler makes: there is none until it is done."""
    global _waiting
    with global_compiler_lock:
        enabled = gc.isenabled()
        gc.disable()
        _waiting = _waiting or enabled
        try:
            yield
        finally:
            if enabled:
                _waiting = False
                gc.enable()


def _after_fork() -> None:
    """Collect in a child whose parent was just compiling: the thread that would go on is not there."""
    if _waiting:
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class KernelCompiler(CompilerBase):
    """``numba.njit``, with `INSTEAD` and without `NEEDLESS` passes."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        needless = () if any(map(iscode, self.state.func_id.code.co_consts)) else NEEDLESS
        passes.passes = [(INSTEAD.get(step, step), why) for step, why in passes.passes if step not in needless]
        passes.finalize()
        return [passes]
