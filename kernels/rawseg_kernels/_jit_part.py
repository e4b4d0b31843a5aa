"""How a kernel becomes machine code: with all that it calls, once.

Numba makes machine code of every function that it compiles, and LLVM optimises it again in each that calls it. What only
kernels call is never run by itself: it stays as it was written until a kernel takes it in. Before that, variables are put into
registers; everything else that LLVM does to a function it does when it sees the whole kernel.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from llvmlite.binding import newpassmanagers
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompileResult, compile_result
from numba.core.environment import lookup_environment

_FORM = "part"  # in files of the cache: Numba has forms of its own
_ENVIRONMENT = "_ZN08NumbaEnv"  # as the names of the constants that a function's errors are made of begin


class Whole(JITCodeLibrary):
    """The code of a kernel."""

    def _finalize_specific(self) -> None:
        """Give the parts, too, what their errors are made of."""
        super()._finalize_specific()
        codegen: Any = self._codegen
        for variable in self._final_module.global_variables:
            environment = lookup_environment(variable.name) if variable.name.startswith(_ENVIRONMENT) else None
            if environment is not None:
                codegen.set_env(variable.name, environment)


class Part(Whole):
    """The code of a function that only kernels call, and of all that it calls."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        builder = self._codegen._pass_builder()
        for function in ll_module.functions:
            passes = newpassmanagers.create_new_function_pass_manager()
            passes.add_sroa_pass()
            passes.add_simplify_cfg_pass()
            passes.run(function, builder)

    def finalize(self) -> None:
        """Link what it calls, and leave it at that."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finished()

    def serialize_using_object_code(self) -> tuple[str, str, bytes]:
        """Return what the cache keeps."""
        self._ensure_finalized()
        return self.name, _FORM, self._final_module.as_bitcode()

    @classmethod
    def restored(cls, codegen: Any, name: str, content: bytes) -> Part:
        """Return what the cache kept."""
        part = cls(codegen, name)
        part._final_module = binding.parse_bitcode(content)
        part._finished()
        return part

    def _finished(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


def rebuilt(target: Any, code: Any, description: Any, environment: Any, signature: Any, *more: Any) -> Any:
    """Return what the cache kept of a compiled signature, ``CompileResult._reduce()``, as if it had been compiled now."""
    name, form, content = code
    if form != _FORM:
        return CompileResult._rebuild(target, code, description, environment, signature, *more)
    objectmode, lifted, annotation, reload_init, environments = more
    part = Part.restored(target.codegen(), name, content)
    return compile_result(
        typing_context=target.typing_context,
        target_context=target,
        entry_point=part,
        type_annotation=annotation,
        signature=signature,
        objectmode=objectmode,
        lifted=lifted,
        fndesc=description,
        library=part,
        environment=environment,
        reload_init=reload_init,
        referenced_envs=environments,
    )
