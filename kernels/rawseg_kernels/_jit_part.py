"""Functions that only kernels call: LLVM gets them with the kernels, once, and nothing is made of them alone.

Numba makes machine code of every function that it compiles, and optimises it again in each that calls it. What only kernels call
is never run by itself: here it stays as Numba wrote it, until a kernel takes it in.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from llvmlite.binding import newpassmanagers
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompileResult, compile_result
from numba.core.environment import lookup_environment

_FORM = "part"  # in files of the cache: numba has forms of its own
_ENVIRONMENT = "_ZN08NumbaEnv"  # as the names of the constants that a function's errors are made of begin


class Whole(JITCodeLibrary):
    """The code of a kernel."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Put variables into registers, which is what is needed before functions are inlined."""
        ll_module.data_layout = self._codegen._data_layout
        builder = self._codegen._pass_builder()
        for function in ll_module.functions:
            passes = newpassmanagers.create_new_function_pass_manager()
            passes.add_sroa_pass()
            passes.add_simplify_cfg_pass()
            passes.run(function, builder)


class Part(Whole):
    """The code of such a function, with all that it calls."""

    def finalize(self) -> None:
        """Link what it calls, and leave it at that."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def serialize_using_object_code(self) -> tuple[str, str, bytes]:
        """Return what the cache keeps."""
        self._ensure_finalized()
        return self.name, _FORM, self._final_module.as_bitcode()


def introduce_parts(library: JITCodeLibrary) -> None:
    """Give the parts of a kernel that has just become machine code what their errors are made of."""
    for variable in library._final_module.global_variables:
        environment = lookup_environment(variable.name) if variable.name.startswith(_ENVIRONMENT) else None
        if environment is not None:
            library.codegen.set_env(variable.name, environment)


def rebuilt(target: Any, code: Any, description: Any, environment: Any, signature: Any, *more: Any) -> Any:
    """Return what the cache kept of a compiled signature, ``CompileResult._reduce()``, as if it had been compiled now."""
    name, form, content = code
    if form != _FORM:
        return CompileResult._rebuild(target, code, description, environment, signature, *more)
    _, lifted, annotation, reload_init, environments = more
    for load in reload_init:
        load()
    part = Part(target.codegen(), name)
    part._final_module = binding.parse_bitcode(content)
    part._finalize_dynamic_globals()
    part._finalized = True
    return compile_result(
        typing_context=target.typing_context,
        target_context=target,
        entry_point=part,
        type_annotation=annotation,
        signature=signature,
        objectmode=False,
        lifted=lifted,
        fndesc=description,
        library=part,
        environment=environment,
        reload_init=reload_init,
        referenced_envs=environments,
    )
