"""Launches on the CPU: the source of a kernel, compiled by g++ against ``on_cpu.h``.

With ``RAWSEG_CUDA_DEBUG=1`` it is not optimised, for a debugger to walk through; with ``RAWSEG_CUDA_SANITIZE=1`` sanitizers
watch.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ArgumentError, BackendError

if TYPE_CHECKING:
    from .kernel import Kernel

WORDS = Path(__file__).with_name("on_cpu.h")
ORDERS = {"forward": 0, "backward": 1, "shuffled": 2}
WARNINGS = ("-Wall", "-Werror", "-Wno-unused-function", "-Wno-unknown-pragmas")  # the pragma is CUDA's "unroll"
FLAGS = ("-std=c++17", "-g", "-shared", "-fPIC", "-ffp-contract=off", *WARNINGS)
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
SECTIONS = "-fsanitize-sections=rs_shared"
_lock = threading.Lock()  # a library has one grid at a time
SUMS = ("rounded", "truncated")
_order, _seed = "forward", 0
_sums: str | None = None


class _Launch(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_int64),
        ("waits", ctypes.c_int32),
        ("order", ctypes.c_int32),
        ("truncates", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
    )


@contextmanager
def ordered(order: str, seed: int = 0) -> Iterator[None]:
    """Run the threads of every block in another order while this lasts: "forward", "backward" or "shuffled" by a seed."""
    global _order, _seed
    before, (_order, _seed) = (_order, _seed), (order, seed)
    try:
        yield
    finally:
        _order, _seed = before


@contextmanager
def summing(how: str) -> Iterator[None]:
    """Let tensor cores sum in another way while this lasts; ``RAWSEG_CUDA_SUMS`` says so for the whole process.

    Parameters
    ----------
    how : {"rounded", "truncated"}
        Whether eight products and the sum before are added exactly and rounded once, which is the best that a GPU could do
        and what is done if nothing is said, or truncated after every addition, which is worse than any does.
    """
    global _sums
    before, _sums = _sums, _checked_sums(how)
    try:
        yield
    finally:
        _sums = before


def _checked_sums(how: str) -> str:
    if how not in SUMS:
        raise ArgumentError("cuda", "RAWSEG_CUDA_SUMS", f"one of {SUMS}", repr(how))
    return how


def _truncates() -> bool:
    return (_sums or _checked_sums(os.environ.get("RAWSEG_CUDA_SUMS") or "rounded")) == "truncated"


def run(kernel: Kernel, grid: tuple[int, ...], block: tuple[int, ...], given: Sequence[Any], shared: int) -> None:
    """Run a kernel's grid on this thread.

    Raises
    ------
    BackendError
        If there is no C++ compiler.
    RuntimeError
        If threads wait for each other in a way that no GPU allows.
    """
    function = _function(kernel, _how())
    kept = [np.array([0 if a is None else _address(a)], np.uintp) if _is_pointer(a) else np.array([a]) for a in given]
    pointers = (ctypes.c_void_p * len(kept))(*(array.ctypes.data for array in kept))
    sizes = ((ctypes.c_uint * 3)(*(*size, 1, 1)[:3]) for size in (grid, block))
    launch = _Launch(*sizes, shared, kernel.source.waits, ORDERS[_order], _truncates(), _seed)
    with _lock:
        error = function(pointers, ctypes.byref(launch))
    if error:
        raise RuntimeError(f"{kernel.name}: {error.decode()}")


def _is_pointer(argument: Any) -> bool:
    return argument is None or isinstance(argument, np.ndarray)


def _address(array: np.ndarray) -> int:
    return array.ctypes.data


def sanitized() -> bool:
    """Return whether kernels run under address and undefined-behaviour sanitizers (``RAWSEG_CUDA_SANITIZE=1``).

    The process must have been started with the sanitizers' libraries loaded; see `sanitizers`.
    """
    return _is_set("RAWSEG_CUDA_SANITIZE")


def _how() -> tuple[str, ...]:
    """Return the compiler's flags for the environment."""
    if sanitized():
        return "-O1", *SANITIZED, SECTIONS
    return ("-O0",) if _is_set("RAWSEG_CUDA_DEBUG") else ("-O2",)


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def sanitizers() -> dict[str, str]:
    """Return the environment in which a process runs its kernels under sanitizers."""
    libraries = [
        subprocess.run([_compiler(), f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return {
        "RAWSEG_CUDA_SANITIZE": "1",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def _compiler() -> str:
    found = os.environ.get("CXX") or shutil.which("g++")
    if not found:
        raise BackendError("cuda", "algorithm", "g++, which compiles CUDA source for the CPU", "no g++ (or CXX)")
    return found


@lru_cache(maxsize=4096)
def _function(kernel: Kernel, how: tuple[str, ...]) -> Any:
    function = getattr(_library(kernel, how), f"run_{kernel.name}")
    function.restype = ctypes.c_char_p
    return function


def _library(kernel: Kernel, how: tuple[str, ...]) -> ctypes.CDLL:
    """Return the compiled file, from the folder of compiled kernels if it is there."""
    from .._jit import cache_folder

    source, compiler = kernel.source, _compiler()
    text = _program(kernel)
    flags = [*FLAGS, *how]
    flags += [option for option in source.options(kernel.dtype, kernel.defines) if option.startswith("-D")]
    key = hashlib.sha256("\0".join([compiler, *flags, text, WORDS.read_text(encoding="utf-8")]).encode()).hexdigest()[:20]
    folder = cache_folder()
    library = folder / f"{source.path.stem}-{key}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compile(compiler, flags, text, library, source.path.parent)
    return ctypes.CDLL(str(library))


def _compile(compiler: str, flags: list[str], text: str, library: Path, room: Path) -> None:
    """Write the library in one step: another process may compile the same. A debugger looks for the source in ``room``."""
    program = library.with_suffix(".cpp")
    partial = library.with_suffix(f".{secrets.token_hex(4)}.tmp")
    partial_program = partial.with_suffix(".tmp.cpp")
    partial_program.write_text(text, encoding="utf-8")
    os.replace(partial_program, program)  # kept beside the library: a debugger shows it
    command = [compiler, str(program.absolute()), "-o", str(partial.absolute()), f"-I{WORDS.parent}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=room)
    if done.returncode:
        raise RuntimeError(f"{library.stem}: g++ refuses the source:\n{done.stderr}")
    os.replace(partial, library)


def _program(kernel: Kernel) -> str:
    """Return C++: CUDA's words, the source, and for every kernel a function that Python can call."""
    calls = []
    for name, parameters in kernel.source.signatures.items():
        arguments = ", ".join(f"*({p.declared()}*)a[{i}]" for i, p in enumerate(parameters))
        calls.append(
            f'extern "C" const char* run_{name}(void** a, const on_cpu::Launch* how) '
            f"{{ return on_cpu::launch([=] {{ {name}({arguments}); }}, *how); }}"
        )
    return "\n".join(['#include "on_cpu.h"', kernel.source.whole, *calls, ""])
