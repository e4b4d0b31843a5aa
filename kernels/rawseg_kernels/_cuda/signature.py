"""What a CUDA kernel takes, read from its own source: a launch hands over bare bytes, and nobody else would see a mistake."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

KERNEL = re.compile(r"^RS_KERNEL\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\s*\(([^)]*)\)", re.MULTILINE)
PARAMETER = re.compile(r"(const\s+)?(\w+)\s*(\*?)\s*(?:__restrict__\s+)?(\w+)")
TYPES = {
    "int": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "uint8": np.dtype(np.uint8),
    "bool": np.dtype(np.bool_),
    "wide": np.dtype(np.float64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
}


class Parameter(NamedTuple):
    """One parameter of a kernel.

    Attributes
    ----------
    name, type : str
        As the source has them.
    is_array : bool
        Whether it is a pointer.
    is_read : bool
        Whether the kernel only reads it.
    """

    name: str
    type: str
    is_array: bool
    is_read: bool

    def dtype(self, real: np.dtype) -> np.dtype:
        """Return the dtype of its elements, where ``real`` is what the file is compiled for."""
        return real if self.type == "real" else TYPES[self.type]

    def declared(self) -> str:
        """Return its type in C."""
        return f"{'const ' if self.is_read and self.is_array else ''}{self.type}{'*' if self.is_array else ''}"


def signatures(source: str) -> dict[str, tuple[Parameter, ...]]:
    """Return the parameters of every kernel of a source.

    Examples
    --------
    >>> signatures("RS_KERNEL scaled(const real* x, real* out, real factor, int64 count) {}")["scaled"][0]
    Parameter(name='x', type='real', is_array=True, is_read=True)
    """
    return {name: tuple(map(_parameter, filter(str.strip, text.split(",")))) for name, text in KERNEL.findall(source)}


def _parameter(text: str) -> Parameter:
    found = PARAMETER.fullmatch(text.strip())
    if found is None or found[2] not in {"real", *TYPES}:
        raise TypeError(f"a kernel's parameter must be one of {('real', *TYPES)} or a pointer to one, got {text.strip()!r}")
    return Parameter(found[4], found[2], bool(found[3]), bool(found[1]) or not found[3])
