"""Numba, configured in one place: no GIL, no fastmath (NaN counts), and a cache that cannot go stale.

Numba keys a cached kernel by the file that holds it, so an edit in a file that the kernel *imports* would be missed. The
cache folder here carries a hash of all kernel sources and of Numba's version instead; `_jit_cache` keeps its files. Of a kernel
outside this package, only edits of its own file are seen.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numba

from ._jit_cache import KernelCache, prune
from ._jit_compiler import KernelCompiler, no_collections
from ._jit_entry import is_shared

MAKERS = frozenset({"empty", "full", "zeros"})  # of arrays: what threads share and what only kernels call have no others


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Return the folder of compiled kernels: under ``RAWSEG_CACHE_DIR``, Numba's own setting, or the user's cache folder."""
    root = os.environ.get("RAWSEG_CACHE_DIR") or numba.config.CACHE_DIR  # type: ignore[attr-defined]
    if not root:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rawseg"
    digest = hashlib.sha256(numba.__version__.encode())
    digest.update(os.environ.get("RAWSEG_SIMD", "").encode())  # the vector code of `_simd` is not the same for each value
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return Path(root) / f"kernels-{digest.hexdigest()[:16]}"


@lru_cache(maxsize=1)
def cache_is_writable() -> bool:
    """Make the cache folder; where that fails, and there are none to read, kernels are compiled anew in every process."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    writable = os.access(cache_folder(), os.W_OK)
    if writable:
        prune(cache_folder())
    return writable


def kernel(function: Callable[..., Any], **options: bool) -> Any:
    """Compile a function of plain loops with Numba on its first call, and keep the machine code for the next process.

    The GIL is released while it runs. Division by zero gives inf or NaN, as in NumPy. A number that another kernel writes into
    a call is an argument like any other: Numba would compile the function again for each. One that takes ``first, last`` makes
    arrays by `MAKERS` alone, and raises errors of constants.
    """
    dispatcher = specialised(function, **options)
    templates = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: templates(tuple(map(numba.types.unliteral, args)), kws)
    return dispatcher


def piece(function: Callable[..., Any]) -> Any:
    """Do as `kernel` for a function that only kernels call: it becomes machine code as a part of theirs.

    It returns no arrays, makes them by `MAKERS` alone, and raises errors of constants.
    """
    return _for_kernels(kernel(function, no_cpython_wrapper=True))


def unkept(function: Callable[..., Any]) -> Any:
    """Compile a function for this process alone, for faults planted on purpose: an index outside raises an IndexError."""
    return _njit(function, boundscheck=True)


def specialised(function: Callable[..., Any], **options: bool) -> Any:
    """Do as `kernel`, but compile the function anew for each number that is written into a call of it: its loops unroll."""
    dispatcher = _njit(function, no_cfunc_wrapper=True, **options)
    if cache_is_writable() or cache_folder().is_dir():
        dispatcher._cache = KernelCache(function, cache_folder())
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function for the inner loops of kernels: its code goes into theirs, so that they stay vector loops.

    The rules of `piece` are its own, too.
    """
    return _for_kernels(_njit(function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True))


def _for_kernels(dispatcher: Any) -> Any:
    """Let Python run a function that has no entry for it as what it is there, plain Python."""
    dispatcher._insert = lambda *_: None  # no machine code to look for
    dispatcher._compile_for_args = lambda *_, **__: dispatcher.py_func
    return dispatcher


def _njit(function: Callable[..., Any], **options: Any) -> Any:
    shared = is_shared(function.__code__.co_varnames)
    lent = shared or options.get("no_cpython_wrapper", False)  # all arrays that come in: nobody has to count who holds them
    options["_nrt"] = not lent or not MAKERS.isdisjoint(function.__code__.co_names)
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", pipeline_class=KernelCompiler, **options)(function)
    dispatcher.is_shared = shared
    dispatcher.compile = no_collections()(dispatcher.compile)
    return dispatcher


@cache
def compiled(function: Callable[..., Any]) -> Any:
    """Return `kernel(function)`, made once: for functions that must also stay plain Python, as every ``reference.py``."""
    return kernel(function)
