"""CUDA's own compiler without CuPy, without a driver and without a GPU: machine code for any chip, and what it needs."""

from __future__ import annotations

import ctypes
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PACKAGES = {"12": "nvidia-cuda-nvrtc-cu12", "13": "nvidia-cuda-nvrtc"}


class Compiled(NamedTuple):
    """What one kernel needs on one chip: registers of a thread, bytes that did not fit into them, bytes of shared memory."""

    registers: int
    spilled: int
    shared: int


@cache
def library(major: str) -> ctypes.CDLL:
    """Load NVRTC 12 or 13 from its package."""
    files = [Path(str(file.locate())) for file in metadata.files(PACKAGES[major]) or []]
    (path,) = (file for file in files if file.name == f"libnvrtc.so.{major}")
    for builtins in sorted(path.parent.glob("libnvrtc-builtins.so*")):  # NVRTC 13 asks for it by name alone
        ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(path))


def compile_source(major: str, source: str, options: tuple[str, ...]) -> dict[str, Compiled]:
    """Compile to machine code; return what every kernel needs.

    Raises
    ------
    SyntaxError
        With the compiler's words, if it refuses the source.
    """
    nvrtc, program = library(major), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    words = [option.encode() for option in (*options, "--ptxas-options=-v", "-default-device")]
    failed = nvrtc.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    text = log.value.decode()
    if failed:
        raise SyntaxError(text)
    return _needs(text)


def _needs(log: str) -> dict[str, Compiled]:
    """Read the assembler's report: for every kernel a line with its name, one with spills, one with registers."""
    found = {}
    for part in log.split("Compiling entry function '")[1:]:
        name = part.partition("'")[0]
        registers = re.search(r"Used (\d+) registers", part)
        spilled = re.search(r"(\d+) bytes spill stores", part)
        shared = re.search(r"(\d+) bytes smem", part)
        assert registers is not None, log
        found[name] = Compiled(int(registers[1]), int(spilled[1]) if spilled else 0, int(shared[1]) if shared else 0)
    return found
