"""A .cu file: what it holds, and what it is compiled with."""

from __future__ import annotations

import hashlib
import re
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from .kernel import Kernel
from .signature import Parameter, signatures

COMMON = Path(__file__).with_name("common.cuh")
INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)  # of files beside this one
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
WAITS = re.compile(r"\b(__(syncthreads|syncwarp|shfl\w*|ballot\w*)|block_(joined|sum)|multiply_fragments)\s*\(")


class Source:
    """A file of CUDA kernels, which is compiled for a dtype when one of them is first launched.

    Parameters
    ----------
    beside : str
        The ``__file__`` of the module that launches them.
    name : str
        Name of the file.
    """

    def __init__(self, beside: str, name: str) -> None:
        self.path = Path(beside).with_name(name)
        self.kernel = cache(self._kernel)

    @cached_property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def whole(self) -> str:
        """What is compiled: the shared words, then the file and what it includes; errors have the line numbers of each."""
        body = INCLUDE.sub(self._included, self.text)  # here, and not by the compiler: see common.cuh
        return f'{COMMON.read_text(encoding="utf-8")}\n#line 1 "{self.path.name}"\n{body}'

    def _included(self, found: re.Match[str]) -> str:
        text = COMMON.with_name(found[1]).read_text(encoding="utf-8")
        after = self.text.count("\n", 0, found.end()) + 2
        return f'#line 1 "{found[1]}"\n{text}\n#line {after} "{self.path.name}"'

    @cached_property
    def signatures(self) -> dict[str, tuple[Parameter, ...]]:
        """The parameters of every kernel."""
        return signatures(self.text)

    @property
    def waits(self) -> bool:
        """Whether threads of a block wait for each other."""
        return WAITS.search(self.whole) is not None

    @staticmethod
    def options(dtype: np.dtype, defines: tuple[tuple[str, int], ...] = ()) -> tuple[str, ...]:
        """Return the options of the compiler: the element type, constants, and no contraction of products and sums."""
        return "-std=c++17", "--fmad=false", f"-DRS_REAL={REALS[dtype]}", *(f"-D{name}={value}" for name, value in defines)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that is compiled, by which a result on a GPU is known to be of this source."""
        return hashlib.sha256(self.whole.encode()).hexdigest()

    def _kernel(self, name: str, dtype: np.dtype, **defines: int) -> Kernel:
        """Return a kernel, compiled with ``real`` as a dtype and with constants; the same one whenever it is asked for."""
        return Kernel(self, name, np.dtype(dtype), tuple(sorted(defines.items())))
